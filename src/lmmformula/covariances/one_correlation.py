"""
Structures with one correlation, as lme4 2.x has them: each element of the matrix is a power of it.

The correlation turns back at its bounds, rho = middle + half sin(phi): a bound is an ordinary stationary point, with
positive curvature exactly where it is the optimum.
"""

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.covariances.maps import Angle
from lmmformula.covariances.structure import ALL, Element, StanCorrelations
from lmmformula.covariances.tied import Tied


@dataclass(frozen=True, slots=True)
class Powers:
    """
    C_ij = rho^lag_ij, low <= rho <= 1.

    lag : (k, k) whole numbers, 0 on the diagonal
    natural : the parameter is rho itself, not phi
    """

    lag: IntArray
    low: float
    natural: bool = False

    @property
    def size(self) -> int:
        """One."""
        return 1

    def rho(self, r: FloatArray) -> float:
        """Return the correlation, bounded: middle + half sin(phi)."""
        if self.natural:
            return float(r[0])
        middle, half = (self.low + 1.0) / 2, (1.0 - self.low) / 2
        return min(max(middle + half * math.sin(r[0]), self.low), 1.0)

    def matrix(self, r: FloatArray) -> FloatArray:
        """Return C."""
        return self._derivative(self.rho(r), 0)

    def derivatives(self, r: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the derivatives with respect to phi, or rho."""
        rho, half = self.rho(r), (1.0 - self.low) / 2
        slope, bend = (1.0, 0.0) if self.natural else (half * math.cos(r[0]), -half * math.sin(r[0]))
        C1, C2 = self._derivative(rho, 1), self._derivative(rho, 2)
        return (C1 * slope)[None], (C2 * slope**2 + C1 * bend)[None, None]

    def nearest(self, correlation: FloatArray) -> FloatArray:
        """Return the average correlation over one lag."""
        rho = self.average(correlation)
        if self.natural:
            return np.array([rho])
        middle, half = (self.low + 1.0) / 2, (1.0 - self.low) / 2
        return np.array([math.asin(min(max((rho - middle) / half, -1.0), 1.0))])

    def snapped(self, r: FloatArray, zero: float) -> FloatArray:
        """Return a correlation next to a bound on it."""
        phi = float(r[0])
        bound = math.pi * (round(phi / math.pi - 0.5) + 0.5)
        return np.array([bound if abs(phi - bound) < zero else phi])

    def average(self, correlation: FloatArray) -> float:
        """Return the mean of the elements that are rho itself."""
        return float(correlation[np.tril(self.lag) == 1].mean())

    def _derivative(self, rho: float, order: int) -> FloatArray:
        """Return the derivative of C of the given order with respect to rho."""
        factor = np.ones_like(self.lag, dtype=np.float64)
        for done in range(order):
            factor *= self.lag - done
        out: FloatArray = factor * rho ** np.maximum(self.lag - order, 0)
        return out


@dataclass(frozen=True)
class OneCorrelation(Tied):
    """A structure whose correlations are powers of one."""

    stan_comment: ClassVar[str]

    @abstractmethod
    def lags(self, k: int) -> IntArray:
        """Return the (k, k) powers."""

    @abstractmethod
    def lowest(self, k: int) -> float:
        """Return the least correlation that k coefficients can have, k at least 2."""

    def _correlations(self, names: Sequence[str]) -> tuple[Element, ...]:
        return (Element("cor", ALL, 1, 0),) if len(names) > 1 else ()

    def correlations(self, k: int, *, natural: bool = False) -> Powers:
        """Return the map from phi, or rho."""
        return Powers(self.lags(k), self.lowest(k), natural)

    def angle(self, k: int, row: int, column: int) -> Angle:  # noqa: ARG002
        """Return phi, the last parameter."""
        return Angle(self.n_parameters(k) - 1, self.lowest(k), 1.0)

    def sigma_of(self, theta: FloatArray, k: int) -> FloatArray:
        """Return Sigma; of the homogeneous form from the first two entries, which are s and s rho."""
        if not self.homogeneous or k == 1:
            return Tied.sigma_of(self, theta, k)
        rho = theta[1] / theta[0] if theta[0] > 0 else 0.0
        out: FloatArray = theta[0] ** 2 * rho ** self.lags(k)
        return out

    def dependence(self, correlation: FloatArray, names: Sequence[str], group: str) -> str:  # noqa: ARG002
        """Say at which bound the correlation is."""
        rho = correlation[1, 0]
        return f"the correlation of the coefficients between the levels of '{group}' is at its bound, {rho:.3g}"

    def stan_correlations(self, k: int) -> StanCorrelations:
        """Return the correlation."""
        low = self.lowest(k)
        comment = f"correlation {self.stan_comment}"
        return StanCorrelations("real", "", comment, ("uniform", (low, 1.0)), bounds=(low, 1.0))

    def stan_start(self, correlation: FloatArray, root: FloatArray, within: float) -> tuple[FloatArray, float]:  # noqa: ARG002
        """Return the average correlation."""
        own = self.correlations(len(correlation))
        return np.asarray(np.clip(own.average(correlation), within * own.low, within)), 4.0
