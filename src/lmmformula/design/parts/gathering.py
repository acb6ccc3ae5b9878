"""Data in parts that are small enough for memory: read into one table, so that no row is lost."""

from collections.abc import Sequence
from typing import Any

from lmmformula.data.chunks.records import DataPart, read_part
from lmmformula.data.frames import joined, size_of
from lmmformula.data.table import Table, read_table
from lmmformula.design.columns.frame import Frame
from lmmformula.design.columns.inputs import complete_cases
from lmmformula.design.limits import memory_share
from lmmformula.design.parts.passes import Passes
from lmmformula.errors import DataError, LmmFormulaError, printable
from lmmformula.ir.model import ModelIR

COPIES = 4
"""Of the data that a model in memory holds: the columns, X, the columns of Z, and work space."""


def gathered(passes: Passes) -> Table | None:
    """
    Read all parts into memory: all columns, else those of the passes; None where the parts are to be summed instead.

    Without a word from the user that is so for data on a disk or behind a query, below a quarter of the memory.
    """
    chunks, settings = passes.chunks, passes.settings
    keep = settings.keep_rows
    if chunks.elsewhere is not None:
        if keep:
            raise DataError("data on a cluster are summed where they are", hint="leave out keep_rows=True")
        return None
    if keep is False or (keep is None and (not chunks.stored or settings.checkpoint is not None)):
        return None
    limit = float("inf") if keep else min(memory_share() / 2, settings.memory_limit or float("inf"))
    needed = tuple(name for name in chunks.names if name in passes.columns)
    for columns in dict.fromkeys((chunks.names, needed)):
        foretold = chunks.n_bytes * len(columns) / max(len(chunks.names), 1)
        if foretold * COPIES <= limit and (frames := _within(passes, columns, limit)) is not None:
            return read_table(joined(frames)) if frames else None
    return None


def _within(passes: Passes, columns: Sequence[str], limit: float) -> list[Any] | None:
    """Return the frames of all parts; None as soon as they grow too large."""
    needed = [name for name in passes.columns if name in columns]
    found, size = [], 0.0
    for part in passes.parts("reading"):
        for frame in part.frames(columns):
            _refuse_lacking(part, frame, needed)
            found.append(frame)
            size += size_of(frame)
            if size * COPIES > limit:
                return None
    return found


def _refuse_lacking(part: DataPart, frame: Any, needed: Sequence[str]) -> None:  # noqa: ANN401 (any frame)
    """Refuse a part without a column of the model; in other columns parts may differ."""
    table = read_part(frame)
    for name in needed:
        if name not in table:
            error = table.unknown(name)
            raise DataError(f"{error.message} (in {printable(part.label)})", hint=error.hint)


def in_part(error: LmmFormulaError, ir: ModelIR, passes: Passes) -> LmmFormulaError:
    """Return an error that was met in all rows as the first part has it, which names the part."""

    def evaluate(table: Table, _: tuple[int, ...]) -> int:
        return len(complete_cases(Frame(table, ir.source), ir, None, None).y)

    try:
        passes.total("searching", evaluate)
    except LmmFormulaError as found:
        if found.span == error.span:
            return found.located(ir.source)
    return error


def remark_on(table: Table) -> str:
    """Say that the rows were read into memory."""
    return f"{table.n_rows:,} rows were read into memory"
