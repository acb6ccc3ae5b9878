"""Expressions as text, as R's deparse lays them out: the names of terms and of their columns."""

import math
from decimal import Decimal

from lmmformula.ir.names import backticked, quote
from lmmformula.ir.terms import Apply, Constant, Expression, Variable

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
