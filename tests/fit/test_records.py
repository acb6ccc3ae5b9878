from typing import Any

import numpy as np
import pytest

from corpus import record, records
from fit.recorded import recorded_design, recorded_fit
from lmmformula.fit.lmm import Fit, conditional_covariances, evaluate_at, fit_lmm

TOLERANCE = {
    "criterion": 1e-10,  # both optimisers meet at the bottom, where the criterion is flat: far tighter than parameters
    "criterion at a correlation's bound": 1e-8,  # R's records stop at rho = 1 - 1e-9, we reach 1
    "fixef, se, sigma": 1e-6,  # R's optimisers leave theta at 1e-7 (InstEval) to 1e-10
    "covariance": 3e-6,  # of the largest variance of the term; 2.8e-6 where a variance is 500 times its neighbours'
    "modes": 1e-5,  # of the largest mode
}
NOT_IDENTIFIED = {"lmm-043m", "lmm-043r"}  # (1 | g) beside indicators of all levels: a ridge of equally good theta
ALL = [(kind, r["id"]) for kind in ("lmm", "lmm_structured") for r in records(kind)]
cases = pytest.mark.parametrize(("kind", "identifier"), ALL, ids=[identifier for _, identifier in ALL])


def regular(identifiers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Leave out the models whose covariance has no unique estimate."""
    return [(kind, identifier) for kind, identifier in identifiers if identifier not in NOT_IDENTIFIED]


identified = pytest.mark.parametrize(("kind", "identifier"), regular(ALL), ids=[i for _, i in regular(ALL)])


@cases
def test_criterion(kind: str, identifier: str) -> None:
    """The optimum is the best that any of R's optimisers found."""
    expected = record(kind, identifier)["criterion"]["value"]
    bound = "criterion_at_exact_bound" in record(kind, identifier)
    tolerance = TOLERANCE["criterion at a correlation's bound" if bound else "criterion"]
    assert recorded_fit(kind, identifier).criterion == pytest.approx(expected, rel=tolerance)


@cases
def test_fixed_effects(kind: str, identifier: str) -> None:
    """Fixed effects, standard errors and sigma are lme4's."""
    about, fit = record(kind, identifier), recorded_fit(kind, identifier)
    tolerance = TOLERANCE["fixef, se, sigma"]
    np.testing.assert_allclose(fit.beta, about["fixef"]["values"], rtol=tolerance, atol=tolerance * min(about["se"]))
    np.testing.assert_allclose(np.sqrt(np.diag(fit.vcov)), about["se"], rtol=tolerance)
    assert fit.sigma == pytest.approx(about["sigma"], rel=tolerance)


@identified
def test_covariances(kind: str, identifier: str) -> None:
    """Covariance matrices of the random effects are lme4's, singular ones too."""
    about, fit = record(kind, identifier), recorded_fit(kind, identifier)
    for S, expected in zip(fit.relative_covariance, about["varcorr"], strict=True):
        largest = max(np.abs(expected["cov"]).max(), fit.sigma**2 * 1e-4)
        np.testing.assert_allclose(fit.sigma**2 * S, expected["cov"], atol=TOLERANCE["covariance"] * largest)


@cases
def test_verdict(kind: str, identifier: str) -> None:
    """A fit is on the boundary where lme4 calls it singular, and says which term."""
    about, fit = record(kind, identifier), recorded_fit(kind, identifier)
    assert fit.verdict == ("boundary" if about["isSingular"] else "ok")
    assert bool(fit.message) == (about["isSingular"] or identifier in NOT_IDENTIFIED)
    if identifier in NOT_IDENTIFIED and not about["isSingular"]:
        assert "only their sum is estimated" in fit.message
    if about["isSingular"]:
        assert any(f"'{group}'" in fit.message for group in about["ngrps"])


@cases
def test_pieces_of_the_deviance(kind: str, identifier: str) -> None:
    """log|L|, log|R_X| and the penalized residual sum of squares are lme4's at lme4's theta."""
    about = record(kind, identifier)
    fit = evaluate_at(recorded_design(kind, identifier), np.array(about["theta"]), reml=about["REML"])
    assert fit.log_det_L == pytest.approx(about["devcomp"]["ldL2"] / 2, rel=1e-9, abs=1e-9)
    assert fit.log_det_RX == pytest.approx(about["devcomp"]["ldRX2"] / 2, rel=1e-9, abs=1e-9)
    assert fit.pwrss == pytest.approx(about["devcomp"]["pwrss"], rel=1e-8)
    np.testing.assert_allclose(fit.theta, about["theta"], rtol=1e-9, atol=1e-9)


@cases
def test_conditional_modes_and_covariances(kind: str, identifier: str) -> None:
    """At lme4's theta, the first modes of each term and their conditional covariances are lme4's."""
    about, design = record(kind, identifier), recorded_design(kind, identifier)
    fit = evaluate_at(design, np.array(about["theta"]), reml=about["REML"])
    covariances = conditional_covariances(design, fit)
    for group in about["ranef"]:
        mine = [t for t, term in enumerate(design.random_terms) if term.group == group["group"]]
        modes = np.concatenate([fit.modes[t] for t in mine], axis=1)
        expected = np.array(group["values_head"])
        largest = max(np.abs(expected).max(), 1e-6 * fit.sigma)
        np.testing.assert_allclose(modes[: len(expected)], expected, atol=TOLERANCE["modes"] * largest)
        if group["condvar_terms_first3"] is not None:
            check_condvar([covariances[t] for t in mine], group, fit)


def check_condvar(found: list[np.ndarray], group: dict[str, Any], fit: Fit) -> None:
    """Compare the conditional covariances of the first three levels, term by term."""
    given = group["condvar_terms_first3"]
    for own, expected in zip(found, given.values() if isinstance(given, dict) else given, strict=True):
        largest = max(np.abs(expected).max(), 1e-6 * fit.sigma**2)
        np.testing.assert_allclose(own[: len(expected)], expected, atol=1e-6 * largest)


def test_a_fit_from_another_start_is_the_same() -> None:
    """Theta = 1e-3 or 30 leads to the same optimum as the MINQUE start."""
    design, best = recorded_design("lmm", "lmm-080r"), recorded_fit("lmm", "lmm-080r")
    for scale in (1e-3, 30.0):
        fit = fit_lmm(design, start=scale * np.ones(4))
        np.testing.assert_allclose(fit.theta, best.theta, rtol=1e-5)
