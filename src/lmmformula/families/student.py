"""Responses with tails heavier than the normal distribution's."""

from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.families.calculus.jets import Real, log, log1p
from lmmformula.families.calculus.special import student_constant
from lmmformula.families.family import SIGMA, Family, Observed, Own, Parameter
from lmmformula.families.gaussian import log_half_spread
from lmmformula.families.stan_words import StanWords


@dataclass(frozen=True)
class Student(Family):
    """Values around eta with Student's t of nu degrees of freedom, times sigma."""

    link: str = "identity"
    name = "student"
    aliases = ("t", "t_family", "studentt", "student_t", "scat")
    links = ("identity",)
    parameters = (SIGMA, Parameter("nu", ("gamma", (2.0, 0.1)), lower=1.0, usual_link="logm1"))
    support = "numbers"
    centre = "centre"
    units = True
    words = StanWords("vector[N] y;", "student_t(nu, $eta, $sigma)", "student_t(nu, eta, sigma)")

    def log_density(self, observed: Observed, eta: Real, own: Own) -> Real:
        """Return the log density."""
        sigma, nu = own["sigma"], own["nu"]
        z = (observed.y - eta) / sigma
        return student_constant(nu) - log(sigma) - 0.5 * (nu + 1) * log1p(z * z / nu)

    def expected(self, observed: Observed, eta: Real, own: Own) -> Real:
        """Return (nu + 1) / ((nu + 3) sigma^2)."""
        sigma, nu = own["sigma"], own["nu"]
        return (nu + 1) / ((nu + 3) * (sigma * sigma)) + 0.0 * eta

    def variance(self, mean: FloatArray, own: Own) -> FloatArray:
        """Return sigma^2 nu / (nu - 2), infinite up to nu = 2."""
        nu = np.asarray(own["nu"], dtype=np.float64)
        factor = np.where(nu > 2, nu / np.where(nu > 2, nu - 2, 1.0), np.inf)
        return np.asarray(factor * np.square(own["sigma"]) * np.ones_like(mean), dtype=np.float64)

    def cdf(self, observed: Observed, eta: FloatArray, own: Own) -> FloatArray:
        """Return P(Y <= y)."""
        from scipy.special import stdtr

        return np.asarray(stdtr(own["nu"], (observed.y - eta) / own["sigma"]), dtype=np.float64)

    def draw(self, eta: FloatArray, own: Own, rng: np.random.Generator, trials: FloatArray | float = 1.0) -> FloatArray:
        """Draw responses."""
        drawn = rng.standard_t(np.broadcast_to(own["nu"], np.shape(eta)))
        return np.asarray(eta + own["sigma"] * drawn, dtype=np.float64)

    def predictor(self, observed: Observed) -> FloatArray:
        """Return y."""
        return observed.y

    def start(self, observed: Observed) -> tuple[float, ...]:
        """Take half the standard deviation of y, and 10 degrees of freedom."""
        return log_half_spread(observed.y), float(np.log(10.0))
