"""
Maps from parameters without bounds to the relative covariance matrix of one random term.

A boundary of the covariance (a variance of zero, a correlation of one) is an ordinary stationary point in parameters
that pass over it symmetrically: T = Sigma^(1/2) may change the sign of an eigenvalue. The criterion is smooth there,
and its curvature is positive exactly where the boundary is the optimum, so Newton's method needs no constraints.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.covariances.matrices import square_root


class CovarianceMap(Protocol):
    """A map from unbounded parameters to the (k, k) relative covariance Sigma of a term."""

    @property
    def size(self) -> int:
        """Number n of parameters."""

    @property
    def spanning(self) -> FloatArray:
        """(n, k, k) matrices whose sums approximate Sigma well enough to start at."""

    def root(self, parameters: FloatArray) -> FloatArray:
        """Return a (k, k) matrix T with TT' = Sigma."""

    def directions(self, parameters: FloatArray) -> FloatArray:
        """Return (n, k, k) first derivatives of Sigma."""

    def curvature(self, parameters: FloatArray, G: FloatArray) -> FloatArray:
        """Return (n, n) tr(G d2Sigma)."""

    def nearest(self, covariance: FloatArray) -> FloatArray:
        """Return parameters of a matrix of this structure near a given one (equal, where it has the structure)."""

    def rescaled(self, parameters: FloatArray, factor: float) -> FloatArray:
        """Return parameters of all standard deviations times a factor."""

    def snapped(self, parameters: FloatArray, zero: float) -> FloatArray:
        """Return parameters with relative standard deviations below `zero` put to zero exactly."""


@dataclass(frozen=True, slots=True)
class LinearRoot:
    """
    Unstructured or diagonal: Sigma = TT' with T = sum_i t_i D_i.

    basis : (n, k, k) matrices D_i; for the optimiser symmetric, and orthonormal as vectors
    """

    basis: FloatArray

    @property
    def size(self) -> int:
        """Number of parameters."""
        return len(self.basis)

    @property
    def spanning(self) -> FloatArray:
        """The basis itself."""
        return self.basis

    def root(self, parameters: FloatArray) -> FloatArray:
        """Return T."""
        return np.tensordot(parameters, self.basis, axes=1)

    def directions(self, parameters: FloatArray) -> FloatArray:
        """Return D_i T' + T D_i'."""
        half = self.basis @ self.root(parameters).T
        return half + half.transpose(0, 2, 1)

    def curvature(self, parameters: FloatArray, G: FloatArray) -> FloatArray:  # noqa: ARG002 (Sigma is quadratic)
        """Return 2 tr(D_i' G D_j)."""
        n = self.size
        return 2 * self.basis.reshape(n, -1) @ (G @ self.basis).reshape(n, -1).T

    def nearest(self, covariance: FloatArray) -> FloatArray:
        """Return the square root's coordinates; of the diagonal alone, where nothing else is in the basis."""
        if self.size == len(covariance) * (len(covariance) + 1) // 2:
            T = square_root(covariance)
        else:
            T = np.diag(np.sqrt(np.maximum(np.diag(covariance), 0.0)))
        return np.tensordot(self.basis, T, axes=2)

    def rescaled(self, parameters: FloatArray, factor: float) -> FloatArray:
        """Return the parameters of factor T."""
        return factor * parameters

    def snapped(self, parameters: FloatArray, zero: float) -> FloatArray:
        """Return T with small eigenvalues at zero."""
        values, vectors = np.linalg.eigh(self.root(parameters))
        T = (vectors * np.where(np.abs(values) < zero, 0.0, values)) @ vectors.T
        return np.tensordot(self.basis, T, axes=2)


@dataclass(frozen=True, slots=True)
class Angle:
    """
    A correlation as an angle among the parameters of an absolute map.

    place : which of the parameters it is
    low, high : bounds of the correlation
    cosine : correlation = cos(angle), not middle + half sin(angle)
    """

    place: int
    low: float
    high: float
    cosine: bool = False

    def of(self, correlation: float) -> float:
        """Return the angle of a correlation."""
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        angle = math.asin(min(max((correlation - middle) / half, -1.0), 1.0))
        return math.pi / 2 - angle if self.cosine else angle

    def slope(self, correlation: float) -> float:
        """Return d angle / d correlation, NaN at a bound."""
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        rest = half**2 - (correlation - middle) ** 2
        return (-1.0 if self.cosine else 1.0) / math.sqrt(rest) if rest > 1e-12 else math.nan
