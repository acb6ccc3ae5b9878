"""Approximations and modes: Pathfinder, Laplace and the optimiser, on the engines that have them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import stanli

import lmmformula as lf
from corpus import dataset
from lmmformula.errors import EngineError, FitWarning
from lmmformula.results.posteriors.mode import conditional_means
from lmmformula.stan.engines.choice import optimize, sample
from programs import program_of


def model(formula: str = "Reaction ~ Days + (Days | Subject)", **options: Any) -> lf.Model:
    """Return a model of the sleep study."""
    return lf.Model(formula, dataset("sleepstudy"), **options)


@pytest.mark.parametrize("name", ["regression", "slope", "crossed", "weights_one"])
def test_nothing_is_left_to_gain_at_a_mode(engine: str, name: str) -> None:
    """At the mode the gradient is zero, to what the curvature around it makes of a tenth of a standard deviation."""
    program = program_of(name)
    draws = optimize(program, engine=engine, seed=1)
    free = stanli.Model(stan_code=program.code, data=program.data)
    values = {declaration.name: draws[declaration.name][0, 0] for declaration in program.program.parameters}
    point = free.unconstrain({n: np.ravel(v, order="F") if np.ndim(v) else float(v) for n, v in values.items()})
    density, gradient = free.log_prob_grad(point)
    assert draws.statistics["lp"][0, 0] == pytest.approx(density, abs=1e-6)
    steps = 1e-4 * np.maximum(1.0, np.abs(point))[:, np.newaxis] * np.eye(len(point))
    curvature = np.array(
        [(free.log_prob_grad(point + h)[1] - free.log_prob_grad(point - h)[1]) / (2 * h.max()) for h in steps]
    )
    newton = np.linalg.solve(-(curvature + curvature.T) / 2, gradient)
    assert 0 <= gradient @ newton < 0.01
    assert (draws.algorithm, draws.n_chains, draws.n_draws) == ("optimize", 1, 1)


def test_a_mode_has_the_names_of_a_fit(engine: str) -> None:
    """With the weak default priors it is close to the REML fit, effects that were integrated out included."""
    found, fit = model().optimize(engine=engine, seed=1), model().fit()
    np.testing.assert_allclose(found.fixef, fit.fixef, rtol=0.01)
    assert list(found.fixef.index) == list(fit.fixef.index)
    assert found.sigma == pytest.approx(fit.sigma, rel=0.02)
    np.testing.assert_allclose(found.varcorr["Subject"].sds, fit.varcorr["Subject"].sds, rtol=0.05)
    ours, theirs = found.ranef()["Subject"], fit.ranef()["Subject"]
    assert list(ours.index) == list(theirs.index)
    np.testing.assert_allclose(ours, theirs, atol=1.0)
    np.testing.assert_allclose(found.coef()["Subject"], ours + found.fixef, rtol=1e-12)
    assert found.nobs == 180
    assert found.ngroups == {"Subject": 18}
    assert np.isfinite(found.log_density)
    assert "Posterior mode of Reaction ~ Days + (Days | Subject)" in str(found)


def test_effects_given_all_else_are_those_of_the_normal_distribution() -> None:
    """They are G Z' V^-1 (y - o - X beta), which is written here with dense matrices; weights and a singular G too."""
    frame = dataset("sleepstudy").assign(w=lambda d: 1 + d.Days / 3, o=lambda d: d.Days**2)
    own = lf.Model("Reaction ~ Days + (Days | Subject) + (1 | Days)", frame, weights="w", offset="o")
    design, beta, sigma = own.design, np.array([250.0, 8.0]), 20.0
    covariances = [np.array([[600.0, 60.0], [60.0, 6.0]]), np.array([[30.0]])]
    means = conditional_means(design, beta, covariances, sigma)
    Z = design.Zt.toarray().T
    G = np.zeros((Z.shape[1], Z.shape[1]))
    G[:36, :36], G[36:, 36:] = np.kron(np.eye(18), covariances[0]), np.kron(np.eye(10), covariances[1])
    V = Z @ G @ Z.T + np.diag(sigma**2 / np.asarray(frame.w))
    expected = G @ Z.T @ np.linalg.solve(V, design.y - design.offset - design.X @ beta)
    np.testing.assert_allclose(np.concatenate([m.ravel() for m in means]), expected, rtol=1e-8, atol=1e-8)


