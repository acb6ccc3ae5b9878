"""The left-hand side of a formula."""

from lmmformula.errors import FormulaError
from lmmformula.formula.ast import Argument, Call, Chain, Expr, Formula, walk
from lmmformula.ir.expressions import Expression, variables
from lmmformula.ir.lower.elsewhere import ADDITIONS
from lmmformula.ir.lower.expressions import expression
from lmmformula.ir.lower.groups import strip
from lmmformula.ir.lower.random import holds_random
from lmmformula.ir.records import Response


def lower_response(formula: Formula) -> Response:
    """Read a value, `cbind(successes, failures)` or `successes / trials`."""
    lhs = formula.lhs
    if lhs is None:
        raise FormulaError(
            "the formula has no response", span=formula.span, hint="name it on the left: y ~ x + (x | group)"
        )
    if holds_random(lhs):
        raise _addition(lhs)
    match strip(lhs):
        case Call(function="cbind", arguments=arguments):
            return _counts(lhs, arguments)
        case Chain(operators=("/",), operands=(successes, trials)):
            quotient = (expression(successes), expression(trials))
            return Response("proportion", quotient, lhs.span) if _read(quotient[1]) else _value(lhs)
        case inner:
            return _value(inner)


def _addition(lhs: Expr) -> FormulaError:
    """Say of a bar on the left what it means in brms, `y | cens(c)`, and what to write here."""
    for found, _ in walk(lhs):
        if isinstance(found, Call) and found.function.removeprefix("resp_") in ADDITIONS:
            message, hint = ADDITIONS[found.function.removeprefix("resp_")]
            return FormulaError(message, span=found.span, hint=hint)
    return FormulaError(
        "no random-effects term can stand on the left of `~`", span=lhs.span,
        hint="weights are an argument, weights=; trials are counted by cbind(successes, failures)",
    )  # fmt: skip


def _counts(lhs: Expr, arguments: tuple[Argument, ...]) -> Response:
    if len(arguments) != 2 or any(argument.name for argument in arguments):
        raise FormulaError("cbind() takes two columns, successes and failures", span=lhs.span)
    counts = tuple(expression(argument.value) for argument in arguments)
    for count, argument in zip(counts, arguments, strict=True):
        if not _read(count):
            raise FormulaError("this names no column", span=argument.span)
    return Response("counts", counts, lhs.span)


def _value(lhs: Expr) -> Response:
    value = expression(lhs)
    if not _read(value):
        raise FormulaError("the response names no column", span=lhs.span)
    return Response("value", (value,), lhs.span)


def _read(found: Expression) -> bool:
    """Tell whether an expression reads any column."""
    return next(variables(found), None) is not None
