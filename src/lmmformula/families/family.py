"""What a distribution of the response is asked for, by both engines and by everything after the fit."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray
from lmmformula.families.calculus.jets import VALUE, Jet, Key, Real, value_of, variable
from lmmformula.families.calculus.links import LINKS, Link
from lmmformula.families.stan_words import Prior, StanWords

Own = Mapping[str, Any]
"""Parameter of a family -> its values, in a shape that broadcasts with the linear predictor; or their jets."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """
    A parameter of a distribution beside its mean.

    prior : its default prior; the numbers of a spread are in units of that of the response
    link : from it to its linear predictor: log of what is positive, logit of what is a probability
    usual_link : that which other packages take, where it is not that
    lower, upper : its range
    spread : whether it has the units of the linear predictor
    """

    name: str
    prior: Prior
    link: str = "log"
    usual_link: str = ""
    lower: float = 0.0
    upper: float = np.inf
    spread: bool = False


SIGMA = Parameter("sigma", ("student_t", (3.0, 0.0, 2.5)), spread=True)
"""The standard deviation of what has the units of the linear predictor."""
SHAPE = Parameter("shape", ("inv_gamma", (0.4, 0.3)))
"""What lies between a distribution's variance and the least that it can have."""


@dataclass(frozen=True, slots=True)
class Observed:
    """
    A response.

    y : (n,) values; of a binomial family the shares of successes
    trials : (n,) of a binomial family, or 1
    precision : (n,) by whose square roots a row's sigma is divided, or 1
    factors : (n,) of the rows' log densities, or 1
    kept : what a family works out of it once
    """

    y: FloatArray
    trials: FloatArray | float = 1.0
    precision: FloatArray | float = 1.0
    factors: FloatArray | float = 1.0
    kept: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def once(self, function: Callable[["Observed"], Any]) -> Any:  # noqa: ANN401 (whatever the function gives)
        """Return a function of the response, worked out at the first time."""
        if function.__name__ not in self.kept:
            self.kept[function.__name__] = function(self)
        return self.kept[function.__name__]


LEAST_WEIGHT = 1e-8
"""Of a row whose density has no curvature, in steps towards a mode."""

FARTHEST = 14.0
"""Logarithm or logit of a family's parameter beyond which it is as good as infinite, or zero: the density is flat."""


