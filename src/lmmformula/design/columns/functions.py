"""The fixed table of functions that need no memory: arithmetic, comparisons, and functions of each element."""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray
from lmmformula.data.factorize import value_label
from lmmformula.design.coding.contrasts import Contrast
from lmmformula.design.columns.evaluated import (
    Categorical,
    Numbers,
    Scalar,
    Value,
    elementwise,
    logical,
    missing,
    numbers,
    whole_number,
)
from lmmformula.errors import DataError

Function = Callable[..., Value]


def rowwise(function: Callable[..., Any]) -> Function:
    """Make a function of columns for the table, from one of numpy arrays."""
    return lambda *arguments, **named: elementwise(function, *arguments, *named.values())


SIGNIFICANT = 15
"""Decimal digits that a float64 certainly has."""


def _plus(x: Value, y: Value = 0.0) -> Value:
    return elementwise(np.add, x, y)


def _minus(x: Value, y: Value | None = None) -> Value:
    return elementwise(np.negative, x) if y is None else elementwise(np.subtract, x, y)


def _log(x: Value, base: Value = math.e) -> Value:
    return elementwise(lambda a, b: np.log(a) / np.log(b), x, base)


def _round(x: Value, digits: Value = 0.0) -> Value:
    places = min(max(whole_number(digits), -308), 308)
    return elementwise(lambda a: round_half_even(np.asarray(a), places), x)


def round_half_even(x: FloatArray, places: int) -> FloatArray:
    """
    Round as R does since 4.0: to the nearer of the two decimal numbers around x, of equally near ones to the even.

    So 0.285 becomes 0.28, although 100 * 0.285 is 28.499999999999996 in one library and 28.5 in another.

    >>> round_half_even(np.array([0.15, 0.45, 0.55, 5.015, -2.675]), 2 - 1).tolist()
    [0.1, 0.4, 0.6, 5.0, -2.7]
    """
    size = np.abs(x)
    digits = np.floor(np.log10(np.where(size > 0, size, 1.0))) + 1 + places
    power = 10.0 ** abs(places)
    down = np.floor(size * power if places >= 0 else size / power)
    below, above = ((down + up) / power if places >= 0 else (down + up) * power for up in (0.0, 1.0))
    is_below = (size - below < above - size) | ((size - below == above - size) & (down % 2 == 0))
    nearest = np.copysign(np.where(is_below, below, above), x)
    return np.where((digits > SIGNIFICANT) | ~np.isfinite(nearest), x, nearest)


def _comparison(name: str, compare: Callable[..., Any]) -> Function:
    def compared(x: Value, y: Value) -> Value:
        if isinstance(x, Categorical) and x.kind != "logical" and isinstance(y, (str, float, int)):
            if name in {"==", "!="}:
                return logical(compare(_is_level(x, y), 1), x.codes < 0)
            if x.ordered and value_label(y) in x.levels:
                return logical(compare(x.codes, x.levels.index(value_label(y))), x.codes < 0)
        a, b = numbers(x), numbers(y)
        return logical(compare(a, b), np.isnan(a) | np.isnan(b))

    return compared


def _is_level(x: Categorical, *constants: Scalar) -> BoolArray:
    """Return where a factor has one of some levels; R compares their labels."""
    wanted = {value_label(constant) for constant in constants}
    return np.isin(x.codes, [i for i, label in enumerate(x.levels) if label in wanted])


def _is_in(x: Value, table: Value) -> Value:
    if isinstance(table, (Numbers, Categorical, Contrast)):
        raise DataError("what follows %in% is a constant or c(...)")
    constants = table if isinstance(table, tuple) else (table,)
    if isinstance(x, Categorical):
        return logical(_is_level(x, *constants), np.zeros(len(x.codes), dtype=np.bool_))
    values = np.asarray(numbers(x))
    found = np.isin(values, np.array([numbers(constant) for constant in constants]))
    return logical(found, np.zeros(values.shape, dtype=np.bool_))


def _and(x: Value, y: Value) -> Value:
    a, b = np.asarray(numbers(x)), np.asarray(numbers(y))
    is_false = (a == 0) | (b == 0)
    return logical(~is_false, ~is_false & (np.isnan(a) | np.isnan(b)))


