"""The left-hand side of a model, as numbers."""

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.columns.evaluated import Categorical, Numbers, Value, column_of_numbers
from lmmformula.design.columns.frame import Frame, at
from lmmformula.errors import DataError, printable, warn
from lmmformula.families.table import FAMILIES
from lmmformula.ir.expressions import Expression, label
from lmmformula.ir.family import Family
from lmmformula.ir.records import Response


def response_name(response: Response) -> str:
    """Write the response as R does."""
    names = [label(expression) for expression in response.expressions]
    match response.kind:
        case "value":
            return names[0]
        case "counts":
            return f"cbind({', '.join(names)})"
        case "proportion":
            return "/".join(names)


def response_values(frame: Frame, response: Response, family: Family) -> tuple[FloatArray, FloatArray | None]:
    """
    Evaluate the response.

    Returns
    -------
    y, trials
        Both (n,). For counts and, in a binomial family, for proportions, y is successes / trials, and the trials are
        prior weights, as in R; otherwise there are no trials.
    """
    if family.ordinal:
        return _category_numbers(frame, response), None
    columns = [_numeric(frame, expression, family) for expression in response.expressions]
    if response.kind == "value":
        return columns[0], None
    first, second = columns
    with np.errstate(all="ignore"):  # 0 / 0 is missing, and counted as such
        if response.kind == "proportion":
            return first / second, second if family.name == "binomial" else None
        if family.name == "gaussian":
            raise DataError(
                "a response of two columns needs a family of counts",
                span=response.span,
                hint="name one column, or choose a binomial family",
            )
        if min(first.min(), second.min()) < 0:
            raise DataError(f"the counts in `{response_name(response)}` must not be negative", span=response.span)
        return first / (first + second), first + second


def check_support(y: FloatArray, response: Response, family: Family) -> None:
    """Refuse a response that the family can't have produced."""
    if family.name not in FAMILIES:
        return
    kind = FAMILIES[family.name]
    bad = np.flatnonzero(~kind.holds(y))
    if len(bad):
        mend = (
            "ordered(...) makes categories of any numbers"
            if family.ordinal
            else "choose another family, or mend the column"
        )
        raise DataError(
            f"the response `{printable(response_name(response))}` must be {kind.support} in the family {family.name}: "
            f"{len(bad)} values are not, the first is {y[bad[0]]:g}",
            span=response.expressions[0].span,
            hint=mend,
        )


# --- ordered categories ---------------------------------------------------------------------------------------------

IN_ORDER = 'give the order: ordered(y, levels = c("low", "mid", "high")), or a categorical column'


def categories_of(frame: Frame, response: Response, y: FloatArray) -> tuple[str, ...]:
    """
    Name the categories of an ordinal response: the levels of a factor, or whole numbers from 1 up.

    y : numbers of the categories in the rows used

    Raises
    ------
    DataError
        There are fewer than three, or one of them does not occur.

    Warns
    -----
    FitWarning
        The factor has no order of its own; its levels are taken as they come.
    """
    name, span = printable(response_name(response)), response.span
    value = frame.evaluate(response.expressions[0])
    last = int(y.max(initial=0))
    if isinstance(value, Categorical):
        names = value.levels
    elif last <= len(y):
        names = tuple(str(number) for number in range(1, last + 1))
    else:
        message = f"the categories in `{name}` must be numbered 1, 2, 3, ..., but there is a {last} in {len(y)} rows"
        raise DataError(message, span=span, hint="ordered(...) makes categories of any numbers")
    if len(names) < 3:
        message = f"the response `{name}` has {len(names)} categories, and a cumulative model needs three or more"
        raise DataError(message, span=span, hint='family="binomial" is for two')
    empty = [category for number, category in enumerate(names, start=1) if not np.any(y == number)]
    if empty:
        shown = ", ".join(printable(category) for category in empty[:SHOWN]) + (", ..." if len(empty) > SHOWN else "")
        message = f"no row used has the category {shown} of the response `{name}`, so its cutpoints can't be told apart"
        raise DataError(message, span=span, hint="leave it out: ordered(y, levels = c(...)), or join it with another")
    if isinstance(value, Categorical) and not value.ordered:
        order = " < ".join(map(printable, names))
        message = f"the response `{name}` is a factor without an order, and read as {order}; ordered(...) says so"
        warn(message)
    return names


SHOWN = 5
"""Categories that a message lists before it says '...'."""


def _category_numbers(frame: Frame, response: Response) -> FloatArray:
    """Return (n,) numbers of the categories of an ordinal response, from 1 up, NaN where one is missing."""
    name = printable(response_name(response))
    if response.kind != "value":
        message = f"the response `{name}` has two columns, and a cumulative model reads the categories of one"
        raise DataError(message, span=response.span, hint="name the column that holds them")
    match frame.column(response.expressions[0]):
        case Categorical(kind="string"):
            message, hint = f"the response `{name}` holds text, whose categories have no order", IN_ORDER
        case Categorical(kind="date"):
            message, hint = f"the response `{name}` holds dates, which are no categories", ""
        case Categorical(codes=codes):
            return np.where(codes < 0, np.nan, codes + 1.0)
        case Numbers(values=values) if values.ndim == 1:
            return values
        case _:
            message, hint = f"the response `{name}` has several columns", "name one column"
    raise at(DataError(message, hint=hint), response.span, frame.source)


# --- numbers --------------------------------------------------------------------------------------------------------


def _numeric(frame: Frame, expression: Expression, family: Family) -> FloatArray:
    """Evaluate a part of the response; a binomial family takes levels, the first of which is failure, as in R."""
    value = frame.evaluate(expression)
    if family.name == "binomial" and isinstance(value, Categorical) and value.kind in {"factor", "string"}:
        return np.where(value.codes < 0, np.nan, value.codes > 0)
    try:
        return column_of_numbers(value)
    except DataError as error:
        message = f"the response `{printable(label(expression))}` must be numeric, but {_nature(value, error)}"
        raise at(DataError(message, hint=_hint(value)), expression.span, frame.source) from None


def _nature(value: Value, error: DataError) -> str:
    if isinstance(value, Categorical):
        return {"string": "holds text", "date": "holds dates"}.get(value.kind, "is a factor")
    return error.message


def _hint(value: Value) -> str:
    if isinstance(value, Categorical) and value.kind != "date" and len(value.levels) == 2:
        return f'for 0 and 1 instead of two levels write I(... == "{printable(value.levels[1])}")'
    return ""
