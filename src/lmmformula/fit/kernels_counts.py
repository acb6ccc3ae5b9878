"""Log densities of counts, with zeros of their own or without."""

from dataclasses import dataclass, field

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray, IntArray
from lmmformula.fit.densities import below_best, best_negbinomial, best_poisson, is_large, loss
from lmmformula.fit.kernels import LEAST_WEIGHT, Kernel, Own, Rows, inv_logit

CLOSE = 0.5
"""To zero, for which log(1 + x) is better than the logarithm of a ratio."""


@dataclass(slots=True)
class Counts(Kernel):
    """
    Poisson counts, with weights on the log density; zeros may have a source of their own.

    zeros : whether they have, with probability zi
    best, constant : log density at a mean of y, and -log y!
    """

    y: FloatArray
    weights: FloatArray | float = 1.0
    zeros: bool = False
    large: bool = field(init=False)
    best: FloatArray = field(init=False)
    constant: FloatArray = field(init=False)
    log_y: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        self.best, self.log_y = best_poisson(self.y), _log(self.y)
        self.large, self.constant = is_large(self.y), self.best + self.y - self.y * self.log_y

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
        loglik = self.best - below_best(y, eta - self.log_y, mean) if self.large else y * eta - mean + self.constant
        rows = Rows(w * loglik, w * (y - mean), curvature, curvature)
        return _with_zeros(rows, y == 0, float(psi[0])) if self.zeros else rows

    def positive(self, rows: Rows, eta: FloatArray, psi: FloatArray) -> FloatArray:  # noqa: ARG002 (others need them)
        """Return the curvature of a count times the probability that the row is one."""
        return np.maximum(np.where(self.y == 0, -rows.score, rows.weight), LEAST_WEIGHT)


@dataclass(slots=True)
class RootCounts(Kernel):
    """
    Poisson counts with a square root link, mean = (scale eta)^2; the expected curvature is constant.

    scale : units of the linear predictor
    """

    y: FloatArray
    weights: FloatArray | float = 1.0
    scale: float = 1.0
    best: FloatArray = field(init=False)
    root: FloatArray = field(init=False)
    mirrored = True

    def __post_init__(self) -> None:
        self.best, self.root = best_poisson(self.y), np.sqrt(np.where(self.y > 0, self.y, 1.0))

    def predictor(self) -> FloatArray:
        """Return sqrt(y + 1/2)."""
        return np.sqrt(self.y + 0.5) / self.scale

    def at(self, eta: FloatArray, psi: FloatArray) -> Rows:  # noqa: ARG002 (no parameters)
        """Evaluate it."""
        y, w, unit = self.y, self.weights, self.scale
        x = np.where(eta == 0.0, 1e-300, unit * eta)
        ratio = y / x
        bent = ratio / x
        lost = below_best(y, 2 * np.log(np.abs(x) / self.root), x * x)
        score, weight, slope = 2 * w * (ratio - x), 2 * w * (bent + 1), -4 * w * bent / x
        return Rows(w * (self.best - lost), unit * score, unit**2 * weight, unit**3 * slope)

    def expected(self, rows: Rows, eta: FloatArray, psi: FloatArray) -> Rows:  # noqa: ARG002 (no parameters)
        """Return rows with the expected curvature, 4 in units of 1."""
        return rows.weighted(4 * self.scale**2 * self.weights * np.ones_like(eta), np.zeros_like(eta))


@dataclass(slots=True)
class NegativeBinomial(Kernel):
    """
    Counts of mean mu = exp(eta) and variance mu + mu^2 / shape; the expected curvature is mu r / (r + mu).

    values, which : the counts that there are, and which of them each row has
    """

    y: FloatArray
    weights: FloatArray | float = 1.0
    zeros: bool = False
    log_y: FloatArray = field(init=False)
    counts: FloatArray = field(init=False)
    which: IntArray = field(init=False)

    def __post_init__(self) -> None:
        self.log_y = _log(self.y)
        self.counts, self.which = np.unique(self.y, return_inverse=True)
        self.farthest = Kernel.farthest + float(np.log(max(self.y.mean(), 1.0)))  # a shape is large beside the mean

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

    def again(self, eta: FloatArray, psi: FloatArray) -> FloatArray:
        """Take the shape from the variance around the means, which may be nearer to them than the data can tell."""
        if self.zeros:
            return psi
        mu = np.exp(eta)
        excess, mean = float(np.sum(np.square(self.y - mu) / mu - 1)), float(mu.mean())
        least = float(np.sqrt(2 * len(mu)))  # its standard error where there is none
        return np.array([np.log(len(mu) * mean / max(excess, least))]) if np.isfinite(excess * mean) else psi

    def at(self, eta: FloatArray, psi: FloatArray) -> Rows:
        """Evaluate it."""
        y, w, mu, r = self.y, self.weights, np.exp(eta), float(np.exp(psi[0]))
        total = r + mu
        share, miss, ratio = mu / total, (y - mu) / total, (y + r) / total
        rise = np.where(np.abs(miss) < CLOSE, np.log1p(miss), np.log(ratio))
        best, best_slope = (part[self.which] for part in best_negbinomial(self.counts, r))
        lost = np.where(y > 0, y * loss(eta - self.log_y + rise) + r * (miss - rise), -r * rise)
        loglik, by_shape = w * (best - lost), w * r * (best_slope + rise - miss)
        score, weight = w * r * miss, w * r * share * ratio
        turn = w * r * share * (share * (y + 2 * r) - y * (r / total)) / total
        own = Own(by_shape, w * r * share * miss, turn)
        rows = Rows(loglik, score, weight, weight * (r - mu) / total, (own,))
        return _with_zeros(rows, y == 0, float(psi[1])) if self.zeros else rows

    def expected(self, rows: Rows, eta: FloatArray, psi: FloatArray) -> Rows:
        """Return rows with the expected curvature."""
        mu, r = np.exp(eta), float(np.exp(psi[0]))
        weight = self.weights * mu * (r / (r + mu))
        return rows.weighted(weight, weight * (r / (r + mu)), weight * (mu / (r + mu)))

    def positive(self, rows: Rows, eta: FloatArray, psi: FloatArray) -> FloatArray:
        """Return the curvature of a count times the probability that the row is one."""
        r = float(np.exp(psi[0]))
        return np.maximum(np.where(self.y == 0, -rows.score * r / (r + np.exp(eta)), rows.weight), LEAST_WEIGHT)


def _log(y: FloatArray) -> FloatArray:
    """Return log y, 0 for a zero."""
    return np.log(np.where(y > 0, y, 1.0))


def _logit_of_zeros(y: FloatArray) -> float:
    share, mean = float(np.mean(y == 0)), float(y[y > 0].mean()) if bool((y > 0).any()) else 1.0
    extra = float(np.clip(share - np.exp(-mean), 0.05, 0.9))
    return float(np.log(extra / (1 - extra)))


def _with_zeros(rows: Rows, zero: BoolArray, logit: float) -> Rows:
    """
    Mix a count's density with a point mass at zero.

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
    return Rows(loglik, q * s, weight, slope, (*(mixed(own) for own in rows.own), of_zi))
