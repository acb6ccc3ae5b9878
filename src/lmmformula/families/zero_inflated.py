"""Counts with a second source of zeros: a modifier of the families of counts."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray
from lmmformula.families.family import Family, Observed, Own, Parameter
from lmmformula.families.jets import Real, chosen, log, log1p
from lmmformula.families.negbinomial import NegativeBinomial
from lmmformula.families.poisson import Poisson
from lmmformula.families.special import log_add_exp


@dataclass(frozen=True)
class ZeroInflated(Family):
    """Zero with probability zi, and else a draw of `counts`."""

    counts: ClassVar[type[Family]]
    support = "whole numbers from 0"

    @property
    def base(self) -> Family:
        """The family of the counts that are not zeros by the second source."""
        return self.counts(self.link)

    def log_density(self, observed: Observed, eta: Real, own: Own) -> Real:
        """Return log(zi + (1 - zi) P) of a zero, log((1 - zi) P) of another count."""
        with np.errstate(divide="ignore"):
            others = log1p(-own["zi"]) + self.base.log_density(observed, eta, own)
            return chosen(observed.y == 0, log_add_exp(log(own["zi"]), others), others)

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
        return counts * (rng.random(np.shape(counts)) >= own["zi"])

    def holds(self, y: FloatArray) -> BoolArray:
        """Tell which values are counts."""
        return self.base.holds(y)

    def predictor(self, observed: Observed) -> FloatArray:
        """Return that of the counts."""
        return self.base.predictor(observed)

    def start(self, observed: Observed) -> tuple[float, ...]:
        """Take the share of zeros beyond what a Poisson of the others' mean would have."""
        y = observed.y
        share, mean = float(np.mean(y == 0)), float(y[y > 0].mean()) if bool((y > 0).any()) else 1.0
        extra = float(np.clip(share - np.exp(-mean), 0.05, 0.9))
        return (*self.base.start(observed), float(np.log(extra / (1 - extra))))


@dataclass(frozen=True)
class ZeroInflatedPoisson(ZeroInflated):
    """Poisson counts with more zeros."""

    link: str = "log"
    name = "zero_inflated_poisson"
    links = ("log",)
    counts = Poisson
    parameters = (Parameter("zi", "logit"),)


@dataclass(frozen=True)
class ZeroInflatedNegativeBinomial(ZeroInflated):
    """Negative binomial counts with more zeros."""

    link: str = "log"
    name = "zero_inflated_negbinomial"
    links = ("log",)
    counts = NegativeBinomial
    parameters = (Parameter("shape"), Parameter("zi", "logit"))
