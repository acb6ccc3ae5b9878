"""Shares of successes among trials; zeros and ones are those of one trial."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray
from lmmformula.families.family import Family, Observed, Own, counted
from lmmformula.families.jets import Jet, Key, Real, up_to, value_of, variable
from lmmformula.families.special import best_binomial, inv_logit


@dataclass(frozen=True)
class Binomial(Family):
    """Successes, of a probability that is the inverse link of eta."""

    link: str = "logit"
    name = "binomial"
    aliases = ("bernoulli", "logistic")
    links = ("logit", "probit", "cloglog")
    support = "between 0 and 1"
    ends = (0.0, 1.0)

    def log_density(self, observed: Observed, eta: Real, own: Own) -> Real:
        """Return the log density of the shares."""
        m, y, (best, log_best) = observed.trials, observed.y, observed.once(_best)
        rest = self.mean_link.log_rest
        assert rest is not None
        return (y * self.mean_link.log(eta) + (1 - y) * rest(eta) - log_best) * m + best

    def at(self, observed: Observed, eta: Sequence[FloatArray], wanted: frozenset[Key]) -> Jet:
        """Return the log density with its derivatives; in one pass where the link is canonical."""
        if self.link != "logit":
            return super().at(observed, eta, wanted)
        (x,), m, (best, log_best) = eta, observed.trials, observed.once(_best)
        p = inv_logit(x)
        weight = m * p * (1 - p)
        value = best + m * (observed.y * x - np.logaddexp(0.0, x) - log_best)
        parts = {(): value, (0,): m * (observed.y - p), (0, 0): -weight, (0, 0, 0): weight * (2 * p - 1)}
        return counted(Jet({key: parts[key] for key in wanted}, wanted), observed)

    def expected(self, observed: Observed, eta: Real, own: Own) -> Real:
        """Return m p'^2 / (p (1 - p)) = -m a b, with a = (log p)' and b = (log (1 - p))'."""
        rest = self.mean_link.log_rest
        assert rest is not None
        x = variable(0, value_of(eta), up_to(2, 1))
        (a, da), (b, db) = ((f.at(0), f.at(0, 0)) for f in (self.mean_link.log(x), rest(x)))
        weight, slope = -observed.trials * a * b, -observed.trials * (a * db + b * da)
        return Jet({(): weight, (0,): slope}, eta.wanted) if isinstance(eta, Jet) else weight

    def variance(self, mean: FloatArray, own: Own) -> FloatArray:
        """Return mean (1 - mean)."""
        return mean * (1 - mean)

    def deviance(self, y: FloatArray, mean: FloatArray, own: Own) -> FloatArray:
        """Return the unit deviance."""
        from scipy.special import rel_entr

        return np.asarray(2 * (rel_entr(y, mean) + rel_entr(1 - y, 1 - mean)), dtype=np.float64)

    def cdf(self, observed: Observed, eta: FloatArray, own: Own) -> FloatArray:
        """Return P(Y <= y)."""
        from scipy.special import betainc

        m = np.broadcast_to(observed.trials, observed.y.shape)
        k = np.rint(m * observed.y)
        below = betainc(np.maximum(m - k, 0.5), k + 1, 1 - self.mean(eta, own))
        return np.where(k < m, below, 1.0)

    def draw(self, eta: FloatArray, own: Own, rng: np.random.Generator, trials: FloatArray | float = 1.0) -> FloatArray:
        """Draw shares of the trials."""
        many = np.broadcast_to(np.rint(trials).astype(np.int64), np.shape(eta))
        return np.asarray(rng.binomial(many, self.mean(eta, own)) / trials, dtype=np.float64)

    @classmethod
    def holds(cls, y: FloatArray) -> BoolArray:
        """Tell which values are from 0 to 1."""
        return (y >= 0) & (y <= 1)

    def cancelled(self, observed: Observed) -> float:
        """Return the size of the parts of the log density that its best value takes away."""
        return float(np.sum(observed.trials * np.abs(observed.once(_best)[1])))

    def predictor(self, observed: Observed) -> FloatArray:
        """Return the link of (m y + 1/2) / (m + 1)."""
        m = observed.trials
        return self.mean_link.of((m * observed.y + 0.5) / (m + 1))


def _best(observed: Observed) -> tuple[FloatArray, FloatArray]:
    """Return the log density where the probability is the share, and the part of it in a trial that it varies by."""
    from scipy.special import entr

    y = observed.y
    return best_binomial(y, observed.trials), -entr(y) - entr(1 - y)
