"""Show how far a sampler is, where somebody is looking."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[int], object]
"""Takes the number of iterations that all chains have done so far."""


@contextmanager
def reporter(progress: bool | Callable[[int, int], object], total: int) -> Iterator[Report | None]:  # noqa: FBT001
    """
    Give a function that reports iterations done: to a callable, to a bar on a terminal, or None where nobody looks.

    total : number of iterations of all chains
    """
    if callable(progress):
        yield lambda done: progress(done, total)
    elif progress and sys.stderr.isatty():
        with _bar(total) as report:
            yield report
    else:
        yield None


@contextmanager
def _bar(total: int) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("sampling"), BarColumn(), TextColumn("{task.completed}/{task.total}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("sampling", total=total)
        yield lambda done: bar.update(task, completed=done)
