"""
CmdStan and stanli on programs of every kind: each compiles, samples briefly, and gives the same posterior.

On a real CmdStan each program takes a C++ compiler some twenty seconds, so these are those goldens that together hold
every kind of term, treatment and family; its stanc reads all of them. On the stand-in only a few run.
"""

from __future__ import annotations

import re
import subprocess
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lmmformula.stan.diagnostics import summarise
from lmmformula.stan.engines.choice import optimize, sample
from programs import EVERY, program_of
from standin import build_standin

if TYPE_CHECKING:
    from lmmformula.stan.draws import Draws

COMPILED = (
    "regression", "slope", "slope_conditional", "slope_centered", "three", "six", "two_terms", "crossed",
    "crossed_centered", "crossed_slopes", "nested", "nested_dense", "ar1", "cs", "weights", "priors_mixed",
    "sums_nested",
    "hostile", "bernoulli_probit", "binomial", "binomial_cloglog", "poisson", "poisson_prior", "negbinomial", "student",
    "gamma", "cumulative", "lognormal", "beta", "zero_inflated_poisson", "zero_inflated_negbinomial",
)  # fmt: skip
"""Goldens that are compiled: with those of the other tests fewer than forty."""
ALSO_ON_THE_STANDIN = {"slope", "hostile", "binomial"}
LARGEST_Z = 5.0
"""Standard errors by which means may differ: of the thousands that are compared none exceeds this by chance."""

SETTINGS: dict[str, Any] = {"chains": 2, "warmup": 400, "draws": 400, "progress": False}

CASES = [
    pytest.param(which, name, marks=pytest.mark.cmdstan if which == "real" else pytest.mark.slow)
    for name in COMPILED
    for which in ("standin", "real")
    if which == "real" or name in ALSO_ON_THE_STANDIN
]


def is_read(name: str) -> bool:
    """Tell whether the CmdStan at hand is as new as the header of a program says that it must be."""
    import cmdstanpy

    needed = re.search(r"for Stan (\d+)\.(\d+) or later", program_of(name).code)
    assert needed is not None
    found = cmdstanpy.cmdstan_version()
    return found is None or found >= tuple(map(int, needed.groups()))


def moments(draws: Draws, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return means and their Monte Carlo standard errors, of what varies."""
    columns = np.concatenate([draws[name].reshape(draws.n_chains, draws.n_draws, -1) for name in names], axis=-1)
    summary = summarise(columns)
    return summary.mean, summary.mcse


@cache
def by_stanli(name: str) -> Draws:
    """Sample a program with the embedded engine, for longer."""
    return sample(program_of(name), engine="stanli", seed=11, **SETTINGS | {"draws": 2000, "chains": 4})


@pytest.mark.parametrize(("cmdstan", "name"), CASES, indirect=["cmdstan"])
@pytest.mark.usefixtures("cmdstan")
def test_posteriors_agree(name: str) -> None:
    """Every variable has the same shape, and every parameter the same mean, within Monte Carlo error."""
    if not is_read(name):
        pytest.skip("the program is for a later version of CmdStan")
    ours, theirs = sample(program_of(name), engine="cmdstan", seed=12, **SETTINGS), by_stanli(name)
    assert {n: a.shape[2:] for n, a in ours.items()} == {n: a.shape[2:] for n, a in theirs.items()}
    names = [declaration.name for declaration in program_of(name).program.parameters]
    (mean, error), (their_mean, their_error) = moments(ours, names), moments(theirs, names)
    varies = (error > 0) & (their_error > 0)  # the upper triangle of a Cholesky factor does not
    z = (mean - their_mean)[varies] / np.hypot(error, their_error)[varies]
    assert np.abs(z).max() < LARGEST_Z


@pytest.mark.parametrize("name", ["slope", "nested_dense", "weights"])
def test_modes_agree(engine: str, name: str) -> None:
    """All engines climb to one log density, wherever they start."""
    ours, theirs = (optimize(program_of(name), engine=e, seed=3) for e in (engine, "stanli"))
    assert ours.statistics["lp"][0, 0] == pytest.approx(theirs.statistics["lp"][0, 0], abs=0.01)
    np.testing.assert_allclose(ours["sigma"], theirs["sigma"], rtol=0.01)


@pytest.mark.cmdstan
@pytest.mark.parametrize("cmdstan", [pytest.param("real", marks=pytest.mark.cmdstan)], indirect=True)
@pytest.mark.usefixtures("cmdstan")
def test_the_compiler_of_a_real_cmdstan_reads_every_program(tmp_path: Path) -> None:
    """Its stanc accepts every golden that is for a version like it; this takes no C++ compiler."""
    import cmdstanpy

    stanc = Path(cmdstanpy.cmdstan_path()) / "bin" / "stanc"
    refused = {}
    for name in filter(is_read, EVERY):
        file = tmp_path / "model.stan"
        file.write_text(program_of(name).code, encoding="utf-8")
        run = subprocess.run(
            [stanc, f"--o={tmp_path / 'model.hpp'}", file], check=False, capture_output=True, text=True
        )
        if run.returncode:
            refused[name] = run.stderr
    assert refused == {}


@pytest.mark.cmdstan
@pytest.mark.parametrize("algorithm", ["pathfinder", "laplace"])
@pytest.mark.parametrize("cmdstan", [pytest.param("real", marks=pytest.mark.cmdstan)], indirect=True)
@pytest.mark.usefixtures("cmdstan")
def test_approximations_are_near(algorithm: str) -> None:
    """Each mean is within a posterior standard deviation of the sampler's, and each spread within a factor of two."""
    names = ["Intercept", "b", "sigma"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pathfinder may find itself poor
        ours = sample(program_of("slope"), engine="cmdstan", algorithm=algorithm, draws=1000, seed=1)
    theirs = by_stanli("slope")
    for name in names:
        assert abs(ours[name].mean() - theirs[name].mean()) < theirs[name].std()
        assert 0.5 < ours[name].std() / theirs[name].std() < 2.0


def test_programs_are_skipped_that_an_old_cmdstan_can_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the version in their headers: of a CmdStan 2.35 those with a sum_to_zero_vector."""
    monkeypatch.setenv("CMDSTAN", str(build_standin(tmp_path, version="2.35.0")))
    assert {name for name in EVERY if not is_read(name)} == {
        name for name in EVERY if "sum_to_zero_vector" in program_of(name).code
    }


def test_no_more_is_compiled_than_a_person_waits_for() -> None:
    """Of the goldens that are compiled each is one, and with those of other tests they are fewer than forty."""
    assert set(COMPILED) <= EVERY.keys()
    assert len(COMPILED) == len(set(COMPILED)) <= 32
