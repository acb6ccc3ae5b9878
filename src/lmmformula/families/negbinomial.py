"""Counts whose variance grows with the square of their mean."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray, IntArray
from lmmformula.families.calculus.jets import Jet, Key, Real, chosen, log, log1p, taken, up_to, value_of, variable
from lmmformula.families.calculus.special import LOG_2PI, log_add_exp, log_factorial_error, loss
from lmmformula.families.family import FARTHEST, SHAPE, Family, Observed, Own, counted, whole
from lmmformula.families.gamma import gamma_draws
from lmmformula.families.poisson import LARGEST_MEAN, best_of_counts, expected_of_counts
from lmmformula.families.stan_words import COUNT, StanWords

CLOSE = 0.5
"""To zero, for which log(1 + x) is better than the logarithm of a ratio."""


@dataclass(frozen=True)
class NegativeBinomial(Family):
    """Counts of mean mu and variance mu + mu^2 / shape."""

    link: str = "log"
    name = "negbinomial"
    aliases = (
        "nbinom2", "nbinom", "nb", "negbin", "negative.binomial", "negativebinomial", "neg_binomial_2",
        "negbinomial2", "negative_binomial",
    )  # fmt: skip
    links = ("log",)
    parameters = (SHAPE,)
    support = "whole numbers from 0"
    ends = (0.0,)
    words = StanWords(
        COUNT,
        "neg_binomial_2_log($eta, fmin(shape, 1e9))",
        "neg_binomial_2(exp(eta), shape)",
        glm="neg_binomial_2_log_glm($X, $eta, b, fmin(shape, 1e9))",
        integer=True,
        draw="count_rng($eta, shape)",
        draw_function="""\
// A count of mean exp(eta), but at most 1e9: Stan has no larger ones.
int count_rng(real eta, real shape) {
  real mu = gamma_rng(shape, shape) * exp(eta);
  return poisson_rng(fmin(fmax(mu, 1e-300), 1e9));
}""",
        note="""\
