"""Parquet and CSV files as data in parts."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from glob import has_magic, iglob
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from lmmformula.data.chunks.records import BATCH_ROWS, Chunks, DataPart
from lmmformula.data.delimited import Delimited, TextOptions, delimited
from lmmformula.errors import DataError, printable

Found = TypeVar("Found")

PARQUET = frozenset({".parquet", ".pq", ".parq"})
MOST_ENTRIES = 100_000
"""Files and folders that are looked at for one path or pattern."""
TEXT = {".csv": ",", ".tsv": "\t", ".txt": ","}
"""Suffix of a text file -> what separates its columns."""


def paths_of(data: object) -> list[Path] | None:
    """Return the files that a path, a pattern, a folder or a list of paths stands for; None if it is none of these."""
    if isinstance(data, (str, PathLike)):
        return _expanded(str(data))
    if isinstance(data, (list, tuple)) and data and all(isinstance(path, (str, PathLike)) for path in data):
        return [path for given in data for path in _expanded(str(given))]
    return None


def _expanded(pattern: str) -> list[Path]:
    path = Path(pattern)
    try:
        if has_magic(pattern):
            names = iglob(pattern, recursive=True)  # noqa: PTH207 (Path.glob: no absolute patterns)
            found = sorted(map(Path, _bounded(names, pattern)))
        elif pattern and path.is_dir():
            found = sorted(
                file for file in _bounded(path.rglob("*"), pattern) if suffix_of(file) in PARQUET | TEXT.keys()
            )
        else:
            found = [path] if pattern and path.exists() else []
    except (OSError, ValueError):  # a name that no file can have
        found = []
    if not found:
        raise DataError(f"there is no file '{printable(pattern)}'", hint="give a path or a pattern: 'data/*.parquet'")
    return found


def _bounded(found: Iterable[Found], pattern: str) -> Iterator[Found]:
    """Stop a search that has lost its way, as one of the whole disk."""
    for number, path in enumerate(found):
        if number == MOST_ENTRIES:
            message = f"'{printable(pattern)}' holds more than {MOST_ENTRIES:,} files and folders"
            raise DataError(message, hint="give a narrower pattern: 'data/*.parquet'")
        yield path


def suffix_of(path: Path) -> str:
    """Return the suffix that tells the format, in front of that of a compression."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    compressed = bool(suffixes) and suffixes[-1] in {".gz", ".bz2", ".xz", ".zst", ".zip"}
    kept = suffixes[:-1] if compressed else suffixes
    return kept[-1] if kept else ""


def of_files(paths: Sequence[Path], name: str, text: TextOptions) -> Chunks:
    """
    Read files one after the other, in the order given.

    text : how text files are read
    """
    readers = [_reader(path, text) for path in paths]
    known = all(reader.n_parts is not None for reader in readers)
    return Chunks(
        name,
        readers[0].names,
        lambda: (part for reader in readers for part in reader.parts()),
        sum(reader.n_parts or 0 for reader in readers) if known else None,
        identity=(*map(_stamp, paths), text.sep, text.words),
        remarks=tuple(dict.fromkeys(reader.remark for reader in readers if reader.remark)),
        stored=True,
        n_bytes=sum(reader.n_bytes for reader in readers),
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """How one file is read (see `Chunks`)."""

    names: tuple[str, ...]
    parts: Callable[[], Iterator[DataPart]]
    n_parts: int | None
    n_bytes: float
    remark: str = ""


def _reader(path: Path, text: TextOptions) -> _Reader:
    suffix = suffix_of(path)
    try:
        if suffix in PARQUET:
            return _parquet(path)
        if suffix in TEXT:
            return _text(path, delimited(path, TEXT[suffix], text))
    except ImportError:
        raise DataError("Parquet files need pyarrow", hint="pip install pyarrow") from None
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{printable(str(path))} can't be read: {printable(str(error))}") from error
    raise DataError(
        f"'{printable(str(path))}' is neither Parquet nor CSV", hint="the formats are: .parquet, .csv, .tsv"
    )


def _parquet(path: Path) -> _Reader:
    """Make parts of whole row groups, small ones together."""
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        names = tuple(file.schema_arrow.names)
    ranges: list[tuple[int, int]] = []
    start, rows = 0, 0
    for i, size in enumerate(sizes):
        if rows and rows + size > BATCH_ROWS:
            ranges.append((start, i))
            start, rows = i, 0
        rows += size
    ranges.append((start, len(sizes)))

    def read(first: int, last: int, columns: Collection[str]) -> Iterator[Any]:
        import pyarrow as pa

        with ParquetFile(path, pre_buffer=True) as file:
            known = [name for name in file.schema_arrow.names if name in columns]
            for batch in file.iter_batches(BATCH_ROWS, row_groups=list(range(first, last)), columns=known):
                yield pa.Table.from_batches([batch])

    def parts() -> Iterator[DataPart]:
        for first, last in ranges:
            groups = f"row group {first}" if last == first + 1 else f"row groups {first} to {last - 1}"
            label = f"{path}, {groups}"
            yield DataPart(label, lambda columns, a=first, b=last: read(a, b, columns))  # type: ignore[misc]

    return _Reader(names, parts, len(ranges), 8.0 * sum(sizes) * len(names))


def _text(path: Path, written: Delimited) -> _Reader:
    """Make parts of blocks of lines; each knows only its own types, so a column must be of one kind throughout."""
    names = written.names

    def parts() -> Iterator[DataPart]:
        for i, block in enumerate(written.blocks(path, BATCH_ROWS)):
            first = i * BATCH_ROWS
            label = f"{path}, rows {first} to {first + len(block) - 1}"
            yield DataPart(label, lambda columns, b=block: [b[[n for n in names if n in columns]]])  # type: ignore[misc]

    remark = f"{printable(path.name)}: {written.remark}" if written.remark else ""
    return _Reader(names, parts, None, float(path.stat().st_size), remark)


def _stamp(path: Path) -> tuple[str, int, int]:
    """Return what changes when a file changes."""
    about = path.stat()
    return str(path), about.st_size, about.st_mtime_ns
