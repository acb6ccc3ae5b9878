"""Values of options: what is accepted means the same to both engines, what is not is refused in our words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import stanli

import lmmformula as lf
from lmmformula.errors import EngineError
from lmmformula.fit.lmm import fit_lmm
from lmmformula.results.posteriors.warmstart import estimates_of
from lmmformula.stan.engines import cmdstan_engine, stanli_engine
from lmmformula.stan.engines.choice import default_adapt_delta, sample
from lmmformula.stan.engines.options import OPTIONS, checked
from lmmformula.stan.engines.progress import Tally, reporter
from lmmformula.stan.start import starting_point
from programs import design_of, program_of

SHORT: dict[str, Any] = {"engine": "stanli", "chains": 2, "warmup": 30, "draws": 20, "seed": 3, "progress": False}

WRONG: dict[str, list[Any]] = {
    "adapt_delta": [0, 1, -0.1, 2.0, "0.9", True, None, float("nan"), [0.9], 10**400],
    "adapt_engaged": [0, "yes", None, 1.0],
    "adapt_init_phase": [-1, 1.5, "10", True],
    "cpp_options": [None, "STAN_THREADS", ["STAN_THREADS"]],
    "init_radius": [-1, "2", None, float("inf")],
    "iterations": [0, 1.5, None],
    "jacobian": [0, None],
    "max_treedepth": [0, -3, 31, 10.0, "10", True, None],
    "metric": ["dense", 1, None, ["diag_e"], b"diag_e"],
    "opencl_ids": [0, (0,), (0, -1), (0, 1, 2), "0", ("0", "1"), None],
    "output_dir": [1, None, b"folder"],
    "parallel_chains": [0, -1, 1.5, None],
    "pathfinder_init": [True, 3, None],
    "sig_figs": [0, 19, 5.5],
    "step_size": [0, -1.0, "1", True, float("inf"), None],
    "thin": [0, -2, 1.5, True, None],
    "threads_per_chain": [0, 1.5, None],
    "timeout": [0, -1, "60", None],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_wrong_values_are_refused(name: str, value: Any) -> None:
    """The error names the option, what it must be, and what it was."""
    with pytest.raises(EngineError, match=f"^{name} must be ") as caught:
        checked("cmdstan", "nuts", {"nuts": (name,)}, {name: value})
    assert str(value)[:20] in caught.value.message


RIGHT: dict[str, list[Any]] = {
    "adapt_delta": [0.5, np.float32(0.5), np.float64(0.99)],
    "adapt_engaged": [True, np.bool_(False)],
    "max_treedepth": [1, np.int64(12)],
    "metric": ["diag_e", "dense_e", "unit_e"],
    "opencl_ids": [(0, 0), [1, 2]],
    "step_size": [1, 0.01],
    "thin": [np.uint8(3)],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in RIGHT.items() for value in values])
def test_right_values_are_taken(name: str, value: Any) -> None:
    """NumPy's numbers are numbers."""
    (found,) = checked("stanli", "nuts", {"nuts": (name,)}, {name: value}).values()
    assert found == (tuple(value) if name == "opencl_ids" else value)


@pytest.mark.parametrize("engine", [cmdstan_engine, stanli_engine], ids=["cmdstan", "stanli"])
def test_every_option_of_an_engine_has_its_values(engine: Any) -> None:
    """The table of values knows all that the engines take, and the algorithms are those there are."""
    assert {name for names in engine.OPTIONS.values() for name in names} <= OPTIONS.keys()
    assert {"nuts", "optimize"} <= engine.OPTIONS.keys() <= {"nuts", "optimize", "pathfinder", "laplace"}


def test_every_option_belongs_to_an_engine() -> None:
    """Nothing is checked that nobody takes."""
    tables = (cmdstan_engine.OPTIONS, stanli_engine.OPTIONS)
    assert {name for table in tables for names in table.values() for name in names} == OPTIONS.keys()


def test_an_option_of_another_algorithm_is_refused() -> None:
    """The error tells those that the algorithm has."""
    with pytest.raises(EngineError, match="cmdstan has no option 'thin' for laplace") as caught:
        checked("cmdstan", "laplace", cmdstan_engine.OPTIONS, {"thin": 2})
    assert "jacobian" in caught.value.hint


RUNS: dict[str, tuple[dict[str, Any], str]] = {
    "chains as text": ({"chains": "4"}, "chains must be a whole number between 1 and"),
    "chains that are true": ({"chains": True}, "chains must be a whole number"),
    "no draws": ({"draws": 0}, "draws must be a whole number"),
    "warm-up of a fraction": ({"warmup": 0.5}, "warmup must be a whole number between 0 and"),
    "a seed of text": ({"seed": "1"}, "seed must be a whole number"),
    "progress of text": ({"progress": "yes"}, "progress must be True, False or a function, not 'yes'"),
    "an engine that is a number": ({"engine": 3}, "engine must be a name or an engine, not 3"),
    "no warm-up to adapt in": ({"warmup": 0}, "without warm-up there is nothing to adapt"),
    "Pathfinder's own option": ({"pathfinder_init": {"paths": 3}}, "stanli could not sample: .*paths"),
}


