"""The syntax tree: one node for each thing that can be typed, with the place where it was typed."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from lmmformula.errors import NOWHERE, Span


@dataclass(frozen=True, slots=True)
class Name:
    """A column, or a constant such as `TRUE` or `pi`; `quoted` if it stood in backticks."""

    name: str
    quoted: bool = False
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Number:
    """A number; `2L` is the int 2, `2` the float 2.0, as in R."""

    value: float
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class String:
    """A text in quotes, escapes resolved."""

    value: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Parenthesis:
    """An expression in round brackets."""

    inner: "Expr"
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Prefix:
    """`-x`, `+x` or `!x`."""

    operator: str
    operand: "Expr"
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Chain:
    """
    Operands joined by operators of one precedence, `a + b - c`, to be read from the left; `^` always joins two.

    operators : one fewer than there are operands; `**` is written `^`
    """

    operators: tuple[str, ...]
    operands: tuple["Expr", ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a call, with its name if it was given one."""

    value: "Expr"
    name: str | None = None
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """`function(arguments)` or `package::function(arguments)`; `name_span` is the place of the function's name."""

    function: str
    arguments: tuple[Argument, ...]
    package: str = ""
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    name_span: Span = field(default=NOWHERE, compare=False, repr=False)


Expr = Name | Number | String | Parenthesis | Prefix | Chain | Call


@dataclass(frozen=True, slots=True)
class Formula:
    """`lhs ~ rhs`, or `~ rhs`."""

    lhs: Expr | None
    rhs: Expr
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class PriorStatement:
    """`parameter[selectors] ~ distribution`."""

    parameter: str
    selectors: tuple[Expr, ...]
    distribution: Expr
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    target_span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Specification:
    """A formula and the prior statements behind it; `text` is what was typed."""

    formula: Formula
    priors: tuple[PriorStatement, ...] = ()
    text: str = field(default="", compare=False, repr=False)


def children(expr: Expr) -> tuple[Expr, ...]:
    """List the expressions right below one."""
    match expr:
        case Parenthesis(inner=inner):
            return (inner,)
        case Prefix(operand=operand):
            return (operand,)
        case Chain(operands=operands):
            return operands
        case Call(arguments=arguments):
            return tuple(argument.value for argument in arguments)
        case _:
            return ()


def walk(expr: Expr) -> Iterator[tuple[Expr, int]]:
    """List an expression and all below it, each with its depth; a loop, so that no depth is too deep."""
    waiting = [(expr, 0)]
    while waiting:
        found, depth = waiting.pop()
        yield found, depth
        waiting.extend((child, depth + 1) for child in children(found))
