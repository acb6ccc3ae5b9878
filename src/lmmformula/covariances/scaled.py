"""Covariance matrices that are standard deviations around a matrix of correlations: Sigma = diag(s) C diag(s)."""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.covariances.matrices import correlations_of, diagonal_basis, root


class Correlations(Protocol):
    """A map from unbounded parameters r to a (k, k) matrix C of correlations."""

    @property
    def size(self) -> int:
        """Number m of parameters."""

    def matrix(self, r: FloatArray) -> FloatArray:
        """Return C."""

    def derivatives(self, r: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the (m, k, k) first and the (m, m, k, k) second derivatives of C."""

    def nearest(self, correlation: FloatArray) -> FloatArray:
        """Return (m,) parameters of a matrix near a given one."""

    def snapped(self, r: FloatArray, zero: float) -> FloatArray:
        """Return parameters with what is next to a bound on it."""


@dataclass(frozen=True, slots=True)
class Scaled:
    """
    Standard deviations, one for each coefficient or one for all, then the parameters of the correlations.

    k : at least 2
    squares : the parameters are a_i with s_i = a_i^2, not s_i: a single one of several standard deviations that changed
        its sign would leave the model
    unit : s = 1 stands for this standard deviation of the columns' inner coordinates
    """

    correlations: Correlations
    homogeneous: bool
    k: int
    squares: bool = False
    unit: float | FloatArray = 1.0

    @property
    def n_deviations(self) -> int:
        """Number of standard deviations."""
        return 1 if self.homogeneous else self.k

    @property
    def size(self) -> int:
        """Number of parameters."""
        return self.n_deviations + self.correlations.size

    @property
    def spanning(self) -> FloatArray:
        """One variance per coefficient."""
        return diagonal_basis(self.k)

    def deviations(self, parameters: FloatArray) -> FloatArray:
        """Return (k,) standard deviations."""
        own = parameters[: self.n_deviations]
        return np.broadcast_to(own**2 if self.squares else own, self.k) * self.unit

    def root(self, parameters: FloatArray) -> FloatArray:
        """Return diag(s) times the Cholesky factor of C."""
        return self.deviations(parameters)[:, None] * root(self.correlations.matrix(parameters[self.n_deviations :]))

    def directions(self, parameters: FloatArray) -> FloatArray:
        """Return the derivatives with respect to the deviations' parameters and r."""
        n, s, r = self.n_deviations, self.deviations(parameters), parameters[self.n_deviations :]
        out = np.zeros((self.size, self.k, self.k))
        rows = self._slopes(parameters)[:, None] * self.correlations.matrix(r) * s
        if self.homogeneous:
            out[0] = rows + rows.T
        else:
            places = np.arange(self.k)
            out[places, places] = rows
            out[:n] += out[:n].transpose(0, 2, 1)
        out[n:] = np.outer(s, s) * self.correlations.derivatives(r)[0]
        return out

    def curvature(self, parameters: FloatArray, G: FloatArray) -> FloatArray:
        """Return tr(G d2Sigma)."""
        n, s, r = self.n_deviations, self.deviations(parameters), parameters[self.n_deviations :]
        C, (first, second) = self.correlations.matrix(r), self.correlations.derivatives(r)
        slopes = self._slopes(parameters)
        spread = 2 * G * C * np.outer(slopes, slopes)
        if self.squares:  # s = a^2 bends
            spread += np.diag(4 * (G * C * s).sum(axis=1) * self.unit)
        mixed = 2 * (G * first * s).sum(axis=2) * slopes
        out = np.empty((self.size, self.size))
        out[:n, :n] = spread.sum() if self.homogeneous else spread
        out[n:, :n] = mixed.sum(axis=1, keepdims=True) if self.homogeneous else mixed
        out[:n, n:] = out[n:, :n].T
        out[n:, n:] = (G * np.outer(s, s) * second).sum(axis=(2, 3))
        return out

    def nearest(self, covariance: FloatArray) -> FloatArray:
        """Return standard deviations, or the one of the mean variance, and the nearest correlations."""
        s, correlation = correlations_of(covariance)
        s = s / self.unit
        own = np.array([math.sqrt(float(np.mean(s**2)))]) if self.homogeneous else s
        return np.append(np.sqrt(own) if self.squares else own, self.correlations.nearest(correlation))

    def rescaled(self, parameters: FloatArray, factor: float) -> FloatArray:
        """Return the parameters of factor s, with the same correlations."""
        own, r = np.split(parameters, [self.n_deviations])
        return np.append((math.sqrt(factor) if self.squares else factor) * own, r)

    def snapped(self, parameters: FloatArray, zero: float) -> FloatArray:
        """Return small standard deviations at zero, and correlations next to a bound on it."""
        own, r = np.split(parameters, [self.n_deviations])
        small = np.abs(own) < (math.sqrt(zero) if self.squares else zero)
        return np.append(np.where(small, 0.0, own), self.correlations.snapped(r, zero))

    def _slopes(self, parameters: FloatArray) -> FloatArray:
        """Return (k,) derivatives of each standard deviation with respect to its parameter."""
        if not self.squares:
            return np.broadcast_to(np.asarray(self.unit, dtype=np.float64), self.k)
        return 2 * np.broadcast_to(parameters[: self.n_deviations], self.k) * self.unit
