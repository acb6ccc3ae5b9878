"""Log densities of counts, with zeros of their own or without."""

from dataclasses import dataclass, field

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray
from lmmformula.fit.kernels import Kernel, Own, Rows, inv_logit, log_factorial

STIRLING = 100.0
"""Shape from which Stirling's series with three terms is exact."""


@dataclass(slots=True)
class Counts(Kernel):
    """
    Poisson counts, with weights on the log density; zeros may have a source of their own.

    zeros : whether they have, with probability zi
    """

    y: FloatArray
    weights: FloatArray | float = 1.0
    zeros: bool = False
    constant: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        self.constant = log_factorial(self.y)

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """("zi",) or none."""
        return ("zi",) if self.zeros else ()

    def predictor(self) -> FloatArray:
        """Return log(y + 1/2)."""
        return np.log(self.y + 0.5)

    def start(self) -> FloatArray:
        """Take the share of zeros beyond what a Poisson of the others' mean would have."""
        return np.array([_logit_of_zeros(self.y)]) if self.zeros else np.zeros(0)

    def at(self, eta: FloatArray, psi: FloatArray) -> Rows:
        """Evaluate it."""
        mean, y, w = np.exp(eta), self.y, self.weights
        curvature = w * mean
        rows = Rows(w * (y * eta - mean - self.constant), w * (y - mean), curvature, curvature, curvature)
        return _with_zeros(rows, y == 0, float(psi[0])) if self.zeros else rows


@dataclass(slots=True)
class RootCounts(Kernel):
    """Poisson counts with a square root link, mean = eta^2."""

    y: FloatArray
    weights: FloatArray | float = 1.0
    constant: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        self.constant = log_factorial(self.y)

    def predictor(self) -> FloatArray:
        """Return sqrt(y + 1/2)."""
        return np.sqrt(self.y + 0.5)

    def at(self, eta: FloatArray, psi: FloatArray) -> Rows:  # noqa: ARG002 (no parameters)
        """Evaluate it."""
        y, w = self.y, self.weights
        x = np.where(eta == 0.0, 1e-300, eta)
        ratio = y / x
        loglik = w * (2 * np.where(y > 0, y * np.log(np.abs(x)), 0.0) - eta * eta - self.constant)
        flat = 4 * w * np.ones_like(eta)
        return Rows(loglik, 2 * w * (ratio - eta), 2 * w * (ratio / x + 1), flat, np.zeros_like(eta))


@dataclass(slots=True)
class NegativeBinomial(Kernel):
    """
    Counts of mean mu = exp(eta) and variance mu + mu^2 / shape; the expected curvature is mu r / (r + mu).

    With zeros of their own the observed curvature is used, which the mixture has in closed form.
    """

    y: FloatArray
    weights: FloatArray | float = 1.0
    zeros: bool = False
    constant: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        self.constant = log_factorial(self.y)

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """("shape",) or ("shape", "zi")."""
        return ("shape", "zi") if self.zeros else ("shape",)

    def predictor(self) -> FloatArray:
        """Return log(y + 1/2)."""
        return np.log(self.y + 0.5)

    def start(self) -> FloatArray:
        """Take the shape from the excess of the variance over the mean."""
        mean, variance = float(self.y.mean()), float(self.y.var())
        shape = np.clip(2 * mean**2 / max(variance - mean, 1e-3 * mean), 0.3, 50.0)
        return np.array([np.log(shape), *([_logit_of_zeros(self.y)] if self.zeros else [])])

    def at(self, eta: FloatArray, psi: FloatArray) -> Rows:
        """Evaluate it."""
        y, w, mu, r = self.y, self.weights, np.exp(eta), float(np.exp(psi[0]))
        total = r + mu
        share = mu / total  # of the mean in the sum of shape and mean
        rise, rise_slope = _rising(y, r)
        loglik = rise - self.constant + y * eta - (r + y) * np.log1p(mu / r)
        observed = w * (y + r) * share * (r / total)
        by_shape = rise_slope + y / r - np.log1p(mu / r) + (mu - y) / total
        own = Own(w * r * by_shape, w * r * (y - mu) * share / total, w * r * share * share)
        if not self.zeros:
            weight = w * mu * (r / total)
            return Rows(w * loglik, w * r * (y - mu) / total, observed, weight, weight * (r / total), (own,))
        own.weight = w * r * share * ((y + 2 * r) * total - 2 * (y + r) * r) / (total * total)
        slope = observed * (r - mu) / total
        rows = Rows(w * loglik, w * r * (y - mu) / total, observed, observed, slope, (own,))
        return _with_zeros(rows, y == 0, float(psi[1]))


def _rising(y: FloatArray, r: float) -> tuple[FloatArray, FloatArray]:
    """
    Return log[Gamma(y + r) / (Gamma(r) r^y)] and its derivative in r, by Stirling's series where r is large.

    The difference of two logarithms of gamma functions would lose as many digits as r has.
    """
    from scipy.special import digamma, gammaln

    if r < STIRLING:
        return gammaln(y + r) - gammaln(r) - y * np.log(r), digamma(y + r) - digamma(r) - y / r
    end, log_ratio = y + r, np.log1p(y / r)
    value = (end - 0.5) * log_ratio - y + (1 / end - 1 / r) / 12 - (end**-3 - r**-3) / 360
    slope = log_ratio - y / r - (1 / end - 1 / r) / 2 - (end**-2 - r**-2) / 12 + (end**-4 - r**-4) / 120
    return value, slope


def _logit_of_zeros(y: FloatArray) -> float:
    share, mean = float(np.mean(y == 0)), float(y[y > 0].mean()) if bool((y > 0).any()) else 1.0
    extra = float(np.clip(share - np.exp(-mean), 0.05, 0.9))
    return float(np.log(extra / (1 - extra)))


def _with_zeros(rows: Rows, zero: BoolArray, logit: float) -> Rows:
    """
    Mix a count's density (its weight being the observed curvature) with a point mass at zero.

    f = log(zi + (1 - zi) P) for a zero; with q = (1 - zi) P / (zi + (1 - zi) P) its derivatives are

        f' = q s,    f'' = q s' + q (1 - q) s^2,    f''' = q s'' + 3 q (1 - q) s s' + q (1 - q) (1 - 2 q) s^3
    """
    zi = float(inv_logit(logit))
    log_zi, log_rest = -np.logaddexp(0.0, -logit), -np.logaddexp(0.0, logit)
    q = np.where(zero, inv_logit(rows.loglik - logit), 1.0)
    s, s1, s2, spread = rows.score, -rows.weight, -rows.slope, q * (1 - q)
    loglik = np.where(zero, np.logaddexp(log_zi, log_rest + rows.loglik), log_rest + rows.loglik)
    weight = -(q * s1 + spread * s * s)
    slope = -(q * s2 + 3 * spread * s * s1 + spread * (1 - 2 * q) * s**3)

    def mixed(own: Own) -> Own:
        q1, t, t1 = spread * own.loglik, own.score, -own.weight
        change = q1 * s1 + q * t1 + q1 * (1 - 2 * q) * s * s + 2 * spread * s * t
        return Own(q * own.loglik, q1 * s + q * t, -change)

    of_zi = Own(np.where(zero, 1 - q - zi, -zi), -spread * s, spread * (s1 + (1 - 2 * q) * s * s))
    return Rows(loglik, q * s, weight, weight, slope, (*(mixed(own) for own in rows.own), of_zi))
