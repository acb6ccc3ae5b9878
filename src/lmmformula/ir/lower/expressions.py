"""Syntax to expressions: names, numbers, calls and operators, brackets gone, functions checked."""

import math
from collections.abc import Iterable

from lmmformula.errors import NOWHERE, FormulaError, Span
from lmmformula.formula.ast import Argument, Call, Chain, Expr, Name, Number, Parenthesis, Prefix, String
from lmmformula.ir.expand import DOT
from lmmformula.ir.expressions import Apply, Constant, Expression, Variable, depth, variables
from lmmformula.ir.functions import CONTRASTS, bound, signature
from lmmformula.ir.limits import LIMITS
from lmmformula.ir.lower.elsewhere import CONTRASTS as ELSEWHERE

CONSTANTS: dict[str, float | bool | None] = {
    "TRUE": True, "FALSE": False, "NULL": None, "NA": math.nan, "NaN": math.nan, "Inf": math.inf, "pi": math.pi,
}  # fmt: skip
"""Names that are no columns, unless in backticks."""

UNUSABLE = frozenset(("...", "NA_integer_", "NA_real_", "NA_character_", "NA_complex_"))
"""Words of R that mean nothing here."""

FORMULA_OPERATORS = frozenset(("+", "-", "*", "/", ":", "^", "%in%"))
"""Operators that outside calls build terms, and inside calls are arithmetic."""


def terms_expression(expr: Expr) -> Expression:  # noqa: PLR0911 (one for each kind)
    """Read one side of a formula: operators build terms, and `.` and offset() may stand there."""
    match expr:
        case Parenthesis(inner=inner):
            return terms_expression(inner)
        case Name(name=".", quoted=False):
            return DOT
        case Call(function="offset", arguments=(Argument(value=value, name=None),), package=""):
            return Apply("offset", (expression(value),), span=expr.span)
        case Prefix(operator="-" | "+" as sign, operand=operand):
            return signed_sum([(sign, operand)])
        case Chain(operators=operators, operands=operands) if set(operators) <= {"+", "-"}:
            return signed_sum(zip(("+", *operators), operands, strict=True))
        case Chain(operators=operators, operands=(first, *others)) if set(operators) <= FORMULA_OPERATORS:
            total = terms_expression(first)
            for operator, operand in zip(operators, others, strict=True):
                right = terms_expression(operand)
                total = Apply(operator, (total, right), span=total.span | right.span)
            return total
        case _:
            return expression(expr)


def signed_sum(items: Iterable[tuple[str, Expr]]) -> Expression:
    """Add and subtract terms; what is added in a row becomes one sum of many, so that sums may be long."""
    added: list[Expression] = []
    for sign, item in items:
        term = terms_expression(item)
        if sign == "+" and not added and isinstance(term, Apply) and term.function == "+":
            added += term.arguments  # (a + b) + c is a + b + c
        elif sign == "+":
            added.append(term)
        else:
            total = (_sum(added),) if added else ()
            added = [Apply("-", (*total, term), span=_span((*total, term)))]
    return _sum(added)


def _sum(added: list[Expression]) -> Expression:
    return added[0] if len(added) == 1 else Apply("+", tuple(added), span=_span(added))


def _span(parts: Iterable[Expression]) -> Span:
    span = NOWHERE
    for part in parts:
        span |= part.span
    return span


def expression(expr: Expr) -> Expression:
    """Read a column or something computed from columns."""
    found = _expression(expr)
    if isinstance(expr, Call | Chain) and depth(found) > LIMITS.operations:
        place = Span(expr.span.start, expr.span.start + 1)
        raise FormulaError(f"more than {LIMITS.operations} operations inside one another", span=place)
    return found


def _expression(expr: Expr) -> Expression:
    match expr:
        case Name():
            return _name(expr)
        case Number(value=value) | String(value=value):
            return Constant(value, span=expr.span)
        case Parenthesis(inner=inner):
            return Apply("(", (_expression(inner),), span=expr.span)  # R keeps them in the names of columns
        case Prefix(operator=operator, operand=operand):
            return _prefix(operator, _expression(operand), expr.span)
        case Chain(operators=(":", *_)):
            raise FormulaError(
                "`:` joins terms, and can't stand here", span=expr.span, hint="a range is listed: c(1, 2, 3)"
            )
        case Chain(operators=operators, operands=(first, *others)):
            total = _expression(first)
            for operator, operand in zip(operators, others, strict=True):
                right = _expression(operand)
                total = Apply(operator, (total, right), span=total.span | right.span)
                _refuse_double(total)
            return total
        case Call():
            return _call(expr)
        case _:
            raise AssertionError(expr)


