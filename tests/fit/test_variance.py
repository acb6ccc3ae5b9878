import numpy as np
import pytest

import lmmformula as lf
from corpus import dataset, record, records
from fit.oracle import EXAMPLES, criterion, example, make_design, make_term
from fit.recorded import recorded_design, recorded_fit
from lmmformula.fit.lmm import evaluate_at, fit_lmm
from lmmformula.fit.search.theta import split_theta
from lmmformula.fit.variance import log_deviations, variance_parameters

REGULAR = [
    r["id"]
    for r in records("satterthwaite")
    if not record("lmm", r["fit_id"])["isSingular"] and r["fit_id"] != "lmm-043r"
]


@pytest.mark.parametrize("identifier", REGULAR)
def test_covariance_of_theta_and_sigma_is_lmertests(identifier: str) -> None:
    """The inverse Hessian with respect to (theta, sigma) is what lmerTest finds by numerical differentiation."""
    about = record("satterthwaite", identifier)
    found = variance_parameters(recorded_design("lmm", about["fit_id"]), recorded_fit("lmm", about["fit_id"]))
    expected = np.array(about["vcov_varpar"])
    deviations = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(
        found.vcov / np.outer(deviations, deviations), expected / np.outer(deviations, deviations), atol=2e-3
    )


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("name", EXAMPLES)
def test_hessian_is_that_of_the_criterion(name: str, *, reml: bool) -> None:
    """Second derivatives of -2 log likelihood with sigma free equal second differences of the naive one."""
    design = example(name)
    fit = fit_lmm(design, reml=reml)
    found = variance_parameters(design, fit)
    shapes = [(t.covariance, t.n_coefficients) for t in design.random_terms]

    def value(v: np.ndarray) -> float:
        parts = split_theta(shapes, v[:-1])
        S = [c.sigma_of(part, k) for (c, k), part in zip(shapes, parts, strict=True)]
        return criterion(design, S, reml=reml, sigma=float(v[-1]))

    v, h = found.values, 1e-3
    steps = h * np.eye(len(v))
    expected = [
        [(value(v + a + b) - value(v + a - b) - value(v - a + b) + value(v - a - b)) / (4 * h * h) for a in steps]
        for b in steps
    ]
    np.testing.assert_allclose(found.hessian, expected, rtol=2e-3, atol=2e-3 * np.abs(found.hessian).max() ** 0.5)


@pytest.mark.parametrize("identifier", [r["id"] for r in records("lmm_structured") if not r["isSingular"]])
def test_structured_terms_are_read_as_deviations_and_a_correlation(identifier: str) -> None:
    """The parameters are lme4's `par`, and at an optimum inside all bounds the gradient is zero."""
    fit = recorded_fit("lmm_structured", identifier)
    found = variance_parameters(recorded_design("lmm_structured", identifier), fit)
    np.testing.assert_allclose(found.values[:-1], record("lmm_structured", identifier)["par"], rtol=1e-4, atol=1e-6)
    curvature = np.sqrt(np.abs(np.diag(found.hessian)))
    np.testing.assert_allclose(found.gradient / curvature, 0.0, atol=1e-4)
    assert (found.std_errors > 0).all()


@pytest.mark.parametrize("name", EXAMPLES)
def test_covariance_of_beta_moves_as_predicted(name: str) -> None:
    """Derivatives of vcov(beta) with respect to theta, sigma held, equal differences between evaluations."""
    design = example(name)
    fit = evaluate_at(design, fit_lmm(design).theta + 0.05)
    found = variance_parameters(design, fit)
    h = 1e-5
    for i, slope in enumerate(found.vcov_beta_slopes[:-1]):
        step = h * np.eye(len(fit.theta))[i]
        up, down = (evaluate_at(design, fit.theta + s * step) for s in (1, -1))
        expected = fit.sigma**2 * (up.vcov / up.sigma**2 - down.vcov / down.sigma**2) / (2 * h)
        np.testing.assert_allclose(slope, expected, atol=1e-6 * max(1e-9, np.abs(fit.vcov).max(initial=0.0)) + 1e-8)
    np.testing.assert_allclose(found.vcov_beta_slopes[-1], 2 * fit.vcov / fit.sigma)


def test_log_deviations_of_a_balanced_one_way_layout() -> None:
    """Their covariance is what the chi-squared mean squares give: 2 / degrees of freedom, halved twice."""
    rng = np.random.default_rng(0)
    J, r = 40, 6
    g, one = np.repeat(np.arange(J), r), np.ones(J * r)
    y = 3 * rng.normal(size=J)[g] + rng.normal(size=J * r)
    design = make_design(y, [one], [make_term("g", g, [one])])
    fit = fit_lmm(design)
    found = log_deviations(design, fit, variance_parameters(design, fit))
    between, within = fit.sigma**2 * (1 + r * fit.theta[0] ** 2), fit.sigma**2
    var_between, var_within = 2 * between**2 / (J - 1), 2 * within**2 / (J * (r - 1))
    variance = fit.sigma**2 * fit.theta[0] ** 2
    expected_group = (var_between + var_within) / r**2 / variance**2 / 4
    np.testing.assert_allclose(np.diag(found.vcov), [expected_group, var_within / within**2 / 4], rtol=1e-6)
    np.testing.assert_allclose(found.values, [np.log(fit.sigma * fit.theta[0]), np.log(fit.sigma)])


def test_a_deviation_of_zero_has_no_logarithm() -> None:
    """Its value is -inf and its covariance NaN; sigma's stands."""
    design, fit = recorded_design("lmm", "lmm-123r"), recorded_fit("lmm", "lmm-123r")
    found = log_deviations(design, fit, variance_parameters(design, fit))
    zero = np.isinf(found.values)
    assert zero.any()
    assert np.isnan(np.diag(found.vcov)[zero]).all()
    assert np.isfinite(found.vcov[-1, -1])


def test_a_linear_model_says_that_it_has_none() -> None:
    """Without random terms there is nothing to differentiate by."""
    fit = lf.lmer("Reaction ~ Days", dataset("sleepstudy"))
    with pytest.raises(lf.FitError, match="without random terms"):
        _ = fit.variance_parameters
