"""The left-hand side of a model, as numbers."""

from collections.abc import Callable

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray
from lmmformula.design.frame import Frame, at
from lmmformula.design.values import Factor, Value, column_of_numbers
from lmmformula.errors import DataError, printable
from lmmformula.ir.family import Family
from lmmformula.ir.model import Response
from lmmformula.ir.terms import Expression, label

SUPPORT: dict[str, tuple[str, Callable[[FloatArray], BoolArray]]] = {
    "binomial": ("between 0 and 1", lambda y: (y >= 0) & (y <= 1)),
    "poisson": ("whole numbers from 0", lambda y: (y >= 0) & (y == np.floor(y))),
    "negative.binomial": ("whole numbers from 0", lambda y: (y >= 0) & (y == np.floor(y))),
    "Gamma": ("greater than 0", lambda y: y > 0),
    "inverse.gaussian": ("greater than 0", lambda y: y > 0),
    **dict.fromkeys(
        ("negbinomial", "zero_inflated_poisson", "zero_inflated_negbinomial"),
        ("whole numbers from 0", lambda y: (y >= 0) & (y == np.floor(y))),
    ),
    "lognormal": ("greater than 0", lambda y: y > 0),
    "beta": ("between 0 and 1, both left out", lambda y: (y > 0) & (y < 1)),
}
"""What a response must be in each family, in words and as a test; any number where nothing is said."""


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
    if family.name not in SUPPORT:
        return
    words, holds = SUPPORT[family.name]
    bad = np.flatnonzero(~holds(y))
    if len(bad):
        raise DataError(
            f"the response `{printable(response_name(response))}` must be {words} in the family {family.name}: "
            f"{len(bad)} values are not, the first is {y[bad[0]]:g}",
            span=response.expressions[0].span,
            hint="choose another family, or mend the column",
        )


def _numeric(frame: Frame, expression: Expression, family: Family) -> FloatArray:
    """Evaluate a part of the response; a binomial family takes levels, the first of which is failure, as in R."""
    value = frame.evaluate(expression)
    if family.name == "binomial" and isinstance(value, Factor) and value.kind in {"factor", "string"}:
        return np.where(value.codes < 0, np.nan, value.codes > 0)
    try:
        return column_of_numbers(value)
    except DataError as error:
        message = f"the response `{printable(label(expression))}` must be numeric, but {_nature(value, error)}"
        raise at(DataError(message, hint=_hint(value)), expression.span, frame.source) from None


def _nature(value: Value, error: DataError) -> str:
    if isinstance(value, Factor):
        return {"string": "holds text", "date": "holds dates"}.get(value.kind, "is a factor")
    return error.message


def _hint(value: Value) -> str:
    if isinstance(value, Factor) and value.kind != "date" and len(value.levels) == 2:
        return f'for 0 and 1 instead of two levels write I(... == "{printable(value.levels[1])}")'
    return ""