def _or(x: Value, y: Value) -> Value:
    a, b = np.asarray(numbers(x)), np.asarray(numbers(y))
    is_true = (np.nan_to_num(a) != 0) | (np.nan_to_num(b) != 0)
    return logical(is_true, ~is_true & (np.isnan(a) | np.isnan(b)))


def _not(x: Value) -> Value:
    a = np.asarray(numbers(x))
    return logical(a == 0, np.isnan(a))


def _is_na(x: Value) -> Value:
    if not isinstance(x, (Numbers, Categorical)):
        return x is None
    rows = len(x.values) if isinstance(x, Numbers) else len(x.codes)
    mask = missing(x)
    nothing = np.zeros(rows, dtype=np.bool_)
    return logical(nothing if mask is None else mask, nothing)


def _ifelse(test: Value, yes: Value, no: Value) -> Value:
    return elementwise(lambda t, a, b: np.where(np.isnan(t), np.nan, np.where(t != 0, a, b)), test, yes, no)


def _identity(x: Value) -> Value:
    return x


def _vector(*values: Value) -> Value:
    flat: list[Scalar] = []
    for value in values:
        if isinstance(value, (Numbers, Categorical, Contrast)):
            raise DataError("c() makes vectors of constants, not of columns")
        flat.extend(value if isinstance(value, tuple) else (value,))
    return tuple(flat)


def _as_numeric(x: Value) -> Value:
    match x:
        case Categorical(kind="factor", codes=codes):
            return Numbers(np.where(codes < 0, np.nan, codes + 1.0))  # R counts levels from 1
        case Numbers() | None:
            return x
        case _:
            return elementwise(np.positive, x)


def _as_integer(x: Value) -> Value:
    return elementwise(np.trunc, _as_numeric(x))


def _as_logical(x: Value) -> Value:
    return OPERATORS["!="](x, 0.0)


def _pnorm(q: Value) -> Value:
    from scipy.special import ndtr

    return elementwise(ndtr, q)


def _qnorm(p: Value) -> Value:
    from scipy.special import ndtri

    return elementwise(ndtri, p)


def _smallest(*x: Value) -> Value:
    return elementwise(lambda *values: functools.reduce(np.minimum, values), *x)


def _largest(*x: Value) -> Value:
    return elementwise(lambda *values: functools.reduce(np.maximum, values), *x)


OPERATORS: dict[str, Function] = {
    "+": _plus, "-": _minus, "*": rowwise(np.multiply), "/": rowwise(np.divide), "^": rowwise(np.power),
    "%%": rowwise(np.mod), "%/%": rowwise(np.floor_divide), "%in%": _is_in,
    "<": _comparison("<", np.less), "<=": _comparison("<=", np.less_equal), "==": _comparison("==", np.equal),
    ">": _comparison(">", np.greater), ">=": _comparison(">=", np.greater_equal), "!=": _comparison("!=", np.not_equal),
    "&": _and, "&&": _and, "|": _or, "||": _or, "!": _not, "(": _identity,
}  # fmt: skip

FUNCTIONS: dict[str, Function] = {
    "I": _identity, "c": _vector, "log": _log,
    "log10": rowwise(np.log10), "log2": rowwise(np.log2), "log1p": rowwise(np.log1p), "exp": rowwise(np.exp),
    "expm1": rowwise(np.expm1), "sqrt": rowwise(np.sqrt), "abs": rowwise(np.abs), "sign": rowwise(np.sign),
    "sin": rowwise(np.sin), "cos": rowwise(np.cos), "tan": rowwise(np.tan),
    "asin": rowwise(np.arcsin), "acos": rowwise(np.arccos), "atan": rowwise(np.arctan),
    "sinh": rowwise(np.sinh), "cosh": rowwise(np.cosh), "tanh": rowwise(np.tanh),
    "floor": rowwise(np.floor), "ceiling": rowwise(np.ceil), "trunc": rowwise(np.trunc), "round": _round,
    "plogis": rowwise(lambda q: 1 / (1 + np.exp(-q))), "qlogis": rowwise(lambda p: np.log(p) - np.log1p(-p)),
    "pnorm": _pnorm, "qnorm": _qnorm, "pmin": _smallest, "pmax": _largest, "ifelse": _ifelse, "is.na": _is_na,
    "as.numeric": _as_numeric, "as.integer": _as_integer, "as.logical": _as_logical,
}  # fmt: skip
