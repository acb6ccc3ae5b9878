"""
Data in parts: what does not fit into memory at once, as a sequence of tables that can be read again and again.

A *part* is what is read, counted and, after a failure, named as one: a few row groups of a Parquet file, a block of a
CSV file, a frame of a list, a partition. It comes as one or more tables of at most `BATCH_ROWS` rows.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from lmmformula.data.table import Table, read_table
from lmmformula.errors import DataError, LmmFormulaError, printable

T = TypeVar("T")

BATCH_ROWS = 1 << 20
"""Rows that are held in memory at once."""


@dataclass(frozen=True, slots=True)
class DataPart:
    """
    A part of the data.

    label : what a message calls it: "sales.parquet, row groups 3 to 5"
    read : the columns wanted -> frames of any kind, each small enough for memory
    """

    label: str
    read: Callable[[Collection[str]], Iterable[Any]]

    def tables(self, columns: Collection[str]) -> Iterator[Table]:
        """Read the part, table by table."""
        yield from self._each(columns, read_part)

    def frames(self, columns: Collection[str]) -> Iterator[Any]:
        """Read the part as its library has it."""
        yield from self._each(columns, lambda frame, _: frame)

    def _each(self, columns: Collection[str], made: Callable[[Any, Collection[str]], T]) -> Iterator[T]:
        """Read frame by frame; what a library says of its data becomes a DataError that names the part."""
        try:
            for frame in self.read(columns):
                yield made(frame, columns)
        except LmmFormulaError:
            raise
        except Exception as error:
            raise DataError(f"{printable(self.label)} can't be read: {printable(str(error))}") from error


@dataclass(frozen=True, slots=True)
class Chunks:
    """
    Data in parts.

    name : what they are called
    names : the columns
    parts : starts a new pass over the parts, always in the same order
    n_parts : their number, where it is known beforehand
    identity : changes when the data change, as far as that can be told
    elsewhere : computes the sum over all parts where they are, on a cluster (see `Elsewhere`)
    remarks : what was found out of files, to be told
    stored : whether they are on a disk or behind a query, and can be asked for as often as one likes
    n_bytes : about how large they are, where that is known beforehand
    """

    name: str
    names: tuple[str, ...]
    parts: Callable[[], Iterable[DataPart]]
    n_parts: int | None = None
    identity: tuple[Any, ...] = ()
    elsewhere: "Total | None" = None
    remarks: tuple[str, ...] = ()
    stored: bool = False
    n_bytes: float = 0.0


Total = Callable[[Callable[[Any, int], Any], Callable[[Any, Any], Any], list[str]], Any]
"""(function, plus, columns) -> the sum over all parts, by `plus`, of function(part, number)."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """
    Data on a cluster of any kind, for `Model`: what has to be computed of each part is taken to where the part is.

    names : the columns
    total : given a function of a part (a frame of any kind) and its number, a function `plus` of two results, and the
        columns that are wanted, computes the sum over all parts; `plus` is associative, and the order of the parts
        should always be the same

    >>> frames = [{"y": [1.0, 2.0], "x": [0.0, 1.0]}, {"y": [4.0, 3.0], "x": [2.0, 3.0]}]
    >>> def total(function, plus, columns):
    ...     return plus(function(frames[0], 0), function(frames[1], 1))
    >>> import lmmformula as lf
    >>> lf.Model("y ~ x", Elsewhere(("y", "x"), total), progress=False).fit().fixef.round(3).to_dict()
    {'(Intercept)': 1.3, 'x': 0.8}
    """

    names: Sequence[str]
    total: Total


def read_part(frame: Any, columns: Collection[str] | None = None) -> Table:  # noqa: ANN401 (any frame)
    """Read a part; narwhals knows Arrow's tables, but not the batches that Arrow's readers give."""
    if type(frame).__name__ == "RecordBatch":
        import pyarrow as pa

        frame = pa.Table.from_batches([frame])
    return read_table(frame, columns)


def read_once(what: str, instead: str) -> DataError:
    """Say that data can't be read twice."""
    return DataError(f"{what} can be read only once, but two passes over the data are needed", hint=f"give {instead}")


def other_rows(message: str) -> DataError:
    """Say that two passes have not read the same rows."""
    return DataError(message, hint="each pass must give the same rows: keep them, or fix the seed of what draws them")
