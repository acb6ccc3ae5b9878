"""
Simulation-based calibration: parameters drawn from the priors, data from the parameters, programs fitted to the data.

If a program's posterior is right, each true parameter's rank among independent posterior draws is uniform (Talts,
Betancourt, Simpson, Vehtari and Gelman 2018, arXiv:1804.06788, theorem 1). Parameters and data are simulated in numpy,
by what the prior statements and the formula say, and share nothing with the programs. Among the quantities is the log
density of the data, which finds faults that no single parameter shows (Modrák et al. 2023).
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf
from calibration import FRAME, MODELS, ROWS, Small, Values, linear_predictor, simulate, uniformity
from lmmformula.stan.diagnostics import summarise
from lmmformula.stan.engines.choice import sample
from lmmformula.stan.generate import StanProgram

SIMULATIONS = 200
DRAWS = 63
"""Posterior draws that a true value is ranked among, from chains with an effective sample size of twice as many."""
ALPHA = 1e-3
"""What the smallest p-value of a model's quantities, times their number, must exceed: fixed before anything was run."""


@cache
def program_of(name: str) -> StanProgram:
    """Generate the program of a model; its response is to be replaced."""
    case = MODELS[name]
    y: object = np.where(np.arange(ROWS) % 5 < 2, *case.family.placeholder)
    if case.family.categories:
        y = pd.Categorical(np.arange(ROWS) % 5 % case.family.categories, ordered=True)
    model = lf.Model(case.text, FRAME.assign(y=y), family=case.family.name, **case.options)
    return model.stan(form=case.form, geometry=case.geometry or None)


def draws_of(program: StanProgram, y: np.ndarray, seed: int, length: int) -> Values:
    """Sample a program with a response of its own; return values as `simulate` does."""
    data = program.data | {"y": y.astype(program.data["y"].dtype)}
    draws = sample(replace(program, data=data), chains=1, warmup=300, draws=length, seed=seed, progress=False)
    read = program.parameters
    values = {"beta": read.fixed.of(draws)[0]}
    for t, term in enumerate(read.random):
        values |= {f"sd{t}": term.sds_of(draws)[0], f"cor{t}": term.correlations_of(draws)[0]}
        values[f"u{t}"] = term.effects_of(draws)[0]
    own = [name for name in (read.sigma, *read.family) if name]
    return values | {name: draws[name][0].reshape(length, -1) for name in own}


def quantities(case: Small, y: np.ndarray, values: Values) -> Values:
    """Return (draws,) what is ranked: parameters, an effect of each term, and the log density of the data."""
    ranked = {f"beta[{i}]": column for i, column in enumerate(values["beta"].T)}
    for t, (names, _) in enumerate(case.random):
        ranked |= {f"sd{t}[{i}]": column for i, column in enumerate(values[f"sd{t}"].T)}
        ranked |= {f"cor{t}[{i}]": values[f"cor{t}"][:, i, i - 1] for i in range(1, len(names))}
        ranked[f"u{t}"] = values[f"u{t}"][:, 0, -1]
    own = {name: values[name] for name in case.family.parameters}
    ranked |= {f"{name}[{i}]": column for name, value in own.items() for i, column in enumerate(value.T)}
    density = case.family.log_density(y, linear_predictor(case, values), own)
    return ranked | {"log density": density.sum(axis=1)}


def ranks_of(name: str, program: StanProgram) -> dict[str, np.ndarray]:
    """Rank the true values of each simulation among independent posterior draws: quantity -> (simulations,)."""
    case, ranks = MODELS[name], []
    for number in range(SIMULATIONS):
        rng = np.random.default_rng([71, number])
        truth, y = simulate(case, rng)
        true = quantities(case, y, truth)
        length, worst = 8 * DRAWS, 0.0
        while worst < 2 * DRAWS:
            length *= 2 if worst else 1
            drawn = quantities(case, y, draws_of(program, y, number, length))
            worst = float(summarise(np.stack(list(drawn.values()), axis=-1)[np.newaxis]).ess_bulk.min())
            assert length < 500 * DRAWS, f"{name}: chains move too slowly in simulation {number}"
        thinned = np.linspace(0, length - 1, DRAWS).astype(int)
        ranks.append([int(np.sum(drawn[quantity][thinned] < value)) for quantity, value in true.items()])
    return dict(zip(true, np.array(ranks).T, strict=True))


def verdict(ranks: dict[str, np.ndarray]) -> dict[str, float]:
    """Return the p-value of each quantity."""
    return {quantity: uniformity(own, DRAWS + 1) for quantity, own in ranks.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_posteriors_are_calibrated(name: str) -> None:
    """The ranks of true values are uniform, by exact simultaneous bands and Bonferroni's correction."""
    p = verdict(ranks_of(name, program_of(name)))
    assert min(p.values()) * len(p) > ALPHA, p


@dataclass(frozen=True)
class Fault:
    """A mistake put into the program of a model: `right` becomes `wrong`."""

    model: str
    right: str
    wrong: str


FAULTS = {
    "a prior on the wrong scale": Fault("poisson", "sd_g ~ gamma(", "2 * sd_g ~ gamma("),
    "a Jacobian of the wrong sign": Fault(
        "marginal, crossed, one summing to zero",
        "target += -normal_lpdf(0 | 0, sd_h);",
        "target += normal_lpdf(0 | 0, sd_h);",
    ),
    "half of a determinant": Fault("marginal, slopes", "target += -sum(log(", "target += -0.5 * sum(log("),
    "effects without their noise": Fault(
        "marginal, intercepts", "normal_rng(square(lambda) * Zr ./ m, sd_g ./ sqrt(m))", "square(lambda) * Zr ./ m"
    ),
    "a rate that is no rate": Fault("Gamma", "shape * exp(-eta)", "(shape + 1) * exp(-eta)"),
}


@pytest.mark.slow
@pytest.mark.parametrize("about", FAULTS)
def test_faults_are_found(about: str) -> None:
    """The same check rejects a program with one mistake in it."""
    fault = FAULTS[about]
    program = program_of(fault.model)
    assert program.code.count(fault.right) == 1
    p = verdict(ranks_of(fault.model, replace(program, code=program.code.replace(fault.right, fault.wrong))))
    assert min(p.values()) * len(p) < ALPHA, p


RANKS = {
    "uniform": (lambda rng: rng.random(200), False),
    "too small": (lambda rng: rng.beta(1, 1.5, 200), True),
    "too much in the middle": (lambda rng: rng.beta(2.0, 2.0, 200), True),
    "too much at the ends": (lambda rng: rng.beta(0.6, 0.6, 200), True),
}


@pytest.mark.parametrize("kind", RANKS)
def test_departures_from_uniform_ranks_are_found(kind: str) -> None:
    """Ranks of a posterior that is shifted, too wide or too narrow are told from uniform ones."""
    draw, wrong = RANKS[kind]
    p = uniformity((draw(np.random.default_rng(72)) * (DRAWS + 1)).astype(int), DRAWS + 1)
    assert (p < ALPHA) == wrong


def test_p_values_of_uniform_ranks_are_uniform() -> None:
    """Of many sets of uniform ranks a tenth has a p-value below 0.1, and so on: the bands are exact."""
    rng = np.random.default_rng(73)
    p = np.array([uniformity(rng.integers(0, 16, 40), 16) for _ in range(2000)])
    for level in (0.01, 0.1, 0.5):
        assert np.mean(p <= level) <= level + 4 * np.sqrt(level * (1 - level) / 2000)
    assert np.mean(p <= 0.1) > 0.05
