"""The left-hand side of a model, as numbers."""

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.frame import Frame, at
from lmmformula.design.values import Factor, Value, column_of_numbers
from lmmformula.errors import DataError
from lmmformula.ir.family import Family
from lmmformula.ir.model import Response
from lmmformula.ir.terms import Expression, label


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
    columns = [_numeric(frame, expression) for expression in response.expressions]
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
        return first / (first + second), first + second


def _numeric(frame: Frame, expression: Expression) -> FloatArray:
    value = frame.evaluate(expression)
    try:
        return column_of_numbers(value)
    except DataError as error:
        name = label(expression)
        message = f"the response `{name}` must be numeric, but {_nature(value, error)}"
        raise at(DataError(message, hint=_hint(value)), expression.span, frame.source) from None


def _nature(value: Value, error: DataError) -> str:
    if isinstance(value, Factor):
        return {"string": "holds text", "date": "holds dates"}.get(value.kind, "is a factor")
    return error.message


def _hint(value: Value) -> str:
    if isinstance(value, Factor) and value.kind != "date" and len(value.levels) == 2:
        return f'for 0 and 1 instead of two levels write (f == "{value.levels[1]}") in I()'
    return ""
