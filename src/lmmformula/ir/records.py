"""What a model consists of: its response, its fixed and random terms, and all of them together."""

from dataclasses import dataclass, field
from typing import Literal

from lmmformula.covariances.structure import Covariance
from lmmformula.covariances.unstructured import UNSTRUCTURED
from lmmformula.errors import NOWHERE, Span
from lmmformula.ir.expressions import Apply, Expression, Variable, label
from lmmformula.ir.family import GAUSSIAN, Family
from lmmformula.ir.names import backticked
from lmmformula.ir.priors import Prior
from lmmformula.ir.terms import Term


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

    @property
    def label(self) -> str:
        """The left-hand side as R writes it, `cbind(s, f)`."""
        match self.kind, [label(expression) for expression in self.expressions]:
            case "counts", [successes, failures]:
                return f"cbind({successes}, {failures})"
            case "proportion", _:
                return label(Apply("/", self.expressions))
            case _, texts:
                return texts[0]

    @property
    def named(self) -> tuple[Expression, ...]:
        """The response as the first variable of the formula, as R counts them."""
        return self.expressions if self.kind == "value" else ()

    def is_term(self, term: Term) -> bool:
        """Tell whether a term is the response itself, which R drops from the right-hand side."""
        return term.factors == self.named


@dataclass(frozen=True, slots=True)
class FixedTerms:
    """
    The fixed effects.

    intercept : whether there is a column of ones
    terms : the other terms, by order and within it by appearance, as R's terms.formula sorts them
    dot : whether a `.` still waits for the names of the data's columns (see `ModelIR.bind`)
    pending : the whole right-hand side while a `.` waits, random terms apart; None otherwise
    """

    intercept: bool
    terms: tuple[Term, ...]
    dot: bool = False
    pending: Expression | None = None


@dataclass(frozen=True, slots=True)
class RandomTerm:
    """
    One `(terms | group)`: random coefficients that vary between the levels of a grouping factor.

    intercept, terms : as in `FixedTerms`; never both empty
    group : the variables whose interaction is the grouping factor, in the order of its name:
        `(1 | a/b)` has become (b, a) and (a,), which lme4 calls "b:a" and "a"
    name : the grouping factor's name where lme4 puts brackets into it, `c:(b:a)`
    split : whether `||` made it one of several
    """

    intercept: bool
    terms: tuple[Term, ...]
    group: tuple[Variable, ...]
    covariance: Covariance = UNSTRUCTURED
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    name: str = field(default="", compare=False)
    split: bool = field(default=False, compare=False, repr=False)

    @property
    def group_name(self) -> str:
        """The grouping factor as lme4 names it, `b:a`."""
        if len(self.group) == 1:
            return self.group[0].name
        return self.name or ":".join(backticked(variable.name) for variable in self.group)


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """The fields of a `ModelIR`, which says what they are and adds what can be done with them."""

    response: Response
    fixed: FixedTerms
    random: tuple[RandomTerm, ...] = ()
    offsets: tuple[Expression, ...] = ()
    family: Family = GAUSSIAN
    priors: tuple[Prior, ...] = ()
    source: str = field(default="", compare=False, repr=False)
