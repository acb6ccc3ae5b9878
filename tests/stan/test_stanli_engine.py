"""How stanli serves as an engine: draws, seeds, starts, options, progress and errors (CmdStan: test_cmdstan_engine)."""

import io
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import stanli

from lmmformula.errors import EngineError
from lmmformula.fit.lmm import fit_lmm
from lmmformula.results.posteriors.warmstart import estimates_of
from lmmformula.stan.draws import Draws
from lmmformula.stan.engines.choice import sample
from lmmformula.stan.engines.run import Run
from lmmformula.stan.engines.stanli_sampling import _parallel, scattered_points
from lmmformula.stan.start import StartingPoint, scattered, starting_point
from programs import CASES, design_of, program_of

SHORT: dict[str, Any] = {"engine": "stanli", "chains": 2, "warmup": 50, "draws": 40, "seed": 3, "progress": False}
MIXED = [name for name in CASES if design_of(name).random_terms]


@cache
def start_of(name: str) -> StartingPoint:
    """Make a start of a case from its REML fit."""
    return starting_point(program_of(name), estimates_of(fit_lmm(design_of(name))))


@cache
def short(name: str) -> Draws:
    """Sample a case for a moment."""
    return sample(program_of(name), **SHORT)


@pytest.mark.parametrize("name", ["slope", "slope_conditional"])
def test_draws_hold_every_quantity(name: str) -> None:
    """Both forms give the quantities that a reader looks for, under one name and in one shape."""
    draws = short(name)
    shapes = {"Intercept": (), "b": (1,), "sd_Subject": (2,), "cor_Subject": (2, 2), "u_Subject": (18, 2), "sigma": ()}
    assert {key: draws[key].shape for key in shapes} == {key: (2, 40, *shape) for key, shape in shapes.items()}
    assert (draws.n_chains, draws.n_draws, draws.engine, draws.seed, draws.warmup) == (2, 40, "stanli", 3, 50)
    assert {"lp", "divergent", "energy", "treedepth", "stepsize"} <= set(draws.statistics)


def test_a_seed_repeats_a_run() -> None:
    """One seed gives one set of draws, another seed another; no seed picks one and records it."""
    again = sample(program_of("slope"), **SHORT)
    other = sample(program_of("slope"), **SHORT | {"seed": 4})
    unseeded = sample(program_of("slope"), **SHORT | {"seed": None})
    repeated = sample(program_of("slope"), **SHORT | {"seed": unseeded.seed})
    np.testing.assert_array_equal(again["sigma"], short("slope")["sigma"])
    assert not np.array_equal(other["sigma"], again["sigma"])
    np.testing.assert_array_equal(repeated["sigma"], unseeded["sigma"])


@pytest.mark.parametrize("name", MIXED)
def test_starts_are_points_of_their_programs(name: str) -> None:
    """A start from the fit has every parameter, within its bounds, and a positive variance for each free number."""
    program, start = program_of(name), start_of(name)
    assert list(start.values) == [declaration.name for declaration in program.program.parameters]
    model = stanli.Model(stan_code=program.code, data=program.data)
    point = model.unconstrain({n: v.ravel(order="F") if v.ndim else float(v) for n, v in start.values.items()})
    assert np.isfinite(model.log_prob_grad(point)[0])
    assert start.inverse_metric is not None
    assert start.inverse_metric.shape == point.shape
    assert np.all((start.inverse_metric > 0) & np.isfinite(start.inverse_metric))


@pytest.mark.parametrize(
    "name",
    [
        "slope",
        "slope_conditional",
        "slope_centered",
        "crossed_slopes",
        "three_conditional",
        "crossed_centered",
        "crossed_slopes_conditional",
    ],
)
def test_starts_say_what_the_fit_says(name: str) -> None:
    """Chains that can't move give the fit's own effects, so each number of a start is where it belongs."""
    fit = fit_lmm(design_of(name))
    start = replace(start_of(name), inverse_metric=None)
    draws = sample(
        program_of(name), **SHORT | {"warmup": 0, "draws": 2, "start": start}, adapt_engaged=False, step_size=1e-9
    )
    parameters = program_of(name).parameters
    np.testing.assert_allclose(parameters.fixed.of(draws)[0, 0], fit.beta, rtol=1e-5)
    np.testing.assert_allclose(draws["sigma"][0, 0], fit.sigma, rtol=1e-5)
    sampled = {factor.label for factor in program_of(name).program.sampled}
    for random, modes in zip(parameters.random, fit.modes, strict=True):
        if random.group in sampled:
            np.testing.assert_allclose(random.effects_of(draws)[0, 0], modes, rtol=1e-5, atol=1e-5 * np.std(modes))


@pytest.mark.parametrize("name", MIXED)
def test_scattered_starts_are_points_of_their_programs(name: str) -> None:
    """Each chain's own start, on the constrained scale, is one that the program accepts."""
    program = program_of(name)
    model = stanli.Model(stan_code=program.code, data=program.data)
    for values in scattered(program, start_of(name), 3, 7):
        point = model.unconstrain({n: v.ravel(order="F") if np.ndim(v) else float(v) for n, v in values.items()})
        assert np.isfinite(model.log_prob_grad(point)[0])


def test_chains_start_apart() -> None:
    """Chains are scattered around a start by the posterior's spread, the same way for the same seed."""
    start = StartingPoint({}, np.array([1.0, 4.0]))
    run = Run(chains=1000, warmup=1, draws=1, seed=5)
    points = scattered_points(np.zeros(2), start, run)
    np.testing.assert_allclose(points.std(axis=0), [1, 2], rtol=0.1)
    np.testing.assert_array_equal(points, scattered_points(np.zeros(2), start, run))


