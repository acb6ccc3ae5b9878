"""Variables, expressions and terms: what a formula means once its syntax is gone."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from lmmformula.errors import NOWHERE, Span


@dataclass(frozen=True, slots=True)
class Variable:
    """A column of the data, by its name."""

    name: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """
    A number, string, logical, or NULL (None) inside a call.

    Two constants are equal if type and value are: `1`, `1L` and `TRUE` are three, `NA` is one.

    value : an int stands for R's `2L`, a string also for the name of a contrast function, a NaN for NA and NaN
    text : how it is written where that isn't how R would write the value: `pi`, `T`, `contr.sum`
    """

    value: float | str | bool | None
    text: str = ""
    span: Span = field(default=NOWHERE, repr=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Constant) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[type, str]:
        return type(self.value), repr(self.value)


@dataclass(frozen=True, slots=True)
class Apply:
    """
    A function of the fixed table, applied: `log(x)`, `poly(x, 2, raw = TRUE)`; operators are functions too.

    function : its name ("log", "poly", "I", "c") or operator ("+", "-", "*", "/", "^", "<", "==", "&", "|", "!", ...)
    arguments : positional arguments; operators have two, or one: `-x`, `+x`, `!x`
    keywords : named arguments, as typed, in order
    package : the package that was typed before the name, `splines` in `splines::ns(x)`
    """

    function: str
    arguments: tuple["Expression", ...]
    keywords: tuple[tuple[str, "Expression"], ...] = ()
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    package: str = ""


Expression = Variable | Constant | Apply
"""A column of the data, or something computed from columns."""


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """
    A product of expressions, `x`, `a:b`, `log(x):f`; the empty product is the intercept.

    Two terms are equal if they hold the same expressions, in whatever order.

    factors : the distinct expressions, in the order in which the formula first names them
    """

    factors: tuple[Expression, ...] = ()
    span: Span = field(default=NOWHERE, repr=False)

    @property
    def order(self) -> int:
        """Number of expressions multiplied: 0 for the intercept, 1 for a main effect."""
        return len(self.factors)

    @property
    def label(self) -> str:
        """The term as R writes it, `a:log(x)`; "1" for the intercept."""
        from lmmformula.ir.labels import label

        return ":".join(label(factor) for factor in self.factors) or "1"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Term) and frozenset(self.factors) == frozenset(other.factors)

    def __hash__(self) -> int:
        return hash(frozenset(self.factors))


INTERCEPT = Term()


def label(expression: Expression) -> str:
    """
    Write an expression as R does, which is also how its columns are named.

    >>> label(Apply("log", (Apply("+", (Variable("Days"), Constant(1.0))),)))
    'log(Days + 1)'
    """
    from lmmformula.ir.labels import label

    return label(expression)


def children(expression: Expression) -> tuple[Expression, ...]:
    """List the arguments of a call or operator, named ones last."""
    match expression:
        case Apply(arguments=arguments, keywords=keywords):
            return (*arguments, *(value for _, value in keywords))
        case _:
            return ()


def depth(expression: Expression) -> int:
    """
    Count the calls and operators inside one another; a loop, so that no depth is too deep.

    >>> depth(Apply("log", (Apply("+", (Variable("x"), Constant(1.0))),)))
    2
    """
    deepest = 0
    waiting = [(expression, 0)]
    while waiting:
        found, level = waiting.pop()
        deepest = max(deepest, level)
        waiting.extend((child, level + 1) for child in children(found))
    return deepest


def variables(expression: Expression) -> Iterator[Variable]:
    """
    List the columns of the data that an expression reads, in order of appearance, repeats included.

    >>> [variable.name for variable in variables(Apply("*", (Variable("x"), Variable("z"))))]
    ['x', 'z']
    """
    waiting = [expression]
    while waiting:
        found = waiting.pop()
        if isinstance(found, Variable):
            yield found
        waiting.extend(reversed(children(found)))
