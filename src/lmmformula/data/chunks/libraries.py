"""Lazy data of other libraries as data in parts; none of them is imported before its own object is there."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from lmmformula.data.chunks.records import BATCH_ROWS, Chunks, DataPart, read_once
from lmmformula.errors import DataError

EAGER = frozenset({"pandas", "polars", "pyarrow", "modin", "cudf", "narwhals"})
"""Libraries whose frames are in memory already, although they export Arrow streams."""


def of_library(data: Any, library: str) -> Chunks | None:  # noqa: ANN401 (whatever a user gives)
    """
    Recognise the lazy data of a library; None if there is nothing lazy about them.

    library : the package that the data's type is from
    """
    match library:
        case "dask" | "dask_expr" if hasattr(data, "npartitions"):
            return of_dask(data)
        case "duckdb" if hasattr(data, "columns"):
            return of_duckdb(data)
        case "polars" if hasattr(data, "collect_schema") and hasattr(data, "collect"):
            return of_lazy(data)
        case "pyarrow" if hasattr(data, "get_fragments"):
            return of_dataset(data)
        case "pyarrow" if hasattr(data, "read_next_batch"):
            raise read_once("a RecordBatchReader", "a pyarrow Dataset, or a function that returns a new reader")
        case _ if hasattr(data, "__arrow_c_stream__") and library not in EAGER:
            return of_stream(data)
    return None


def of_dataset(dataset: Any) -> Chunks:  # noqa: ANN401 (a pyarrow Dataset)
    """Make a part of each fragment of a pyarrow Dataset, usually a file."""
    fragments = list(dataset.get_fragments())

    def read(fragment: Any, columns: Collection[str]) -> Iterator[Any]:  # noqa: ANN401
        wanted = _wanted(dataset.schema.names, columns)
        yield from _tables(fragment.scanner(schema=dataset.schema, columns=wanted, batch_size=BATCH_ROWS).to_batches())

    parts = [
        DataPart(str(getattr(fragment, "path", "") or f"fragment {i}"), lambda columns, f=fragment: read(f, columns))  # type: ignore[misc]
        for i, fragment in enumerate(fragments)
    ]
    return Chunks("dataset", tuple(dataset.schema.names), lambda: parts, len(parts), stored=True)


def of_duckdb(relation: Any) -> Chunks:  # noqa: ANN401 (a DuckDB relation)
    """Run a relation's query once per pass, and take its result as batches of Arrow."""

    def batches(columns: Collection[str]) -> Iterable[Any]:
        quoted = ['"' + name.replace('"', '""') + '"' for name in _wanted(relation.columns, columns)]
        wanted = relation.project(", ".join(quoted))
        reader = getattr(wanted, "to_arrow_reader", None) or wanted.fetch_record_batch
        return _tables(reader(BATCH_ROWS))

    return _whole("DuckDB relation", tuple(relation.columns), batches)


def of_lazy(frame: Any) -> Chunks:  # noqa: ANN401 (a polars LazyFrame)
    """Run a lazy query once per pass, in polars' streaming engine where the release has batches."""
    names = tuple(frame.collect_schema().names())

    def batches(columns: Collection[str]) -> Iterable[Any]:
        wanted = frame.select(_wanted(names, columns))
        if hasattr(wanted, "collect_batches"):
            return wanted.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True)  # type: ignore[no-any-return]
        return wanted.collect().iter_slices(BATCH_ROWS)  # type: ignore[no-any-return]

    return _whole("LazyFrame", names, batches)


def of_stream(data: Any) -> Chunks:  # noqa: ANN401 (an object that exports an Arrow stream)
    """Ask an object for a new Arrow stream in each pass."""
    try:
        import pyarrow as pa
    except ImportError:
        raise DataError("Arrow streams need pyarrow", hint="pip install pyarrow") from None

    def reader() -> Any:  # noqa: ANN401 (a RecordBatchReader)
        return pa.RecordBatchReader.from_stream(data)

    names = tuple(reader().schema.names)

    def batches(columns: Collection[str]) -> Iterable[Any]:
        wanted = _wanted(names, columns)
        return (table.select(wanted) for table in _tables(reader()))

    return _whole("Arrow stream", names, batches)


def of_dask(frame: Any) -> Chunks:  # noqa: ANN401 (a Dask data frame)
    """Name the partitions of a Dask data frame; the work on them is handed to Dask."""
    count = int(frame.npartitions)

    def parts() -> Iterator[DataPart]:
        for i in range(count):
            yield DataPart(f"partition {i}", lambda columns, i=i: [_partition(frame, i, columns)])  # type: ignore[misc]

    return Chunks(
        "Dask data frame", tuple(map(str, frame.columns)), parts, count, elsewhere=partial(_dask_total, frame)
    )


def _dask_total(frame: Any, function: Any, plus: Any, columns: list[str]) -> Any:  # noqa: ANN401
    """Let Dask compute of each partition where it is, and add up in pairs, then pairs of pairs."""
    from dask.delayed import delayed

    shared = delayed(function)
    partitions = frame[_wanted(list(frame.columns), columns)].to_delayed()
    values = [delayed(_called)(shared, partition, number) for number, partition in enumerate(partitions)]
    while len(values) > 1:
        pairs = [delayed(plus)(a, b) for a, b in zip(values[::2], values[1::2], strict=False)]
        values = [*pairs, *values[2 * len(pairs) :]]
    return values[0].compute()


def _called(function: Any, part: Any, number: int) -> Any:  # noqa: ANN401
    return function(part, number)


def _partition(frame: Any, number: int, columns: Collection[str]) -> Any:  # noqa: ANN401
    return frame[_wanted(list(frame.columns), columns)].get_partition(number).compute()


def _whole(name: str, names: tuple[str, ...], batches: Any) -> Chunks:  # noqa: ANN401
    """Make one part of a query, whose batches can't be asked for one by one."""
    part = DataPart(name, batches)
    return Chunks(name, names, lambda: [part], 1, stored=True)


def _wanted(names: Sequence[str], columns: Collection[str]) -> list[str]:
    return [name for name in names if name in columns]


def _tables(batches: Iterable[Any]) -> Iterator[Any]:
    import pyarrow as pa

    for batch in batches:
        yield pa.Table.from_batches([batch])
