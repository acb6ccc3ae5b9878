"""
The processes of CmdStan, held on to: what they print is heard while they run, and an interrupt ends them.

cmdstanpy starts its processes itself, and hands out neither them nor what they print until they have ended. So the one
method of its model that runs a process is replaced here. A cmdstanpy that has no such method runs them as it likes:
then there is no progress before the end, and an interrupt has to wait for it.
"""

import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cmdstanpy import CmdStanModel

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
    """

    hear: Callable[[str, int], object]
    csv_files: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
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
            process = self._started(command)
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

    def _started(self, command: list[str]) -> subprocess.Popen[str] | None:
        with self._lock:
            if self._stopped:
                return None
            process = subprocess.Popen(  # noqa: S603 (the executable was compiled here)
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
            )
            self._running.add(process)
            return process

    def stop(self) -> None:
        """End all processes, and let none begin."""
        with self._lock:
            self._stopped = True
            running = tuple(self._running)
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


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
