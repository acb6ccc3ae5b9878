"""Counts whose variance is their mean."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray
from lmmformula.families.calculus.jets import Jet, Key, Real, chosen
from lmmformula.families.calculus.special import best_poisson, loss
from lmmformula.families.family import Family, Observed, Own, counted, whole
from lmmformula.families.stan_words import COUNT, StanWords

LARGEST_MEAN = 1e18
"""Of a count that numpy can draw; a prior may ask for more."""

LARGE = 1e4
"""Counts below which it is no matter that mean - y - y log(mean / y) is a difference."""


@dataclass(frozen=True)
class Poisson(Family):
    """Counts of mean mu."""

    link: str = "log"
    name = "poisson"
    links = ("log", "sqrt")
    support = "whole numbers from 0"
    ends = (0.0,)

    def log_density(self, observed: Observed, eta: Real, own: Own) -> Real:
        """Return the log density: the best one, less y (exp(x) - 1 - x) at a mean of y exp(x)."""
        y, (best, log_some) = observed.y, observed.once(best_of_counts)
        ahead = self.mean_link.log(eta) - log_some
        return chosen(y > 0, best - y * loss(ahead), -self.mean_link.inverse(eta))

    def at(self, observed: Observed, eta: Sequence[FloatArray], wanted: frozenset[Key]) -> Jet:
        """Return the log density with its derivatives; in one pass where the link is canonical."""
        if self.link != "log":
            return super().at(observed, [np.where(x == 0.0, 1e-300, x) for x in eta], wanted)
        (x,), y, (best, log_some) = eta, observed.y, observed.once(best_of_counts)
        mean = np.exp(x)
        if y.max(initial=0.0) > LARGE:
            value = best - np.where(y > 0, y * loss(x - log_some), mean)
        else:
            value = y * x - mean + observed.once(_constant)
        parts = {(): value, (0,): y - mean, (0, 0): -mean, (0, 0, 0): -mean}
        return counted(Jet({key: parts[key] for key in wanted}, wanted), observed)

    def expected(self, observed: Observed, eta: Real, own: Own) -> Real:
        """Return the mean, or 4 with a square root link."""
        return self.mean_link.inverse(eta) if self.link == "log" else 0.0 * eta + 4.0

    def variance(self, mean: FloatArray, own: Own) -> FloatArray:
        """Return the mean."""
        return mean

    def deviance(self, y: FloatArray, mean: FloatArray, own: Own) -> FloatArray:
        """Return the unit deviance."""
        from scipy.special import rel_entr

        return np.asarray(2 * (rel_entr(y, mean) - (y - mean)), dtype=np.float64)

    def cdf(self, observed: Observed, eta: FloatArray, own: Own) -> FloatArray:
        """Return P(Y <= y)."""
        from scipy.special import pdtr

        return np.asarray(pdtr(observed.y, self.mean(eta, own)), dtype=np.float64)

    def draw(self, eta: FloatArray, own: Own, rng: np.random.Generator, trials: FloatArray | float = 1.0) -> FloatArray:
        """Draw counts."""
        return rng.poisson(np.minimum(self.mean(eta, own), LARGEST_MEAN)).astype(np.float64)

    @classmethod
    def holds(cls, y: FloatArray) -> BoolArray:
        """Tell which values are counts."""
        return whole(y)

    def predictor(self, observed: Observed) -> FloatArray:
        """Return the link of y + 1/2."""
        return self.mean_link.of(observed.y + 0.5)

    def stan(self, *, trials: bool = True, broken: bool = False) -> StanWords | None:
        """Return the words of Stan."""
        return WORDS if self.link == "log" else None

    def expected_at(self, y: FloatArray, trials: FloatArray | None, known: FloatArray) -> tuple[float, FloatArray]:
        """Return what is expected of counts."""
        return expected_of_counts(y, known)


WORDS = StanWords(
    COUNT,
    "poisson_log($eta)",
    "poisson(exp(eta))",
    glm="poisson_log_glm($X, $eta, b)",
    integer=True,
    draw="count_rng($eta)",
    draw_function="""\
// A count of mean exp(eta), but at most 1e9: Stan has no larger ones.
int count_rng(real eta) {
  return poisson_log_rng(fmin(eta, log(1e9)));
}""",
)
"""Poisson counts in Stan."""


def expected_of_counts(y: FloatArray, known: FloatArray) -> tuple[float, FloatArray]:
    """Return the logarithm of the mean of counts, and their logarithms."""
    return float(np.log((y.sum() + 0.5) / np.sum(np.exp(known)))), np.log(y + 0.5) - known


def best_of_counts(observed: Observed) -> tuple[FloatArray, FloatArray]:
    """Return the log density where the mean is the count, and the logarithm of the count, 0 for a zero."""
    y = observed.y
    return best_poisson(y), np.log(np.where(y > 0, y, 1.0))


def _constant(observed: Observed) -> FloatArray:
    """Return -log y!."""
    best, log_some = best_of_counts(observed)
    return best + observed.y - observed.y * log_some
