"""Positive responses of constant coefficient of variation."""

from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray
from lmmformula.families.calculus.jets import Real
from lmmformula.families.calculus.special import gamma_constant, loss
from lmmformula.families.family import SHAPE, Family, Observed, Own, log_y, positive
from lmmformula.families.stan_words import POSITIVE, StanWords


@dataclass(frozen=True)
class Gamma(Family):
    """Values of mean mu and variance mu^2 / shape."""

    link: str = "log"
    name = "Gamma"
    aliases = ("gamma_family",)
    usual_link = "inverse"
    links = ("log",)
    parameters = (SHAPE,)
    support = "greater than 0"
    words = StanWords(
        POSITIVE,
        "gamma(shape, shape * exp(-$eta))",
        "gamma(shape, shape / exp(eta))",
        draw="gamma_rng(shape, shape) * exp($eta)",
    )

    def log_density(self, observed: Observed, eta: Real, own: Own) -> Real:
        """Return the log density."""
        x, shape = observed.once(log_y), own["shape"]
        return gamma_constant(shape) - x - shape * loss(x - self.mean_link.log(eta))

    def expected(self, observed: Observed, eta: Real, own: Own) -> Real | None:
        """Return the shape, with a log link."""
        return own["shape"] + 0.0 * eta if self.link == "log" else None

    def variance(self, mean: FloatArray, own: Own) -> FloatArray:
        """Return mean^2, in units of 1 / shape, as R's."""
        return mean**2

    def deviance(self, y: FloatArray, mean: FloatArray, own: Own) -> FloatArray:
        """Return the unit deviance."""
        return 2 * ((y - mean) / mean - np.log(y / mean))

    def cdf(self, observed: Observed, eta: FloatArray, own: Own) -> FloatArray:
        """Return P(Y <= y)."""
        from scipy.special import gammainc

        return np.asarray(gammainc(own["shape"], own["shape"] * observed.y / self.mean(eta, own)), dtype=np.float64)

    def draw(self, eta: FloatArray, own: Own, rng: np.random.Generator, trials: FloatArray | float = 1.0) -> FloatArray:
        """Draw responses."""
        return gamma_draws(self.mean(eta, own), own["shape"], rng)

    @classmethod
    def holds(cls, y: FloatArray) -> BoolArray:
        """Tell which values are greater than 0."""
        return positive(y)

    def predictor(self, observed: Observed) -> FloatArray:
        """Return the link of y."""
        return self.mean_link.of(observed.y)

    def expected_at(self, y: FloatArray, trials: FloatArray | None, known: FloatArray) -> tuple[float, FloatArray]:
        """Return the logarithm of the mean, and log y."""
        return float(np.log(np.mean(y * np.exp(-known)))), np.log(y) - known

    def start(self, observed: Observed) -> tuple[float, ...]:
        """Take the shape from the variance of log y."""
        return (float(-np.log(np.clip(np.var(observed.once(log_y)) / 2, 1e-4, 1e4))),)


def gamma_draws(mean: FloatArray, shape: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Draw from Gamma distributions; a scale beyond the largest float is that float."""
    scale = np.minimum(mean / shape, np.finfo(np.float64).max)
    return rng.gamma(np.broadcast_to(shape, mean.shape), scale)
