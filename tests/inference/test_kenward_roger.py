"""Kenward and Roger's covariance, t and F tests against pbkrtest's, at R's theta, and against explicit matrices."""

import numpy as np
import pytest

import lmmformula as lf
from corpus import dataset, record, records
from fits import fit_of
from lmmformula.design.design import RandomTermDesign
from lmmformula.fit import moments as moments_module
from lmmformula.fit.moments import moments
from lmmformula.inference.tests.anova import anova
from lmmformula.inference.tests.kenward_roger import KenwardRoger, matched_moments
from lmmformula.inference.tests.linear_functions import coefficient_tests

RECORDS = [r["id"] for r in records("kenward_roger")]
COLUMNS = {"sum_sq": "Sum Sq", "mean_sq": "Mean Sq", "num_df": "NumDF", "den_df": "DenDF", "f": "F value"}


@pytest.mark.parametrize("identifier", RECORDS)
def test_adjusted_covariance_and_coefficients_are_pbkrtests(identifier: str) -> None:
    """The adjusted covariance matrix; standard errors, degrees of freedom and t of each coefficient."""
    expected = record("kenward_roger", identifier)
    fit = fit_of(expected["fit_id"])
    adjusted = np.array(expected["vcovAdj"])
    scale = np.sqrt(np.outer(np.diag(adjusted), np.diag(adjusted)))
    np.testing.assert_allclose(KenwardRoger(moments(fit.design, fit.fit)).vcov / scale, adjusted / scale, atol=1e-9)
    table = coefficient_tests(fit, "kenward-roger").frame
    known = expected["coef"]
    np.testing.assert_allclose(table["std_error"], known["Std. Error"], rtol=1e-9)
    np.testing.assert_allclose(table["df"], known["df"], rtol=1e-9)
    np.testing.assert_allclose(table["statistic"], known["t value"], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(table["p_value"], known["Pr(>|t|)"], rtol=1e-6)


@pytest.mark.parametrize("identifier", RECORDS)
def test_type_three_anova_is_lmertests(identifier: str) -> None:
    """F with its scaling, and both degrees of freedom, of each term."""
    expected = record("kenward_roger", identifier)
    known = expected["anova_III"]
    table = anova(fit_of(expected["fit_id"]), "III", "kenward-roger").frame
    assert list(table.index) == list(known["rows"])
    for name, theirs in COLUMNS.items():
        # lmerTest rounds the entries of type III hypotheses to seven digits
        np.testing.assert_allclose(table[name], known[theirs], rtol=5e-6, err_msg=name)


SINGULAR = {
    "lmm-055r": [115.39524, 34.03763, 239.0],
    "lmm-102r": [10.85582, 10.67462, 10.64498, 10.47325, 212.53944],
    "lmm-106r": [18.74918, 16.4185, 18.58845, 14.44799],
    "lmm-124r": [8.11647, 6.58039, 8.66819],
}
"""`coef(summary(m, ddf = "Kenward-Roger"))[, "df"]` of pbkrtest 0.5.2, of the fits in test_satterthwaite.py."""


@pytest.mark.parametrize("identifier", SINGULAR)
def test_singular_fits_have_pbkrtests_degrees_of_freedom(identifier: str) -> None:
    """The method's parameters are the elements of the covariances, in which a boundary is nothing special."""
    table = coefficient_tests(fit_of(identifier), "kenward-roger").frame
    np.testing.assert_allclose(table["df"], SINGULAR[identifier], rtol=1e-5)


CASES = {
    "one factor": ("Reaction ~ Days + (Days | Subject)", "sleepstudy", None),
    "diagonal": ("Reaction ~ Days + diag(Days | Subject)", "sleepstudy", None),
    "two factors": ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin", None),
    "crossed slopes": ("rt ~ cond + (cond | subj) + (1 | item)", "sim_crossed", None),
    "a variance of zero": ("Yield ~ 1 + (1 | Batch)", "Dyestuff2", None),
    "compound symmetry": ("score ~ Machine + cs(0 + Machine | Worker, hom = TRUE)", "Machines", None),
    "weights": ("y ~ x + f2 + (x | g)", "toy", "w"),
}


@pytest.mark.parametrize("case", CASES)
def test_cross_products_give_what_explicit_matrices_give(case: str) -> None:
    """Adjusted covariance and degrees of freedom equal those of the textbook's formulas in n x n matrices."""
    formula, name, weights = CASES[case]
    fit = lf.Model(formula, dataset(name), weights=weights).fit()
    ours = KenwardRoger(moments(fit.design, fit.fit))
    adjusted, df = explicit(fit)
    scale = np.sqrt(np.outer(np.diag(adjusted), np.diag(adjusted)))
    np.testing.assert_allclose(ours.vcov / scale, adjusted / scale, atol=1e-7)
    np.testing.assert_allclose(ours.t_df(np.eye(len(df))), df, rtol=1e-6)


def explicit(fit: lf.LinearMixedFit) -> tuple[np.ndarray, np.ndarray]:
    """Adjusted covariance, and df of each coefficient, of Kenward & Roger (1997), with every matrix written out."""
    design, changes, V = fit.design, [], 0.0
    for term, relative in zip(design.random_terms, fit.fit.relative_covariance, strict=True):
        Z = term.covariates[:, :, None] * np.eye(term.n_levels)[term.codes][:, None]
        V = V + fit.sigma**2 * np.einsum("naj,ab,mbj->nm", Z, relative, Z)
        changes += [np.einsum("naj,ab,mbj->nm", Z, S, Z) for S in linear_directions(term)]
    residual = np.diag(np.ones(design.nobs) if design.weights is None else 1 / design.weights)
    inverse = np.linalg.inv(V + fit.sigma**2 * residual)
    changes.append(residual)
    X, phi = design.X, fit.fit.vcov
    VX = inverse @ X
    P = [-VX.T @ G @ VX for G in changes]
    Q = [[VX.T @ G @ inverse @ H @ VX for H in changes] for G in changes]
    information = np.array(
        [
            [
                np.sum((inverse @ G) * (inverse @ H).T)
                - 2 * np.trace(phi @ Q[i][j])
                + np.trace(phi @ P[i] @ phi @ P[j])
                for j, H in enumerate(changes)
            ]
            for i, G in enumerate(changes)
        ]
    )
    scale = np.sqrt(np.diag(information))
    w = 2 * np.linalg.inv(information / np.outer(scale, scale)) / np.outer(scale, scale)
    pairs = [(i, j) for i in range(len(P)) for j in range(len(P))]
    extra = sum(w[i, j] * (Q[i][j] - P[i] @ phi @ P[j]) for i, j in pairs)
    df = []
    for row in np.eye(len(phi)):
        theta = np.outer(row, row) / (row @ phi @ row)
        traces = [np.trace(theta @ phi @ p @ phi) for p in P]
        A1 = sum(w[i, j] * traces[i] * traces[j] for i, j in pairs)
        A2 = sum(w[i, j] * np.trace(theta @ phi @ P[i] @ phi @ theta @ phi @ P[j] @ phi) for i, j in pairs)
        df.append(matched_moments(A1, A2, 1)[0])
    return phi + 2 * phi @ extra @ phi, np.array(df)


def linear_directions(term: RandomTermDesign) -> list[np.ndarray]:
    """The matrices of which the covariance of a term is a sum."""
    k, eye = term.n_coefficients, np.eye(term.n_coefficients)
    match term.covariance.name:
        case "us":
            pairs = [(i, j) for i in range(k) for j in range(i + 1)]
            return [np.outer(eye[i], eye[j]) + (i != j) * np.outer(eye[j], eye[i]) for i, j in pairs]
        case "diag":
            return [np.outer(row, row) for row in eye]
        case _:
            return [eye, np.ones((k, k)) - eye]


@pytest.mark.parametrize("A", [1e-12, 0.1, 0.5, 0.9, 1.0, 1.5])
def test_a_single_row_has_two_over_a_degrees_of_freedom(A: float) -> None:
    """For q = 1 the moments give df = 2 / A2 and no scaling, also where the paper's rho is infinite (A2 = 1 / 2)."""
    df, scaling = matched_moments(A, A, 1)
    assert (df, scaling) == pytest.approx((2 / A, 1.0), rel=1e-4)


def test_effects_confounded_with_blocks_have_few_degrees_of_freedom() -> None:
    """The three-way interaction of npk is estimated between six blocks alone, which leave four degrees of freedom."""
    table = anova(fit_of("lmm-070r"), ddf="kenward-roger").frame
    np.testing.assert_allclose(table["den_df"], [12] * 6 + [4])


def test_ml_fits_are_refused() -> None:
    """The method is one for REML; the message says what to do."""
    fit = lf.lmer("Yield ~ 1 + (1 | Batch)", dataset("Dyestuff"), reml=False)
    with pytest.raises(lf.FitError, match="REML fits") as caught:
        coefficient_tests(fit, "kenward-roger")
    assert "reml=True" in caught.value.hint


def test_models_too_large_are_refused_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Crossed factors with very many effects, and very many fixed effects, are refused before anything is formed."""
    fit = fit_of("lmm-024r")
    monkeypatch.setattr(moments_module, "MOST_EFFECTS", 20)
    with pytest.raises(lf.FitError, match="30 random effects; the limit is 20") as caught:
        coefficient_tests(fit, "kenward-roger")
    assert "satterthwaite" in caught.value.hint
    monkeypatch.setattr(moments_module, "MOST_PRODUCTS", 1)
    with pytest.raises(lf.FitError, match="fixed effects and"):
        coefficient_tests(fit_of("lmm-003r"), "kenward-roger")


def test_a_hypothesis_of_rank_zero_has_no_test() -> None:
    """L beta that is nothing at all gives no F, rather than an error of linear algebra."""
    fit = fit_of("lmm-003r")
    test = KenwardRoger(moments(fit.design, fit.fit)).f_test(np.zeros((1, 2)), np.zeros(1))
    assert (test.num_df, np.isnan(test.f)) == (0, True)
