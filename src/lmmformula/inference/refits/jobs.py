"""
Long computations: independent jobs one after the other, shared with helper processes where that pays, with progress.

Each job's result depends on the job alone, and jobs are made in order, so that the numbers are the same however many
processes there are. Helpers are processes of their own (`helper_process`): small matrices keep Python busy, not BLAS,
so that threads would wait for each other.
"""

import math
import os
import queue
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from operator import itemgetter
from threading import Event, Lock, Thread
from typing import Generic, TypeVar

from lmmformula.errors import FitError
from lmmformula.inference.refits.helper_process import Helper, written
from lmmformula.processes import is_possible
from lmmformula.results.arguments import check_count

Progress = bool | Callable[[int, int], object]
"""Whether a bar is drawn on a terminal; or what is called with the numbers of refits done, and of all."""

PAYS = 10.0
"""Seconds of work ahead from which helpers are started: to start one takes about a second."""

PATIENCE = 1.0
"""Seconds before a bar is drawn."""

MOST_WORKERS = 8
"""Processes that are started without being asked for: each holds the model."""

MOST_ASKED = 1000
"""Processes that may be asked for."""

POLL = 0.2
"""Seconds between looks at the keyboard while helpers work."""

J = TypeVar("J")
R = TypeVar("R")
Answers = queue.SimpleQueue[tuple[int, int, R] | BaseException | None]


@dataclass(frozen=True, slots=True)
class Running:
    """
    How a computation runs.

    progress : who is told how far it is
    workers : number of processes; None for as many as pay, 1 for this one alone
    """

    progress: Progress = True
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.workers is not None:
            check_count("workers", self.workers, most=MOST_ASKED)
        if not (isinstance(self.progress, bool) or callable(self.progress)):
            raise FitError(f"progress={self.progress!r:.60} is not known", hint="give True, False or a function")

    def helpers(self, ahead: float) -> int:
        """
        Return how many helper processes to start, 0 for none.

        ahead : seconds of work that are left
        """
        if self.workers is not None:
            return self.workers if self.workers > 1 and ahead > 0 and is_possible() else 0
        cores = min(_cores(), MOST_WORKERS)
        return cores if cores > 1 and ahead > PAYS and is_possible() else 0


QUIET = Running(progress=False)


def _cores() -> int:
    """Return the number of processors that this process may use."""
    known = getattr(os, "sched_getaffinity", None)
    return len(known(0)) if known else os.cpu_count() or 1


class _Jobs(Generic[J]):
    """Jobs with their sizes, handed out one by one with their numbers, to whichever thread asks."""

    def __init__(self, jobs: Iterable[tuple[int, J]]) -> None:
        self._iterator = enumerate(jobs)
        self._lock = Lock()

    def take(self) -> tuple[int, int, J] | None:
        """Return number, size and job; None when there is no more."""
        with self._lock:
            number, job = next(self._iterator, (0, None))
        return None if job is None else (number, *job)


def each(
    work: Callable[[J], R], jobs: Iterable[tuple[int, J]], total: int, *, running: Running = QUIET, what: str = ""
) -> list[R]:
    """
    Return the result of each job, in their order; the arguments are those of `outcomes`.

    >>> each(lambda x: 2 * x, [(1, 3), (1, 4)], 2)
    [6, 8]
    """
    with closing(outcomes(work, jobs, total, running=running, what=what)) as found:
        return [result for _, result in sorted(found, key=itemgetter(0))]


def outcomes(
    work: Callable[[J], R], jobs: Iterable[tuple[int, J]], total: int, *, running: Running = QUIET, what: str = ""
) -> Generator[tuple[int, R], None, None]:
    """
    Yield number and result of each job, in the order in which they are done.

    work : what is done to a job; helpers receive a copy of it
    jobs : size and job; they are made one by one, in their order
    total : sum of the sizes
    what : one word for the progress bar
    """
    todo, begin, done = _Jobs(jobs), time.monotonic(), 0
    ahead = math.inf if total > 1 else 0.0
    with told(running.progress, total, what) as report:
        while True:
            if (done or running.workers) and (n := running.helpers(ahead)) and (copy := written(work)):
                answers = _shared(work, copy, n, todo)
                break
            if (taken := todo.take()) is None:
                return
            number, size, job = taken
            result = work(job)
            done += size
            report(done)
            yield number, result
            ahead = (time.monotonic() - begin) * (total - done) / done
        with closing(answers):
            for number, size, result in answers:
                done += size
                report(done)
                yield number, result


def _shared(work: Callable[[J], R], copy: bytes, n: int, todo: _Jobs[J]) -> Generator[tuple[int, int, R], None, None]:
    """Share the jobs that are left with n helpers; they end whatever ends this."""
    stopped = Event()
    answers: Answers[R] = queue.SimpleQueue()
    helpers = [Helper(copy) for _ in range(n)]
    threads = [Thread(target=_feed, args=(h, work, todo, answers, stopped), daemon=True) for h in helpers]
    try:
        for thread in threads:
            thread.start()
        yield from _received(answers, n)
    finally:
        stopped.set()
        for helper in helpers:
            helper.end()
        for thread in threads:
            thread.join()
        for helper in helpers:
            helper.close()


def _received(answers: Answers[R], n: int) -> Iterator[tuple[int, int, R]]:
    """Yield answers until n threads have said that they are done; raise what went wrong in one of them."""
    while n:
        try:
            answer = answers.get(timeout=POLL)  # with a timeout, Ctrl-C is heard on every system
        except queue.Empty:
            continue
        if isinstance(answer, BaseException):
            raise answer
        if answer is None:
            n -= 1
        else:
            yield answer


def _feed(helper: Helper, work: Callable[[J], R], todo: _Jobs[J], answers: Answers[R], stopped: Event) -> None:
    """Pass jobs to a helper, and do them here where it can't."""
    try:
        while not stopped.is_set() and (taken := todo.take()) is not None:
            number, size, job = taken
            helped = helper.ask(job)
            if stopped.is_set():
                return
            answers.put((number, size, work(job) if helped is None else helped[0]))
        answers.put(None)
    except BaseException as error:  # noqa: BLE001 (raised where it is received)
        answers.put(error)


@contextmanager
def told(progress: Progress, total: int, what: str) -> Iterator[Callable[[int], object]]:
    """
    Give a function that reports how much is done: to a callable, to a bar on a terminal, or nobody.

    The bar appears only where the work takes long enough for one to wonder.
    """
    if callable(progress):
        yield lambda done: progress(done, total)
    elif progress and sys.stderr is not None and sys.stderr.isatty():
        with ExitStack() as stack:
            begin, bars = time.monotonic(), list[Callable[[int], object]]()

            def report(done: int) -> None:
                if not bars and time.monotonic() - begin > PATIENCE:
                    bars.append(stack.enter_context(_bar(total, what)))
                for bar in bars:
                    bar(done)

            yield report
    else:
        yield lambda done: None  # noqa: ARG005


@contextmanager
def _bar(total: int, what: str) -> Iterator[Callable[[int], object]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)
