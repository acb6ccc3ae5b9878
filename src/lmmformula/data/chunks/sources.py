"""All that data in parts can be given as: files, lazy data of other libraries, frames, functions, a cluster."""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from lmmformula.data.chunks.files import of_files, paths_of
from lmmformula.data.chunks.libraries import of_library
from lmmformula.data.chunks.records import Chunks, DataPart, Elsewhere, other_rows, read_once, read_part
from lmmformula.data.delimited import TextOptions
from lmmformula.data.fingerprint import fingerprint
from lmmformula.errors import DataError, LmmFormulaError, printable


def as_chunks(data: Any, text: TextOptions | None = None) -> Chunks | None:  # noqa: ANN401 (whatever a user gives)
    """
    Recognise data that come in parts; None for a data frame, which is read at once.

    text : how text files are read

    A path, a pattern of paths ("data/*.parquet") or a list of them; a pyarrow Dataset; a polars LazyFrame; a DuckDB
    relation; a Dask data frame; a list of frames; a function that returns a new iterator of frames at each call.

    >>> as_chunks({"x": [1.0]}) is None
    True
    >>> as_chunks([{"x": [1.0]}, {"x": [2.0]}]).n_parts
    2
    """
    if isinstance(data, Elsewhere):
        data = Chunks("cluster", tuple(data.names), tuple, elsewhere=data.total)
    if isinstance(data, Chunks):
        return data
    if (paths := paths_of(data)) is not None:
        return of_files(paths, str(data) if isinstance(data, str) else "files", text or TextOptions())
    if isinstance(data, (list, tuple)):
        return _of_frames(data)
    if (chunks := of_library(data, type(data).__module__.partition(".")[0])) is not None:
        return chunks
    if isinstance(data, Iterator):
        raise read_once("an iterator", "a list of frames, or a function that returns a new iterator")
    if callable(data) and not hasattr(data, "columns"):
        return _of_function(data)
    return None


def _of_frames(frames: Sequence[Any]) -> Chunks | None:
    if not frames or isinstance(frames[0], (int, float, str)):
        return None  # a list of values: the error for what is no table fits better
    parts = [DataPart(f"frame {i}", lambda _, frame=frame: [frame]) for i, frame in enumerate(frames)]  # type: ignore[misc]
    return Chunks("frames", read_part(frames[0]).names, lambda: parts, len(parts))


def _of_function(function: Callable[[], Any]) -> Chunks:
    """Call a function once per pass; each of its frames is a part. Whoever gives other frames each time is told."""
    looked_at = [read_part(frame) for frame in islice(_iterated(function), 1)]
    if not looked_at:
        raise DataError("the function gives no frames")
    names = looked_at[0].names

    def first(frame: Any, columns: Collection[str]) -> Iterator[Any]:  # noqa: ANN401 (any frame)
        if looked_at:  # once: later passes are compared with the first as a whole
            before, now = looked_at.pop(), read_part(frame)
            known = [name for name in before.names if name in columns and name in now]
            if before.n_rows != now.n_rows or fingerprint(before, known) != fingerprint(now, known):
                raise other_rows("the function gives other rows when it is called again")
        yield frame

    def parts() -> Iterator[DataPart]:
        for i, frame in enumerate(_iterated(function)):
            read = first if i == 0 else _as_it_is
            yield DataPart(f"frame {i}", lambda columns, frame=frame, read=read: read(frame, columns))  # type: ignore[misc]

    return Chunks("frames", names, parts)


def _as_it_is(frame: Any, _: Collection[str]) -> Iterator[Any]:  # noqa: ANN401 (any frame)
    yield frame


def _iterated(function: Callable[[], Any]) -> Iterator[Any]:
    """Call a user's function; what it raises names the frame that failed."""
    count = 0
    try:
        for frame in chain(_as_iterator(function())):
            yield frame
            count += 1
    except LmmFormulaError:
        raise
    except Exception as error:
        raise DataError(f"frame {count} can't be read: {printable(str(error))}") from error


def _as_iterator(given: Any) -> Iterator[Any]:  # noqa: ANN401 (what a user's function returned)
    if hasattr(given, "columns") or not hasattr(given, "__iter__"):
        raise DataError("the function must return an iterator of frames", hint="for example: lambda: iter(frames)")
    return iter(given)
