"""One column as some library holds it -> a `Column`."""

import numbers
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from lmmformula.arrays import AnyArray, BoolArray, FloatArray, IntArray
from lmmformula.data.columns import Column, FactorColumn, NumericColumn
from lmmformula.data.dates import DATES, date_key, date_label
from lmmformula.data.factorize import (
    Levels,
    float_levels,
    hashable_levels,
    integer_levels,
    scatter,
    sort_levels,
    value_label,
)
from lmmformula.errors import DataError, printable

if TYPE_CHECKING:
    import narwhals.stable.v1 as nw

LOGICAL = ("FALSE", "TRUE")
AS_OBJECTS = ("Object", "Int128", "UInt128")
"""Types of narwhals whose values numpy can only hold as Python objects."""

NESTED = ("List", "Array", "Struct")
TEMPORAL = ("Date", "Datetime", "Duration", "Time")

NULLS = ("NoneType", "NAType", "NaTType")


def to_column(name: str, raw: Any) -> Column:  # noqa: ANN401 (a numpy array or a narwhals series)
    """
    Read a column as what it is: numbers as numbers, all else as levels.

    raw : (n,) numpy array or narwhals series

    >>> to_column("x", np.array([1, 2], dtype=np.uint8)).values
    array([1., 2.])
    """
    column = _from_array(name, raw) if isinstance(raw, np.ndarray) else _from_series(name, raw)
    if isinstance(column, FactorColumn):
        _require_unicode(name, column.levels)
    return column


def _require_unicode(name: str, levels: Sequence[str]) -> None:
    """Refuse labels with half of a character in them, which no file and no terminal can hold."""
    try:
        "".join(levels).encode()
    except UnicodeEncodeError:
        raise DataError(
            f"column '{printable(name)}' has text that is no Unicode", hint="read the data with the right encoding"
        ) from None


def to_factor(name: str, raw: Any) -> FactorColumn:  # noqa: ANN401 (as in to_column)
    """
    Read a column as levels, whatever it is: numbers in numeric order, integers exactly.

    >>> to_factor("g", np.array([2**62 + 1, 2**62])).levels
    ('4611686018427387904', '4611686018427387905')
    """
    if not isinstance(raw, np.ndarray) and _is_exact(raw):
        present = ~raw.is_null().to_numpy()
        if not present.all():  # gaps would make floats of integers
            some = to_factor(name, raw.drop_nulls())
            return FactorColumn(name, scatter(some.codes, present), some.levels, kind=some.kind)
        raw = _exactly(raw)
    if isinstance(raw, np.ndarray):
        if raw.dtype.kind in "iu":
            return FactorColumn(name, *integer_levels(raw))
        if raw.dtype.kind == "O":
            return _objects_as_factor(name, raw.tolist())
    match to_column(name, raw):
        case NumericColumn(values=values):
            return FactorColumn(name, *float_levels(values))
        case FactorColumn() as factor:
            return factor


def _is_exact(series: "nw.Series[Any]") -> bool:
    """Tell whether a series holds numbers or Python objects, which are levels each by its own value."""
    return series.dtype.is_numeric() or type(series.dtype).__name__ in AS_OBJECTS


def _exactly(series: "nw.Series[Any]") -> AnyArray:
    """Return the values of a series without nulls, without a detour through float."""
    if type(series.dtype).__name__ in AS_OBJECTS:
        return np.array([*series.to_list(), None], dtype=object)[:-1]
    return series.to_numpy()


def _from_array(name: str, array: AnyArray) -> Column:
    match array.dtype.kind:
        case "f" | "i" | "u":
            return NumericColumn(name, array.astype(np.float64, copy=False))
        case "b":
            return FactorColumn(name, array.astype(np.intp), LOGICAL, kind="logical")
        case "U" | "T":
            values = array.tolist()
            return FactorColumn(name, *hashable_levels(values, _present(values)), kind="string")
        case "M" | "m":
            return FactorColumn(name, *_date_levels(array), kind="date")
        case "O":
            return _from_objects(name, array.tolist())
        case _:
            raise _unusable(name, f"values of type {array.dtype}")


