"""The two back ends against each other in other families: Laplace's approximation, taken of the Stan program."""

from typing import Any

import numpy as np
import pytest
import stanli

import lmmformula as lf
from corpus import dataset
from lmmformula.stan.program.data import stan_data
from lmmformula.stan.program.lower import lower_program
from lmmformula.stan.program.render import render

HERDS = "cbind(incidence, size - incidence)"
CASES: dict[str, tuple[str, str, str, str]] = {
    "binomial": ("cbpp", "binomial", f"{HERDS} ~ period + (1 | herd)", f"{HERDS} ~ 1 + (1 | herd)"),
    "poisson": ("cbpp", "poisson", "incidence ~ period + (1 | herd)", "incidence ~ 1 + (1 | herd)"),
    "with an offset": (
        "cbpp",
        "poisson",
        "incidence ~ period + offset(log(size)) + (1 | herd)",
        "incidence ~ 1 + offset(log(size)) + (1 | herd)",
    ),
}
"""Data, family, and two models of the same response and random effects, whose densities lack the same constants."""
STEP = 1e-4


def laplace(model: lf.Model, fit: Any) -> float:
    """
    Integrate the random effects out of the Stan program at a fit's estimates, by Laplace's approximation.

    log f(z) + 1/2 q log(2 pi) - 1/2 log|-H| at the mode z of the standardised effects, H by differences of gradients.
    """
    program, _ = lower_program(
        model.ir, model.design, form="conditional", geometry=dict.fromkeys(fit.ngroups, "noncentered"), flat=True
    )
    compiled = stanli.Model(stan_code=render(program), data=stan_data(program, model.design))
    (factor,) = program.factors
    (sds,) = (term.sds for term in fit.varcorr)
    fixed, beta = program.fixed, fit.fixef.to_numpy()
    values: dict[str, Any] = {factor.name("sd"): sds[0], factor.name("z"): np.zeros(factor.n_levels)}
    means = model.design.X[:, list(fixed.columns)].mean(axis=0)
    values[fixed.intercept_name] = beta[fixed.intercept_column] + means @ beta[list(fixed.columns)]
    if fixed.K:
        values["b"] = beta[list(fixed.columns)]
    point = compiled.unconstrain(values)
    columns = np.arange(len(point) - factor.n_levels, len(point))
    for _ in range(8):
        hessian = np.empty((len(columns), len(columns)))
        for row, column in enumerate(columns):
            ahead, behind = point.copy(), point.copy()
            ahead[column] += STEP
            behind[column] -= STEP
            difference = compiled.log_prob_grad(ahead)[1] - compiled.log_prob_grad(behind)[1]
            hessian[row] = difference[columns] / (2 * STEP)
        density, gradient = compiled.log_prob_grad(point)
        point[columns] -= np.linalg.solve(hessian, gradient[columns])
    jacobian = np.log(sds[0])
    return float(density - jacobian - 0.5 * np.linalg.slogdet(-hessian)[1])


@pytest.mark.parametrize("name", CASES)
def test_log_likelihoods_differ_by_what_the_stan_programs_say(name: str) -> None:
    """Between two models, Laplace's approximation changes alike in the fit and in the program, to 1e-6."""
    data, family, *formulas = CASES[name]
    models = [lf.Model(formula, dataset(data), family=family) for formula in formulas]
    fits = [model.fit() for model in models]
    programs = [laplace(model, fit) for model, fit in zip(models, fits, strict=True)]
    assert programs[0] - programs[1] == pytest.approx(fits[0].loglik - fits[1].loglik, abs=1e-6)
