"""Posteriors of generated programs, against long runs of programs written by hand and against published numbers."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lmmformula as lf
from corpus import dataset
from lmmformula.stan.diagnostics import summarise
from lmmformula.stan.draws import Draws

REFERENCE = json.loads((Path(__file__).parent / "reference" / "posteriors.json").read_text(encoding="utf-8"))
LARGEST_Z = 4.0
"""Of about 200 scores of right programs, one lies beyond it with a probability of 0.013 (Bonferroni)."""
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
    "cbpp": {
        "a": ("Intercept", ()), "b[1]": ("b", (0,)), "b[2]": ("b", (1,)), "b[3]": ("b", (2,)), "s": ("sd_herd", ()),
        "u1": ("u_herd", (0,)),
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
    "cbpp": "cbind(incidence, size - incidence) ~ period + (1 | herd)\nIntercept ~ normal(-2, 2)\n"
    "b ~ normal(0, 1.5)\nsd ~ exponential(1)",
}
COLD = {"warm_start": False}
RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "sleepstudy": ("sleepstudy", {}),
    "sleepstudy, cold": ("sleepstudy", COLD),
    "sleepstudy, conditional": ("sleepstudy", {"form": "conditional"}),
    "sleepstudy, non-centred": ("sleepstudy", {"form": "conditional", "geometry": {"Subject": "noncentered"}}),
    "coffee": ("coffee", {}),
    "coffee, cold": ("coffee", COLD),
    "coffee, cross-products": ("coffee", {"data_form": "crossproducts"}),
    "coffee, conditional": ("coffee", {"form": "conditional"}),
    "coffee, conditional, cold": ("coffee", {"form": "conditional"} | COLD),
    "Penicillin": ("Penicillin", {}),
    "Penicillin, cold": ("Penicillin", COLD),
    "Penicillin, one non-centred": ("Penicillin", {"geometry": {"sample": "noncentered"}}),
    "Penicillin, one centred": ("Penicillin", {"geometry": {"sample": "centered"}}),
    "Penicillin, conditional": ("Penicillin", {"form": "conditional"}),
    "cbpp": ("cbpp", {}),
    "cbpp, cold": ("cbpp", COLD),
    "cbpp, centred": ("cbpp", {"geometry": {"herd": "centered"}}),
}
"""Runs with the settings that `Model.sample` has by default, but for what is named: model and options."""
SLOW = [run for run in RUNS if "condit" in run or "non-centred" in run]


@cache
def draws_of(run: str) -> Draws:
    """Sample a run; non-centred and centred effects of few levels need a smaller step."""
    name, options = RUNS[run]
    family = "binomial" if name == "cbpp" else "gaussian"
    model = lf.Model(TEXTS[name], dataset(name), family=family)
    small = {"adapt_delta": 0.99} if options.get("form") == "conditional" or "geometry" in options else {}
    return model.sample(seed=41, draws=2000, progress=False, **options, **small).raw


def z_scores(run: str) -> dict[str, float]:
    """Compare means and standard deviations with the reference, in standard errors of the difference."""
    scores = {}
    for quantity, (variable, index) in QUANTITIES[RUNS[run][0]].items():
        reference = REFERENCE[RUNS[run][0]][quantity]
        values = draws_of(run)[variable][(..., *index)][..., np.newaxis]
        ours = summarise(values)
        second = summarise((values - ours.mean) ** 2)
        scores[f"mean of {quantity}"] = (ours.mean[0] - reference["mean"]) / np.hypot(
            ours.mcse[0], reference["mcse_mean"]
        )
        mcse_sd = second.mcse[0] / (2 * ours.sd[0])
        scores[f"sd of {quantity}"] = (ours.sd[0] - reference["sd"]) / np.hypot(mcse_sd, reference["mcse_sd"])
    return scores


@pytest.mark.parametrize("run", [pytest.param(run, marks=[pytest.mark.slow] * (run in SLOW)) for run in RUNS])
def test_posteriors_are_those_of_programs_written_by_hand(run: str) -> None:
    """Means and standard deviations lie within four standard errors of long runs of an independent program."""
    scores = z_scores(run)
    assert max(map(abs, scores.values())) < LARGEST_Z, scores


@pytest.mark.parametrize("run", TEXTS)
def test_default_runs_converge(run: str) -> None:
    """The form and geometry that are chosen by default converge, without divergences."""
    verdict = draws_of(run).diagnose()
    assert verdict.ok, str(verdict)


def test_coffee_has_its_published_posterior() -> None:
    """
    The sds of the coffee example are those of a published CmdStan run with the same uniform priors.

    That run's effective sample size is not known; it is taken to be the 400 that Stan asks for at least. A quantile
    at 5 % of a normal distribution then has 2.1 times the standard error of the mean, sqrt(0.05 0.95) / 0.103.
    """
    sd = draws_of("coffee")["sd_group"]
    summary = summarise(sd)
    published = np.array([[9.14, 8.12, 10.3], [0.908, 0.790, 1.04]])  # mean, q5, q95
    errors = np.outer(summary.sd, [1.0, 2.1, 2.1]) * np.hypot(1 / np.sqrt(400), 1 / np.sqrt(summary.ess_bulk.min()))
    difference = np.stack([summary.mean, summary.q5, summary.q95], axis=1) - published
    assert np.all(np.abs(difference) < LARGEST_Z * errors)


def test_a_thousand_rows_take_few_steps() -> None:
    """Coffee needs few leapfrog steps a draw and loses few draws to autocorrelation: geometry, not luck with a seed."""
    draws = draws_of("coffee")
    assert draws.statistics["n_leapfrog"].mean() < 10
    assert summarise(draws["sd_group"]).ess_bulk.min() > 0.5 * draws.n_chains * draws.n_draws
