"""
Helper processes: a copy of some work goes in by a pipe, then jobs, and results come out.

A helper ends with the pipe, so none is left behind whatever happens to its owner.
"""

import os
import pickle
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

from lmmformula.processes import close_pipes, started

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Processes share the processors already."""

PROGRAM = "from lmmformula.inference.refits.helper_process import serve; serve()"


def written(work: object) -> bytes | None:
    """Return work as bytes for a helper; None where it can't be written, as with a function of the user's."""
    try:
        return pickle.dumps(work)
    except (pickle.PicklingError, AttributeError, TypeError):
        return None


class Helper:
    """A process that does jobs for one thread of its owner."""

    def __init__(self, work: bytes) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.work = work
        with suppress(OSError):  # where no process can be started, the owner works alone
            self.process = started(PROGRAM, environment=ONE_THREAD)

    def ask(self, job: object) -> tuple[Any] | None:
        """Return the result of a job in a tuple; None where it can't be done here."""
        process = self.process
        if process is None or process.stdin is None or process.stdout is None:
            return None
        try:
            process.stdin.write(self.work)
            self.work = b""
            pickle.dump(job, process.stdin)
            process.stdin.flush()
            done, result = pickle.load(process.stdout)  # noqa: S301 (of a process of our own)
        except (OSError, EOFError, ValueError, AttributeError, TypeError, pickle.PickleError):
            self.end()
            return None
        return (result,) if done else None

    def end(self) -> None:
        """End the process; a thread that waits for its answer gets None."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def close(self) -> None:
        """Close the pipes of a process that has ended."""
        if self.process is not None:
            close_pipes(self.process)


def serve() -> None:
    """Do jobs from standard input until it ends; what work prints goes elsewhere."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the owner's to answer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve_streams(sys.stdin.buffer, answers)


def serve_streams(jobs: BinaryIO, answers: BinaryIO) -> None:
    """Read work and jobs, and write for each whether it was done, and its result."""
    work: Callable[[object], object] = pickle.load(jobs)  # noqa: S301 (of the process that started this one)
    while True:
        try:
            job = pickle.load(jobs)  # noqa: S301
        except EOFError:
            return
        try:
            answer = (True, work(job))
        except Exception:  # noqa: BLE001 (the owner does this job again, and meets the error)
            answer = (False, None)
        pickle.dump(answer, answers)
        answers.flush()
