"""The intermediate representation of a model: all that its text says, and nothing of how it was typed."""

from dataclasses import dataclass, field
from typing import Literal

from lmmformula.errors import NOWHERE, Span
from lmmformula.ir.covariance import UNSTRUCTURED, Covariance
from lmmformula.ir.family import GAUSSIAN, Family
from lmmformula.ir.priors import Prior
from lmmformula.ir.terms import Expression, Term, Variable


@dataclass(frozen=True, slots=True)
class Response:
    """
    The left-hand side.

    kind : "value" for one expression; "counts" for cbind(successes, failures); "proportion" for successes / trials,
        which is also the value of that quotient where the family has no trials
    expressions : one expression, or two for counts and proportions
    """

    kind: Literal["value", "counts", "proportion"]
    expressions: tuple[Expression, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class FixedTerms:
    """
    The fixed effects.

    intercept : whether there is a column of ones
    terms : the other terms, by order and within it by appearance, as R's terms.formula sorts them
    dot : whether a `.` still waits for the names of the data's columns (see `ModelIR.bind`)
    """

    intercept: bool
    terms: tuple[Term, ...]
    dot: bool = False


@dataclass(frozen=True, slots=True)
class RandomTerm:
    """
    One `(terms | group)`: random coefficients that vary between the levels of a grouping factor.

    intercept, terms : as in `FixedTerms`; never both empty
    group : the variables whose interaction is the grouping factor, in the order of its name:
        `(1 | a/b)` has become (a,) and (b, a), which lme4 calls "a" and "b:a"
    """

    intercept: bool
    terms: tuple[Term, ...]
    group: tuple[Variable, ...]
    covariance: Covariance = UNSTRUCTURED
    span: Span = field(default=NOWHERE, compare=False, repr=False)

    @property
    def group_name(self) -> str:
        """The grouping factor as lme4 names it, `b:a`."""
        return ":".join(variable.name for variable in self.group)


@dataclass(frozen=True, slots=True)
class ModelIR:
    """
    A mixed-effects model, without data.

    random : the random terms in the order of the formula, `||`, `/` and `*` expanded
    offsets : the arguments of offset(...) terms
    priors : the statements in the order they were given; the later of two equals wins
    source : the text that was typed, for messages
    """

    response: Response
    fixed: FixedTerms
    random: tuple[RandomTerm, ...] = ()
    offsets: tuple[Expression, ...] = ()
    family: Family = GAUSSIAN
    priors: tuple[Prior, ...] = ()
    source: str = field(default="", compare=False, repr=False)
