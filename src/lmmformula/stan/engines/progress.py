"""Show how far a sampler is, where somebody is looking."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

ITERATION = re.compile(r"(?:Chain \[(\d+)\] )?Iteration:\s*(\d+) / ")
"""How both engines print progress; without a chain where a process has but one."""
UPDATES = 50
"""Reports of progress by each chain, at least."""
SELDOM = 100
"""Iterations between reports, at most: as CmdStan prints them."""


@dataclass(slots=True)
class Tally:
    """
    How far the chains of a run are.

    chains, each : number of chains, and of iterations of each
    reached : chain -> iteration that it is at
    divergent : draws that diverged, None where the engine does not tell
    failure : what the function that the tally was told to has raised, which is no failure of the engine
    """

    chains: int
    each: int
    reached: dict[int, int] = field(default_factory=dict)
    divergent: int | None = None
    failure: Exception | None = None

    def hear(self, line: str, chain: int = 1) -> bool:
        """
        Take note of a line that an engine prints; tell whether it was one of progress.

        chain : whose line it is where the line does not say

        >>> tally = Tally(chains=2, each=200)
        >>> tally.hear("Chain [2] Iteration: 100 / 200 [ 50%]  (Warmup)"), tally.done, tally.refresh
        (True, 100, 4)
        """
        found = ITERATION.search(line)
        if found is None:
            return False
        number = int(found[1] or chain)
        self.reached[number] = max(int(found[2]), self.reached.get(number, 0))
        return True

    def tell(self, report: Callable[["Tally"], object]) -> None:
        """Tell how far the chains are."""
        try:
            report(self)
        except Exception as error:
            self.failure = error
            raise

    @property
    def done(self) -> int:
        """Number of iterations that all chains have done."""
        return sum(tuple(self.reached.values()))

    @property
    def total(self) -> int:
        """Number of iterations of all chains."""
        return self.chains * self.each

    @property
    def finished(self) -> int:
        """Number of chains that are at their end."""
        return sum(iteration >= self.each for iteration in tuple(self.reached.values()))

    @property
    def refresh(self) -> int:
        """Number of iterations after which an engine is to print its progress."""
        return max(1, min(self.each // UPDATES, SELDOM))


Report = Callable[[Tally], object]


@contextmanager
def reporter(progress: bool | Callable[[int, int], object], total: int) -> Iterator[Report | None]:  # noqa: FBT001
    """
    Give a function that reports a tally: to a callable, to a bar on a terminal, or None where nobody looks.

    total : iterations of all chains
    """
    if callable(progress):
        yield _only_changes(progress)
    elif progress and _is_terminal():
        with _bar(total) as report:
            yield report
    else:
        yield None


@contextmanager
def compiling(progress: bool | Callable[[int, int], object]) -> Iterator[None]:  # noqa: FBT001
    """Say on a terminal that a program is being compiled, as long as it is: that takes a minute."""
    if callable(progress) or not progress or not _is_terminal():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status("compiling, once: the executable is kept"):
        yield


def _is_terminal() -> bool:
    """Tell whether messages reach a terminal; there may be no such stream, or a closed one."""
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):
        return False


def _only_changes(progress: Callable[[int, int], object]) -> Report:
    last = -1

    def report(tally: Tally) -> None:
        nonlocal last
        if (done := tally.done) > last:
            last = done
            progress(done, tally.total)

    return report


@contextmanager
def _bar(total: int) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("sampling"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}{task.fields[notes]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("sampling", total=total, notes="")

        def report(tally: Tally) -> None:
            speed = bar.tasks[0].speed
            notes = "" if not speed else f"  {speed:.0f}/s"
            notes += f"  {tally.finished}/{tally.chains} chains"
            if tally.divergent is not None:
                notes += f"  {tally.divergent} divergent"
            bar.update(task, completed=tally.done, notes=notes)

        yield report