// fmin: a larger shape makes it Poisson, but for rounding errors, which
// would grow without bounds""",
    )

    def log_density(self, observed: Observed, eta: Real, own: Own) -> Real:
        """
        Return the log density: the best one of the shape, less what a mean of y exp(x) loses.

        With r the shape, s = log((y + r) / (mu + r)), z = x + s: y (exp(z) - 1 - z) + r ((y - mu) / (mu + r) - s).
        """
        y, shape, (_, log_some) = observed.y, own["shape"], observed.once(best_of_counts)
        mu = self.mean_link.inverse(eta)
        miss = (y - mu) / (mu + shape)
        close = np.abs(value_of(miss)) < CLOSE
        rise = log1p(chosen(close, miss, 0.0))
        if not close.all():  # by the logarithm of the mean, which may be beyond the largest float
            rise = chosen(close, rise, log(y + shape) - log_add_exp(self.mean_link.log(eta), log(shape)))
            miss = chosen(close, miss, (y + shape) / (mu + shape) - 1)
        ahead = self.mean_link.log(eta) - log_some + rise
        best = _best_of_rows(observed, shape)
        return chosen(y > 0, best - y * loss(ahead) - shape * (miss - rise), shape * rise)

    def at(self, observed: Observed, eta: Sequence[FloatArray], wanted: frozenset[Key]) -> Jet:
        """Return the log density with its derivatives; in one pass where the shape is the same for all rows."""
        if len(eta[1]) > 1 or any(key.count(1) > 1 for key in wanted):
            return super().at(observed, eta, wanted)
        moves = any(1 in key for key in wanted)
        y, mu, shape = observed.y, np.exp(eta[0]), variable(0, np.exp(eta[1]), up_to(int(moves), 1))
        r, (_, log_some) = shape.value, observed.once(best_of_counts)
        best = _best_of_rows(observed, shape)
        total = r + mu
        share, miss, ratio = mu / total, (y - mu) / total, (y + r) / total
        rise = np.where(np.abs(miss) < CLOSE, np.log1p(np.where(np.abs(miss) < CLOSE, miss, 0.0)), np.log(ratio))
        lost = np.where(y > 0, y * loss(eta[0] - log_some + rise) + r * (miss - rise), -r * rise)
        weight = r * share * ratio
        parts = {
            (): np.where(y > 0, best.value, 0.0) - lost,
            (0,): r * miss,
            (0, 0): -weight,
        }
        if moves:
            parts |= {
                (1,): r * (np.where(y > 0, best.at(0), 0.0) + rise - miss),
                (0, 1): r * share * miss,
                (0, 0, 0): weight * (mu - r) / total,
                (0, 0, 1): -r * share * (share * (y + 2 * r) - y * (r / total)) / total,
            }
        return counted(Jet({key: parts[key] for key in wanted if key in parts}, wanted), observed)

    def expected(self, observed: Observed, eta: Real, own: Own) -> Real:
        """Return mu shape / (mu + shape)."""
        mu, shape = self.mean_link.inverse(eta), own["shape"]
        return mu * (shape / (mu + shape))

    def variance(self, mean: FloatArray, own: Own) -> FloatArray:
        """Return mean (1 + mean / shape)."""
        return np.asarray(mean * (1 + mean / own["shape"]), dtype=np.float64)

    def deviance(self, y: FloatArray, mean: FloatArray, own: Own) -> FloatArray:
        """Return the unit deviance."""
        from scipy.special import rel_entr

        shape = own["shape"]
        return np.asarray(2 * (rel_entr(y, mean) - (y + shape) * np.log((y + shape) / (mean + shape))))

    def cdf(self, observed: Observed, eta: FloatArray, own: Own) -> FloatArray:
        """Return P(Y <= y)."""
        from scipy.special import betainc

        shape = np.asarray(own["shape"], dtype=np.float64)
        share = shape / (shape + self.mean(eta, own))
        return np.asarray(betainc(shape, observed.y + 1, share), dtype=np.float64)

    def draw(self, eta: FloatArray, own: Own, rng: np.random.Generator, trials: FloatArray | float = 1.0) -> FloatArray:
        """Draw counts: Poisson ones of a mean that is Gamma distributed."""
        mean = gamma_draws(self.mean(eta, own), own["shape"], rng)
        return rng.poisson(np.minimum(mean, LARGEST_MEAN)).astype(np.float64)

    @classmethod
    def holds(cls, y: FloatArray) -> BoolArray:
        """Tell which values are counts."""
        return whole(y)

    def predictor(self, observed: Observed) -> FloatArray:
        """Return the link of y + 1/2."""
        return self.mean_link.of(observed.y + 0.5)

    def expected_at(self, y: FloatArray, trials: FloatArray | None, known: FloatArray) -> tuple[float, FloatArray]:
        """Return what is expected of counts."""
        return expected_of_counts(y, known)

    def again(self, observed: Observed, eta: FloatArray, own: tuple[float, ...]) -> tuple[float, ...]:
        """Take the shape from the variance around the means, which may be nearer to them than the data can tell."""
        mu = self.mean_link.inverse(eta)
        excess, mean = float(np.sum(np.square(observed.y - mu) / mu - 1)), float(mu.mean())
        least = float(np.sqrt(2 * len(mu)))  # its standard error where there is none
        return (float(np.log(len(mu) * mean / max(excess, least))),) if np.isfinite(excess * mean) else own

    def farthest(self, observed: Observed) -> float:
        """Return the size of log(shape) beyond which it is as good as infinite, beside the mean."""
        return FARTHEST + float(np.log(max(observed.y.mean(), 1.0)))

    def start(self, observed: Observed) -> tuple[float, ...]:
        """Take the shape from the excess of the variance over the mean."""
        mean, variance = float(observed.y.mean()), float(observed.y.var())
        shape = np.clip(2 * mean**2 / max(variance - mean, 1e-3 * mean, 1e-300), 0.3, 50.0)
        return (float(np.log(shape)),)


def _distinct(observed: Observed) -> tuple[FloatArray, IntArray]:
    """Return the counts that there are, and which of them each row has."""
    counts, which = np.unique(observed.y, return_inverse=True)
    return counts, which


def _best_of_rows(observed: Observed, shape: Real) -> Real:
    """Return the log density of each row where its mean is its count; once for each count, if the shape is one."""
    values = value_of(shape)
    if values.ndim and values.shape[-1] > 1:
        return _best(observed.y, shape)
    counts, which = observed.once(_distinct)
    return taken(_best(counts, shape), which)


def _best(counts: FloatArray, shape: Real) -> Real:
    """Return the log density where the mean is the count; the differences of log gammas lose no digits."""
    some = np.where(counts > 0, counts, 1.0)
    end = shape + some
    errors = log_factorial_error(end) - log_factorial_error(shape) - log_factorial_error(some)
    return errors + 0.5 * (log(shape / end) - (LOG_2PI + np.log(some)))
