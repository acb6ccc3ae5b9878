"""Prior statements: targets, and distributions whose arguments are worked out here."""

import math
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from itertools import islice

from lmmformula.errors import FormulaError, Span
from lmmformula.formula.ast import Call, Expr, Name, Parenthesis, PriorStatement, String
from lmmformula.ir.expressions import Apply, Constant, Expression, label
from lmmformula.ir.functions import FUNCTIONS
from lmmformula.ir.lower.elsewhere import PARAMETERS
from lmmformula.ir.lower.expressions import expression, terms_expression
from lmmformula.ir.priors import DISTRIBUTIONS, TARGETS, Prior, PriorTarget, check

SHOWN = 6
"""Of the names that there are, so many are listed in a message."""


def lower_priors(statements: tuple[PriorStatement, ...], text: str = "") -> tuple[Prior, ...]:
    """Give prior statements their meaning; `text` is what was typed."""
    try:
        return tuple(map(_lower_prior, statements))
    except FormulaError as error:
        raise error.located(text) from None


NO_PARAMETER = "nothing called"

WORDS = {
    **dict.fromkeys(("beta", "betas", "coef", "fixef", "slope"), "b"),
    **dict.fromkeys(("intercept", "b_Intercept", "alpha"), "Intercept"),
    **dict.fromkeys(("tau", "sds", "sd_1", "ranef"), "sd"),
    **dict.fromkeys(("L", "rho", "corr"), "cor"),
    **dict.fromkeys(("residual", "sigma_y", "sigma_e"), "sigma"),
    **dict.fromkeys(("gaussian", "N", "Normal", "norm", "dnorm"), "normal"),
    **dict.fromkeys(("t", "student", "StudentT", "dt"), "student_t"),
    **dict.fromkeys(("exp", "dexp", "Exponential"), "exponential"),
    **dict.fromkeys(("LKJ", "lkj_corr", "LKJCholeskyCov"), "lkj"),
}
"""Parameter or distribution of another program -> what it is called here."""


def _lower_prior(statement: PriorStatement) -> Prior:
    """Read one statement."""
    if not _is_prior(statement.distribution) and (statement.parameter not in TARGETS or _own(statement)):
        raise _formula(statement)
    if statement.parameter not in TARGETS:
        raise _unknown(NO_PARAMETER, statement.parameter, TARGETS, statement.target_span)
    target = PriorTarget(statement.parameter, tuple(_selectors(statement)))
    match statement.distribution:
        case Call(function=name, arguments=arguments, package="") as call if name in DISTRIBUTIONS:
            named = next((argument for argument in arguments if argument.name), None)
            if named is not None:
                raise FormulaError(
                    "the numbers of a prior have no names",
                    span=named.span,
                    hint="write them in their order: normal(0, 5)",
                )
            numbers = tuple(_number(argument.value) for argument in arguments)
        case Call(function=name) as call:
            raise _unknown("no distribution called", name, DISTRIBUTIONS, call.name_span)
        case other:
            raise FormulaError("a prior is a distribution", span=other.span, hint="as in normal(0, 5)")
    prior = Prior(target, name, numbers, statement.span)
    check(prior)
    return prior


def _is_prior(right: Expr) -> bool:
    """Tell whether the right-hand side was meant to be a distribution, known or not."""
    return isinstance(right, Call) and (right.function in DISTRIBUTIONS or right.function not in FUNCTIONS)


def _own(statement: PriorStatement) -> bool:
    return statement.parameter in PARAMETERS


def _formula(statement: PriorStatement) -> FormulaError:
    """Refuse a second formula: of a parameter of the family, or of another response."""
    name, span = statement.parameter, statement.span
    if _own(statement):
        hint = f"it is one number for all rows; a prior is a distribution: {name} ~ exponential(1)"
        return FormulaError(f"a predictor of `{name}` is not supported yet", span=span, hint=hint)
    hint = "fit each by itself; a prior looks like b ~ normal(0, 5)"
    return FormulaError("a second formula: several responses are not supported yet", span=span, hint=hint)


def _unknown(message: str, name: str, known: Iterable[str], span: Span) -> FormulaError:
    if name in WORDS:
        near = [WORDS[name]]
    elif message == NO_PARAMETER and name.startswith("b_"):
        near = [f"b[{name.removeprefix('b_')}]"]
    else:
        near = get_close_matches(name, list(known), n=1)
    more = "; b[x] is the coefficient of x" if message == NO_PARAMETER else ""
    hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(islice(known, SHOWN))}, ...{more}"
    return FormulaError(f"there is {message} `{name}`", span=span, hint=hint)


def _selectors(statement: PriorStatement) -> Iterator[str]:
    """
    Name coefficient or group as they are printed; the intercept's brackets are part of its name.

    Only among random effects is there an intercept to name, `sd[group, Intercept]`; elsewhere, and in quotes or
    backticks, `Intercept` is a column.
    """
    for position, selector in enumerate(statement.selectors):
        match selector:
            case String(value=value):
                yield value
            case _ if statement.parameter == "sd" and position == 1 and _is_intercept(selector):
                yield "(Intercept)"
            case _:
                yield label(terms_expression(selector))


def _is_intercept(expr: Expr) -> bool:
    match expr:
        case Name(name="Intercept", quoted=False):
            return True
        case Parenthesis(inner=inner):
            return _is_intercept(inner)
        case _:
            return False


def _number(expr: Expr) -> float:
    """Work out a number."""
    try:
        value = _evaluate(expression(expr))
    except (ArithmeticError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise FormulaError("the numbers of a prior must be finite", span=expr.span)
    return value


def _evaluate(found: Expression) -> float:
    """Evaluate arithmetic on numbers; anything else is refused."""
    match found:
        case Constant(value=float(value) | int(value)) if not isinstance(value, bool):
            return float(value)
        case Apply(function="-", arguments=(operand,)):
            return -_evaluate(operand)
        case Apply(function="+" | "(", arguments=(operand,)):
            return _evaluate(operand)
        case Apply(function="+" | "-" | "*" | "/" | "^" as operator, arguments=(left, right)):
            return _arithmetic(operator, _evaluate(left), _evaluate(right))
        case Apply(function="sqrt" | "exp" | "log" as function, arguments=(operand,), keywords=()):
            return {"sqrt": math.sqrt, "exp": math.exp, "log": math.log}[function](_evaluate(operand))
        case _:
            raise FormulaError(
                "a prior's arguments are numbers", span=found.span, hint="arithmetic is fine, as in normal(0, 1/2)"
            )


def _arithmetic(operator: str, left: float, right: float) -> float:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return left / right
        case _:
            return math.pow(left, right)
