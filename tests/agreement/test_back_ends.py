"""The two back ends against each other: one formula, one likelihood."""

import math
from typing import Any

import numpy as np
import pytest
import stanli

import lmmformula as lf
from corpus import dataset
from lmmformula.stan.program.data import stan_data
from lmmformula.stan.program.lower import lower_program
from lmmformula.stan.program.render import render

CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "random intercept": ("Yield ~ 1 + (1 | Batch)", "Dyestuff", {}),
    "random slope": ("Reaction ~ Days + (Days | Subject)", "sleepstudy", {}),
    "slope alone": ("Reaction ~ 1 + (0 + Days | Subject)", "sleepstudy", {}),
    "thousand rows": ("y ~ x + (x | group)", "coffee", {}),
    "factor in X": ("effort ~ Type + (1 | Subject)", "ergoStool", {}),
    "weights and offset": ("y ~ x + (x | g)", "toy", {"weights": "w", "offset": "off"}),
    "uncorrelated": ("Reaction ~ Days + (Days || Subject)", "sleepstudy", {}),
}


def log_likelihood(model: lf.Model, fit: lf.LinearMixedFit) -> float:
    """
    Evaluate the marginal Stan program, priors left out, at a fit's estimates: log p(y | beta, theta, sigma).

    stanli adds the log Jacobians of its transforms, exp for scales and tanh for a correlation; they come off again.
    """
    program, _ = lower_program(model.ir, model.design, form="marginal", flat=True)
    data = stan_data(program, model.design)
    compiled = stanli.Model(stan_code=render(program), data=data)
    fixed = program.fixed
    means = data["X"].mean(axis=0) if fixed.K else np.zeros(0)
    slopes = fit.fixef.to_numpy()[list(fixed.columns)]
    sds = np.concatenate([term.sds for term in fit.varcorr])
    values: dict[str, Any] = {"sigma": fit.sigma}
    jacobian = math.log(fit.sigma) + float(np.sum(np.log(sds)))
    if fixed.K:
        values["b"] = slopes
    if fixed.intercept:
        values[fixed.intercept_name] = fit.fixef.iloc[fixed.intercept_column] + means @ slopes
    (factor,) = program.factors
    values[factor.name("sd")] = sds if len(sds) > 1 else sds[0]
    if factor.correlated:
        (term,) = fit.varcorr
        values[factor.name("L")] = np.linalg.cholesky(term.correlation).ravel(order="F")
        jacobian += math.log(1 - term.correlation[1, 0] ** 2)
    density, _ = compiled.log_prob_grad(compiled.unconstrain(values))
    return float(density) - jacobian


@pytest.mark.parametrize("name", CASES)
def test_the_stan_program_holds_the_likelihood_that_ml_maximises(name: str) -> None:
    """At the ML estimates, the density of the marginal program is -1/2 of the deviance, to rounding."""
    formula, data, options = CASES[name]
    model = lf.Model(formula, dataset(data), **options)
    fit = model.fit(reml=False)
    assert log_likelihood(model, fit) == pytest.approx(-0.5 * fit.deviance, rel=1e-11)


@pytest.mark.parametrize("name", CASES)
def test_reml_is_the_stan_program_with_the_fixed_effects_integrated_out(name: str) -> None:
    """
    Under a flat prior the density is Gaussian in beta, so that Laplace's formula is exact.

    log p(y | beta) + p/2 log(2 pi) + 1/2 log|Cov(beta)| = -1/2 of the REML criterion.
    """
    formula, data, options = CASES[name]
    model = lf.Model(formula, dataset(data), **options)
    fit = model.fit()
    _, log_det = np.linalg.slogdet(fit.vcov)
    integrated = log_likelihood(model, fit) + 0.5 * (len(fit.fixef) * math.log(2 * math.pi) + log_det)
    assert integrated == pytest.approx(-0.5 * fit.reml_criterion, rel=1e-11)


def test_reml_and_posterior_of_sleepstudy_agree() -> None:
    """
    Estimates and posterior means under the default priors lie close, in units of posterior standard deviations.

    A posterior of few groups leans to larger standard deviations: 18 groups, by up to half a posterior sd.
    """
    model = lf.Model("Reaction ~ Days + (Days | Subject)", dataset("sleepstudy"))
    both = lf.compare(model.fit(), model.sample(seed=11, progress=False))
    assert both.posterior.diagnostics().ok
    assert (both.fixed["in_sds"].abs() < 0.1).all()
    assert (both.variance["in_sds"].abs() < 0.6).all()
    assert (both.random["in_sds"].abs() < 0.3).all()
    assert both.fixed["sd"].to_numpy() == pytest.approx(both.fixed["se"].to_numpy(), rel=0.15)


@pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")
def test_marginal_and_conditional_form_agree() -> None:
    """Two programs of one model have one posterior, within Monte Carlo error."""
    model = lf.Model("Yield ~ 1 + (1 | Batch)", dataset("Dyestuff"))
    marginal, conditional = (
        model.sample(seed=3, form=form, draws=2000, progress=False, adapt_delta=0.99).summary(random=True)
        for form in ("marginal", "conditional")
    )
    distance = (marginal["mean"] - conditional["mean"]) / np.hypot(marginal["mcse"], conditional["mcse"])
    assert distance.abs().max() < 4.5
