"""Variables, expressions and terms: what a formula means once its syntax is gone."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from lmmformula.errors import NOWHERE, Span


@dataclass(frozen=True, slots=True)
class Variable:
    """A column of the data, by its name."""

    name: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, string, logical, or NULL (None) inside a call."""

    value: float | str | bool | None
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Apply:
    """
    A function of the fixed table, applied: `log(x)`, `poly(x, 2, raw = TRUE)`; operators are functions too.

    function : its name ("log", "poly", "I", "c") or operator ("+", "-", "*", "/", "^", "<", "==", "&", "|", "!", ...)
    arguments : positional arguments
    keywords : named arguments, as typed, in order
    """

    function: str
    arguments: tuple["Expression", ...]
    keywords: tuple[tuple[str, "Expression"], ...] = ()
    span: Span = field(default=NOWHERE, compare=False, repr=False)


Expression = Variable | Constant | Apply
"""A column of the data, or something computed from columns."""


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """
    A product of expressions, `x`, `a:b`, `log(x):f`; the empty product is the intercept.

    Two terms are equal if they hold the same expressions, in whatever order.

    factors : the distinct expressions, in order of their appearance
    """

    factors: tuple[Expression, ...] = ()
    span: Span = field(default=NOWHERE, repr=False)

    @property
    def order(self) -> int:
        """Number of expressions multiplied: 0 for the intercept, 1 for a main effect."""
        return len(self.factors)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Term) and frozenset(self.factors) == frozenset(other.factors)

    def __hash__(self) -> int:
        return hash(frozenset(self.factors))


INTERCEPT = Term()


def variables(expression: Expression) -> Iterator[Variable]:
    """List the columns of the data that an expression reads, in order of appearance, repeats included."""
    match expression:
        case Variable():
            yield expression
        case Constant():
            return
        case Apply(arguments=arguments, keywords=keywords):
            for argument in (*arguments, *(value for _, value in keywords)):
                yield from variables(argument)
