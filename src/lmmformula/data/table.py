"""Any data frame, as named columns of two kinds: numbers and levels."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, TypeVar

import numpy as np

from lmmformula.arrays import AnyArray, IntArray
from lmmformula.data.columns import Column, FactorColumn
from lmmformula.data.convert import to_column, to_factor
from lmmformula.errors import DataError, LmmFormulaError, meant, printable

C = TypeVar("C", bound=Column)

Fetch = Callable[[], Any]
"""Returns a column as a numpy array or a narwhals series; called when a formula asks for the column."""

Library = Literal["pandas", "polars", "pyarrow"]
"""Of data frames: what results are given in."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """
    Named columns of equal length, fetched when first asked for: a formula that reads two of a thousand pays for two.

    n_rows : number of rows
    names : the columns that a formula can name, each once, in the order of the frame
    raw : name -> how to fetch the column; several where a frame has several columns of that name
    unnamed : names that are no text, and so can't stand in a formula
    library : whose data frames the user works with, "polars" or "pyarrow"; "pandas" for everything else

    >>> table = read_table({"x": [1, 2, None], "f": ["b", "a", "b"]})
    >>> table["x"].values
    array([ 1.,  2., nan])
    >>> table["f"].levels
    ('a', 'b')
    """

    n_rows: int
    names: tuple[str, ...]
    raw: Mapping[str, tuple[Fetch, ...]]
    unnamed: tuple[object, ...] = ()
    library: Library = "pandas"
    _columns: dict[str, Column] = field(default_factory=dict, repr=False)
    _factors: dict[str, FactorColumn] = field(default_factory=dict, repr=False)

    def __getitem__(self, name: str) -> Column:
        """Return a column as what it is; numbers stay numbers."""
        if name not in self._columns:
            self._columns[name] = self._converted(to_column, name)
        return self._columns[name]

    def factor(self, name: str) -> FactorColumn:
        """Return a column as levels, whatever it is; each integer its own level, however large."""
        if name not in self._factors:
            column = self._columns.get(name)
            self._factors[name] = column if isinstance(column, FactorColumn) else self._converted(to_factor, name)
        return self._factors[name]

    def __contains__(self, name: object) -> bool:
        return name in self.raw

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def take(self, rows: IntArray) -> "Table":
        """
        Keep some rows, in the order given, repeats allowed; the levels of a column of text are those that are left.

        rows : (m,) positions
        """
        index = np.asarray(rows)
        raw = {name: tuple(partial(_take, fetch, index) for fetch in columns) for name, columns in self.raw.items()}
        return Table(len(index), self.names, raw, self.unnamed, self.library)

    def _converted(self, convert: Callable[[str, Any], C], name: str) -> C:
        """Fetch and convert a column; what a frame library says of its own column is told as a DataError."""
        try:
            return convert(name, self._only(name))
        except LmmFormulaError:
            raise
        except Exception as error:
            raise DataError(f"column '{printable(name)}' can't be read: {printable(str(error))}") from error

    def _only(self, name: str) -> Any:  # noqa: ANN401 (a numpy array or a narwhals series)
        columns = self.raw.get(name)
        if columns is None:
            raise self.unknown(name)
        if len(columns) > 1:
            raise DataError(
                f"the data have {len(columns)} columns named '{printable(name)}'", hint="rename all but one"
            )
        return columns[0]()

    def unknown(self, name: str) -> DataError:
        """Make the error that says what is there instead of a column."""
        message = f"no column named '{printable(name)}'"
        for label in self.unnamed:
            if str(label) == name:
                hint = f"the data have a column {label!r}, but names must be text: rename it"
                return DataError(message, hint=hint)
        known = ", ".join(map(printable, self.names[:12])) + (", ..." if len(self.names) > 12 else "")
        otherwise = f"the columns are: {known}" if known else "the data have no columns"
        return DataError(message, hint=meant(name, self.names, otherwise))


def read_table(data: Any, columns: Collection[str] | None = None) -> Table:  # noqa: ANN401 (any frame)
    """
    Read anything that narwhals reads (pandas, polars, pyarrow, ...), or a mapping of names to sequences.

    columns : names to read, where the rest would be costly to fetch (lazy frames); all by default

    >>> read_table({"x": [1.5, 2.0]}).n_rows
    2
    """
    if isinstance(data, Table):
        return data
    if isinstance(data, Mapping):
        return _of_mapping(data)
    if type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "columns"):
        return _of_pandas(data)
    return _of_frame(data, columns)


def library_of(data: object) -> Library:
    """
    Name the library in whose data frames results are given: that of the data, or of their first part.

    >>> library_of({"x": [1.0]})
    'pandas'
    """
    first = data[0] if isinstance(data, (list, tuple)) and data else data
    module = type(first).__module__.partition(".")[0]
    known: dict[str, Library] = {"polars": "polars", "pyarrow": "pyarrow"}
    return known.get(module, "pandas")


def _of_mapping(data: Mapping[Any, Any]) -> Table:
    lengths = {name: _length(name, values) for name, values in data.items() if isinstance(name, str)}
    if len(set(lengths.values())) > 1:
        first, *rest = lengths
        other = next(name for name in rest if lengths[name] != lengths[first])
        raise DataError(
            f"columns '{printable(first)}' and '{printable(other)}' differ in length: "
            f"{lengths[first]} and {lengths[other]} rows"
        )
    unnamed = tuple(name for name in data if not isinstance(name, str))
    raw = {name: (partial(_of_values, name, data[name]),) for name in lengths}
    return Table(next(iter(lengths.values()), 0), tuple(raw), raw, unnamed)


def _length(name: str, values: Any) -> int:  # noqa: ANN401 (a sequence)
    try:
        if not isinstance(values, (str, bytes, set, frozenset, Mapping)):
            return len(values)
    except TypeError:
        pass
    raise DataError(
        f"column '{printable(name)}' is of type {type(values).__name__}, not a sequence of values",
        hint="give a list, a numpy array or a series of a data frame library",
    )


def _of_pandas(frame: Any) -> Table:  # noqa: ANN401 (pandas is not imported)
    """Read a pandas frame by position: narwhals refuses frames with duplicate names, even if nobody uses them."""
    raw: dict[str, tuple[Fetch, ...]] = {}
    for position, name in enumerate(frame.columns):
        if isinstance(name, str):
            raw[name] = (*raw.get(name, ()), partial(_pandas_column, frame, position))
    unnamed = tuple(name for name in frame.columns if not isinstance(name, str))
    return Table(len(frame), tuple(raw), raw, unnamed)


def _pandas_column(frame: Any, position: int) -> Any:  # noqa: ANN401 (a numpy array or a narwhals series)
    series = frame.iloc[:, position]
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "fiub":
        return series.to_numpy()
    return _series(series)


def _of_frame(data: Any, columns: Collection[str] | None) -> Table:  # noqa: ANN401 (any frame)
    import narwhals.stable.v1 as nw

    try:
        frame = nw.from_native(data)
    except TypeError:
        raise DataError(
            f"data of type '{type(data).__name__}' can't be read as a table",
            hint="give a data frame (pandas, polars, pyarrow, ...) or a dictionary of columns",
        ) from None
    except Exception as error:  # noqa: BLE001 (whatever a library says of its own frame)
        raise DataError(f"the data frame can't be read: {printable(str(error))}") from None
    if isinstance(frame, nw.LazyFrame):
        frame = frame.select([c for c in frame.collect_schema().names() if columns is None or c in columns]).collect()
    raw = {name: (partial(frame.get_column, name),) for name in frame.columns}
    return Table(len(frame), tuple(raw), raw, library=library_of(data))


def _of_values(name: str, values: Any) -> Any:  # noqa: ANN401 (a numpy array or a narwhals series)
    """Bring the values of a mapping into the form that `convert` knows."""
    if isinstance(values, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(values)
        values = np.array(values.data, dtype=object)
        values[mask] = None
    if isinstance(values, (list, tuple, range)):
        values = _array(values)
    if isinstance(values, np.ndarray):
        if values.ndim != 1:
            raise DataError(f"column '{printable(name)}' has {values.ndim} dimensions", hint="columns have one")
        return values
    if hasattr(values, "categories") and hasattr(values, "codes"):  # a pandas Categorical, which is no Series
        import pandas as pd

        values = pd.Series(values)
    return _series(values)


def _series(values: Any) -> Any:  # noqa: ANN401 (a narwhals series of any library)
    import narwhals.stable.v1 as nw

    try:
        return nw.from_native(values, series_only=True)
    except TypeError:
        return _array(list(values))


def _array(values: Any) -> AnyArray:  # noqa: ANN401 (a sequence)
    """Make an array of a sequence, without numpy's way of turning mixtures into text."""
    kinds = set(map(type, values))
    if kinds <= {int, float}:
        try:
            return np.array(values, dtype=np.float64 if float in kinds else None)
        except OverflowError:
            pass
    elif kinds == {bool}:
        return np.array(values)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _take(fetch: Fetch, rows: IntArray) -> Any:  # noqa: ANN401 (a numpy array or a narwhals series)
    column = fetch()
    return column[rows] if isinstance(column, np.ndarray) else column[rows.tolist()]
