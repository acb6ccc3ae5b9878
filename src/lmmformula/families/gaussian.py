"""Normal responses."""

from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.families.calculus.jets import Real, log
from lmmformula.families.calculus.special import LOG_2PI
from lmmformula.families.family import SIGMA, Family, Observed, Own
from lmmformula.families.stan_words import StanWords


@dataclass(frozen=True)
class Gaussian(Family):
    """Values around eta with standard deviation sigma."""

    link: str = "identity"
    name = "gaussian"
    aliases = ("normal", "norm")
    links = ("identity",)
    parameters = (SIGMA,)
    support = "numbers"
    units = True
    words = StanWords(
        "vector[N] y;", "normal($eta, $sigma)", "normal(eta, sigma)", "normal_id_glm($X, $eta, b, $sigma)"
    )

    def log_density(self, observed: Observed, eta: Real, own: Own) -> Real:
        """Return the log density."""
        return normal(observed.y, eta, own["sigma"])

    def variance(self, mean: FloatArray, own: Own) -> FloatArray:
        """Return sigma^2."""
        return np.asarray(np.square(own["sigma"]) * np.ones_like(mean), dtype=np.float64)

    def cdf(self, observed: Observed, eta: FloatArray, own: Own) -> FloatArray:
        """Return P(Y <= y)."""
        from scipy.special import ndtr

        return np.asarray(ndtr((observed.y - eta) / own["sigma"]), dtype=np.float64)

    def draw(self, eta: FloatArray, own: Own, rng: np.random.Generator, trials: FloatArray | float = 1.0) -> FloatArray:
        """Draw responses."""
        return np.asarray(eta + own["sigma"] * rng.standard_normal(np.shape(eta)), dtype=np.float64)

    def predictor(self, observed: Observed) -> FloatArray:
        """Return y."""
        return observed.y

    def start(self, observed: Observed) -> tuple[float, ...]:
        """Take half the standard deviation of y."""
        return (log_half_spread(observed.y),)


def normal(y: FloatArray, eta: Real, sigma: Real) -> Real:
    """Return the log density of a normal distribution."""
    z = (y - eta) / sigma
    return -0.5 * (LOG_2PI + z * z) - log(sigma)


def log_half_spread(y: FloatArray) -> float:
    """Return the logarithm of half the standard deviation."""
    return float(np.log(max(0.5 * float(np.std(y)), 1e-300)))
