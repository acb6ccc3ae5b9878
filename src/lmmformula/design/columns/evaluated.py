"""What an expression of a formula is once it has been evaluated: numbers, a factor, or a constant."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray, IntArray
from lmmformula.data.columns import Column, FactorColumn, Kind, NumericColumn
from lmmformula.data.factorize import compress, float_levels
from lmmformula.design.coding.contrasts import Contrast
from lmmformula.errors import DataError

LOGICAL = ("FALSE", "TRUE")
LARGEST = 10_000
"""Largest degree, number of knots or of intervals: more columns than that no model has."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """
    One numeric column, or several that belong together, as those of poly(x, 2).

    values : (n,) or (n, k), NaN where missing
    suffixes : (k,) what is appended to the expression to name each column; empty for one column
    """

    values: FloatArray
    suffixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Categorical:
    """
    Levels.

    codes : (n,) index into `levels`, -1 where missing
    contrast : how its levels become columns, where the formula says so: C(f, contr.sum)
    """

    codes: IntArray
    levels: tuple[str, ...]
    ordered: bool = False
    kind: Kind = "factor"
    contrast: Contrast | None = None


Scalar = float | str | bool | None
Value = Numbers | Categorical | Contrast | Scalar | tuple[Scalar, ...]
"""An evaluated expression; a tuple is the constant vector that c(...) makes, a contrast what contr.sum(3) makes."""


def of_column(column: Column) -> Numbers | Categorical:
    """Return the value of a column of the data."""
    match column:
        case NumericColumn(values=values):
            return Numbers(values)
        case FactorColumn(codes=codes, levels=levels, ordered=ordered, kind=kind):
            return Categorical(codes, levels, ordered, kind)


def logical(truth: BoolArray | np.bool_, missing: BoolArray | np.bool_) -> Value:
    """Return a logical value, a constant where both arguments are."""
    if np.ndim(truth) == 0:
        return None if missing else bool(truth)
    return Categorical(np.where(missing, -1, truth.astype(np.intp)), LOGICAL, kind="logical")


def numbers(value: Value) -> FloatArray | float:
    """
    Return the numbers of a value for arithmetic: (n,), or a scalar; logicals count as 0 and 1, as in R.

    Raises
    ------
    DataError
        The value is a factor, text, or several columns.
    """
    match value:
        case Numbers(values=values) if values.ndim == 1:
            return values
        case Numbers():
            raise DataError("several columns stand where one is needed", hint="name the columns one by one")
        case Categorical():
            return _level_numbers(value)
        case bool() | int() | float():
            return float(value)
        case None:
            return np.nan
        case str():
            raise DataError(f"the text '{value}' stands where numbers are needed")
        case Contrast():
            raise DataError("contrasts have a meaning only inside C()")
        case _:
            raise DataError("a vector of constants stands where a column is needed")


def _level_numbers(value: Categorical) -> FloatArray:
    match value.kind:
        case "logical":
            return np.where(value.codes < 0, np.nan, value.codes)
        case "date":
            hint = "make a column of days since some day, and use that"
            raise DataError("dates stand where numbers are needed", hint=hint)
        case "string":
            hint = "text stands by itself, f, or in an interaction, f1:f2; f == 'a' compares it"
            raise DataError("text stands where numbers are needed", hint=hint)
        case "factor":
            hint = "as.numeric(f) numbers the levels of f; an interaction is f1:f2"
            raise DataError("a factor stands where numbers are needed", hint=hint)


def scalar(value: Value) -> float:
    """Return a value that must be one number."""
    found = numbers(value)
    if isinstance(found, np.ndarray) or np.isnan(found):
        raise DataError("a number is needed here")
    return found


def whole_number(value: Value) -> int:
    """Return a value that must be a whole number of moderate size: a degree, a number of knots or of intervals."""
    found = scalar(value)
    if not -LARGEST <= found <= LARGEST or found != int(found):
        raise DataError(f"a whole number of at most {LARGEST} is needed here")
    return int(found)


def flag(value: Value) -> bool:
    """Return a value that must be TRUE or FALSE."""
    if isinstance(value, (bool, int, float)):
        return bool(value)
    raise DataError("TRUE or FALSE is needed here")


def column_of_numbers(value: Value) -> FloatArray:
    """Return the numbers of a value that must be a column, (n,)."""
    found = numbers(value)
    if not isinstance(found, np.ndarray):
        raise DataError("a constant stands where a column is needed")
    return found


def factor(value: Value) -> Categorical:
    """Return a value as a factor; numbers become levels in numeric order."""
    match value:
        case Categorical():
            return value
        case Numbers(values=values) if values.ndim == 1:
            return Categorical(*float_levels(values))
        case _:
            raise DataError("only a column can be a factor")


def elementwise(function: Callable[..., Any], *arguments: Value) -> Value:
    """Apply a numpy function to numbers; a constant if all arguments are constants."""
    with np.errstate(all="ignore"):  # what is not finite is found, named and counted later
        result = function(*map(numbers, arguments))
    return Numbers(np.asarray(result, dtype=np.float64)) if np.ndim(result) else float(result)


def missing(value: Value) -> BoolArray | None:
    """Return which rows are missing, None if none is."""
    mask: BoolArray
    match value:
        case Numbers(values=values):
            if np.isfinite(values.sum()):  # one pass without a temporary; a sum that overflows only costs the second
                return None
            empty: BoolArray = np.isnan(values)
            mask = empty if values.ndim == 1 else np.logical_or.reduce(empty, axis=1)
        case Categorical(codes=codes):
            if len(codes) and codes.min() >= 0:
                return None
            mask = np.less(codes, 0)
        case _:
            return None
    return mask if mask.any() else None


def restrict(value: Numbers | Categorical, rows: IntArray | None) -> Numbers | Categorical:
    """
    Keep some rows, and of a factor the levels that occur in them, as R's drop.unused.levels; logicals keep both.

    rows : positions, None for all
    """
    match value:
        case Numbers(values=values):
            return value if rows is None else replace(value, values=values[rows])
        case Categorical(codes=codes, levels=levels, kind=kind):
            codes = codes if rows is None else codes[rows]
            if kind == "logical":
                return replace(value, codes=codes)
            codes, occurring = compress(codes, len(levels))
            if len(occurring) < len(levels):
                levels = tuple(levels[i] for i in occurring)
            return replace(value, codes=codes, levels=levels)


def recode(value: Categorical, levels: tuple[str, ...]) -> tuple[Categorical, tuple[str, ...]]:
    """
    Express a factor in given levels, by their labels.

    Returns
    -------
    factor, unseen
        The factor, with -1 also where its label is not among the levels, and the labels for which that is so.
    """
    if value.levels == levels:
        return value, ()
    position = {label: i for i, label in enumerate(levels)}
    lookup = np.array([*(position.get(label, -1) for label in value.levels), -1], dtype=np.intp)
    lost = [i for i, label in enumerate(value.levels) if label not in position]
    occurring = np.unique(value.codes[np.isin(value.codes, lost)]) if lost else ()
    return replace(value, codes=lookup[value.codes], levels=levels), tuple(value.levels[i] for i in occurring)
