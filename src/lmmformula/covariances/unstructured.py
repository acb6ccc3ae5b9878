"""Every standard deviation and every correlation free: `us(...)`, or brackets alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.covariances.maps import Angle, LinearRoot
from lmmformula.covariances.matrices import inverse
from lmmformula.covariances.spherical import Spherical
from lmmformula.covariances.structure import Covariance, Element, StanCorrelations

FLAT = 1e-8
"""Least eigenvalue of columns' correlations from which they are turned, not only scaled."""


@dataclass(frozen=True)
class Unstructured(Covariance):
    """
    Any positive semidefinite matrix.

    >>> Unstructured().theta_of(np.array([[4.0, 2.0], [2.0, 10.0]]))
    array([2., 1., 3.])
    >>> Unstructured().sigma_of(np.array([2.0, 1.0, 3.0]), 2)
    array([[ 4.,  2.],
           [ 2., 10.]])
    """

    name: ClassVar[str] = "us"
    has_homogeneous: ClassVar[bool] = False
    any_matrix: ClassVar[bool] = True
    explained: ClassVar[str] = "every standard deviation and correlation free"
    described: ClassVar[str] = "correlated"
    stan_letter: ClassVar[str] = "L"

    def _correlations(self, names: Sequence[str]) -> tuple[Element, ...]:
        pairs = [(i, j) for j in range(len(names)) for i in range(j + 1, len(names))]
        return tuple(Element("cor", f"{names[j]}, {names[i]}", i, j) for i, j in pairs)

    def free_map(self, k: int) -> LinearRoot:
        """Return the symmetric square root."""
        rows, columns = np.tril_indices(k)
        basis = np.zeros((len(rows), k, k))
        size = np.where(rows == columns, 1.0, math.sqrt(0.5))
        basis[np.arange(len(rows)), rows, columns] = size
        basis[np.arange(len(rows)), columns, rows] = size
        return LinearRoot(basis)

    def natural_map(self, k: int, turn: FloatArray) -> LinearRoot:
        """Return the Cholesky factor."""
        columns, rows = np.triu_indices(k)  # the lower triangle by columns
        basis = np.zeros((len(rows), k, k))
        basis[np.arange(len(rows)), rows, columns] = 1.0
        return LinearRoot(inverse(turn) @ basis)

    def absolute_map(self, order: tuple[int, ...], *, held: bool) -> Spherical:
        """Return standard deviations and angles."""
        return Spherical(order, squares=held)

    def angle(self, k: int, row: int, column: int) -> Angle:  # noqa: ARG002
        """Return the first of the angles."""
        return Angle(k, -1.0, 1.0, cosine=True)

    def turn(self, mean: FloatArray) -> FloatArray:
        """Return what makes columns uncorrelated too, unless they nearly depend on each other."""
        size = np.sqrt(np.diag(mean))
        if np.linalg.eigvalsh(mean / np.outer(size, size))[0] > FLAT:
            return inverse(np.linalg.cholesky(mean).T.astype(np.float64, copy=False))
        return np.diag(1 / size)

    def text(self, inside: str) -> str:
        """Write brackets alone."""
        return f"({inside})"

    def latex_correlation(self, rho: str, i: int, j: int) -> str:
        """Write one correlation for each pair."""
        return f"{rho}_{{{min(i, j)}{max(i, j)}}}"

    def stan_correlations(self, k: int) -> StanCorrelations:
        """Return a Cholesky factor."""
        prior = ("lkj", (2.0,))
        return StanCorrelations("cholesky_factor_corr", str(k), "of their correlations", prior, matrix=True)

    def stan_start(self, correlation: FloatArray, root: FloatArray, within: float) -> tuple[FloatArray, float]:  # noqa: ARG002
        """Return the Cholesky factor."""
        return root, 1.0


UNSTRUCTURED = Unstructured()
