"""Standard errors of variance parameters, and refits of many responses, as methods of a fit."""

import numpy as np
import pytest

import lmmformula as lf
from corpus import dataset, record


def test_covariance_of_theta_and_sigma_is_lmertests() -> None:
    """There a numerical Hessian in the same parameters is inverted; it is good to some four digits."""
    r = record("satterthwaite", "satterthwaite_lmm-003r")
    found = lf.lmer(r["formula"], dataset(r["dataset"])).variance_vcov()
    assert list(found.index) == ["Subject.(Intercept)", "Subject.Days.(Intercept)", "Subject.Days", "sigma"]
    assert found.to_numpy() == pytest.approx(np.array(r["vcov_varpar"]), rel=1e-3, abs=1e-6)


def test_log_deviations_of_a_balanced_one_way_layout() -> None:
    """Of sigma it is known: a chi-square of n - J degrees of freedom, so that Var(log sigma) is 1 / (2 (n - J))."""
    found = lf.lmer("Yield ~ 1 + (1 | Batch)", dataset("Dyestuff")).variance_vcov("log_sd")
    assert list(found.columns) == ["log_sd[Batch, (Intercept)]", "log_sigma"]
    assert found.loc["log_sigma", "log_sigma"] == pytest.approx(1 / (2 * 24), rel=1e-6)


def test_structures_name_what_they_estimate() -> None:
    """A correlation structure has standard deviations and a correlation in theta's place."""
    fit = lf.lmer("y ~ x + ar1(0 + time | id)", dataset("sim_ar1"))
    assert list(fit.variance_vcov().index) == ["sd[id, *]", "rho[id]", "sigma"]


def test_an_unknown_scale_is_refused() -> None:
    """With the names there are."""
    fit = lf.lmer("Yield ~ 1 + (1 | Batch)", dataset("Dyestuff"))
    with pytest.raises(lf.FitError, match="choose 'theta' or 'log_sd'"):
        fit.variance_vcov("sd")


def test_many_responses_are_fitted_as_each_is() -> None:
    """A matrix of responses gives the estimates that each response gives by itself."""
    fit = lf.lmer("Reaction ~ Days + (Days | Subject)", dataset("sleepstudy"))
    responses = fit.simulate(5, seed=3)
    table = fit.refit(responses)
    assert list(table.index) == list(responses.columns)
    for name in responses:
        one = fit.refit(responses[name])
        assert table.loc[name, list(one.fixef.index)].to_numpy(float) == pytest.approx(one.fixef.to_numpy(), rel=1e-6)
        assert table.loc[name, "criterion"] == pytest.approx(one.reml_criterion, rel=1e-9)


def test_responses_of_another_length_are_refused() -> None:
    """And those that aren't numbers."""
    fit = lf.lmer("Yield ~ 1 + (1 | Batch)", dataset("Dyestuff"))
    with pytest.raises(lf.FitError, match="30 rows and a column for each fit"):
        fit.refit(np.zeros((29, 2)))
    with pytest.raises(lf.FitError, match="must be numbers"):
        fit.refit([["a", "b"]] * 30)


def test_the_trace_tells_what_the_optimiser_did() -> None:
    """One line per evaluation, the strategy first."""
    fit = lf.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", dataset("Penicillin"))
    assert len(fit.trace.splitlines()) >= fit.fit.log.evaluations
    assert "criterion" in fit.trace
