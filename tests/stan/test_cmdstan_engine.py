"""CmdStan as an engine, through unmodified cmdstanpy: on the stand-in, and on a real CmdStan where there is one."""

from __future__ import annotations

import io
import logging
import re
import shutil
import sys
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

import lmmformula as lf
from corpus import dataset
from lmmformula.api.sampling import estimates_of
from lmmformula.errors import EngineError
from lmmformula.stan.engines.choice import sample
from lmmformula.stan.engines.cmdstan_cache import cache_folder
from lmmformula.stan.generate import StanProgram, stan_program
from lmmformula.stan.start import StartingPoint, scattered, starting_point

if TYPE_CHECKING:
    from pathlib import Path

    from lmmformula.stan.draws import Draws

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is made of POSIX scripts"),
    pytest.mark.skipif(shutil.which("make") is None, reason="cmdstanpy compiles with make, which is not installed"),
]

SHORT = {"engine": "cmdstan", "chains": 2, "warmup": 60, "draws": 40, "seed": 3, "progress": False}
FIXED = {"warmup": 0, "draws": 5, "adapt_engaged": False, "step_size": 1e-9}
"""A sampler that does not adapt, and hardly moves."""


@cache
def model() -> lf.Model:
    """Random intercepts and slopes."""
    return lf.Model("Reaction ~ Days + (Days | Subject)", dataset("sleepstudy"))


@cache
def program(form: str = "marginal") -> StanProgram:
    """Generate the program of that model."""
    return model().stan(form=form)


@cache
def start(form: str = "marginal") -> StartingPoint:
    """Make a start from the model's REML fit."""
    return starting_point(program(form), estimates_of(model().pilot.fit))


@cache
def usual(engine: str, cmdstan: str, form: str = "marginal") -> Draws:
    """Sample as most tests do, once for each CmdStan."""
    del cmdstan  # says apart what one engine gives on different installations
    return sample(program(form), **SHORT | {"engine": engine})


def runs_of(folder: Path) -> list[str]:
    """Read the Stan CSV files of a run, one text a chain."""
    return [file.read_text(encoding="utf-8") for file in sorted(folder.glob("model*.csv"))]


@pytest.mark.parametrize("form", ["marginal", "conditional"])
def test_draws_have_the_names_and_shapes_of_the_other_engine(cmdstan: str, form: str) -> None:
    """Every variable and sampler statistic is where a reader of stanli's draws looks for it."""
    ours, theirs = usual("cmdstan", cmdstan, form), usual("stanli", cmdstan, form)
    assert {name: array.shape for name, array in ours.items()} == {name: array.shape for name, array in theirs.items()}
    assert {n: a.shape for n, a in ours.statistics.items()} == {n: a.shape for n, a in theirs.statistics.items()}
    assert list(ours) == list(theirs)
    assert (ours.n_chains, ours.n_draws, ours.warmup, ours.seed) == (2, 40, 60, 3)
    assert ours.engine == "cmdstan"


def test_elements_are_where_they_belong(cmdstan: str) -> None:
    """On the stand-in one seed gives the other engine's very draws, so no chain, draw or index is out of its place."""
    if cmdstan == "real":
        pytest.skip("a real CmdStan has another stream of random numbers")
    ours, theirs = usual("cmdstan", cmdstan), usual("stanli", cmdstan)
    for name, array in theirs.items():
        np.testing.assert_allclose(ours[name], array, rtol=1e-7, atol=1e-12, err_msg=name)
    for name, array in theirs.statistics.items():
        np.testing.assert_allclose(ours.statistics[name], array, rtol=1e-7, err_msg=name)


@pytest.mark.usefixtures("cmdstan")
def test_posterior_is_that_of_the_other_engine() -> None:
    """Means of all parameters agree within five standard errors."""
    settings = SHORT | {"chains": 4, "warmup": 500, "draws": 1000, "start": start()}
    names = ("Intercept", "b", "sd_Subject", "sigma", "u_Subject")
    ours = moments(sample(program(), **settings), names)
    theirs = moments(sample(program(), **settings | {"engine": "stanli", "seed": 4}), names)
    z = (ours[0] - theirs[0]) / np.hypot(ours[1], theirs[1])
    assert np.abs(z).max() < 5


