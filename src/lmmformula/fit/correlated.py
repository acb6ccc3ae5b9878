"""
Covariance matrices with one correlation: compound symmetry and autoregression of order one, as lme4 2.x has them.

The correlation turns back at its bounds, rho = middle + half sin(phi): a bound is an ordinary stationary point, with
positive curvature exactly where it is the optimum.
"""

import math
from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.fit import blocks


def diagonal_basis(k: int) -> FloatArray:
    """Return the (k, k, k) matrices with a single 1 on the diagonal."""
    return np.eye(k)[:, :, None] * np.eye(k)[:, None, :]


@dataclass(frozen=True, slots=True)
class Correlated:
    """
    Compound symmetry or autoregression: Sigma = diag(s) C(rho) diag(s).

    cs : C_ij = rho, -1/(k-1) <= rho <= 1;   ar1 : C_ij = rho^|i-j|, -1 <= rho <= 1
    k : at least 2
    natural : the last parameter is rho itself, not phi
    squares : the others are a_i with s_i = a_i^2, not s_i: a single one of several standard deviations that changed its
        sign would leave the model
    unit : s = 1 stands for this standard deviation of the columns' inner coordinates
    """

    structure: str
    homogeneous: bool
    k: int
    natural: bool = False
    squares: bool = False
    unit: float | FloatArray = 1.0

    @property
    def size(self) -> int:
        """Number of parameters."""
        return 2 if self.homogeneous else self.k + 1

    @property
    def spanning(self) -> FloatArray:
        """One variance per coefficient."""
        return diagonal_basis(self.k)

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest correlation."""
        return (-1.0 / (self.k - 1) if self.structure == "cs" else -1.0), 1.0

    def rho(self, phi: float) -> float:
        """Return the correlation, bounded: middle + half sin(phi)."""
        low, high = self.bounds
        if self.natural:
            return phi
        return min(max((low + high) / 2 + (high - low) / 2 * math.sin(phi), low), high)

    def deviations(self, parameters: FloatArray) -> FloatArray:
        """Return (k,) standard deviations."""
        if self.homogeneous:
            return np.repeat(parameters[0], self.k) * self.unit
        return (parameters[:-1] ** 2 if self.squares else parameters[:-1]) * self.unit

    def correlation(self, rho: float, order: int = 0) -> FloatArray:
        """Return the (k, k) correlation matrix, or its derivative of the given order with respect to rho."""
        lag = np.abs(np.subtract.outer(np.arange(self.k), np.arange(self.k)))
        lag = np.minimum(lag, 1) if self.structure == "cs" else lag
        factor = np.ones_like(lag, dtype=np.float64)
        for done in range(order):
            factor *= lag - done
        out: FloatArray = factor * rho ** np.maximum(lag - order, 0)
        return out

    def root(self, parameters: FloatArray) -> FloatArray:
        """Return diag(s) times the Cholesky factor of C."""
        return self.deviations(parameters)[:, None] * blocks.root(self.correlation(self.rho(parameters[-1])))

    def directions(self, parameters: FloatArray) -> FloatArray:
        """Return the derivatives with respect to s and phi."""
        s, rho, slope, _ = self._parts(parameters)
        C = self.correlation(rho)
        out = np.zeros((self.size, self.k, self.k))
        rows = self._slopes(parameters)[:, None] * C * s
        if self.homogeneous:
            out[0] = rows + rows.T
        else:
            places = np.arange(self.k)
            out[places, places] = rows
            out[:-1] += out[:-1].transpose(0, 2, 1)
        out[-1] = np.outer(s, s) * self.correlation(rho, 1) * slope
        return out

    def curvature(self, parameters: FloatArray, G: FloatArray) -> FloatArray:
        """Return tr(G d2Sigma)."""
        s, rho, slope, bend = self._parts(parameters)
        C1, C2 = self.correlation(rho, 1), self.correlation(rho, 2)
        C, slopes = self.correlation(rho), self._slopes(parameters)
        spread = 2 * G * C * np.outer(slopes, slopes)
        if self.squares:  # s = a^2 bends
            spread += np.diag(4 * (G * C * s).sum(axis=1) * self.unit)
        mixed = 2 * (G * C1 * s).sum(axis=1) * slope * slopes
        out = np.empty((self.size, self.size))
        out[:-1, :-1] = spread.sum() if self.homogeneous else spread
        out[-1, :-1] = out[:-1, -1] = mixed.sum() if self.homogeneous else mixed
        out[-1, -1] = float((G * np.outer(s, s) * (C2 * slope**2 + C1 * bend)).sum())
        return out

    def nearest(self, covariance: FloatArray) -> FloatArray:
        """Return standard deviations and the average correlation (of neighbours, for ar1)."""
        s = np.sqrt(np.maximum(np.diag(covariance), 0.0))
        scale = np.where(s > 0, s, 1.0)
        correlation = covariance / np.outer(scale, scale)
        places = (
            np.tril_indices(self.k, -1) if self.structure == "cs" else (np.arange(1, self.k), np.arange(self.k - 1))
        )
        low, high = self.bounds
        sine = (float(correlation[places].mean()) - (low + high) / 2) / ((high - low) / 2)
        phi = math.asin(min(max(sine, -1.0), 1.0))
        return np.append(
            math.sqrt(float(np.mean(s**2))) if self.homogeneous else np.sqrt(s) if self.squares else s, phi
        )

    def rescaled(self, parameters: FloatArray, factor: float) -> FloatArray:
        """Return the parameters of factor s, with the same correlation."""
        return np.append((math.sqrt(factor) if self.squares else factor) * parameters[:-1], parameters[-1])

    def snapped(self, parameters: FloatArray, zero: float) -> FloatArray:
        """Return small standard deviations at zero, and a correlation next to a bound on it."""
        out = np.where(np.abs(parameters) < (math.sqrt(zero) if self.squares else zero), 0.0, parameters)
        phi = float(parameters[-1])
        bound = math.pi * (round(phi / math.pi - 0.5) + 0.5)
        out[-1] = bound if abs(phi - bound) < zero else phi
        return out

    def _slopes(self, parameters: FloatArray) -> FloatArray:
        """Return (k,) derivatives of each standard deviation with respect to its parameter."""
        if not self.squares:
            return np.broadcast_to(np.asarray(self.unit, dtype=np.float64), self.k)
        return 2 * parameters[:-1] * self.unit

    def _parts(self, parameters: FloatArray) -> tuple[FloatArray, float, float, float]:
        """Return s, rho, d rho / d phi, d2 rho / d phi2."""
        low, high = self.bounds
        phi, half = float(parameters[-1]), (high - low) / 2
        if self.natural:
            return self.deviations(parameters), phi, 1.0, 0.0
        return self.deviations(parameters), self.rho(phi), half * math.cos(phi), -half * math.sin(phi)
