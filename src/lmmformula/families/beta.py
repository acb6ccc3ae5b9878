"""Shares between 0 and 1, both left out."""

from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray
from lmmformula.families.calculus.jets import Real, exp
from lmmformula.families.calculus.special import log_gamma, trigamma
from lmmformula.families.family import Family, Observed, Own, Parameter, log_y
from lmmformula.families.stan_words import StanWords

SMALLEST = 1e-300
"""Parameter of a beta distribution from which numpy can draw."""


@dataclass(frozen=True)
class Beta(Family):
    """Shares of mean mu and variance mu (1 - mu) / (1 + phi)."""

    link: str = "logit"
    name = "beta"
    aliases = ("beta_family", "betar", "beta_proportion")
    links = ("logit",)
    parameters = (Parameter("phi", ("inv_gamma", (0.4, 0.3))),)
    support = "between 0 and 1, both left out"
    words = StanWords(
        "vector<lower=0, upper=1>[N] y;",
        "beta(phi * inv_logit($eta), phi * inv_logit(-$eta))",
        "beta_proportion(inv_logit(eta), phi)",
    )

    def log_density(self, observed: Observed, eta: Real, own: Own) -> Real:
        """Return the log density."""
        phi, (a, b) = own["phi"], self._shapes(eta, own)
        rest = observed.once(_log_rest)
        constant = log_gamma(phi) - log_gamma(a) - log_gamma(b)
        return constant + (a - 1) * observed.once(log_y) + (b - 1) * rest

    def expected(self, observed: Observed, eta: Real, own: Own) -> Real | None:
        """Return phi^2 mu'^2 (trigamma(a) + trigamma(b)), with a logit link."""
        if self.link != "logit":
            return None
        a, b = self._shapes(eta, own)
        share = a * b / own["phi"]
        return share * share * (trigamma(a) + trigamma(b))

    def _shapes(self, eta: Real, own: Own) -> tuple[Real, Real]:
        """Return mu phi and (1 - mu) phi, neither as a difference."""
        rest = self.mean_link.log_rest
        assert rest is not None
        return exp(self.mean_link.log(eta)) * own["phi"], exp(rest(eta)) * own["phi"]

    def variance(self, mean: FloatArray, own: Own) -> FloatArray:
        """Return mean (1 - mean) / (1 + phi)."""
        return np.asarray(mean * (1 - mean) / (1 + own["phi"]), dtype=np.float64)

    def cdf(self, observed: Observed, eta: FloatArray, own: Own) -> FloatArray:
        """Return P(Y <= y)."""
        from scipy.special import betainc

        return np.asarray(betainc(*self._shapes(eta, own), observed.y), dtype=np.float64)

    def draw(self, eta: FloatArray, own: Own, rng: np.random.Generator, trials: FloatArray | float = 1.0) -> FloatArray:
        """Draw shares."""
        a, b = (np.maximum(shape, SMALLEST) for shape in self._shapes(eta, own))
        return np.asarray(rng.beta(a, b), dtype=np.float64)

    @classmethod
    def holds(cls, y: FloatArray) -> BoolArray:
        """Tell which values are between 0 and 1."""
        return (y > 0) & (y < 1)

    def predictor(self, observed: Observed) -> FloatArray:
        """Return the link of y."""
        return self.mean_link.of(observed.y)

    def expected_at(self, y: FloatArray, trials: FloatArray | None, known: FloatArray) -> tuple[float, FloatArray]:
        """Return the link of the mean."""
        return self.mean_link.of_share(y.sum(), len(y)) - float(known.mean()), np.zeros(1)

    def start(self, observed: Observed) -> tuple[float, ...]:
        """Take phi from the variance of y."""
        mean, variance = float(observed.y.mean()), float(observed.y.var())
        return (float(np.log(np.clip(2 * mean * (1 - mean) / max(variance, 1e-12) - 1, 0.5, 1e6))),)


def _log_rest(observed: Observed) -> FloatArray:
    return np.log1p(-observed.y)
