"""Posteriors of generated programs, against long runs of programs written by hand and against published numbers."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from corpus import dataset
from designs import design, model
from lmmformula.design.matrices import DesignMatrices
from lmmformula.fit.lmm import fit_lmm
from lmmformula.results.warmstart import estimates_of
from lmmformula.stan.diagnostics import summarise
from lmmformula.stan.draws import Draws
from lmmformula.stan.engines import sample
from lmmformula.stan.generate import StanProgram, stan_program
from lmmformula.stan.start import starting_point

REFERENCE = json.loads((Path(__file__).parent / "reference" / "posteriors.json").read_text(encoding="utf-8"))
SLOPES = {
    "a": ("Intercept", ()), "b": ("b", (0,)), "s[1]": ("sd", (0,)), "s[2]": ("sd", (1,)), "sigma": ("sigma", ()),
    "rho": ("cor", (0, 1)), "u1": ("u", (0, 0)), "u2": ("u", (0, 1)),
}  # fmt: skip
QUANTITIES = {
    "sleepstudy": {q: (f"{v}_Subject" if v in ("sd", "cor", "u") else v, i) for q, (v, i) in SLOPES.items()},
    "coffee": {q: (f"{v}_group" if v in ("sd", "cor", "u") else v, i) for q, (v, i) in SLOPES.items()},
    "Penicillin": {
        "a": ("Intercept", ()), "s": ("sd_plate", ()), "t": ("sd_sample", ()), "sigma": ("sigma", ()),
        "u1": ("u_plate", (0,)), "v1": ("u_sample", (0,)),
    },
}  # fmt: skip
"""Quantity of the reference -> variable and index of ours."""
TEXTS = {
    "sleepstudy": "Reaction ~ Days + (Days | Subject)\nIntercept ~ normal(300, 100)\nb ~ normal(0, 50)\n"
    "sd ~ exponential(0.02)\nsigma ~ exponential(0.02)\ncor ~ lkj(2)",
    "coffee": "y ~ x + (x | group)\nIntercept ~ normal(0, 100)\nb ~ normal(0, 10)\n"
    "sd ~ uniform(0, 100)\nsigma ~ uniform(0, 100)\ncor ~ lkj(2)",
    "Penicillin": "diameter ~ 1 + (1 | plate) + (1 | sample)\nIntercept ~ normal(23, 5)\n"
    "sd ~ exponential(1)\nsigma ~ exponential(1)",
}
RUNS = {
    "sleepstudy, marginal": ("sleepstudy", "marginal", {}),
    "sleepstudy, non-centred": ("sleepstudy", "conditional", {}),
    "coffee, marginal": ("coffee", "marginal", {}),
    "coffee, centred": ("coffee", "conditional", {"group": "centered"}),
    "Penicillin, non-centred": ("Penicillin", "marginal", {}),
    "Penicillin, centred": ("Penicillin", "marginal", {"sample": "centered"}),
}


@cache
def design_of(name: str) -> DesignMatrices:
    """Return the design of one model."""
    return design(TEXTS[name], dataset(name))[1]


def program_of(run: str) -> StanProgram:
    """Generate the program of a run."""
    name, form, geometry = RUNS[run]
    return stan_program(model(TEXTS[name]), design_of(name), form=form, geometry=geometry)


@cache
def draws_of(run: str, *, warm: bool = True) -> Draws:
    """Sample a run, from its REML fit or from anywhere."""
    program = program_of(run)
    start = starting_point(program, estimates_of(fit_lmm(design_of(RUNS[run][0])))) if warm else None
    return sample(program, seed=41, start=start, draws=2000, progress=False, adapt_delta=0.95)


def z_scores(run: str, draws: Draws) -> dict[str, float]:
    """Compare means and standard deviations with the reference, in standard errors of the difference."""
    scores = {}
    for quantity, (variable, index) in QUANTITIES[RUNS[run][0]].items():
        reference = REFERENCE[RUNS[run][0]][quantity]
        values = draws[variable][(..., *index)][..., np.newaxis]
        ours = summarise(values)
        second = summarise((values - ours.mean) ** 2)
        scores[f"mean of {quantity}"] = (ours.mean[0] - reference["mean"]) / np.hypot(
            ours.mcse[0], reference["mcse_mean"]
        )
        mcse_sd = second.mcse[0] / (2 * ours.sd[0])
        scores[f"sd of {quantity}"] = (ours.sd[0] - reference["sd"]) / np.hypot(mcse_sd, reference["mcse_sd"])
    return scores


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(run, marks=[pytest.mark.slow] * (run in ("sleepstudy, non-centred", "coffee, centred")))
        for run in RUNS
    ],
)
def test_posteriors_are_those_of_programs_written_by_hand(run: str) -> None:
    """Means and standard deviations lie within four standard errors of long runs of an independent program."""
    scores = z_scores(run, draws_of(run))
    assert max(map(abs, scores.values())) < 4, scores


@pytest.mark.parametrize("run", ["sleepstudy, marginal", "coffee, marginal", "Penicillin, centred"])
def test_chains_converge(run: str) -> None:
    """The form and geometry that are chosen by default converge, without divergences."""
    verdict = draws_of(run).diagnose()
    assert verdict.ok, str(verdict)


def test_the_start_does_not_matter() -> None:
    """From a random start the posterior is the same."""
    scores = z_scores("sleepstudy, marginal", draws_of("sleepstudy, marginal", warm=False))
    assert max(map(abs, scores.values())) < 4, scores


def test_coffee_has_its_published_posterior() -> None:
    """The sds of the coffee example are those of a published CmdStan run with the same uniform priors."""
    sd = draws_of("coffee, marginal")["sd_group"]
    summary = summarise(sd)
    published = np.array([[9.14, 8.12, 10.3], [0.908, 0.790, 1.04]])  # mean, q5, q95
    rounding = np.array([[0.05, 0.05, 0.1], [0.005, 0.007, 0.01]])
    assert np.all(np.abs(np.stack([summary.mean, summary.q5, summary.q95], axis=1) - published) < rounding)


def test_a_thousand_rows_take_few_steps() -> None:
    """Coffee needs few leapfrog steps a draw and loses few draws to autocorrelation: geometry, not luck with a seed."""
    draws = draws_of("coffee, marginal")
    assert draws.statistics["n_leapfrog"].mean() < 10
    assert summarise(draws["sd_group"]).ess_bulk.min() > 0.5 * draws.n_chains * draws.n_draws
