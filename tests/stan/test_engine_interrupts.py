"""Ctrl-C during a run, as a real signal to a process of its own: what was drawn is kept, and nothing is left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lmmformula.errors import FitWarning
from lmmformula.stan.engines.cmdstan_files import Growing, complete_rows, read_chains
from lmmformula.stan.engines.interrupted import usable_chains, warn_of_interrupt

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals differ there")

TESTS = str(Path(__file__).parents[1])

RUN = f"""
import json, os, sys, threading, warnings
sys.path.insert(0, {TESTS!r})
from lmmformula.stan.engines.choice import sample
from programs import program_of

def heard(done, total):
    if done > settings["tell_from"]:
        os.write(2, b"drawing\\n")

settings = json.loads(sys.argv[1])
if settings["load_in_thread"]:
    loading = threading.Thread(target=__import__, args=("stanli",))
    loading.start()
    loading.join()
run = {{"chains": 2, "seed": 1, "progress": heard, "parallel_chains": 2, **settings["run"]}}
said = {{}}
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    try:
        draws = sample(program_of("intercept"), **run)
        said = {{"chains": draws.n_chains, "draws": draws.n_draws, "sigma": list(draws["sigma"].shape)}}
        said["finite"] = all(bool((values == values).all()) for values in draws.values())
        said["positive"] = bool((draws["sigma"] > 0).all() and (draws.statistics["stepsize"] > 0).all())
    except KeyboardInterrupt:
        said["interrupted"] = True
said["warnings"] = [str(warning.message) for warning in caught]
try:
    said["children"] = os.waitpid(-1, os.WNOHANG)[0]
except ChildProcessError:
    said["children"] = None
said["threads"] = threading.active_count()
print(json.dumps(said))
"""


def interrupted(
    environment: dict[str, str], tell_from: int, *, load_in_thread: bool = False, **run: Any
) -> dict[str, Any]:
    """Sample in a process, send it Ctrl-C's signal once it has said that it is far enough, and return what it says."""
    settings = {"tell_from": tell_from, "load_in_thread": load_in_thread, "run": run}
    words = [sys.executable, "-c", RUN, json.dumps(settings)]
    process = subprocess.Popen(
        words, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    said = process.stderr.readline()
    assert said == "drawing\n", said + process.communicate()[1]
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return json.loads(output.splitlines()[-1])


@pytest.fixture(params=["stanli", "cmdstan"])
def engine(request: pytest.FixtureRequest, standin: Path, home: Path) -> tuple[str, dict[str, str]]:
    """Return an engine's name, and the environment in which it is found: CmdStan is the stand-in."""
    if request.param == "cmdstan" and shutil.which("make") is None:
        pytest.skip("cmdstanpy compiles with make, which is not installed")
    return request.param, {"CMDSTAN": str(standin), "XDG_CACHE_HOME": str(home)}


def test_an_interrupt_keeps_what_was_drawn(engine: tuple[str, dict[str, str]]) -> None:
    """The draws of every chain up to a common length come back, with a warning that counts them; no process is left."""
    name, environment = engine
    said = interrupted(environment, 2 * 1500, engine=name, warmup=200, draws=10**6)
    assert 1 <= said["chains"] <= 2
    assert 10 <= said["draws"] < 10**6
    assert said["sigma"] == [said["chains"], said["draws"]]
    assert said["finite"]
    assert said["positive"]
    counted = f"{said['chains']} of 2 chains with {said['draws']} of 1000000 draws"
    assert said["warnings"] == [f"interrupted: {counted} each are what there is"]
    assert said["children"] is None
    assert said["threads"] == 1


def test_an_interrupt_before_the_first_draw_is_an_interrupt(engine: tuple[str, dict[str, str]]) -> None:
    """During warm-up there is nothing to keep: KeyboardInterrupt, without a trace of anything else."""
    name, environment = engine
    said = interrupted(environment, 1, engine=name, warmup=10**6, draws=10)
    assert said == {"interrupted": True, "warnings": [], "children": None, "threads": 1}


def test_an_interrupt_reaches_a_run_in_another_process() -> None:
    """Where stanli can't run in the main thread, Ctrl-C there keeps what was drawn, or stays one if that is nothing."""
    run = {"load_in_thread": True, "engine": "stanli", "chains": 1}
    said = interrupted({}, 1500, **run, warmup=200, draws=10**6)
    assert 10 <= said["draws"] < 10**6
    assert said["sigma"] == [1, said["draws"]]
    assert said["finite"]
    assert said["positive"]
    assert said["warnings"] == [
        f"interrupted: 1 of 1 chains with {said['draws']} of 1000000 draws each are what there is"
    ]
    assert (said["children"], said["threads"]) == (None, 1)
    said = interrupted({}, 1, **run, warmup=10**6, draws=10)
    assert said == {"interrupted": True, "warnings": [], "children": None, "threads": 1}


@pytest.mark.parametrize(
    ("counts", "chains", "draws"),
    [
        ([100, 100, 100, 100], [0, 1, 2, 3], 100),
        ([1000, 990, 200, 0], [0, 1], 990),
        ([0, 300, 200, 290], [1, 2, 3], 200),
        ([60, 20, 20], [0, 1, 2], 20),
        ([9, 9, 9, 9], [], 0),
        ([0], [], 0),
    ],
)
def test_the_chains_that_keep_most_are_kept(counts: list[int], chains: list[int], draws: int) -> None:
    """Of chains of different lengths those are kept that have most draws in all; of equals, more chains; or none."""
    assert usable_chains(counts) == (chains, draws)


def test_the_warning_counts() -> None:
    """It says how many chains and draws there are, and were wanted."""
    with pytest.warns(FitWarning, match="1 of 4 chains with 12 of 1000 draws"):
        warn_of_interrupt([2], 12, (4, 1000))


HEADER = "# comment\nlp__,divergent__,m.1,m.2\n"


def test_files_that_are_cut_off_are_read_to_their_last_complete_row(tmp_path: Path) -> None:
    """Half a row, comments between rows, and files that are not there yet are no obstacle."""
    files = [tmp_path / "1.csv", tmp_path / "2.csv", tmp_path / "3.csv"]
    rows = [f"-{i},{i % 2},0.{i},1.5\n" for i in range(1, 13)]
    files[0].write_text(HEADER + "# Adaptation terminated\n" + "".join(rows) + "-13,0,0.2")
    files[1].write_text(HEADER + "".join(rows[:10]) + "-11,0,0.2,1.")
    assert complete_rows(files[0])[1][0] == "-1,1,0.1,1.5"
    variables, chains = read_chains(files)
    assert chains == [0, 1]
    assert {name: values.shape for name, values in variables.items()} == {
        "lp__": (2, 10),
        "divergent__": (2, 10),
        "m": (2, 10, 2),
    }
    np.testing.assert_array_equal(variables["lp__"], -np.tile(np.arange(1.0, 11.0), (2, 1)))
    assert read_chains(files[2:]) == ({}, [])


def test_divergent_draws_are_counted_as_a_file_grows(tmp_path: Path) -> None:
    """Each look reads what is new; half a row is counted when it is whole."""
    file = tmp_path / "1.csv"
    growing = Growing(file)
    growing.look()
    assert growing.divergent == 0
    seen = []
    for text in (HEADER + "-1,1,0.5,1\n-2,0,", "0.5,1\n-3,1", ",0.5,1\n# 1,1,1,1\n-4,1,1,1\n"):
        with file.open("a", encoding="utf-8") as stream:
            stream.write(text)
        growing.look()
        seen.append(growing.divergent)
    assert seen == [1, 1, 3]
