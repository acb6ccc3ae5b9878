"""Counts whose variance grows with the square of their mean."""

from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray
from lmmformula.families.family import Family, Observed, Own, Parameter, whole
from lmmformula.families.gamma import gamma_draws
from lmmformula.families.jets import Real, log
from lmmformula.families.poisson import LARGEST_MEAN
from lmmformula.families.special import log_factorial, log_inv_logit, log_rising


@dataclass(frozen=True)
class NegativeBinomial(Family):
    """Counts of mean mu and variance mu + mu^2 / shape."""

    link: str = "log"
    name = "negbinomial"
    links = ("log",)
    parameters = (Parameter("shape"),)
    support = "whole numbers from 0"

    def log_density(self, observed: Observed, eta: Real, own: Own) -> Real:
        """Return the log density; log(1 + mu / shape) is -log_inv_logit(log(shape / mu))."""
        y, shape, log_mu = observed.y, own["shape"], self.mean_link.log(eta)
        rise = log_rising(shape, y) - observed.once(_constant)
        return rise + y * log_mu + (shape + y) * log_inv_logit(log(shape) - log_mu)

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

    def holds(self, y: FloatArray) -> BoolArray:
        """Tell which values are counts."""
        return whole(y)

    def predictor(self, observed: Observed) -> FloatArray:
        """Return the link of y + 1/2."""
        return self.mean_link.of(observed.y + 0.5)

    def start(self, observed: Observed) -> tuple[float, ...]:
        """Take the shape from the excess of the variance over the mean."""
        mean, variance = float(observed.y.mean()), float(observed.y.var())
        shape = np.clip(2 * mean**2 / max(variance - mean, 1e-3 * mean, 1e-300), 0.3, 50.0)
        return (float(np.log(shape)),)


def _constant(observed: Observed) -> FloatArray:
    return log_factorial(observed.y)
