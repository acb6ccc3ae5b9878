"""What stands behind the bar: the grouping factors of a random-effects term."""

from lmmformula.errors import FormulaError
from lmmformula.formula.ast import Call, Chain, Expr, Name, Number, Parenthesis, String
from lmmformula.ir.expressions import Variable
from lmmformula.ir.limits import LIMITS
from lmmformula.ir.names import backticked

Group = tuple[tuple[Variable, ...], str]
"""The variables whose interaction it is, and its name as lme4 writes it."""

INTERACTION_CALLS = frozenset(("interaction", "paste", "paste0"))
FACTOR_CALLS = frozenset(("factor", "as.factor", "ordered", "as.character", "as.ordered"))


def grouping_factors(expr: Expr, left: str = "1") -> list[Group]:
    """
    List the grouping factors behind a bar, innermost first: a/b/c is c:(b:a), b:a and a.

    left : what stands before the bar, for messages

    lme4, expandSlash(): the names, brackets included, are those of its output.
    """
    inner = strip(expr)
    match inner:
        case Chain(operators=operators, operands=(first, *others)) if set(operators) == {"/"}:
            if len(others) >= LIMITS.order:
                raise _too_many(inner)
            if not isinstance(strip(first), Name):
                raise _nesting(inner, first, left)
            groups = [_interaction(first, left)]
            for other in others:
                variables, name = _interaction(other, left)
                above, above_name = groups[-1]
                bracketed = f"({above_name})" if len(above) > 1 else above_name
                groups.append(((*variables, *above), f"{name}:{bracketed}"))
            _check_distinct(groups[-1], expr)
            return groups[::-1]
        case _:
            group = _interaction(inner, left)
            _check_distinct(group, expr)
            return [group]


def strip(expr: Expr) -> Expr:
    """Take off round brackets."""
    while isinstance(expr, Parenthesis):
        expr = expr.inner
    return expr


def _interaction(expr: Expr, left: str) -> Group:
    """Read a name, or names joined by `:`; brackets are part of the name."""
    match expr:
        case Name(name=name, quoted=quoted) if quoted or name not in (".", "TRUE", "FALSE", "NULL", "NA", "Inf", "NaN"):
            return (Variable(name, expr.span),), backticked(name)
        case Parenthesis(inner=Chain() as inner):
            variables, name = _interaction(inner, left)
            return variables, f"({name})"
        case Parenthesis(inner=inner):
            return _interaction(inner, left)
        case Chain(operators=operators, operands=operands) if set(operators) == {":"}:
            if len(operands) > LIMITS.order:
                raise _too_many(expr)
            parts = [_interaction(operand, left) for operand in operands]
            return tuple(v for variables, _ in parts for v in variables), ":".join(name for _, name in parts)
        case _:
            raise _refusal(expr, left)


def _check_distinct(group: Group, expr: Expr) -> None:
    names = [backticked(variable.name) for variable in group[0]]
    if len(names) > LIMITS.order:
        raise _too_many(expr)
    for name in names:
        if names.count(name) > 1:
            raise FormulaError(f"the grouping factor names {name} twice", span=expr.span)


def _too_many(expr: Expr) -> FormulaError:
    return FormulaError(f"more than {LIMITS.order} columns in a grouping factor", span=expr.span)


def _nesting(chain: Chain, first: Expr, left: str) -> FormulaError:
    """Refuse `a:b/c`, as lme4 does, and say what to write."""
    try:
        _, name = _interaction(strip(first), left)
        _, inner = _interaction(strip(chain.operands[-1]), left)
    except FormulaError as error:
        return error
    return FormulaError(
        "what is left of `/` must be one column", span=first.span,
        hint=f"did you mean ({left} | {name}) + ({left} | {name}:{inner})?",
    )  # fmt: skip


def _refusal(expr: Expr, left: str) -> FormulaError:
    """Say why something can't be a grouping factor, and what to write."""
    message, hint = _reason(expr, left)
    return FormulaError(message, span=expr.span, hint=hint)


def _reason(expr: Expr, left: str) -> tuple[str, str]:  # noqa: C901, PLR0911, PLR0912 (a table)
    names = [backticked(operand.name) for operand in _operands(expr) if isinstance(operand, Name)]
    complete = len(names) == len(_operands(expr)) > 1
    match expr:
        case Chain(operators=("*", *_)) if complete:
            separate = " + ".join(f"({left} | {name})" for name in names)
            return "`*` can't join grouping factors", f"did you mean {separate} + ({left} | {':'.join(names)})?"
        case Chain(operators=("+", *_)) if complete:
            separate = " + ".join(f"({left} | {name})" for name in names)
            return "`+` can't join grouping factors", f"did you mean {separate}?"
        case Chain(operators=("%in%",)) if complete:
            return "`%in%` can't join grouping factors", f"did you mean {names[0]}:{names[1]}?"
        case Call(function=function) if function in FACTOR_CALLS and len(names) == 1:
            return "a grouping factor is named, not computed", f"{names[0]} is treated as a factor anyway"
        case Call(function=function) if function in INTERACTION_CALLS and len(names) > 1:
            return "a grouping factor is named, not computed", f"did you mean {':'.join(names)}?"
        case Chain(operators=("&", *_)) if complete:
            return "`&` can't join grouping factors", f"did you mean ({left} | {':'.join(names)})?"
        case Call(function="gr", arguments=arguments):
            return _gr({argument.name for argument in arguments}, left, names)
        case Call(function="mm"):
            return "multiple membership, mm(), is not supported yet", ""
        case Call():
            return "a grouping factor is named, not computed", "compute the column before you fit, and name it here"
        case Number():
            return "a number can't be a grouping factor", "name a column: (1 | group)"
        case String(value=value):
            return "a text can't be a grouping factor", f"without quotes it is a column: {backticked(value)}"
        case Name(name="."):
            return "`.` can't be a grouping factor", "name a column: (1 | group)"
        case _:
            return "this can't be a grouping factor", "a column, a:b (their interaction) or a/b (b within a) can"


def _gr(named: set[str | None], left: str, names: list[str]) -> tuple[str, str]:
    """Say what brms' gr() would add to a grouping factor; leaving that out would be another model."""
    alone = f"({left} | {names[0]})" if names else "(1 | group)"
    if "cov" in named:
        return "known covariance matrices of levels, gr(cov = ), are not supported yet", (
            f"{alone} takes the levels as independent, which is another model"
        )
    if "by" in named:
        return "covariance matrices that differ between kinds of levels, gr(by = ), are not supported yet", (
            f"{alone} has one for all levels, which is another model"
        )
    if named - {None, "id", "cor"}:
        return "this argument of gr() is not supported", f"{alone} is a grouping factor with normal effects"
    return "a grouping factor is named, without gr()", f"did you mean {alone}?"


def _operands(expr: Expr) -> list[Expr]:
    match expr:
        case Chain(operands=operands):
            return [strip(operand) for operand in operands]
        case Call(arguments=arguments):
            return [argument.value for argument in arguments if argument.name is None]
        case _:
            return []
