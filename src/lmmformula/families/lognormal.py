"""Positive responses whose logarithm is normal."""

from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray
from lmmformula.families.calculus.jets import Real
from lmmformula.families.family import SIGMA, Family, Observed, Own, log_y, positive
from lmmformula.families.gaussian import log_half_spread, normal
from lmmformula.families.stan_words import POSITIVE, StanWords


@dataclass(frozen=True)
class Lognormal(Family):
    """Values whose logarithm is normal around eta with standard deviation sigma."""

    link: str = "identity"
    name = "lognormal"
    aliases = ("log_normal",)
    links = ("identity",)
    parameters = (SIGMA,)
    support = "greater than 0"
    centre = "mean of the logarithm"
    units = True
    words = StanWords(POSITIVE, "lognormal($eta, $sigma)", "lognormal(eta, sigma)")

    def log_density(self, observed: Observed, eta: Real, own: Own) -> Real:
        """Return the log density."""
        x = observed.once(log_y)
        return normal(x, eta, own["sigma"]) - x

    def mean(self, eta: FloatArray, own: Own) -> FloatArray:
        """Return exp(eta + sigma^2 / 2)."""
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(eta + np.square(own["sigma"]) / 2), dtype=np.float64)

    def variance(self, mean: FloatArray, own: Own) -> FloatArray:
        """Return mean^2 (exp(sigma^2) - 1)."""
        return np.asarray(mean**2 * np.expm1(np.square(own["sigma"])), dtype=np.float64)

    def cdf(self, observed: Observed, eta: FloatArray, own: Own) -> FloatArray:
        """Return P(Y <= y)."""
        from scipy.special import ndtr

        return np.asarray(ndtr((observed.once(log_y) - eta) / own["sigma"]), dtype=np.float64)

    def draw(self, eta: FloatArray, own: Own, rng: np.random.Generator, trials: FloatArray | float = 1.0) -> FloatArray:
        """Draw responses."""
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(eta + own["sigma"] * rng.standard_normal(np.shape(eta))), dtype=np.float64)

    @classmethod
    def holds(cls, y: FloatArray) -> BoolArray:
        """Tell which values are greater than 0."""
        return positive(y)

    def predictor(self, observed: Observed) -> FloatArray:
        """Return log y."""
        return np.asarray(observed.once(log_y), dtype=np.float64)

    def start(self, observed: Observed) -> tuple[float, ...]:
        """Take half the standard deviation of log y."""
        return (log_half_spread(observed.once(log_y)),)
