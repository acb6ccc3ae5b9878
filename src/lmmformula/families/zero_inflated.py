"""Counts with a second source of zeros: a modifier of the families of counts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray
from lmmformula.families import negbinomial, poisson
from lmmformula.families.calculus.jets import Jet, Key, Real, chosen, log, log1p, up_to, value_of, variable
from lmmformula.families.calculus.links import LINKS
from lmmformula.families.calculus.special import log_add_exp
from lmmformula.families.family import LEAST_WEIGHT, SHAPE, Family, Observed, Own, Parameter, counted
from lmmformula.families.stan_words import COUNT, StanWords

ORDER = """\
// rows with zeros, and with more
array[N] int order = sort_indices_asc(y);
int n_zeros = 0;
for (n in 1 : N) {
  n_zeros += y[n] == 0;
}
array[n_zeros] int zeros = head(order, n_zeros);
array[N - n_zeros] int others = tail(order, N - n_zeros);"""
"""Rows in the order of counts."""

ZI = Parameter("zi", ("uniform", (0.0, 1.0)), "logit", upper=1.0)
"""The probability of a zero that is not a count."""


@dataclass(frozen=True)
class ZeroInflated(Family):
    """Zero with probability zi, and else a draw of `counts`."""

    counts: ClassVar[type[Family]]
    support = "whole numbers from 0"
    ends = (0.0,)
    has_expected = False

    @property
    def base(self) -> Family:
        """The family of the counts that are not zeros by the second source."""
        return self.counts(self.link)

    def log_density(self, observed: Observed, eta: Real, own: Own) -> Real:
        """Return log(zi + (1 - zi) P) of a zero, log((1 - zi) P) of another count."""
        return _mixed(observed, self.base.log_density(observed, eta, own), own["zi"])

    def at(self, observed: Observed, eta: Sequence[FloatArray], wanted: frozenset[Key]) -> Jet:
        """Return the log density with its derivatives, from those of the counts."""
        last = len(eta) - 1
        within = frozenset(key for key in wanted if last not in key)
        counts = self.base.at(replace(observed, factors=1.0), eta[:-1], within)
        zi = LINKS["logit"].inverse(variable(last, eta[-1], wanted))
        return counted(_mixed(observed, Jet(counts.parts, wanted), zi), observed)

    def positive(self, observed: Observed, eta: Sequence[FloatArray], rows: Jet) -> FloatArray:
        """Return the curvature of a count times the probability that the row is one."""
        first, own = self.variables(observed, eta, up_to(2, 1))
        counts = self.base.log_density(observed, first, own)
        zi = value_of(own["zi"])
        share = np.where(observed.y == 0, 1 / (1 + zi / ((1 - zi) * np.exp(counts.value))), 1.0)
        return np.asarray(np.maximum(-share * counts.at(0, 0) * observed.factors, LEAST_WEIGHT), dtype=np.float64)

    def farthest(self, observed: Observed) -> float:
        """Return that of the counts."""
        return self.base.farthest(observed)

    def mean(self, eta: FloatArray, own: Own) -> FloatArray:
        """Return the mean of the mixture."""
        return np.asarray((1 - own["zi"]) * self.base.mean(eta, own), dtype=np.float64)

    def variance(self, mean: FloatArray, own: Own) -> FloatArray:
        """Return that of the mixture, (1 - zi) (V + zi m^2) with m = mean / (1 - zi) and variance V of the counts."""
        rest = 1 - np.asarray(own["zi"])
        counted = mean / rest
        return np.asarray(rest * (self.base.variance(counted, own) + own["zi"] * counted**2), dtype=np.float64)

    def cdf(self, observed: Observed, eta: FloatArray, own: Own) -> FloatArray:
        """Return P(Y <= y)."""
        return np.asarray(own["zi"] + (1 - own["zi"]) * self.base.cdf(observed, eta, own), dtype=np.float64)

    def draw(self, eta: FloatArray, own: Own, rng: np.random.Generator, trials: FloatArray | float = 1.0) -> FloatArray:
        """Draw counts."""
        counts = self.base.draw(eta, own, rng)
        return np.asarray(counts * (rng.random(np.shape(counts)) >= own["zi"]), dtype=np.float64)

    @classmethod
    def holds(cls, y: FloatArray) -> BoolArray:
        """Tell which values are counts."""
        return cls.counts.holds(y)

    def predictor(self, observed: Observed) -> FloatArray:
        """Return that of the counts."""
        return self.base.predictor(observed)

    def expected_at(self, y: FloatArray, trials: FloatArray | None, known: FloatArray) -> tuple[float, FloatArray]:
        """Return that of the counts."""
        return self.base.expected_at(y, trials, known)

    def start(self, observed: Observed) -> tuple[float, ...]:
        """Take the share of zeros beyond what a Poisson of the others' mean would have."""
        y = observed.y
        share, mean = float(np.mean(y == 0)), float(y[y > 0].mean()) if bool((y > 0).any()) else 1.0
        extra = float(np.clip(share - np.exp(-mean), 0.05, 0.9))
        return (*self.base.start(observed), float(np.log(extra / (1 - extra))))