def test_chains_start_apart_along_the_axes_of_a_dense_metric() -> None:
    """Of two coefficients that nearly cancel, chains start where their sum is what it is."""
    dense = np.array([[1.0, -0.999], [-0.999, 1.0]])
    run = Run(chains=1000, warmup=1, draws=1, seed=5)
    points = scattered_points(np.zeros(2), StartingPoint({}, np.ones(2), dense), run)
    np.testing.assert_allclose(np.cov(points.T), dense, atol=0.1)
    assert points.sum(axis=1).std() < 0.1


def test_matrices_of_a_start_keep_their_orientation() -> None:
    """A matrix of standardised effects, one row a level, arrives as it was sent."""
    start = replace(start_of("slope_conditional"), inverse_metric=None)
    draws = sample(
        program_of("slope_conditional"),
        **SHORT | {"warmup": 0, "draws": 1, "start": start},
        adapt_engaged=False,
        step_size=1e-9,
    )
    np.testing.assert_allclose(draws["z_Subject"][0, 0], start.values["z_Subject"], rtol=1e-5, atol=1e-6)


def test_what_can_be_set_reaches_the_sampler() -> None:
    """Options have CmdStan's names."""
    draws = sample(program_of("slope"), **SHORT, max_treedepth=2, adapt_delta=0.99, thin=2)
    assert draws.max_treedepth == 2
    assert draws.statistics["treedepth"].max() <= 2
    assert draws["sigma"].shape == (2, 20)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an option there is not": ({"adapt_dleta": 0.9}, "no option 'adapt_dleta'"),
    "no chain": ({"chains": 0}, "chains must be a whole number between 1 and .*, not 0"),
    "half a draw": ({"draws": 10.5}, "draws must be a whole number"),
    "a negative seed": ({"seed": -1}, "seed must be a whole number"),
    "a seed too large": ({"seed": 2**40}, "seed must be a whole number"),
    "an engine there is not": ({"engine": "bugs"}, "no engine 'bugs'"),
    "an option with a wrong value": ({"adapt_delta": 2.0}, "adapt_delta must be a number between 0 and 1, not 2.0"),
    "a metric there is not": ({"metric": "round"}, "metric must be one of diag_e, dense_e, unit_e"),
    "a metric of the wrong size": ({"start": StartingPoint({}, np.ones(3))}, "can't start there"),
}


@pytest.mark.parametrize("about", REFUSED)
def test_bad_settings_are_refused(about: str) -> None:
    """What can't be meant is an error of ours that says what."""
    settings, message = REFUSED[about]
    with pytest.raises(EngineError, match=message):
        sample(program_of("slope"), **SHORT | settings)


def test_compile_errors_show_the_line() -> None:
    """What the compiler says of a program comes with the line and a caret below the place."""
    code = program_of("slope").code.replace("b ~ normal(0, prior_b_scale)", "b ~ normal(0, prior_b_scal)")
    with pytest.raises(EngineError) as caught:
        sample(replace(program_of("slope"), code=code), **SHORT)
    line = 1 + code[: code.index("prior_b_scal)")].count("\n")
    assert f"(line {line})" in caught.value.message
    assert "prior_b_scal" in caught.value.message
    assert str(caught.value).splitlines()[1].strip() == "b ~ normal(0, prior_b_scal);"
    assert "^" in str(caught.value)


def test_data_that_a_program_refuses_are_an_error() -> None:
    """Data out of their declared bounds are named."""
    data = program_of("slope").data | {"prior_sigma_scale": np.asarray(-1.0)}
    with pytest.raises(EngineError, match="prior_sigma_scale is -1") as caught:
        sample(replace(program_of("slope"), data=data), **SHORT)
    line = 1 + program_of("slope").code[: program_of("slope").code.index("prior_sigma_scale;")].count("\n")
    assert f"does not accept the data (line {line})" in caught.value.message
    assert "real<lower=0> prior_sigma_scale;" in str(caught.value)


def test_progress_is_reported_and_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    """A callable hears how far the chains are, up to the end; where nobody looks, nothing is printed."""
    heard: list[tuple[int, int]] = []
    sample(program_of("slope"), **SHORT | {"progress": lambda done, total: heard.append((done, total))})
    assert heard[-1] == (180, 180)
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)
    sample(program_of("slope"), **SHORT | {"progress": True})
    assert capfd.readouterr() == ("", "")


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal a bar is drawn, on the stream for messages."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    sample(program_of("slope"), **SHORT | {"progress": True})
    assert "sampling" in terminal.getvalue()


def test_a_missing_engine_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without stanli the error tells the command that installs it, and of the other engine."""
    monkeypatch.setitem(__import__("sys").modules, "stanli", None)
    with pytest.raises(EngineError) as caught:
        sample(program_of("slope"), **SHORT)
    assert "pip install stanli" in caught.value.hint
    assert "cmdstan" in caught.value.hint


def test_chains_are_not_made_one_by_one_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """On one processor too there are two threads, which stanli makes itself: they are safe wherever it is called."""
    for processors, parallel in ((1, 2), (3, 3), (16, 4), (None, 2)):
        monkeypatch.setattr("os.cpu_count", lambda found=processors: found)
        assert _parallel(Run(chains=4, warmup=1, draws=1, seed=5)) == parallel
    assert _parallel(Run(chains=4, warmup=1, draws=1, seed=5, options={"parallel_chains": 1})) == 1