@pytest.mark.parametrize("about", RUNS)
def test_runs_that_can_t_be_meant_are_refused(about: str) -> None:
    """Before anything is compiled, or by the engine itself: one type of error."""
    settings, message = RUNS[about]
    with pytest.raises(EngineError, match=message):
        sample(program_of("intercept"), **SHORT | settings)


def test_more_draws_than_memory_holds_are_an_error() -> None:
    """Not the one of NumPy."""
    with pytest.raises(EngineError, match="stanli could not sample"):
        sample(program_of("intercept"), **SHORT | {"draws": 2**31 - 1, "chains": 100_000})


@pytest.mark.parametrize("metric", ["diag_e", "dense_e", "unit_e"])
def test_the_metric_of_a_start_is_of_the_kind_that_is_asked_for(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To stanli too it is variances or a matrix, as asked for, the unit metric takes none; chains start apart."""
    start = starting_point(program_of("slope"), estimates_of(fit_lmm(design_of("slope"))))
    variances = start.inverse_metric
    assert variances is not None
    seen: dict[str, Any] = {}
    genuine = stanli.Model.sample

    def watched(self: Any, **options: Any) -> Any:
        seen.update(options)
        return genuine(self, **options)

    monkeypatch.setattr(stanli.Model, "sample", watched)
    draws = sample(program_of("slope"), **SHORT, start=start, metric=metric)
    assert draws["sigma"].shape == (2, 20)
    assert seen["metric"] == metric
    assert not np.array_equal(*seen["inits"])
    match metric:
        case "diag_e":
            np.testing.assert_array_equal(seen["inv_metric"], variances)
        case "dense_e":
            np.testing.assert_array_equal(seen["inv_metric"], start.matrix)
        case _:
            assert "inv_metric" not in seen


def test_an_older_cmdstanpy_gets_its_metric_in_one_argument() -> None:
    """Before there was `inv_metric`, the kind of a metric was seen by its shape."""

    class Older:
        def sample(self, metric: Any = None, inits: Any = None) -> None:
            """Take what cmdstanpy 1.2 takes."""

    from lmmformula.stan.engines.run import Run

    start = starting_point(program_of("slope"), estimates_of(fit_lmm(design_of("slope"))))
    run = Run(chains=2, warmup=10, draws=10, seed=1, start=start)
    shapes = {}
    for metric in ("diag_e", "dense_e", "unit_e"):
        given = cmdstan_engine._start(Older(), program_of("slope"), run, {"metric": metric})
        shapes[metric] = np.shape(given["metric"]["inv_metric"]) if "metric" in given else None
        assert len(given["inits"]) == 2
    size = np.size(start.inverse_metric)
    assert shapes == {"diag_e": (size,), "dense_e": (size, size), "unit_e": None}


def test_pathfinder_finds_the_starts_if_it_is_asked_to() -> None:
    """With stanli's own option, chains start from Pathfinder's draws instead of around the fit."""
    start = starting_point(program_of("slope"), estimates_of(fit_lmm(design_of("slope"))))
    own, other = (sample(program_of("slope"), **SHORT, start=start, **o) for o in ({"pathfinder_init": {}}, {}))
    assert not np.array_equal(own["sigma"], other["sigma"])


def test_two_runs_at_once_do_not_hear_each_other() -> None:
    """While one listens to what stanli prints, another samples unheard, and what others print still gets out."""
    import sys

    heard: list[int] = []

    def within(done: int, total: int) -> None:
        del total
        if not heard:
            inner = sample(program_of("intercept"), **SHORT | {"progress": lambda d, _: heard.append(-d)})
            assert inner["sigma"].shape == (2, 20)
        heard.append(done)

    before = sys.stdout
    sample(program_of("intercept"), **SHORT | {"progress": within})
    assert sys.stdout is before
    assert heard[-1] == 100
    assert [done for done in heard if done < 0] == [-100]


def test_a_tally_counts() -> None:
    """Iterations of all chains, and those at their end."""
    tally = Tally(chains=2, each=200)
    for line in (
        "Chain [1] Iteration: 200 / 200 [100%]  (Sampling)",
        "Chain [2] Iteration:  50 / 200 [ 25%]  (Warmup)",
    ):
        assert tally.hear(line)
    assert tally.hear("Iteration: 100 / 200 [ 50%]  (Warmup)", 2)
    assert not tally.hear("Gradient evaluation took 0 seconds")
    assert (tally.done, tally.total, tally.finished) == (300, 400, 1)


def test_no_stream_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs without a console have no standard error, or a closed one."""
    monkeypatch.setattr("sys.stderr", None)
    with reporter(progress=True, total=10) as report:
        assert report is None


@pytest.mark.parametrize(
    ("name", "expected"), [("slope", 0.9), ("intercept_conditional", 0.9), ("regression", 0.9), ("crossed", 0.9)]
)
def test_steps_are_careful_where_levels_are_few(name: str, expected: float) -> None:
    """Fewer than 50 levels, effects that are sampled, or none at all: the higher acceptance."""
    assert default_adapt_delta(program_of(name)) == expected


def test_steps_are_longer_where_levels_are_many() -> None:
    """The hundred groups of the coffee example."""
    assert default_adapt_delta(lf.Model("y ~ x + (x | group)", lf.datasets.load("coffee")).stan()) == 0.8
