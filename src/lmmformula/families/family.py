"""What a distribution of the response is asked for, by both engines and by everything after the fit."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray
from lmmformula.families.jets import VALUE, Jet, Key, Real, exp, value_of, variable
from lmmformula.families.links import LINKS, Link

Own = Mapping[str, Any]
"""Parameter of a family -> its values, in a shape that broadcasts with the linear predictor; or their jets."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """
    A parameter of a distribution beside its mean.

    link : from it to its linear predictor: log of what is positive, logit of what is a probability
    """

    name: str
    link: str = "log"


@dataclass(frozen=True, slots=True)
class Observed:
    """
    A response.

    y : (n,) values; of a binomial family the shares of successes
    trials : (n,) of a binomial family, or 1
    kept : what a family works out of it once
    """

    y: FloatArray
    trials: FloatArray | float = 1.0
    kept: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def once(self, function: Callable[["Observed"], Any]) -> Any:  # noqa: ANN401 (whatever the function gives)
        """Return a function of the response, worked out at the first time."""
        if function.__name__ not in self.kept:
            self.kept[function.__name__] = function(self)
        return self.kept[function.__name__]


@dataclass(frozen=True)
class Family(ABC):
    """
    A distribution of the response around its linear predictor.

    name : as it is typed
    links : of the mean, the default first
    parameters : of its own, beside the mean
    support : what a response must be, in words
    units : whether the linear predictor has the response's units, or those of its logarithm
    """

    link: str
    name: ClassVar[str]
    links: ClassVar[tuple[str, ...]]
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    support: ClassVar[str] = ""
    units: ClassVar[bool] = False
    ordinal: ClassVar[bool] = False

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
        first, *others = (variable(number, values, wanted) for number, values in enumerate(eta))
        own = {p.name: LINKS[p.link].inverse(x) for p, x in zip(self.parameters, others, strict=True)}
        density: Jet = self.log_density(observed, first, own)
        return density

    def expected(self, observed: Observed, eta: Real, own: Own) -> Real | None:
        """Return the expected curvature in the mean's predictor, where lme4 has the family; else None."""
        return None

    # --- moments, distribution function and draws ---

    def mean(self, eta: FloatArray, own: Own) -> FloatArray:
        """Return the response's mean."""
        with np.errstate(over="ignore"):  # a mean beyond the largest float, which a prior may ask for, is infinite
            return np.asarray(self.mean_link.inverse(eta), dtype=np.float64)

    @abstractmethod
    def variance(self, mean: FloatArray, own: Own) -> FloatArray:
        """Return the variance of a response (of one trial), given its mean."""

    @abstractmethod
    def draw(self, eta: FloatArray, own: Own, rng: np.random.Generator, trials: FloatArray | float = 1.0) -> FloatArray:
        """Draw a response for each element of a linear predictor."""

    def deviance(self, y: FloatArray, mean: FloatArray, own: Own) -> FloatArray | None:
        """Return twice the log likelihood that a row of one trial loses by its mean; None outside exponential families."""
        return None

    # --- the response ---

    def holds(self, y: FloatArray) -> BoolArray:
        """Tell of each value whether it can be a response."""
        return np.isfinite(y)

    @abstractmethod
    def predictor(self, observed: Observed) -> FloatArray:
        """Return a linear predictor, (n,), that suits each row: link(y), moved off the bounds."""

    def start(self, observed: Observed) -> tuple[float, ...]:
        """Return linear predictors of the family's own parameters to start at."""
        return ()


def positive(y: FloatArray) -> BoolArray:
    """Tell which values are greater than 0."""
    return y > 0


def whole(y: FloatArray) -> BoolArray:
    """Tell which values are whole numbers from 0."""
    return (y >= 0) & (y == np.floor(y))


def log_y(observed: Observed) -> FloatArray:
    """Return the logarithms of a response."""
    return np.log(observed.y)
