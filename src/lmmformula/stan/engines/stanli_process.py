"""
A run of stanli in a process of its own, for threads in which stanli can't take gradients.

The program and the run go in by a pipe. Out come how far the chains are, and in the end the draws, or the error, with
the warnings. Whatever ends the owner ends the process too.
"""

import _thread
import os
import pickle
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from queue import Empty, SimpleQueue
from threading import Thread, current_thread, main_thread
from typing import TYPE_CHECKING, Any

from lmmformula.errors import EngineError, warn
from lmmformula.processes import close_pipes, is_possible, started
from lmmformula.stan.draws import Draws
from lmmformula.stan.engines.progress import Report, Tally
from lmmformula.stan.engines.run import Run
from lmmformula.stan.engines.stanli_sampling import draws_here
from lmmformula.stan.generate import StanProgram

if TYPE_CHECKING:
    import subprocess

PROGRAM = "from lmmformula.stan.engines.stanli_process import serve; serve()"
STOP = b"!"
"""What the owner writes to end a run early."""
POLL = 0.2
"""Seconds between looks at the keyboard."""


def draws_elsewhere(program: StanProgram, run: Run, report: Report | None) -> Draws:
    """
    Sample in a new process; an interrupt is passed on to it, and what has been drawn by then comes back.

    Raises
    ------
    EngineError
        What went wrong there; or there is no such process, or it was ended.
    """
    process = _process()
    said: SimpleQueue[Any] = SimpleQueue()
    listener = Thread(target=_listen, args=(process, said), daemon=True)
    try:
        listener.start()
        with suppress(OSError):  # a process that ends at once is met when it is read from
            pickle.dump((program, replace(run, progress=False), report is not None), process.stdin)  # type: ignore[arg-type]
            process.stdin.flush()  # type: ignore[union-attr]
        with _interrupts_passed_on(process):
            return _result(said, Tally(run.chains, run.each), report)
    except EOFError:
        message = f"the process in which stanli ran has ended too early (exit status {process.wait()})"
        raise EngineError(message) from None
    finally:
        process.kill()
        process.wait()
        listener.join()
        close_pipes(process)


def _result(said: "SimpleQueue[Any]", tally: Tally, report: Report | None) -> Draws:
    """Wait for the result of a process, and tell how far its chains are until then."""
    while True:
        try:
            message = said.get(timeout=POLL)  # with a timeout, Ctrl-C is heard on every system
        except Empty:
            continue
        if message is None:
            raise EOFError
        if isinstance(message, dict):
            tally.reached = message
            if report is not None:
                tally.tell(report)
            continue
        result, heard = message
        for warning in heard:
            warn(str(warning), category=type(warning))
        if isinstance(result, BaseException):
            raise result
        return result  # type: ignore[no-any-return]


@contextmanager
def _interrupts_passed_on(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Pass the first interrupt from the keyboard on to a process; only the main thread meets any."""
    if current_thread() is not main_thread() or signal.getsignal(signal.SIGINT) in (signal.SIG_IGN, None):
        yield
        return

    def pass_on(number: int, frame: object) -> None:
        del number, frame
        signal.signal(signal.SIGINT, before)
        with suppress(OSError):  # it may have ended
            process.stdin.write(STOP)  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]

    before = signal.signal(signal.SIGINT, pass_on)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _process() -> "subprocess.Popen[bytes]":
    try:
        if is_possible():
            return started(PROGRAM)
    except OSError as error:
        reason = error.strerror
    else:
        reason = "Python is part of another program"
    message = f"stanli needs a process of its own to run in this thread, and none can be started: {reason}"
    raise EngineError(message, hint="run it in the main thread, or sample two chains or more in parallel")


def _listen(process: "subprocess.Popen[bytes]", said: "SimpleQueue[Any]") -> None:
    """Pass on what a process says, in the end None."""
    with suppress(OSError, EOFError, ValueError, pickle.PickleError):
        while True:
            said.put(pickle.load(process.stdout))  # type: ignore[arg-type]  # noqa: S301 (of a process of our own)
    said.put(None)


def serve() -> None:
    """Do the run that is described on standard input; what stanli prints goes elsewhere."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def tell(message: object) -> None:
        pickle.dump(message, answers)
        answers.flush()

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            program, run, heard = pickle.load(sys.stdin.buffer)  # noqa: S301 (of the process that started this one)
            Thread(target=_obey, daemon=True).start()
            result: object = draws_here(program, run, (lambda tally: tell(dict(tally.reached))) if heard else None)
        except BaseException as error:  # noqa: BLE001 (raised where it is received)
            result = error
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    tell((result, [warning.message for warning in said]))
    os._exit(0)  # without waiting for the thread that waits for the owner


def _obey() -> None:
    """Interrupt the run when the owner says so, and end when it is gone."""
    while sys.stdin.buffer.read(1) == STOP:
        _thread.interrupt_main()
    os._exit(1)
