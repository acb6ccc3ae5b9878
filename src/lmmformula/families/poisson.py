"""Counts whose variance is their mean."""

from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray
from lmmformula.families.family import Family, Observed, Own, whole
from lmmformula.families.jets import Jet, Key, Real, chosen, value_of
from lmmformula.families.special import log_factorial

LARGEST_MEAN = 1e18
"""Of a count that numpy can draw; a prior may ask for more."""


@dataclass(frozen=True)
class Poisson(Family):
    """Counts of mean mu."""

    link: str = "log"
    name = "poisson"
    links = ("log", "sqrt")
    support = "whole numbers from 0"

    def log_density(self, observed: Observed, eta: Real, own: Own) -> Real:
        """Return the log density."""
        y, link = observed.y, self.mean_link
        if self.link == "log":
            return y * eta - link.inverse(eta) - observed.once(_constant)
        kept = chosen(y > 0, eta, 1.0) if value_of(eta).shape == y.shape else eta
        return y * link.log(kept) - link.inverse(eta) - observed.once(_constant)

    def at(self, observed: Observed, eta: "list[FloatArray]", wanted: frozenset[Key]) -> Jet:  # type: ignore[override]
        """Return the log density with its derivatives; in one pass where the link is canonical."""
        if self.link != "log":
            return super().at(observed, eta, wanted)
        (x,), y = eta, observed.y
        mean = np.exp(x)
        parts = {(): y * x - mean - observed.once(_constant), (0,): y - mean, (0, 0): -mean, (0, 0, 0): -mean}
        return Jet({key: parts[key] for key in wanted}, wanted)

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

    def holds(self, y: FloatArray) -> BoolArray:
        """Tell which values are counts."""
        return whole(y)

    def predictor(self, observed: Observed) -> FloatArray:
        """Return the link of y + 1/2."""
        return self.mean_link.of(observed.y + 0.5)


def _constant(observed: Observed) -> FloatArray:
    return log_factorial(observed.y)