def _mixed(observed: Observed, counts: Real, zi: Real) -> Real:
    """Mix a log density of counts with a point mass at zero."""
    with np.errstate(divide="ignore"):
        others = log1p(-zi) + counts
        return chosen(observed.y == 0, log_add_exp(log(zi), others), others)


@dataclass(frozen=True)
class ZeroInflatedPoisson(ZeroInflated):
    """Poisson counts with more zeros."""

    link: str = "log"
    name = "zero_inflated_poisson"
    aliases = ("zip", "ziplss", "zeroinflatedpoisson")
    links = ("log",)
    counts = poisson.Poisson
    parameters = (ZI,)
    words = StanWords(
        COUNT,
        "zi_poisson(zi, $eta)",
        "0 with probability zi, else poisson(exp(eta))",
        integer=True,
        draw="(1 - bernoulli_rng(zi)) * count_rng($eta)",
        draw_function=poisson.WORDS.draw_function,
        row_function="""\
// Log density of a count that is 0 with probability zi, whatever eta says.
real zi_poisson_lpmf(int y, real zi, real eta) {
  real own = log1m(zi) + poisson_log_lpmf(y | eta);
  return y == 0 ? log_sum_exp(log(zi), own) : own;
}""",
        order=ORDER,
        rows="""\
// zeros are of either kind
target += log_sum_exp(log(zi), log1m(zi) - exp(eta[zeros]));
target += (N - n_zeros) * log1m(zi);
if (n_zeros < N) {
  y[others] ~ poisson_log(eta[others]);
}""",
    )


@dataclass(frozen=True)
class ZeroInflatedNegativeBinomial(ZeroInflated):
    """Negative binomial counts with more zeros."""

    link: str = "log"
    name = "zero_inflated_negbinomial"
    aliases = ("zinb", "zero_inflated_negative_binomial", "zeroinflatednegativebinomial")
    links = ("log",)
    counts = negbinomial.NegativeBinomial
    parameters = (SHAPE, ZI)
    words = StanWords(
        COUNT,
        "zi_negbinomial(zi, $eta, fmin(shape, 1e9))",
        "0 with probability zi, else neg_binomial_2(exp(eta), shape)",
        integer=True,
        draw="(1 - bernoulli_rng(zi)) * count_rng($eta, shape)",
        draw_function=negbinomial.NegativeBinomial.words.draw_function,
        row_function="""\
// Log density of a count that is 0 with probability zi, whatever eta says.
real zi_negbinomial_lpmf(int y, real zi, real eta, real shape) {
  real own = log1m(zi) + neg_binomial_2_log_lpmf(y | eta, shape);
  return y == 0 ? log_sum_exp(log(zi), own) : own;
}""",
        order=ORDER,
        rows="""\
// zeros are of either kind; a larger shape makes counts Poisson, but for
// rounding errors, which would grow without bounds
real s = fmin(shape, 1e9);
vector[n_zeros] own = -s * log1p_exp(eta[zeros] - log(s));
target += log_sum_exp(log(zi), log1m(zi) + own);
target += (N - n_zeros) * log1m(zi);
if (n_zeros < N) {
  y[others] ~ neg_binomial_2_log(eta[others], s);
}""",
    )
