"""
Processes of this package's own: Python that runs one of its functions, with pipes to and from it.

Such a process runs a function of the package and not the user's script, so that scripts need no guard, and nothing is
forked.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress


def is_possible() -> bool:
    """Tell whether there is a Python to start: not so where it is part of another program."""
    return bool(sys.executable) and not getattr(sys, "frozen", False) and sys.platform not in ("emscripten", "wasi")


def started(program: str, *, environment: Mapping[str, str] | None = None) -> "subprocess.Popen[bytes]":
    """
    Start a Python that finds what this one finds, and that a terminal's Ctrl-C does not reach: that is its owner's.

    program : its text
    environment : what it has beside the environment of this process

    Raises
    ------
    OSError
        No process can be started.
    """
    paths = os.pathsep.join(path for path in sys.path if path)
    group = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
    return subprocess.Popen(  # noqa: S603 (the Python that runs this)
        [sys.executable, "-P", "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | dict(environment or {}) | {"PYTHONPATH": paths},
        start_new_session=True,
        creationflags=group,
    )


def close_pipes(process: "subprocess.Popen[bytes]") -> None:
    """Close the pipes of a process that has ended."""
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):  # what was not yet written has nowhere to go
            pipe.close()  # type: ignore[union-attr]  # both were asked for
