"""Which functions of a formula can be computed part by part, and what each of them must know of the other parts."""

from collections.abc import Iterator

from lmmformula.design.coding.factors import MAKE_LEVELS, State
from lmmformula.design.columns.summaries import SampleMoments
from lmmformula.design.columns.transforms import center_and_scale
from lmmformula.design.fixed import term_expressions
from lmmformula.errors import FormulaError, LmmFormulaError
from lmmformula.ir.expressions import Apply, Constant, Expression, Variable, children, label
from lmmformula.ir.functions import bound
from lmmformula.ir.model import ModelIR

SCALED = frozenset({"scale", "center"})
"""They must know the mean and spread of all rows, which are merged."""

EXPLICIT: dict[str, tuple[tuple[str, ...], str]] = {
    "poly": (("raw",), "its orthogonal polynomials depend on all rows; write poly(..., raw = TRUE), or I(x^2)"),
    "bs": (("knots", "Boundary.knots"), "its knots are quantiles of all rows; give knots and Boundary.knots"),
    "ns": (("knots", "Boundary.knots"), "its knots are quantiles of all rows; give knots and Boundary.knots"),
    "cr": ((), "its knots and constraints depend on all rows; use ns() with knots and Boundary.knots"),
    "cc": ((), "its knots and constraints depend on all rows; use ns() with knots and Boundary.knots"),
    "cut": (("breaks",), "its breaks depend on the range of all rows; give them, as in c(0, 1, 5)"),
}
"""Function -> the arguments with which it needs to know nothing of other rows, and what to do."""


def columns_read(ir: ModelIR, *named: str | None) -> tuple[str, ...]:
    """List the columns that a model reads; `named` are those of its weights and offset."""
    names = [variable.name for variable in ir.variables()]
    return tuple(dict.fromkeys([*names, *(name for name in named if name is not None)]))


def expressions(ir: ModelIR) -> Iterator[Expression]:
    """List all expressions of a model, and all within them."""
    return _within(*ir.response.expressions, *ir.offsets, *term_expressions(ir))


def calls(ir: ModelIR, functions: frozenset[str]) -> list[Apply]:
    """List the calls of some functions, each once."""
    found = [e for e in expressions(ir) if isinstance(e, Apply) and e.function in functions]
    return list({label(call): call for call in found}.values())


def refuse_unmergeable(ir: ModelIR) -> None:
    """Refuse functions that would have to see all rows at once, before any row is read."""
    try:
        for call in calls(ir, SCALED | MAKE_LEVELS | EXPLICIT.keys()):
            _check(call)
    except LmmFormulaError as error:
        raise error.located(ir.source) from None


def _check(call: Apply) -> None:
    given = bound(call)
    function = call.function
    if function in SCALED:
        inner = [e for e in _within(given["x"]) if isinstance(e, Apply) and e.function in SCALED | EXPLICIT.keys()]
        options = [given[name] for name in given if name != "x"]
        if inner or not all(isinstance(option, Constant) for option in options):
            raise FormulaError(
                f"`{label(call)}` can't be computed part by part",
                span=call.span,
                hint="give scale() an expression without such functions, and TRUE or FALSE",
            )
    elif function in MAKE_LEVELS:
        if not isinstance(given["x"], Variable) and "levels" not in given:
            raise FormulaError(
                f"the levels of `{label(call)}` can't be found part by part",
                span=call.span,
                hint="give the levels, or make a column of it",
            )
    else:
        needed, advice = EXPLICIT[function]
        explicit = [_is_constant(given.get(name)) for name in needed]
        if not needed or not all(explicit) or (function == "cut" and isinstance(given["breaks"], Constant)):
            raise FormulaError(
                f"{function}() can't be computed part by part: {advice.split(';')[0]}",
                span=call.span,
                hint=advice.split("; ")[1],
            )


def _is_constant(given: Expression | None) -> bool:
    """Tell whether an argument is given, reads no column, and is not FALSE."""
    if given is None or any(isinstance(e, Variable) for e in _within(given)):
        return False
    return not (isinstance(given, Constant) and given.value in {False, None})


def _within(*given: Expression) -> Iterator[Expression]:
    waiting = [*given]
    while waiting:
        found = waiting.pop(0)
        yield found
        waiting.extend(children(found))


def scaling_of(call: Apply, moments: SampleMoments) -> State:
    """Return what scale() or center() remembers, from the moments of its argument in all rows."""
    given = {name: e.value for name, e in bound(call).items() if isinstance(e, Constant)}
    return center_and_scale(moments, given.get("center", True), given.get("scale", call.function == "scale"))