def _from_series(name: str, series: "nw.Series[Any]") -> Column:
    import narwhals.stable.v1 as nw

    kind = type(series.dtype).__name__  # older releases of narwhals know its types by less than newer ones
    if kind in NESTED:
        raise _unusable(name, f"values of type {series.dtype}")
    if kind == "Decimal" or (series.dtype.is_numeric() and kind not in AS_OBJECTS):
        numbers = series.cast(nw.Float64) if kind == "Decimal" else series
        return NumericColumn(name, numbers.to_numpy().astype(np.float64, copy=False))
    if kind == "Boolean":
        codes = series.cast(nw.Int8).fill_null(-1).to_numpy().astype(np.intp)
        return FactorColumn(name, codes, LOGICAL, kind="logical")
    if kind in {"Categorical", "Enum"}:
        return _from_categorical(name, series)
    if kind == "String":
        return FactorColumn(name, *sort_levels(*_native_codes(series)), kind="string")
    if kind in TEMPORAL:
        dates = series.to_numpy()
        return _from_array(name, dates) if dates.dtype.kind in "Mm" else _from_objects(name, dates.tolist())
    return _from_objects(name, series.to_list())


def _from_categorical(name: str, series: "nw.Series[Any]") -> FactorColumn:
    """Keep the declared order of the categories; those of polars' Categorical have none, and are sorted."""
    native = series.to_native()
    codes, categories = _without_null(*_native_codes(series))
    if series.implementation.is_polars() and type(native.dtype).__name__ == "Categorical":
        return FactorColumn(name, *sort_levels(codes, categories))
    levels = tuple(map(value_label, categories))
    if len(set(levels)) < len(levels):
        raise DataError(f"column '{printable(name)}' has two categories of the same name", hint="rename its categories")
    if series.implementation.is_pandas_like():
        ordered = bool(native.cat.ordered)
    else:
        ordered = bool(getattr(native.type, "ordered", False)) if series.implementation.is_pyarrow() else False
    return FactorColumn(name, codes, levels, ordered=ordered)


def _without_null(codes: IntArray, distinct: list[Any]) -> tuple[IntArray, list[Any]]:
    """Take a null out of the categories, where Arrow allows one."""
    if None not in distinct:
        return codes, distinct
    null = distinct.index(None)
    return np.where(codes == null, -1, codes - (codes > null)), [*distinct[:null], *distinct[null + 1 :]]


def _native_codes(series: "nw.Series[Any]") -> tuple[Any, list[Any]]:
    """Return codes (-1 where missing) and the distinct values they point to, by each library's own means."""
    native = series.to_native()
    implementation = series.implementation
    if implementation.is_pandas_like():
        if hasattr(native, "cat"):
            return native.cat.codes.to_numpy().astype(np.intp), native.cat.categories.tolist()
        codes, distinct = native.factorize()
        return np.asarray(codes, dtype=np.intp), list(distinct)
    if implementation.is_pyarrow():
        encoded = native.combine_chunks() if hasattr(native, "combine_chunks") else native
        encoded = encoded if hasattr(encoded, "dictionary") else encoded.dictionary_encode()
        indices = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        return indices.astype(np.intp), encoded.dictionary.to_pylist()
    if implementation.is_polars():
        polars = series.__native_namespace__()
        declared = getattr(native.dtype, "categories", None) if type(native.dtype).__name__ == "Enum" else None
        levels = (
            list(declared)
            if declared is not None
            else native.drop_nulls().cast(polars.String).unique().sort().to_list()
        )
        physical = native.cast(polars.Enum(levels)).to_physical().cast(polars.Int64).fill_null(-1)
        return physical.to_numpy().astype(np.intp), levels
    values = series.to_list()
    codes, labels = hashable_levels(values, _present(values))
    return codes, list(labels)