def test_effects_that_are_sampled_are_said_to_spoil_a_mode() -> None:
    """In the conditional form, and in every other family, standard deviations and effects are maximised together."""
    with pytest.warns(FitWarning, match="sampled along with their standard deviations"):
        found = model("Reaction ~ Days + (1 | Subject)").optimize(form="conditional", seed=1)
    assert found.ranef()["Subject"].shape == (18, 1)


@pytest.mark.parametrize("algorithm", ["pathfinder", "laplace"])
@pytest.mark.usefixtures("cmdstan")
def test_approximations_are_near_the_posterior_and_say_what_they_are(algorithm: str) -> None:
    """Means are within a standard deviation of the sampler's; nothing is said of chains, and nothing is trusted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)  # Pathfinder may find itself poor
        found = model().sample(engine="cmdstan", algorithm=algorithm, draws=300, seed=1, progress=False)
    chains = model().sample(seed=1, progress=False, draws=400, warmup=300)
    difference = (found.fixef - chains.fixef) / chains.std_errors
    assert np.abs(difference).max() < 1
    assert (found.draws.n_chains, found.draws.n_draws, found.raw.algorithm) == (1, 300, algorithm)
    assert found.raw.statistics["lp"].shape == (1, 300)
    frame = found.summary()
    assert frame[["mcse", "ess_bulk", "ess_tail", "rhat"]].isna().all(axis=None)
    assert frame[["mean", "sd", "q5", "q95"]].notna().all(axis=None)
    verdict = found.diagnostics()
    assert not verdict.ok
    assert "R-hat" not in str(verdict)
    assert f"an approximation ({algorithm})" in str(found)
    assert f"300 draws by {algorithm}, seed 1" in str(found)
    assert found.ranef()["Subject"].shape == (18, 2)


@pytest.mark.usefixtures("cmdstan")
def test_a_seed_repeats_an_approximation() -> None:
    """One seed gives one set of draws, another seed another."""
    settings: dict[str, Any] = {"engine": "cmdstan", "algorithm": "laplace", "draws": 20}
    one, same, other = (sample(program_of("intercept"), **settings, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one["sigma"], same["sigma"])
    assert not np.array_equal(one["sigma"], other["sigma"])


@pytest.mark.usefixtures("cmdstan")
def test_options_of_approximations_reach_the_executable(tmp_path: Any) -> None:
    """They are in the configuration that CmdStan writes into its files."""
    own = {"num_paths": 2, "max_lbfgs_iters": 500, "num_elbo_draws": 30, "history_size": 6, "output_dir": str(tmp_path)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        sample(program_of("intercept"), engine="cmdstan", algorithm="pathfinder", draws=20, seed=1, **own)
    (text,) = (file.read_text(encoding="utf-8") for file in tmp_path.glob("*.csv"))
    wanted = ("num_psis_draws = 20", "num_paths = 2", "max_lbfgs_iters = 500", "num_elbo_draws = 30")
    for line in (*wanted, "history_size = 6"):
        assert f"{line}\n" in text


LACKING: dict[str, tuple[dict[str, Any], str, str]] = {
    "pathfinder": ({"algorithm": "pathfinder"}, "stanli has no algorithm 'pathfinder'", "engine='cmdstan'"),
    "laplace": ({"algorithm": "laplace"}, "stanli has no algorithm 'laplace'", "engine='cmdstan'"),
    "another": ({"algorithm": "advi"}, "algorithm must be one of nuts, pathfinder, laplace, not 'advi'", ""),
    "none": ({"algorithm": None}, "algorithm must be one of nuts, pathfinder, laplace, not None", ""),
}


@pytest.mark.parametrize("about", LACKING)
def test_what_an_engine_lacks_is_said_with_the_one_that_has_it(about: str) -> None:
    """Errors name the algorithm, and the engine to ask."""
    options, message, hint = LACKING[about]
    with pytest.raises(EngineError, match=message) as caught:
        model().sample(**options, progress=False)
    assert hint in caught.value.hint


def test_the_embedded_engine_has_one_kind_of_mode() -> None:
    """The mode of parameters as they are declared is CmdStan's."""
    with pytest.raises(EngineError, match="as they are declared") as caught:
        model().optimize(jacobian=False)
    assert "cmdstan" in caught.value.hint
