"""
The processes of CmdStan, held on to: what they print is heard while they run, and an interrupt ends them.

cmdstanpy starts its processes itself, and hands out neither them nor what they print until they have ended. So the one
method of its model that runs a process is replaced here. A cmdstanpy that has no such method runs them as it likes:
then there is no progress before the end, and an interrupt has to wait for it.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TextIO, TypeVar

from cmdstanpy import CmdStanModel, compilation

T = TypeVar("T")
MOMENT = 0.1
"""Seconds between two looks at processes that run."""
PATIENCE = 5.0
"""Seconds that a process has to end after it has been asked to."""


@dataclass(slots=True)
class Watch:
    """
    Holds on to the processes of one run.

    hear : called with every line that a process prints, and its position among the processes
    csv_files : where each chain's draws are written
    console : what the processes have printed
    sessions : whether each process has a session of its own, and ends with those that it has started
    """

    hear: Callable[[str, int], object]
    csv_files: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    sessions: bool = False
    _running: set[subprocess.Popen[str]] = field(default_factory=set)
    _stopped: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def during(self, call: Callable[[], T], look: Callable[[], object]) -> T:
        """
        Call what runs processes, in a thread of its own so that an interrupt reaches us and not the middle of it.

        look : called every moment meanwhile; when it fails, or at an interrupt, the processes end first
        """
        with ThreadPoolExecutor(max_workers=1) as pool:
            future = pool.submit(call)
            try:
                while wait([future], timeout=MOMENT).not_done:
                    look()
            except BaseException:
                self.stop()
                raise
            return future.result()

    def run(self, command: list[str], number: int, transcript: str, timeout: float | None) -> tuple[int, bool]:
        """
        Run one process to its end; return its code, and whether it took too long.

        number : its position among the processes
        transcript : file for what it prints
        """
        late = threading.Event()
        with open(transcript, "w", encoding="utf-8") as copy:  # noqa: PTH123 (cmdstanpy's paths are text)
            process = self.started(command)
            if process is None:
                return -1, False

            def end() -> None:
                late.set()
                process.terminate()

            timer = threading.Timer(timeout or 0, end)
            if timeout:
                timer.start()
            try:
                with process:
                    for line in process.stdout or ():
                        copy.write(line)
                        self.console.append(line)
                        self.hear(line, number)
            finally:
                timer.cancel()
                self._running.discard(process)
            return process.returncode, late.is_set()

    def started(self, command: list[str], folder: str | None = None) -> subprocess.Popen[str] | None:
        """Start a process in a folder; None after a stop."""
        with self._lock:
            if self._stopped:
                return None
            process = subprocess.Popen(  # noqa: S603 (what was compiled here, or make)
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                start_new_session=self.sessions,
            )
            self._running.add(process)
            return process

    def stop(self) -> None:
        """End all processes, and let none begin."""
        with self._lock:
            self._stopped = True
            running = tuple(self._running)
        for process in running:
            self._end(process, signal.SIGTERM)
        for process in running:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._end(process, getattr(signal, "SIGKILL", signal.SIGTERM))

    def _end(self, process: subprocess.Popen[str], how: signal.Signals) -> None:
        if not self.sessions:
            process.send_signal(how)
        elif process.poll() is None:
            os.killpg(process.pid, how)


COMPILING = threading.Lock()
"""Held while cmdstanpy's way to run a command is replaced."""


def compiled_by(call: Callable[[], T]) -> T:
    """Call what compiles; an interrupt ends the compiler with all its processes, also if it reaches Python alone."""
    watch = Watch(lambda *_: None, sessions=os.name != "nt")
    with COMPILING, _replaced(partial(_command, watch)):
        return watch.during(call, bool)


@contextmanager
def _replaced(command: Callable[..., None]) -> Iterator[None]:
    """Put a function in the place of that by which cmdstanpy runs make, where there is one."""
    original = getattr(compilation, "do_command", None)
    if original is None or os.name == "nt":
        yield
        return
    compilation.do_command = command
    try:
        yield
    finally:
        compilation.do_command = original


def _command(watch: Watch, cmd: list[str], cwd: str | None = None, *, fd_out: TextIO | None = None, **_: Any) -> None:  # noqa: ANN401
    """Run a command as cmdstanpy does, but hold on to it."""
    try:
        process = watch.started(cmd, cwd)
    except OSError as error:
        raise RuntimeError(f"Command: {cmd}\nfailed with error {error}\n") from error
    if process is None:
        return
    with process:
        for line in process.stdout or ():
            if fd_out is not None:
                fd_out.write(line)
    if process.returncode:
        raise RuntimeError(f"Command {cmd}\n\texited with code '{process.returncode}'")


class WatchedModel(CmdStanModel):  # type: ignore[misc] # it has no types
    """
    A compiled model whose processes are held on to.

    watch : of the run to come
    """

    watch: Watch

    def _run_cmdstan(self, runset: Any, idx: int = 0, *_: Any, timeout: float | None = None, **__: Any) -> None:  # noqa: ANN401
        """Run one process of a run, and say how it ended."""
        self.watch.csv_files = list(runset.csv_files)
        code, late = self.watch.run(runset.cmd(idx), idx, runset.stdout_files[idx], timeout)
        runset._set_retcode(idx, code)  # noqa: SLF001 (as the method that this one replaces)
        runset._set_timeout_flag(idx, late)  # noqa: SLF001
