"""Passes over data in parts: something is computed of each part, and added up in the order of the parts."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, TypeVar, cast

from lmmformula.data.chunks.records import Chunks, DataPart, Total
from lmmformula.data.table import Table, read_table
from lmmformula.design.sums.added import PairwiseSum, Summable
from lmmformula.errors import DataError, LmmFormulaError, printable

if TYPE_CHECKING:
    from lmmformula.design.parts.checkpoint import Checkpoint
    from lmmformula.design.sums.added import PartialProducts

S = TypeVar("S", bound=Summable)

Kernel = Callable[[Table, tuple[int, ...]], S]
"""A table, and its place among the data -> what is to be summed."""


@dataclass(frozen=True, slots=True)
class Report:
    """
    How far a pass is.

    stage : "levels", "learning", "summing", "reading" into memory, or "ready" between the passes
    done, total : parts; the total is None where nobody knows it yet
    text : the part that was read last, or what the sums will need
    seconds : since the pass began
    """

    stage: str
    done: int = 0
    total: int | None = None
    text: str = ""
    seconds: float = 0.0

    def __str__(self) -> str:
        of = "" if self.total is None else f" of {self.total}"
        return f"{self.stage}: {self.done}{of} parts, {self.seconds:.0f} s" if self.done else self.text


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """
    How data in parts are read.

    memory_limit : bytes that sums may take; None for half of the machine's memory
    progress : True for a line on the terminal, or a function that is given a `Report` after each part
    checkpoint : a folder from which a run that was stopped goes on
    keep_rows : read all rows into memory; False sums them up, and None keeps the rows of files and queries that are
        small and have no checkpoint
    """

    memory_limit: float | None = None
    progress: bool | Callable[[Report], None] = True
    checkpoint: str | PathLike[str] | None = None
    keep_rows: bool | None = None

    def __post_init__(self) -> None:
        limit: object = self.memory_limit
        if limit is not None and not (isinstance(limit, (int, float)) and limit > 0):
            raise DataError(f"memory_limit is {limit!r:.60}", hint="it is a number of bytes: 4e9")
        if not (isinstance(self.progress, bool) or callable(self.progress)):
            raise DataError(f"progress is {self.progress!r:.60}", hint="it can be True, False or a function")
        if not isinstance(self.checkpoint, (str, PathLike, type(None))):
            raise DataError(f"checkpoint is {self.checkpoint!r:.60}", hint="it is the name of a folder")
        if not isinstance(self.keep_rows, (bool, type(None))):
            raise DataError(f"keep_rows is {self.keep_rows!r:.60}", hint="it can be True, False or None")


@dataclass(frozen=True, slots=True)
class Passes:
    """
    Passes over data.

    columns : those that are read
    """

    chunks: Chunks
    columns: Sequence[str]
    settings: StreamSettings = field(default_factory=StreamSettings)

    def first(self, kernel: Kernel[S]) -> S | None:
        """Compute something of the first part alone."""
        return next((_part_sum(kernel, part, self.columns, 0) for part in self.chunks.parts()), None)

    def parts(self, stage: str) -> Iterator[DataPart]:
        """Go through all parts."""
        start = time.monotonic()
        try:
            for number, part in enumerate(self.chunks.parts()):
                yield part
                seconds = time.monotonic() - start
                self._report(Report(stage, number + 1, self.chunks.n_parts, part.label, seconds))
        finally:
            self._end_line()

    def total(
        self,
        stage: str,
        kernel: Kernel[S],
        *,
        checkpoint: "Checkpoint | None" = None,
        check: Callable[[S], None] | None = None,
    ) -> S | None:
        """
        Add up what is computed of all parts; None if none has rows.

        checkpoint : where the sums so far are kept, and found
        check : raises if the sums have grown too large
        """
        if self.chunks.elsewhere is not None:
            return _elsewhere(self.chunks.elsewhere, kernel, self.columns)
        start = time.monotonic()
        empty = (0, PairwiseSum[S]())
        done, tally = empty if checkpoint is None else cast("tuple[int, PairwiseSum[S]]", checkpoint.sums())
        first = done
        try:
            for number, part in enumerate(self.chunks.parts()):
                if number < first:
                    continue
                value = _part_sum(kernel, part, self.columns, number)
                if value is not None:
                    tally.add(value)
                done = number + 1  # with the sums, not before and not after: what is counted is counted once
                if checkpoint is not None:
                    checkpoint.keep_sums(done, cast("PairwiseSum[PartialProducts]", tally))
                if check is not None and tally.waiting:
                    check(tally.waiting[-1][1])
                self._report(Report(stage, done, self.chunks.n_parts, part.label, time.monotonic() - start))
        finally:
            if checkpoint is not None:
                checkpoint.keep_sums(done, cast("PairwiseSum[PartialProducts]", tally), now=True)
            self._end_line()
        return tally.total()

    def say(self, text: str) -> None:
        """Tell what was found out, in a line that stays."""
        self._report(Report("ready", text=text))
        if self.settings.progress is True and sys.stderr.isatty():
            sys.stderr.write("\n")

    def _report(self, report: Report) -> None:
        if callable(self.settings.progress):
            self.settings.progress(report)
        elif self.settings.progress and sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[2K{report}")
            sys.stderr.flush()

    def _end_line(self) -> None:
        if self.settings.progress is True and sys.stderr.isatty():
            sys.stderr.write("\r\x1b[2K")


def _part_sum(kernel: Kernel[S], part: DataPart, columns: Sequence[str], number: int) -> S | None:
    """Add up what is computed of the tables of a part; errors name it."""
    return _sum_of(kernel, part.tables(columns), number, part.label)


def _sum_of(kernel: Kernel[S], tables: Iterable[Table], number: int, label: str) -> S | None:
    tally = PairwiseSum[S]()
    try:
        for i, table in enumerate(tables):
            if table.n_rows:
                tally.add(kernel(table, (number, i)))
    except DataError as error:
        if label not in error.message:
            error.message = f"{error.message} (in {printable(label)})"
        raise
    return tally.total()


def _elsewhere(total: Total, kernel: Kernel[S], columns: Sequence[str]) -> S | None:
    """Have the sum computed where the parts are."""
    try:
        found: S | None = total(partial(_of_partition, kernel), _added, list(columns))
    except LmmFormulaError:
        raise
    except Exception as error:
        raise DataError(f"the cluster could not finish: {printable(str(error))}") from error
    return found


def _of_partition(kernel: Kernel[S], part: object, number: int) -> S | None:
    return _sum_of(kernel, [read_table(part)], number, f"partition {number}")


def _added(a: S | None, b: S | None) -> S | None:
    if a is None or b is None:
        return b if a is None else a
    return a + b
