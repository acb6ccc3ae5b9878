"""The cache of compiled programs: complete or not there, whoever else is compiling; and what reaches the compiler."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lmmformula.errors import EngineError
from lmmformula.stan.engines.choice import sample
from lmmformula.stan.engines.cmdstan_cache import EXECUTABLE, SOURCE, cache_folder
from programs import program_of

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is made of POSIX scripts"),
    pytest.mark.skipif(shutil.which("make") is None, reason="cmdstanpy compiles with make, which is not installed"),
]

BRIEF: dict[str, Any] = {"engine": "cmdstan", "chains": 1, "warmup": 60, "draws": 20, "seed": 3, "progress": False}

TWIN = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from lmmformula.stan.engines.choice import sample
from programs import program_of
sys.stdin.readline()
draws = sample(program_of("intercept"), **{BRIEF!r})
print(draws["sigma"].sum())
"""


@pytest.fixture
def cache(standin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point to the stand-in and to an empty cache of this test's own."""
    monkeypatch.setenv("CMDSTAN", str(standin))
    monkeypatch.setenv("STAN_NUM_THREADS", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    return cache_folder()


def entries(cache: Path) -> list[list[str]]:
    """List what is in each folder of a cache."""
    return [sorted(file.name for file in folder.iterdir()) for folder in sorted(cache.iterdir())]


def is_complete(names: list[str]) -> bool:
    """Tell whether a folder has a source and an executable."""
    return {SOURCE, EXECUTABLE} <= set(names)


def test_two_processes_compile_one_program_at_once(cache: Path) -> None:
    """Both sample, and one complete folder is left, without anything half made."""
    twins = [
        subprocess.Popen([sys.executable, "-c", TWIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    sums = []
    for twin in twins:  # each waits for a line, so that both begin at once
        assert twin.stdin is not None
        twin.stdin.write("go\n")
        twin.stdin.flush()
    for twin in twins:
        output, _ = twin.communicate(timeout=100)
        assert twin.returncode == 0
        sums.append(float(output))
    assert sums[0] == sums[1]
    (names,) = entries(cache)
    assert is_complete(names)


@pytest.mark.parametrize("left", [[], [SOURCE], [EXECUTABLE]], ids=["nothing", "a source", "an executable"])
def test_a_folder_that_is_not_complete_is_made_anew(cache: Path, left: list[str]) -> None:
    """What a process that died has left in the cache's place is no obstacle, and is not run."""
    sample(program_of("intercept"), **BRIEF)
    (folder,) = cache.iterdir()
    for file in folder.iterdir():
        if file.name not in left:
            file.unlink()
        else:
            file.write_text("broken", encoding="utf-8")
    sample(program_of("intercept"), **BRIEF)
    (names,) = entries(cache)
    assert is_complete(names)


def test_a_program_that_does_not_compile_leaves_nothing(cache: Path) -> None:
    """Neither in the cache nor beside it."""
    broken = replace(program_of("intercept"), code="parameters { real x } model { }")
    with pytest.raises(EngineError, match="does not accept"):
        sample(broken, **BRIEF)
    assert list(cache.iterdir()) == []


def test_a_cache_that_can_t_be_written_is_an_error(cache: Path, tmp_path: Path) -> None:
    """A file where the folder should be is told as ours."""
    (tmp_path / "lmmformula").write_text("", encoding="utf-8")
    del cache
    with pytest.raises(EngineError, match="could not compile"):
        sample(program_of("intercept"), **BRIEF)


MAKE = """#!/bin/sh
echo "$@" >> {log}
exec make "$@"
"""

COMPILED: dict[str, tuple[dict[str, Any], list[str], list[str]]] = {
    "threads": ({"cpp_options": {"STAN_THREADS": True}}, ["STAN_THREADS=True"], ["STAN_OPENCL"]),
    "what is False": ({"cpp_options": {"STAN_THREADS": False}}, [], ["STAN_THREADS"]),
    "OpenCL": (
        {"opencl_ids": (0, 1)},
        ["STAN_OPENCL=TRUE", "OPENCL_PLATFORM_ID=0", "OPENCL_DEVICE_ID=1"],
        ["STAN_THREADS"],
    ),
    "both": (
        {"opencl_ids": [2, 0], "cpp_options": {"STAN_THREADS": True}},
        ["STAN_THREADS=True", "OPENCL_PLATFORM_ID=2", "OPENCL_DEVICE_ID=0"],
        [],
    ),
    "stanc": ({"stanc_options": {"warn-pedantic": True}}, ["STANCFLAGS+=--warn-pedantic"], []),
}


@pytest.mark.parametrize("about", COMPILED)
def test_options_reach_make(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, about: str) -> None:
    """Threads, devices for OpenCL and flags of stanc are in make's words; those that are False are not."""
    options, present, absent = COMPILED[about]
    log, make = tmp_path / "log.txt", tmp_path / "make.sh"
    make.write_text(MAKE.format(log=log), encoding="utf-8")
    make.chmod(0o755)
    monkeypatch.setenv("MAKE", str(make))
    sample(program_of("intercept"), **BRIEF, **options)
    sample(program_of("intercept"), **BRIEF, **options)
    (words,) = log.read_text(encoding="utf-8").splitlines()  # made once
    assert all(word in words.split() for word in present)
    assert not any(word in words for word in absent)
    assert len(list(cache.iterdir())) == 1


def test_other_options_are_another_executable(cache: Path) -> None:
    """One program with and without threads is kept twice, and threads reach the processes."""
    sample(program_of("intercept"), **BRIEF)
    two = BRIEF | {"chains": 2}
    sample(program_of("intercept"), **two, cpp_options={"STAN_THREADS": True}, parallel_chains=2, threads_per_chain=3)
    assert os.environ["STAN_NUM_THREADS"] == "6"
    assert len(list(cache.iterdir())) == 2
    made = [
        subprocess.run([folder / EXECUTABLE, "info"], check=True, capture_output=True) for folder in cache.iterdir()
    ]
    assert sorted(b"STAN_THREADS=true" in run.stdout for run in made) == [False, True]


def test_data_of_any_size_reach_the_executable(cache: Path) -> None:
    """A program whose data have no rows to speak of, only sums, runs like any other."""
    draws = sample(program_of("sums_slope"), **BRIEF)
    assert json.dumps(draws["sigma"].tolist())
    assert len(list(cache.iterdir())) == 1