def _date_levels(array: AnyArray) -> Levels:
    """Return codes and labels of numpy's dates or durations, in time's order."""
    present = ~np.isnat(array)
    distinct, codes = np.unique(array[present], return_inverse=True)
    return scatter(codes.astype(np.intp, copy=False), present), tuple(map(date_label, distinct))


def _object_dates(name: str, values: list[Any], present: BoolArray) -> Levels:
    """Return codes and labels of Python's dates or durations, in time's order."""
    there = [value for value, is_present in zip(values, present, strict=True) if is_present]
    if len({getattr(value, "tzinfo", None) is None for value in there}) > 1:
        raise DataError(f"column '{printable(name)}' mixes times with and without a zone", hint="give all of them one")
    written = {value: date_label(value) for value in set(there)}
    texts = [written[value] if is_there else None for value, is_there in zip(values, present, strict=True)]
    codes, labels = hashable_levels(texts, present)
    order = sorted(range(len(labels)), key=lambda i: date_key(labels[i]))
    place = np.empty(len(order) + 1, dtype=np.intp)
    place[order], place[-1] = np.arange(len(order)), -1  # the code of a missing value stays
    return place[codes], tuple(labels[i] for i in order)


def _present(values: Sequence[Any]) -> BoolArray:
    """Return which values are there: neither None nor NaN, NA or NaT."""
    return np.array([not _is_null(value) for value in values], dtype=np.bool_)


def _is_null(value: object) -> bool:
    return type(value).__name__ in NULLS or (isinstance(value, (float, np.floating, Decimal)) and value != value)  # noqa: PLR0124 (NaN)


def _kind(of: type) -> str:
    if issubclass(of, str):
        return "text"
    if issubclass(of, (bool, np.bool_)):
        return "logical"
    if issubclass(of, (numbers.Real, Decimal)):
        return "numbers"
    if issubclass(of, DATES):
        return "dates"
    return f"{of.__name__} objects"


def _only_kind(name: str, values: Sequence[Any], present: BoolArray) -> str:
    """Return what the present values are; an error if they are not of one kind."""
    types = {type(value) for value, is_present in zip(values, present, strict=True) if is_present}
    kinds = sorted({_kind(of) for of in types})
    if len(kinds) > 1:
        mixture = " and ".join(kinds)
        raise DataError(f"column '{printable(name)}' mixes {mixture}", hint="make its values all of one kind")
    if kinds and kinds[0].endswith("objects"):
        raise _unusable(name, kinds[0])
    return kinds[0] if kinds else "numbers"


def _from_objects(name: str, values: list[Any]) -> Column:
    present = _present(values)
    match _only_kind(name, values, present):
        case "text":
            return FactorColumn(name, *hashable_levels(values, present), kind="string")
        case "logical":
            codes = [int(value) if there else -1 for value, there in zip(values, present, strict=True)]
            return FactorColumn(name, np.array(codes, dtype=np.intp), LOGICAL, kind="logical")
        case "dates":
            return FactorColumn(name, *_object_dates(name, values, present), kind="date")
        case _:
            return NumericColumn(name, _floats(name, values, present))


def _floats(name: str, values: list[Any], present: BoolArray) -> FloatArray:
    try:
        return np.array([float(v) if there else np.nan for v, there in zip(values, present, strict=True)])
    except OverflowError:
        raise DataError(
            f"column '{printable(name)}' has a number too large for a float", hint="rescale the column"
        ) from None


def _objects_as_factor(name: str, values: list[Any]) -> FactorColumn:
    """Levels of Python objects; of numbers without a detour through float, so that huge integers stay apart."""
    present = _present(values)
    if _only_kind(name, values, present) == "numbers":
        return FactorColumn(name, *hashable_levels(values, present))
    column = _from_objects(name, values)
    assert isinstance(column, FactorColumn)
    _require_unicode(name, column.levels)
    return column


def _unusable(name: str, what: str) -> DataError:
    return DataError(
        f"column '{printable(name)}' holds {what}, which no model can use",
        hint="columns are numbers, text, categories, booleans or dates",
    )