@dataclass(frozen=True)
class Family(ABC):
    """
    A distribution of the response around its linear predictor.

    name : as it is typed
    aliases : its names in R, brms, glmmTMB, mgcv, rstanarm and Bambi, in small letters
    links : of the mean, the default first
    usual_link : R's default, where that is not among them
    parameters : of its own, beside the mean
    support : what a response must be, in words
    centre : what the linear predictor is of, in words
    units : whether the linear predictor has the response's units, or those of its logarithm
    ends : responses that drive the mean to a limit if there are no others
    has_expected : whether there is an expected curvature, of which lme4's criterion is made
    ordinal : whether the response is one of ordered categories, told apart by cutpoints in the place of an intercept
    words : of Stan
    """

    link: str
    name: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    links: ClassVar[tuple[str, ...]]
    usual_link: ClassVar[str] = ""
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    support: ClassVar[str] = ""
    centre: ClassVar[str] = "mean"
    units: ClassVar[bool] = False
    ends: ClassVar[tuple[float, ...]] = ()
    has_expected: ClassVar[bool] = True
    ordinal: ClassVar[bool] = False
    words: ClassVar[StanWords | None] = None

    @property
    def mirrored(self) -> bool:
        """Whether -eta has the same density as eta, so that there may be modes on both sides of zero."""
        return self.link == "sqrt"

    @property
    def mean_link(self) -> Link:
        """The link of the mean."""
        return LINKS[self.link]

    # --- the density ---

    @abstractmethod
    def log_density(self, observed: Observed, eta: Real, own: Own) -> Real:
        """
        Return log p(y | eta, own), all constants kept, row by row.

        eta : (..., n) linear predictor, or its jet
        own : parameters of the family, or their jets; "sigma" is that of each row
        """

    def at(self, observed: Observed, eta: Sequence[FloatArray], wanted: frozenset[Key]) -> Jet:
        """
        Return the log density with its derivatives in all linear predictors.

        eta : that of the mean, (n,), and of each parameter, (n,) or (1,)
        """
        density: Jet = self.log_density(observed, *self.variables(observed, eta, wanted))
        return counted(density, observed)

    def variables(
        self, observed: Observed, eta: Sequence[FloatArray], wanted: frozenset[Key]
    ) -> tuple[Jet, dict[str, Real]]:
        """Return the mean's linear predictor as a jet, and the family's parameters, as jets where it matters."""
        asked = {number for key in wanted for number in key}
        first = variable(0, eta[0], wanted)
        others = [variable(j, x, wanted) if j in asked else x for j, x in enumerate(eta[1:], start=1)]
        own = {p.name: LINKS[p.link].inverse(x) for p, x in zip(self.parameters, others, strict=True)}
        if "sigma" in own and np.ndim(observed.precision):
            own["sigma"] = own["sigma"] * observed.precision**-0.5
        return first, own

    def expected(self, observed: Observed, eta: Real, own: Own) -> Real | None:
        """Return the expected curvature in the mean's predictor, of which lme4's criterion is made; None if unknown."""
        return None

    def expected_rows(self, observed: Observed, eta: Sequence[FloatArray], wanted: frozenset[Key]) -> Jet | None:
        """Return the rows' expected weights in the mean's predictor, with their slopes."""
        flat = self.expected(observed, *self.variables(observed, eta, wanted))
        return None if flat is None else counted(flat, observed)

    def positive(self, observed: Observed, eta: Sequence[FloatArray], rows: Jet) -> FloatArray:
        """
        Return weights for steps towards a mode from where the observed ones are not those of a maximum.

        rows : the log density at eta, with its first two derivatives
        """
        flat = self.expected(observed, *self.variables(observed, eta, VALUE))
        weight = -rows.at(0, 0) if flat is None else value_of(flat) * observed.factors
        return np.asarray(np.maximum(np.nan_to_num(np.abs(weight)), LEAST_WEIGHT) * np.ones_like(eta[0]))

    def positive_weights(
        self, observed: Observed, eta: Sequence[FloatArray], rows: Jet, blocked: Sequence[int]
    ) -> dict[tuple[int, int], FloatArray]:
        """Return such weights for the predictors that have random effects: each for itself."""
        n = len(observed.y)
        found = {(j, j): np.maximum(np.abs(rows.at(j, j)), LEAST_WEIGHT) * np.ones(n) for j in blocked}
        return found | ({(0, 0): self.positive(observed, eta, rows)} if 0 in blocked else {})

    # --- moments, distribution function and draws ---

    def mean(self, eta: FloatArray, own: Own) -> FloatArray:
        """Return the response's mean."""
        # a mean beyond the largest float, which a prior may ask for, is infinite; a row that is missing stays missing
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(self.mean_link.inverse(eta), dtype=np.float64)

    @abstractmethod
    def cdf(self, observed: Observed, eta: FloatArray, own: Own) -> FloatArray:
        """Return P(Y <= y)."""

    @abstractmethod
    def variance(self, mean: FloatArray, own: Own) -> FloatArray:
        """Return the variance of a response (of one trial), given its mean."""

    @abstractmethod
    def draw(self, eta: FloatArray, own: Own, rng: np.random.Generator, trials: FloatArray | float = 1.0) -> FloatArray:
        """Draw a response for each element of a linear predictor."""

    def deviance(self, y: FloatArray, mean: FloatArray, own: Own) -> FloatArray | None:
        """Return twice the log likelihood that a row of one trial loses by its mean; None if that is not defined."""
        return None

    # --- the response ---

    @classmethod
    def holds(cls, y: FloatArray) -> BoolArray:
        """Tell of each value whether it can be a response."""
        return np.isfinite(y)

    @abstractmethod
    def predictor(self, observed: Observed) -> FloatArray:
        """Return a linear predictor, (n,), that suits each row: link(y), moved off the bounds."""

    def start(self, observed: Observed) -> tuple[float, ...]:
        """Return linear predictors of the family's own parameters to start at."""
        return ()

    def again(self, observed: Observed, eta: FloatArray, own: tuple[float, ...]) -> tuple[float, ...]:
        """Return those to go on from, once there is a linear predictor of the mean."""
        return own

    def farthest(self, observed: Observed) -> float:
        """Return the size of such a predictor beyond which the density is what it is at infinity."""
        return FARTHEST

    # --- Stan

    def stan(self, *, trials: bool = True, broken: bool = False) -> StanWords | None:
        """
        Return the distribution in Stan's words; None if no program is written for it with that link.

        trials : whether a response in shares has trials beside it
        broken : whether successes among these are no whole numbers
        """
        return self.words

    def expected_at(self, y: FloatArray, trials: FloatArray | None, known: FloatArray) -> tuple[float, FloatArray]:
        """
        Tell where default priors expect the linear predictor less what is known of it, and values that spread like it.

        y, trials : successes and their trials of a binomial family
        """
        left = self.predictor(Observed(y)) - known
        return float(np.median(left)), left

    def cancelled(self, observed: Observed) -> float:
        """Return the sum of the sizes of terms that cancel within the rows' log densities, beside what is left."""
        return 0.0


def counted(density: Jet, observed: Observed) -> Jet:
    """Multiply a log density by the rows' factors."""
    return density * observed.factors if np.ndim(observed.factors) else density


def positive(y: FloatArray) -> BoolArray:
    """Tell which values are greater than 0."""
    return y > 0


def whole(y: FloatArray) -> BoolArray:
    """Tell which values are whole numbers from 0."""
    return np.asarray((y >= 0) & (y == np.floor(y)), dtype=np.bool_)


def log_y(observed: Observed) -> FloatArray:
    """Return the logarithms of a response."""
    return np.log(observed.y)