def _refuse_double(joined: Apply) -> None:
    """Refuse `&&` and `||` between columns: as in R they join two single values, not row by row."""
    if joined.function in ("&&", "||") and next(variables(joined), None) is not None:
        one = joined.function[0]
        raise FormulaError(
            f"`{joined.function}` joins two single values, and can't join columns", span=joined.span,
            hint=f"row by row it is `{one}`: I(a {one} b)",
        )  # fmt: skip


def _name(name: Name) -> Expression:
    if name.quoted:
        return Variable(name.name, name.span)
    if name.name in CONSTANTS:
        value = CONSTANTS[name.name]
        written = name.name if name.name in ("NA", "NaN", "pi") else ""
        return Constant(value, written, name.span)
    if name.name == ".":
        raise FormulaError("`.` can't be used inside a call or a random-effects term", span=name.span)
    if name.name in UNUSABLE:
        raise FormulaError(f"`{name.name}` can't be used in a formula", span=name.span)
    return Variable(name.name, name.span)


def _prefix(operator: str, operand: Expression, span: Span) -> Expression:
    """Make -1 a constant, all else the operator applied."""
    match operator, operand:
        case "-", Constant(value=float(value) | int(value), text="") if not isinstance(value, bool):
            return Constant(-value, span=span)
        case _:
            return Apply(operator, (operand,), span=span)


def _call(call: Call) -> Apply:
    """Read a call of a function in the table; its arguments are matched, so that wrong ones are told here."""
    if call.function == "offset":
        raise FormulaError("offset() takes one argument and stands by itself in the sum", span=call.span)
    try:
        found = signature(call.function)
    except FormulaError as error:
        error.span = call.name_span
        raise
    if call.package not in ("", found.package):
        raise FormulaError(
            f"there is no function `{call.package}::{call.function}`", span=call.name_span,
            hint=f"did you mean `{call.function}`?",
        )  # fmt: skip
    if call.function == "C":
        _check_coding(call)
    constants_only = found.kind in ("basis", "factor", "contrast")
    positional: list[Expression] = []
    keywords: list[tuple[str, Expression]] = []
    for argument in call.arguments:
        value = _argument(argument, constant=constants_only and (bool(positional) or argument.name is not None))
        if argument.name is None:
            positional.append(value)
        else:
            keywords.append((argument.name, value))
    applied = Apply(call.function, tuple(positional), tuple(keywords), call.span, call.package)
    _check_constants(applied, constants_only=constants_only)
    return applied


def _check_coding(call: Call) -> None:
    """Refuse contrasts as patsy writes them, C(f, Treatment("b")) and C(f, Sum), and say what R has for them."""
    match call.arguments:
        case (Argument(value=Name(name=factor)), Argument(value=Call(function=name) | Name(name=name) as coding)):
            pass
        case _:
            return
    if name == "Treatment":
        given = coding.arguments if isinstance(coding, Call) else ()
        levels = [argument.value.value for argument in given if isinstance(argument.value, String)]
        hint = f'the first level is the reference; another one by relevel({factor}, "{levels[0] if levels else "b"}")'
    elif name in ELSEWHERE:
        hint = f"did you mean C({factor}, {ELSEWHERE[name]})?"
    else:
        return
    raise FormulaError(f"there are no contrasts `{name}`", span=coding.span, hint=hint)


def _argument(argument: Argument, *, constant: bool) -> Expression:
    """Read an argument; where only constants can stand, `T`, `F` and the names of contrasts are no columns."""
    match argument.value:
        case Name(name="T" | "F" as name, quoted=False, span=span) if constant:
            return Constant(name == "T", name, span)
        case Name(name=name, quoted=False, span=span) if name in CONTRASTS:
            return Constant(name, name, span)
        case value:
            return _expression(value)


def _check_constants(call: Apply, *, constants_only: bool) -> None:
    """Refuse columns where a function takes numbers: `poly(x, degree = z)`."""
    data = signature(call.function).parameters[0]
    for name, value in bound(call).items():
        column = next(variables(value), None)
        if constants_only and column is not None and name != data and not name.startswith("..."):
            raise FormulaError(
                f"the argument `{name}` of {call.function}() can't be a column", span=column.span,
                hint="give a number, a text in quotes, TRUE or FALSE",
            )  # fmt: skip
