"""The functions that a formula may call: a fixed table, and what a user has registered. Nothing else is ever called."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import count
from typing import Any, Literal

from lmmformula.covariances.table import STRUCTURES
from lmmformula.errors import FormulaError, is_text, printable
from lmmformula.ir.expressions import Apply, Expression
from lmmformula.ir.lower.elsewhere import INSTEAD, NOT_YET
from lmmformula.newcomers import answering

Kind = Literal["elementwise", "basis", "factor", "value", "contrast"]


@dataclass(frozen=True, slots=True)
class Signature:
    """
    What a function takes, under R's names.

    kind : "elementwise" row by row; "basis" columns that depend on all rows, with a state to remember for new data;
        "factor" gives a factor; "value" makes a constant for another call, as c(1, 2); "contrast" for C()
    parameters : names of its parameters, in order; "..." takes any number
    required : how many of them, from the first, must be given
    package : where R has it
    """

    kind: Kind
    parameters: tuple[str, ...]
    required: int = 1
    package: str = "base"


def _table(kind: Kind, package: str, signatures: str) -> dict[str, Signature]:
    """Read lines such as `log(x, base?)`; a question mark for what may be left out."""
    table = {}
    for line in signatures.split("\n"):
        name, _, rest = line.strip().removesuffix(")").partition("(")
        parameters = [parameter.strip() for parameter in rest.split(",") if parameter.strip()]
        required = sum(not parameter.endswith("?") for parameter in parameters)
        table[name] = Signature(kind, tuple(parameter.removesuffix("?") for parameter in parameters), required, package)
    table.pop("", None)
    return table


FUNCTIONS: dict[str, Signature] = {
    **_table(
        "elementwise", "base",
        """I(x)
        log(x, base?)
        log2(x)
        log10(x)
        log1p(x)
        exp(x)
        expm1(x)
        sqrt(x)
        abs(x)
        sign(x)
        sin(x)
        cos(x)
        tan(x)
        asin(x)
        acos(x)
        atan(x)
        sinh(x)
        cosh(x)
        tanh(x)
        floor(x)
        ceiling(x)
        trunc(x)
        round(x, digits?)
        ifelse(test, yes, no)
        is.na(x)
        as.numeric(x)
        as.integer(x)
        as.logical(x)
        pmin(...)
        pmax(...)""",
    ),
    **_table(
        "elementwise", "stats",
        """plogis(q)
        qlogis(p)
        pnorm(q)
        qnorm(p)""",
    ),
    **_table(
        "basis", "base",
        """scale(x, center?, scale?)
        center(x)""",
    ),
    **_table("basis", "stats", "poly(x, ...?, degree?, coefs?, raw?, simple?)"),
    **_table(
        "basis", "splines",
        """bs(x, df?, knots?, degree?, intercept?, Boundary.knots?)
        ns(x, df?, knots?, intercept?, Boundary.knots?)""",
    ),
    **_table(
        "basis", "mgcv",
        """cr(x, df?, knots?)
        cc(x, df?, knots?)""",
    ),
    **_table(
        "factor", "base",
        """factor(x, levels?, labels?, exclude?, ordered?)
        as.factor(x)
        ordered(x, levels?, labels?)
        as.ordered(x)
        cut(x, breaks, labels?, include.lowest?, right?, dig.lab?, ordered_result?)""",
    ),
    **_table(
        "factor", "stats",
        """relevel(x, ref)
        C(object, contr?, how.many?, base?)""",
    ),
    **_table("value", "base", "c(...)"),
    **_table(
        "contrast", "stats",
        """contr.treatment(n, base?, contrasts?, sparse?)
        contr.sum(n, contrasts?, sparse?)
        contr.helmert(n, contrasts?, sparse?)
        contr.poly(n, scores?, contrasts?, sparse?)
        contr.SAS(n, contrasts?, sparse?)""",
    ),
}  # fmt: skip
"""Name -> what it takes. Every function that a formula can call is here or in `REGISTERED`."""

CONTRASTS = frozenset(name for name, signature in FUNCTIONS.items() if signature.kind == "contrast")

REGISTERED: dict[str, Callable[..., Any]] = {}
"""Functions that a user has registered: arrays in, one array of as many rows out."""


@answering
def register(name: str, function: Callable[..., Any]) -> None:
    """
    Allow a formula to call a Python function, row by row, under a name.

    >>> register("half", lambda x: x / 2)
    >>> signature("half").kind
    'elementwise'
    >>> _ = REGISTERED.pop("half")
    """
    usable = is_text(name) and name.replace(".", "_").isidentifier()
    if not usable or name in RESERVED_CALLS or name in FUNCTIONS:
        raise FormulaError(f"{name!r} can't be the name of a registered function", hint="choose another name")
    if not callable(function):
        raise FormulaError(f"{name!r}: what is registered must be a function")
    REGISTERED[name] = function


RESERVED_CALLS = frozenset({"cbind", "offset", *STRUCTURES, "gr", "T", "F", "TRUE", "FALSE", "NULL"})
"""Calls that mean something to the language itself."""


def signature(name: str) -> Signature:
    """Look a function up; `FormulaError` with the nearest names if there is none."""
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    if name in REGISTERED:
        return Signature("elementwise", ("...",))
    if name in NOT_YET:
        raise FormulaError(f"there is no function `{name}`", hint=NOT_YET[name])
    raise FormulaError(f"there is no function `{name}`", hint=INSTEAD.get(name) or _nearest(name))


LIKENESS = 0.75
"""Of a name to a function's, from which it may be that one misspelt."""


