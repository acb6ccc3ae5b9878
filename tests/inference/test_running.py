"""Long computations: shared with helper processes, told of, and interrupted."""

import io
import math
import os
import pickle
import signal
import sys
from collections.abc import Callable
from threading import Timer, active_count
from time import sleep

import numpy as np
import pytest

import lmmformula as lf
from lmmformula.inference.refits import helper_process as helper
from lmmformula.inference.refits import jobs as running
from lmmformula.inference.refits.helper_process import Helper, serve_streams, written
from lmmformula.inference.refits.jobs import Running, each

SQUARE_ROOT = math.sqrt
"""Work that can be copied, and that fails for numbers below zero."""


@pytest.fixture(scope="module")
def crossed() -> lf.LinearMixedFit:
    """Return a fit whose refits are made one by one."""
    return lf.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", lf.datasets.load("Penicillin"))


SHARED: dict[str, Callable[[lf.LinearMixedFit, int], np.ndarray]] = {
    "parameters": lambda fit, workers: fit.bootstrap(n=260, seed=1, workers=workers).replicates,
    "a statistic": lambda fit, workers: fit.bootstrap(lambda f: f.icc(), n=260, seed=1, workers=workers).replicates,
    "bounds": lambda fit, workers: fit.confint(method="profile", workers=workers).frame.to_numpy(),
    "curves": lambda fit, workers: fit.profile(workers=workers).frame[["value", "zeta"]].to_numpy(),
    "power": lambda fit, workers: np.array(
        fit.power({"(Intercept)": 1}, n_groups=[6, 12], n=20, seed=1, test="lrt", workers=workers).found
    ),
}


@pytest.mark.parametrize("what", SHARED)
def test_the_numbers_do_not_depend_on_the_number_of_processes(what: str, crossed: lf.LinearMixedFit) -> None:
    """One process or two: the same seed gives the same numbers, to the last digit."""
    np.testing.assert_array_equal(SHARED[what](crossed, 2), SHARED[what](crossed, 1))


def test_small_jobs_stay_in_one_process(crossed: lf.LinearMixedFit, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done within seconds starts no helper."""
    monkeypatch.setattr(running, "Helper", None)  # to call it would fail
    assert len(crossed.bootstrap(n=20, seed=1).replicates) == 20


def test_progress_is_told(crossed: lf.LinearMixedFit) -> None:
    """The function hears how many refits are done, up to all of them, by one process and by two."""
    heard: list[tuple[int, int]] = []
    for workers in (1, 2):
        heard.clear()
        crossed.bootstrap(n=260, seed=1, workers=workers, progress=lambda *told: heard.append(told))
        assert [done for done, _ in heard] == sorted({done for done, _ in heard})
        assert heard[-1] == (260, 260)
    heard.clear()
    crossed.confint(method="profile", progress=lambda *told: heard.append(told))
    assert heard[-1] == (4, 4)


def test_a_bar_is_drawn_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what is done, and nothing where nobody looks, or where the work is quick."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown = {}
    for patience in (0.0, 60.0):
        monkeypatch.setattr(running, "PATIENCE", patience)
        monkeypatch.setattr(sys, "stderr", screen := Terminal())
        each(lambda x: x, [(1, 0), (1, 0)], 2, running=Running(progress=True), what="refits")
        shown[patience] = screen.getvalue()
    assert "refits" in shown[0.0]
    assert shown[60.0] == ""


def test_ctrl_c_ends_the_helpers(crossed: lf.LinearMixedFit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A KeyboardInterrupt, no thread and no process left."""
    started: list[Helper] = []

    class Remembered(Helper):
        def __init__(self, work: bytes) -> None:
            super().__init__(work)
            started.append(self)

    monkeypatch.setattr(running, "Helper", Remembered)
    threads = active_count()
    heard: list[int] = []

    def interrupt(done: int, _: int) -> None:
        heard.append(done)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        crossed.bootstrap(n=2000, seed=1, workers=2, progress=interrupt)
    assert heard[0] < 2000
    assert active_count() <= threads
    assert [one.process is not None and one.process.poll() is not None for one in started] == [True, True]


def test_ctrl_c_is_heard_while_helpers_work() -> None:
    """Also where no result has come yet."""
    timer = Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        each(sleep, [(1, 60.0), (1, 60.0)], 2, running=Running(workers=2, progress=False))


def test_errors_of_a_job_are_raised_here() -> None:
    """What fails in a helper is done again here, and fails with its own error."""
    with pytest.raises(ValueError, match="math domain"):
        each(SQUARE_ROOT, [(1, 4.0), (1, -4.0)], 2, running=Running(workers=2, progress=False))


@pytest.mark.parametrize("program", ["import sys; sys.exit(3)", "print('noise')"])
def test_helpers_that_die_are_done_without(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The jobs are done by their owner."""
    monkeypatch.setattr(helper, "PROGRAM", program)
    jobs = [(1, float(i)) for i in range(9)]
    assert each(SQUARE_ROOT, jobs, 9, running=Running(workers=2, progress=False)) == [i**0.5 for i in range(9)]


def test_where_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner works alone, as it does with a function that can't be copied."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    alone = Running(workers=2, progress=False)
    assert each(SQUARE_ROOT, [(1, 4.0), (1, 9.0)], 2, running=alone) == [2.0, 3.0]
    assert each(lambda x: x + 1, [(1, 4.0), (1, 9.0)], 2, running=alone) == [5.0, 10.0]
    assert written(lambda x: x) is None
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert alone.helpers(100.0) == 0


def test_what_a_helper_serves() -> None:
    """Work, then jobs; for each whether it was done, and its result."""
    jobs, answers = io.BytesIO(), io.BytesIO()
    for one in (SQUARE_ROOT, 9.0, -1.0, 4.0):
        pickle.dump(one, jobs)
    jobs.seek(0)
    serve_streams(jobs, answers)
    answers.seek(0)
    assert [pickle.load(answers) for _ in range(3)] == [(True, 3.0), (False, None), (True, 2.0)]  # noqa: S301 (ours)


@pytest.mark.parametrize("options", [{"workers": 0}, {"workers": 1.5}, {"workers": True}, {"progress": "yes"}], ids=str)
def test_wrong_options_are_refused(options: dict[str, object], crossed: lf.LinearMixedFit) -> None:
    """A number of processes, and someone to tell."""
    with pytest.raises(lf.FitError, match=next(iter(options))):
        crossed.bootstrap(n=10, **options)  # type: ignore[arg-type]
