"""No correlations: `diag(...)`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.covariances.maps import LinearRoot
from lmmformula.covariances.matrices import diagonal_basis, inverse
from lmmformula.covariances.structure import ALL, Covariance, Element


@dataclass(frozen=True)
class Diagonal(Covariance):
    """
    Standard deviations alone.

    >>> Diagonal().n_parameters(3), Diagonal(homogeneous=True).n_parameters(3)
    (3, 1)
    """

    name: ClassVar[str] = "diag"
    correlated: ClassVar[bool] = False
    explained: ClassVar[str] = "uncorrelated"
    described: ClassVar[str] = "uncorrelated"

    def _correlations(self, names: Sequence[str]) -> tuple[Element, ...]:  # noqa: ARG002
        return ()

    def free_map(self, k: int) -> LinearRoot:
        """Return the standard deviations, of unit length as a matrix."""
        return LinearRoot(np.eye(k)[None] / math.sqrt(k) if self.homogeneous else diagonal_basis(k))

    def natural_map(self, k: int, turn: FloatArray) -> LinearRoot:
        """Return the standard deviations of the turned columns."""
        return LinearRoot(inverse(turn) @ (np.eye(k)[None] if self.homogeneous else diagonal_basis(k)))

    def absolute_map(self, order: tuple[int, ...], *, held: bool) -> LinearRoot:  # noqa: ARG002
        """Return the standard deviations."""
        k = len(order)
        return _SharedDeviation(np.eye(k)[None]) if self.homogeneous else LinearRoot(diagonal_basis(k))

    def cells(self, k: int) -> list[tuple[int, int]]:
        """Return the diagonal, or the first of it."""
        return [(i, i) for i in range(1 if self.homogeneous else k)]

    def theta_names(self, group: str, names: Sequence[str]) -> tuple[str, ...]:
        """Name coefficients, or all of them at once."""
        return tuple(f"{group}.{name}" for name in ([ALL] if self.homogeneous else names))

    def theta_of(self, sigma: FloatArray) -> FloatArray:
        """Return standard deviations relative to sigma."""
        return np.sqrt(np.diag(sigma))[: self.theta_size(len(sigma))]

    def sigma_of(self, theta: FloatArray, k: int) -> FloatArray:
        """Return the variances on the diagonal."""
        return np.diag(np.broadcast_to(theta, k) ** 2)


class _SharedDeviation(LinearRoot):
    """One standard deviation for all coefficients: the basis is I itself, so its coordinate is the deviation."""

    def nearest(self, covariance: FloatArray) -> FloatArray:
        """Return the root of the mean variance."""
        return np.array([math.sqrt(max(float(np.mean(np.diag(covariance))), 0.0))])