def _nearest(name: str) -> str:
    """Guess which function was meant, `np.log` or `polly`; or say what can be done without it."""
    known = [*FUNCTIONS, *REGISTERED]
    bare = name.rpartition(".")[2]
    near = [word for word in known if word == bare or sorted(word) == sorted(name)]
    near = near or get_close_matches(name, known, n=2, cutoff=LIKENESS)
    if near:
        return f"did you mean {' or '.join(f'`{found}`' for found in near)}?"
    return "compute the column before you fit, or allow a function of yours with lmmformula.register()"


def bound(call: Apply) -> dict[str, Expression]:
    """
    Match the arguments of a call to the function's parameters as R does: named ones first, then by position.

    What goes to `...` is numbered: "...1", "...2".

    >>> from lmmformula.ir.expressions import Constant, Variable
    >>> sorted(bound(Apply("log", (Constant(2.0),), (("x", Variable("z")),))))
    ['base', 'x']
    """
    found = signature(call.function)
    given: dict[str, Expression] = {}
    for name, value in call.keywords:
        known = name in found.parameters or call.function in REGISTERED
        if name in given or not known or name.startswith("..."):
            _refuse_keyword(call, found, name, repeated=name in given)
        given[name] = value
    free = [parameter for parameter in found.parameters if parameter not in given]
    numbers = count(1)
    for value in call.arguments:
        if free and free[0] == "...":
            given[f"...{next(numbers)}"] = value
        elif free:
            given[free.pop(0)] = value
        else:
            raise FormulaError(f"{call.function}() takes at most {len(found.parameters)} arguments", span=call.span)
    missing = [name for name in found.parameters[: found.required] if name != "..." and name not in given]
    if missing or not (call.arguments or call.keywords):
        what = f"`{missing[0]}`" if missing else "an argument"
        raise FormulaError(f"{call.function}() needs {what}", span=call.span)
    return given


def _refuse_keyword(call: Apply, found: Signature, name: str, *, repeated: bool) -> None:
    if repeated:
        raise FormulaError(f"{call.function}() is given `{printable(name)}` twice", span=call.span)
    known = [parameter for parameter in found.parameters if parameter != "..."]
    near = get_close_matches(name, known, n=1) or [k for k in known if name and k.startswith(name)]
    raise FormulaError(
        f"{call.function}() has no argument `{printable(name)}`", span=call.span,
        hint=f"did you mean `{near[0]}`?" if near else f"its arguments: {', '.join(known) or 'any, without names'}",
    )  # fmt: skip
