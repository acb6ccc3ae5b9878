"""Variables and what is computed of them, and their text as R's deparse lays it out: the names of columns."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from lmmformula.errors import NOWHERE, Span
from lmmformula.ir.names import backticked, quote


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


OR, AND, NOT, COMPARE, SUM, PRODUCT, SPECIAL, COLON, SIGN, POWER, ATOM = range(11)
"""How tightly things bind, loosest first (R's table, `?Syntax`)."""

BINARY = {
    "|": (OR, " | "), "||": (OR, " || "), "&": (AND, " & "), "&&": (AND, " && "),
    "==": (COMPARE, " == "), "!=": (COMPARE, " != "), "<": (COMPARE, " < "), ">": (COMPARE, " > "),
    "<=": (COMPARE, " <= "), ">=": (COMPARE, " >= "),
    "+": (SUM, " + "), "-": (SUM, " - "), "*": (PRODUCT, " * "), "/": (PRODUCT, "/"),
    "%in%": (SPECIAL, " %in% "), "%%": (SPECIAL, "%%"), "%/%": (SPECIAL, "%/%"), ":": (COLON, ":"), "^": (POWER, "^"),
}  # fmt: skip
"""Operator -> how tightly it binds, and how R writes it."""

UNARY = {"-": SIGN, "+": SIGN, "!": NOT}


def label(expression: Expression) -> str:  # noqa: PLR0911 (one line for each kind)
    """
    Write an expression as R does.

    >>> label(Apply("I", (Apply("^", (Variable("x"), Constant(2.0))),)))
    'I(x^2)'
    """
    match expression:
        case Variable(name=name):
            return backticked(name)
        case Constant():
            return constant(expression)
        case Apply(function=".", arguments=()):
            return "."
        case Apply(function="+", arguments=(first, _, _, *_) as summands):
            return " + ".join([within(first, SUM), *(within(summand, PRODUCT) for summand in summands[1:])])
        case Apply(function=function, arguments=(left, right)) if function in BINARY:
            return _binary(function, left, right)
        case Apply(function=function, arguments=(operand,)) if function in UNARY:
            return function + within(operand, UNARY[function])
        case Apply(function="(", arguments=(inner,)):
            return f"({label(inner)})"
        case Apply(function=function, arguments=arguments, keywords=keywords, package=package):
            named = [f"{backticked(name)} = {label(value)}" for name, value in keywords]
            called = f"{package}::{function}" if package else backticked(function)
            return f"{called}({', '.join([*map(label, arguments), *named])})"


def _binary(operator: str, left: Expression, right: Expression) -> str:
    binding, text = BINARY[operator]
    if operator == "^":  # right associative, and a sign may follow it
        signed = binding_of(right) == SIGN
        return within(left, ATOM) + text + (label(right) if signed else within(right, POWER))
    looser = 1 if binding == COMPARE else 0  # comparisons don't associate
    return within(left, binding + looser) + text + within(right, binding + 1)


def within(expression: Expression, binding: int) -> str:
    """Write an operand, in brackets if it binds less tightly than its place demands."""
    text = label(expression)
    return text if binding_of(expression) >= binding else f"({text})"


def binding_of(expression: Expression) -> int:
    """Tell how tightly the outermost operator of an expression binds."""
    match expression:
        case Constant(value=float() | int() as value) if not isinstance(value, bool) and math.copysign(1, value) < 0:
            return SIGN
        case Apply(function=function, arguments=(_, _, *_)) if function in BINARY:
            return BINARY[function][0]
        case Apply(function=function, arguments=(_,)) if function in UNARY:
            return UNARY[function]
        case _:
            return ATOM


def constant(found: Constant) -> str:
    """
    Write a constant as R does.

    >>> [constant(Constant(value)) for value in (1.0, 2, 1e5, 0.5, True, None, "a", float("inf"))]
    ['1', '2L', '1e+05', '0.5', 'TRUE', 'NULL', '"a"', 'Inf']
    """
    match found.value:
        case _ if found.text:
            return found.text
        case bool(value):
            return "TRUE" if value else "FALSE"
        case None:
            return "NULL"
        case str(value):
            return quote(value, '"')
        case int(value):
            return f"{value}L"
        case float(value):
            return number(value)


def number(value: float) -> str:
    """
    Write a number with as few digits as tell it from all others, in R's choice of notation: the shorter one.

    >>> [number(value) for value in (1000.0, 1e5, 123456.0, 0.001, 1e-5, -0.5)]
    ['1000', '1e+05', '123456', '0.001', '1e-05', '-0.5']
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    exact = Decimal(repr(value)).normalize()
    digits = "".join(map(str, exact.as_tuple().digits))
    exponent = exact.adjusted()
    mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    scientific = f"{'-' if value < 0 else ''}{mantissa}e{exponent:+03d}"
    fixed = format(exact, "f")
    return fixed if len(fixed) <= len(scientific) else scientific
