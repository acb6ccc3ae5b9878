"""Compiled programs, kept for the next time: one folder for each program text, CmdStan and set of its options."""

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from lmmformula.errors import EngineError
from lmmformula.stan.engines.places import compile_error
from lmmformula.stan.engines.progress import compiling
from lmmformula.stan.engines.run import Progress

SOURCE = "model.stan"
EXECUTABLE = "model.exe" if sys.platform == "win32" else "model"
LINES = 3
"""Lines of a tool's output that an error quotes."""


def cache_folder() -> Path:
    """Return the folder where compiled programs are kept: the user's cache folder for this package."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "lmmformula" / "cmdstan"


def cache_key(code: str, *, compiler: str = "") -> str:
    """
    Name a program by what it computes: its text without comments, and what compiles it.

    >>> cache_key("data { int N; } // 3 rows") == cache_key("data { int N; } // 4 rows")
    True
    """
    bare = re.sub(r"\s+", " ", re.sub(r"//[^\n]*", "", code)).strip()
    return hashlib.sha256(f"{compiler}\n{bare}".encode()).hexdigest()[:16]


def compiled(cmdstanpy: ModuleType, code: str, options: Mapping[str, Any], *, progress: Progress = False) -> Path:
    """
    Compile a program, unless that has been done before; return the folder that holds its source and its executable.

    It is compiled in a folder of its own, which is moved to its place when it is complete: whoever else looks for it,
    in this process or another, finds all or nothing. Two that compile the same program at once do so twice, and the
    first to end is the one that stays.

    progress : whether to say on a terminal that it is compiled
    options : "cpp_options" and "stanc_options" of cmdstanpy; those that are False are left out, as make takes any
        value for true

    Raises
    ------
    EngineError
        The program does not compile, or there is no compiler.
    """
    chosen = {name: {n: v for n, v in values.items() if v is not False} for name, values in options.items()}
    compiler = f"{cmdstanpy.cmdstan_path()} {sorted((n, sorted(map(str, v.items()))) for n, v in chosen.items() if v)}"
    place = cache_folder() / cache_key(code, compiler=compiler)
    if _is_complete(place):
        return place
    from lmmformula.stan.engines.cmdstan_process import compiled_by

    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".building-", dir=cache_folder(), ignore_cleanup_errors=True) as folder:
            built = Path(folder) / "built"
            built.mkdir()
            (built / SOURCE).write_text(code, encoding="utf-8")
            with compiling(progress):
                compiled_by(lambda: cmdstanpy.CmdStanModel(stan_file=built / SOURCE, **chosen))
            _move(built, place)
    except (OSError, RuntimeError, ValueError) as error:
        raise _failure(code, str(error)) from error
    return place


def _is_complete(place: Path) -> bool:
    return (place / SOURCE).is_file() and (place / EXECUTABLE).is_file()


def _move(built: Path, place: Path) -> None:
    """Move a complete folder to its place, unless another has come first; an incomplete one there makes way."""
    with suppress(OSError):  # a folder that is not empty is in the way
        built.rename(place)
        return
    if _is_complete(place):
        return
    shutil.rmtree(place, ignore_errors=True)
    try:
        built.rename(place)
    except OSError:
        if not _is_complete(place):
            raise


def _failure(code: str, message: str) -> EngineError:
    """Tell what stanc says of the program from what else can fail while make runs."""
    stanc = r"^(?:Syntax|Semantic) error in .*?(?=^\S*make\S*: |^Command |\Z)"
    said = re.search(stanc, message, re.DOTALL | re.MULTILINE)
    if said:
        return compile_error("CmdStan", code, said[0])
    lines = [line.strip() for line in message.splitlines() if "error" in line.lower()] or [message]
    return EngineError(
        "CmdStan could not compile the program: " + "; ".join(lines[:LINES]),
        hint="look whether `make` and a C++ compiler are installed, and CmdStan is complete",
    )
