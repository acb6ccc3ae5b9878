"""stanli in other threads than the one that loaded it, where its gradients end the process: each case is a process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TESTS = str(Path(__file__).parents[1])

START = f"""
import json, os, sys, threading
sys.path.insert(0, {TESTS!r})
from lmmformula.errors import EngineError
from lmmformula.stan.engines import stanli_process
from lmmformula.stan.engines.choice import optimize, sample
from programs import program_of

SHORT = {{"warmup": 100, "draws": 40, "seed": 3, "progress": False}}
RUNS = {{
    "one chain": lambda: sample(program_of("intercept"), chains=1, **SHORT),
    "one by one": lambda: sample(program_of("intercept"), chains=2, parallel_chains=1, **SHORT),
    "in parallel": lambda: sample(program_of("intercept"), chains=2, **SHORT),
    "from Pathfinder": lambda: sample(program_of("intercept"), chains=2, pathfinder_init={{}}, **SHORT),
    "a mode": lambda: optimize(program_of("intercept"), seed=1),
}}

def in_threads(*works):
    results = [None] * len(works)
    def work(i):
        results[i] = works[i]()
    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results

def sigma(draws):
    return draws["sigma"].ravel().tolist()
"""


def said_by(script: str) -> Any:
    """Run a script in a process of its own, and read what it prints."""
    run = subprocess.run(
        [sys.executable, "-c", START + script], check=False, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, f"exit status {run.returncode}: {run.stderr}"
    return json.loads(run.stdout.splitlines()[-1])


LOADED = {
    "by the main thread": "RUNS['in parallel']()",
    "by a thread that is gone": "in_threads(RUNS['in parallel'])",
    "by the user": "import stanli",
    "by a thread of the user's": "in_threads(lambda: __import__('stanli'))",
}


@pytest.mark.parametrize("loaded", LOADED)
def test_every_thread_can_run_everything(loaded: str) -> None:
    """Whoever loaded stanli: all kinds of runs give in all threads, also at once, the same draws as in any other."""
    script = f"""
{LOADED[loaded]}
here = [sigma(run()) for run in RUNS.values()]
one_by_one = [sigma(in_threads(run)[0]) for run in RUNS.values()]
at_once = [sigma(draws) for draws in in_threads(*RUNS.values())]
print(json.dumps([len(set(map(len, here))), here == one_by_one, here == at_once]))
"""
    assert said_by(script) == [3, True, True]


def test_what_is_told_in_another_process_is_told_here() -> None:
    """Progress up to the end, errors of a program with their place, what a listener raises, and a process that dies."""
    script = """
from dataclasses import replace

def caught(run):
    try:
        run()
    except (EngineError, ZeroDivisionError) as error:
        return str(error)

heard = []
def listen(done, total):
    heard.append((done, total))

wrong = replace(program_of("slope"), code=program_of("slope").code.replace("prior_b_scale);", "prior_b_scal);"))
said = in_threads(
    lambda: sample(program_of("slope"), chains=1, **SHORT | {"progress": listen}),
    lambda: caught(lambda: optimize(wrong)),
    lambda: caught(lambda: sample(program_of("slope"), chains=1, **SHORT | {"progress": lambda *_: 1 / 0})),
)[1:]
stanli_process.PROGRAM = "import sys; sys.exit(3)"
said += in_threads(lambda: caught(lambda: optimize(program_of("slope"))))
sys.frozen = True
said += in_threads(lambda: caught(lambda: optimize(program_of("slope"))))
print(json.dumps([heard, said, threading.active_count()]))
"""
    heard, (wrong, listener, died, frozen), threads = said_by(script)
    assert heard[-1] == [140, 140]
    assert len(heard) > 5
    assert "prior_b_scal);" in wrong
    assert "^" in wrong
    assert listener == "division by zero"
    assert died == "the process in which stanli ran has ended too early (exit status 3)"
    assert frozen.startswith("stanli needs a process of its own to run in this thread, and none can be started")
    assert threads == 1