def moments(draws: Draws, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return means and their Monte Carlo standard errors."""
    from lmmformula.stan.diagnostics import summarise

    columns = np.concatenate([draws[name].reshape(draws.n_chains, draws.n_draws, -1) for name in names], axis=-1)
    summary = summarise(columns)
    return summary.mean, summary.mcse


@pytest.mark.usefixtures("cmdstan")
@pytest.mark.parametrize("metric", ["diag_e", "dense_e", "unit_e"])
def test_metric_reaches_the_executable(tmp_path: Path, metric: str) -> None:
    """
    A sampler that does not adapt ends with the metric and the step size it was given, of the kind that was asked for.

    The variances of a start are the diagonal of either kind, the dense one has its covariances, and the unit metric
    takes none.
    """
    sample(program(), **SHORT | FIXED | {"start": start(), "output_dir": tmp_path, "metric": metric})
    variances = start().inverse_metric
    assert variances is not None
    expected = {"diag_e": variances[np.newaxis], "dense_e": start().matrix, "unit_e": np.empty((0, 0))}[metric]
    texts = runs_of(tmp_path)
    assert len(texts) == 2
    for text in texts:
        assert f"metric = {metric}" in text
        (step,) = re.findall(r"(?m)^# Step size = (.*)$", text)
        assert float(step) == pytest.approx(1e-9)
        written = re.findall(r"(?m)^# (-?\d[\d.e+-]*(?:, -?\d[\d.e+-]*)*)$", text)
        found = [[float(number) for number in row.split(",")] for row in written]
        np.testing.assert_allclose(np.reshape(found, expected.shape), expected, rtol=1e-5)


@cache
def treated(geometry: str) -> StanProgram:
    """Generate the program that samples the effects, in one geometry or the other."""
    return stan_program(model().ir, model().design, form="conditional", geometry={"Subject": geometry})


@pytest.mark.usefixtures("cmdstan")
@pytest.mark.parametrize(("geometry", "variable"), [("noncentered", "z_Subject"), ("centered", "coef_Subject")])
def test_start_reaches_the_executable(geometry: str, variable: str) -> None:
    """
    A sampler that can't move stays where the start said; matrices and arrays of vectors arrive as they were sent.

    A transition of 1023 leapfrog steps of 1e-9 with a momentum of some units still moves by a few 1e-6.
    """
    point = starting_point(treated(geometry), estimates_of(model().pilot.fit))
    draws = sample(treated(geometry), **SHORT | FIXED | {"start": replace(point, inverse_metric=None)})
    assert point.values[variable].shape == (18, 2)
    for name, value in point.values.items():
        expected = np.broadcast_to(value, draws[name].shape)
        np.testing.assert_allclose(draws[name], expected, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.usefixtures("cmdstan")
@pytest.mark.parametrize("geometry", ["noncentered", "centered"])
def test_chains_start_apart(geometry: str) -> None:
    """With a metric, chains start as far apart as it says that the posterior is wide."""
    import stanli

    own = treated(geometry)
    point = starting_point(own, estimates_of(model().pilot.fit))
    free = stanli.Model(stan_code=own.code, data=own.data)
    middle = free.unconstrain({name: value.ravel(order="F") for name, value in point.values.items()})
    starts = scattered(own, point, chains=300, seed=1)
    moved = np.array([free.unconstrain({n: v.ravel(order="F") for n, v in one.items()}) for one in starts]) - middle
    assert point.inverse_metric is not None
    ratio = moved.std(axis=0) / np.sqrt(point.inverse_metric)
    (correlation,) = np.flatnonzero(ratio == 0)  # the one correlation stays where it is
    others = np.delete(ratio, correlation)
    assert np.abs(others - 1).max() < 0.25
    draws = sample(own, **SHORT | FIXED | {"start": point})
    expected = [one["sigma"] for one in scattered(own, point, chains=2, seed=3)]
    np.testing.assert_allclose(draws["sigma"][:, 0], expected, rtol=1e-5)


@pytest.mark.usefixtures("cmdstan")
def test_start_without_metric_is_taken() -> None:
    """A start may leave the metric to the warm-up."""
    draws = sample(program(), **SHORT | {"start": replace(start(), inverse_metric=None)})
    assert draws["sigma"].shape == (2, 40)


def test_seeds_repeat_a_run(cmdstan: str) -> None:
    """One seed gives one set of draws, another seed another."""
    first = usual("cmdstan", cmdstan)["sigma"]
    again, other = (sample(program(), **SHORT | {"seed": seed})["sigma"] for seed in (3, 0))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first[0], first[1])


def test_a_program_is_compiled_once(cmdstan: str, standin: Path) -> None:
    """Neither a second run nor other comments compile a program again; another program is compiled."""

    def executables() -> dict[Path, int]:
        return {file: file.stat().st_mtime_ns for file in cache_folder().glob("*/model")}

    sample(program(), **SHORT)
    before = executables()
    log = standin / "made.txt"
    made = log.read_text(encoding="utf-8") if cmdstan == "standin" else ""
    sample(replace(program(), code=f"// another title\n{program().code}"), **SHORT)
    assert executables() == before
    if cmdstan == "standin":
        assert log.read_text(encoding="utf-8") == made
    sample(replace(program(), code=program().code.replace("lkj_corr_cholesky(2)", "lkj_corr_cholesky(3)")), **SHORT)
    assert len(executables()) == len(before) + 1


BROKEN = {
    "a name that is not declared": ("b ~ normal(0, prior_b_scale)", "b ~ normal(0, prior_b_scal)", "prior_b_scal"),
    "a comma that is missing": (
        "b ~ normal(0, prior_b_scale)",
        "b ~ normal(0 prior_b_scale)",
        "Unexpected input",
    ),
}


@pytest.mark.usefixtures("cmdstan")
@pytest.mark.parametrize("case", BROKEN)
def test_compile_errors_show_the_line(case: str) -> None:
    """What stanc says of a program comes as one error type, with the line and a caret below the place."""
    old, new, reason = BROKEN[case]
    code = program().code.replace(old, new)
    line = 1 + code[: code.index(new)].count("\n")
    with pytest.raises(EngineError) as caught:
        sample(replace(program(), code=code), **SHORT)
    message = str(caught.value)
    assert f"(line {line})" in message
    assert reason in caught.value.message
    assert code.splitlines()[line - 1].strip() in message
    assert "^" in message
    assert "exited with" not in message


@pytest.mark.usefixtures("cmdstan")
def test_compile_errors_follow_the_text_at_hand() -> None:
    """The same broken program below one more comment is reported one line further down."""
    code = program().code.replace("b ~ normal(0, prior_b_scale)", "b ~ normal(0, prior_b_sc)")
    lines = []
    for text in (code, f"// a title\n{code}"):
        with pytest.raises(EngineError) as caught:
            sample(replace(program(), code=text), **SHORT)
        lines.append(text[: caught.value.span.start].count("\n"))
    assert lines[1] == lines[0] + 1


@pytest.mark.usefixtures("cmdstan")
def test_errors_of_a_run_say_what_and_where() -> None:
    """Data that the program does not accept come as one sentence and a place, without the innards of cmdstanpy."""
    data = program().data | {"prior_sigma_scale": np.asarray(-1.0)}
    with pytest.raises(EngineError, match="prior_sigma_scale") as caught:
        sample(replace(program(), data=data), **SHORT)
    message = str(caught.value)
    line = 1 + program().code[: program().code.index("real<lower=0> prior_sigma_scale;")].count("\n")
    assert f"(line {line})" in message
    assert "real<lower=0> prior_sigma_scale;" in message
    assert "^" in message
    for noise in ("RunSet", "retcodes", "show_console", ".csv"):
        assert noise not in message


@pytest.mark.usefixtures("cmdstan")
def test_errors_of_a_run_follow_the_text_at_hand() -> None:
    """A program that was compiled with other comments is reported in the lines of the one that was given."""
    data = program().data | {"prior_sigma_scale": np.asarray(-1.0)}
    sample(program(), **SHORT)
    code = "// one\n// more" + program().code.replace("data {", "// comment\n\ndata { // another", 1)
    with pytest.raises(EngineError, match="prior_sigma_scale") as caught:
        sample(replace(program(), data=data, code=code), **SHORT)
    line = 1 + code[: code.index("real<lower=0> prior_sigma_scale;")].count("\n")
    assert f"(line {line})" in caught.value.message
    assert "real<lower=0> prior_sigma_scale;" in str(caught.value)


@pytest.mark.usefixtures("cmdstan")
def test_missing_data_are_named() -> None:
    """A variable that is not in the data is named."""
    data = {name: value for name, value in program().data.items() if name != "y"}
    with pytest.raises(EngineError, match=r"variable name=y\b"):
        sample(replace(program(), data=data), **SHORT)


@pytest.mark.usefixtures("cmdstan")
def test_a_start_out_of_bounds_is_an_error() -> None:
    """A start that breaks a bound of the program is reported with the bound."""
    values = start().values | {"sigma": np.asarray(-1.0)}
    with pytest.raises(EngineError, match="Lower bounded variable is -"):
        sample(program(), **SHORT | {"start": replace(start(), values=values)})


@pytest.mark.usefixtures("cmdstan")
def test_a_run_that_takes_too_long_is_an_error() -> None:
    """The option `timeout` ends a run with the same type of error as everything else."""
    with pytest.raises(EngineError, match="timed out"):
        sample(program("conditional"), **SHORT | {"draws": 10**6}, timeout=0.01)


@pytest.mark.usefixtures("cmdstan")
def test_what_can_be_set_reaches_the_executable(tmp_path: Path) -> None:
    """Options have the names of the other engine and end in CmdStan's own configuration."""
    options = {"adapt_delta": 0.95, "max_treedepth": 6, "thin": 2, "output_dir": tmp_path / "a folder"}
    draws = sample(program(), **SHORT, **options)
    assert draws["sigma"].shape == (2, 20)
    assert draws.max_treedepth == 6
    for text in runs_of(tmp_path / "a folder"):
        assert "delta = 0.95" in text
        assert "max_depth = 6" in text
        assert "num_warmup = 60" in text


def test_draws_have_all_their_digits(cmdstan: str) -> None:
    """Files between the processes do not round: not to the 8 digits that are CmdStan's default."""
    assert any(float(f"{x:.12g}") != x for x in usual("cmdstan", cmdstan)["Intercept"].flat)


def test_threads_are_an_option(cmdstan: str) -> None:
    """Compiled for threads, all chains run in one process, and the stand-in's draws stay the same."""
    together = sample(program(), **SHORT, cpp_options={"STAN_THREADS": True}, threads_per_chain=1)
    assert together["sigma"].shape == (2, 40)
    if cmdstan == "standin":
        np.testing.assert_array_equal(together["sigma"], usual("cmdstan", cmdstan)["sigma"])


@pytest.mark.usefixtures("cmdstan")
def test_progress_reaches_a_callable_during_the_run() -> None:
    """Of two chains one after the other, the first is heard of before the second; the last number is that of all."""
    seen: list[tuple[int, int]] = []
    told = SHORT | {"progress": lambda done, total: seen.append((done, total))}
    sample(program(), **told, parallel_chains=1)
    assert seen[-1] == (200, 200)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert any(0 < done < 200 for done, _ in seen)


def test_a_failing_callable_ends_the_run(engine: str) -> None:
    """What a progress function raises comes out as it is: it is no failure of the engine."""

    def fail(done: int, total: int) -> None:
        raise ValueError(done, total)

    with pytest.raises(ValueError, match=", 4120") as caught:
        sample(program(), **SHORT | {"engine": engine, "progress": fail, "draws": 2000})
    assert not isinstance(caught.value, EngineError)


@pytest.mark.usefixtures("cmdstan")
def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal a bar is drawn, with chains and divergences, on the stream for messages."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    sample(program(), **SHORT | {"progress": True})
    assert "2/2 chains" in terminal.getvalue()
    assert "divergent" in terminal.getvalue()


@pytest.mark.usefixtures("cmdstan")
def test_nothing_is_printed_where_nobody_looks(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a terminal there is no bar, and cmdstanpy's log is silent from its first use on."""
    from cmdstanpy.utils.logging import get_logger

    # The state of a process that has not logged yet: without pytest's handlers, and before cmdstanpy adds its own.
    get_logger.cache_clear()
    monkeypatch.setattr(logging.getLogger("cmdstanpy"), "handlers", [])
    monkeypatch.setattr(logging.getLogger("cmdstanpy"), "propagate", False)
    sample(program(), **SHORT | {"progress": True})
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("cmdstan")
def test_options_that_are_none_are_refused() -> None:
    """A misspelt option is an error that lists those there are."""
    with pytest.raises(EngineError, match="adapt_delta"):
        sample(program(), **SHORT, adapt_dleta=0.9)


def test_without_cmdstan_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where cmdstanpy finds no CmdStan, the error tells the command that installs one, and of the other engine."""
    monkeypatch.setenv("CMDSTAN", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(EngineError) as caught:
        sample(program(), **SHORT)
    assert "install_cmdstan" in caught.value.hint
    assert "stanli" in caught.value.hint


def test_without_make_the_error_says_so(
    standin: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is nothing to compile with, it is not the program that is blamed."""
    monkeypatch.setenv("CMDSTAN", str(standin))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("MAKE", "no-such-make")
    with pytest.raises(EngineError, match="no-such-make") as caught:
        sample(program(), **SHORT)
    assert "does not accept" not in caught.value.message
    assert capfd.readouterr() == ("", "")
