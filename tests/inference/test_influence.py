from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.linalg import block_diag

import fits
import lmmformula as lf
from corpus import dataset
from lmmformula.fit.lmm import evaluate_at
from lmmformula.inference import influence as module
from lmmformula.inference.influence import cooks_distance, influence, leverage
from lmmformula.results.families import log_density, trials_of

LME4_LEVERAGE = [0.22930403774, 0.16972999380, 0.12682371502, 0.10058520140, 0.09101445295, 0.09811146965]
LME4_COOK = [0.004963132515, 0.040206201856, 0.226099184758, 0.007313246991, 0.050573041714, 0.361951373182]
"""`hatvalues` and `cooks.distance` of lme4 1.1-31, the first six rows of sleepstudy with correlated slopes."""

CASES = [
    ("lmm-003r", "Subject"),
    ("lmm-024m", "plate"),
    ("lmm-024m", "sample"),
    ("lmm-107r", "g"),
    ("lmm-035r", "Block"),
]


def without(fit: lf.LinearMixedFit, keep: np.ndarray) -> np.ndarray:
    """Return the fixed effects of the rows that are kept, at the fit's theta: generalised least squares, anew."""
    return evaluate_at(fit.design.take(keep), fit.fit.theta, reml=fit.fit.reml).beta


def test_leverage_and_cooks_distance_are_lme4s() -> None:
    """The first rows agree, up to lme4's own distance from the optimum, and the sum is the number of parameters."""
    fit = lf.Model("Reaction ~ Days + (Days | Subject)", dataset("sleepstudy")).fit()
    np.testing.assert_allclose(leverage(fit)[:6], LME4_LEVERAGE, rtol=1e-5)
    np.testing.assert_allclose(cooks_distance(fit)[:6], LME4_COOK, rtol=5e-5)
    assert leverage(fit).sum() == pytest.approx(29.02212, abs=1e-3)


@pytest.mark.parametrize("identifier", ["lmm-003r", "lmm-024m", "lmm-107r"])
def test_leverage_is_the_derivative_of_fitted_values(identifier: str) -> None:
    """Moving one response moves its fitted value by its leverage, theta held: weights and crossed factors included."""
    fit = fits.fit_of(identifier)
    found = leverage(fit)
    for row in (0, 7, fit.nobs - 1):
        y = fit.design.y.copy()
        y[row] += 1.0
        moved = replace(fit, design=fit.design.with_rows(y=y))
        moved = replace(moved, fit=evaluate_at(moved.design, fit.fit.theta, reml=fit.fit.reml))
        assert moved.fitted.iloc[row] - fit.fitted.iloc[row] == pytest.approx(found[row], rel=1e-6)


@pytest.mark.parametrize(("identifier", "group"), CASES)
def test_deleting_a_group_is_generalised_least_squares_without_it(identifier: str, group: str) -> None:
    """The change without refits is the one that the remaining rows give at the same theta."""
    fit = fits.fit_of(identifier)
    found = influence(fit, group)
    term = next(t for t in fit.design.random_terms if t.group == group)
    assert list(found.labels) == list(term.levels)
    for level in range(min(term.n_levels, 8)):
        expected = fit.fit.beta - without(fit, term.codes != level)
        np.testing.assert_allclose(found.dfbeta[level], expected, atol=1e-8 * np.abs(fit.fit.beta).max())


def test_deleting_rows_works_alike() -> None:
    """Single rows are labelled by their positions, and change beta as leaving them out does."""
    fit = fits.fit_of("lmm-107r")
    found = influence(fit)
    assert found.labels == tuple(fit.design.kept_rows)
    for row in (0, 11):
        expected = fit.fit.beta - without(fit, np.arange(fit.nobs) != row)
        np.testing.assert_allclose(found.dfbeta[row], expected, atol=1e-10)


def test_large_groups_give_the_same_by_the_other_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the size at which K is formed the answer comes another way, and is the same."""
    fit = fits.fit_of("lmm-003r")
    small = influence(fit, "Subject")
    monkeypatch.setattr(module, "LARGE_GROUP", 5)
    np.testing.assert_allclose(influence(fit, "Subject").dfbeta, small.dfbeta, atol=1e-8)


def test_cooks_distance_of_a_group_is_in_units_of_the_covariance() -> None:
    """It is the squared length of the change in standard errors, averaged over the fixed effects."""
    fit = fits.fit_of("lmm-003r")
    found = influence(fit, "Subject")
    change = found.dfbeta[0]
    assert found.cooks_distance[0] == pytest.approx(change @ np.linalg.inv(fit.vcov) @ change / 2)


def test_a_group_that_alone_tells_of_an_effect_has_no_influence_number() -> None:
    """Without the only batch of a treatment its effect is gone: NaN, not a number made of rounding."""
    data = dataset("Dyestuff").assign(only=lambda d: (d.Batch == "A").astype(float))
    fit = lf.Model("Yield ~ only + (1 | Batch)", data).fit()
    found = influence(fit, "Batch")
    assert np.isnan(found.dfbeta[0]).all()
    assert np.isfinite(found.dfbeta[1:]).all()


def test_a_linear_model_has_the_textbook_numbers() -> None:
    """Without random terms: leverage 1/n + (x - mean)^2 / S, and dfbeta (X'X)^-1 x e / (1 - h)."""
    fit = lf.Model("Reaction ~ Days", dataset("sleepstudy")).fit()
    X, e = fit.design.X, fit.residuals().to_numpy()
    H = X @ np.linalg.inv(X.T @ X) @ X.T
    np.testing.assert_allclose(leverage(fit), np.diag(H), rtol=1e-10)
    expected = (np.linalg.inv(X.T @ X) @ X.T * (e / (1 - np.diag(H)))).T
    np.testing.assert_allclose(influence(fit).dfbeta, expected, rtol=1e-7, atol=1e-12)


def test_an_unknown_group_is_refused() -> None:
    """The message names the grouping factors."""
    with pytest.raises(lf.FitError, match="they are: Subject"):
        influence(fits.fit_of("lmm-003r"), "Days")


def test_the_table_begins_with_the_most_influential() -> None:
    """Printed: what was left out, the largest first, and how many more there are."""
    lines = str(influence(fits.fit_of("lmm-003r"), "Subject")).splitlines()
    assert lines[0] == "Influence of levels of Subject on the fixed effects, the largest first"
    assert lines[2].split()[0] == "309"
    assert lines[-1] == "... and 8 more"


OTHERS = {
    "binomial": ("cbind(incidence, size - incidence) ~ period + (1 | herd)", "cbpp", "herd"),
    "poisson": ("ypois ~ x + tr + (x | grp)", "sim_glmm", "grp"),
    "negbinomial": ("ynb ~ x + offset(0.1 * x) + (1 | grp)", "sim_glmm", "grp"),
    "Gamma(log)": ("yig ~ x + (1 | grp)", "sim_glmm", "grp"),
}


@cache
def other(family: str) -> lf.GeneralizedMixedFit:
    """Return a fit of a family."""
    formula, data, _ = OTHERS[family]
    fit = lf.glmer(formula, dataset(data), family=family)
    assert isinstance(fit, lf.GeneralizedMixedFit)
    return fit


def equations(fit: lf.GeneralizedMixedFit) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return [X Z], scores by differences of the density, and the penalty of Newton's equations."""
    trials = trials_of(fit.design, fit.family)
    eta, h = fit.predict(scale="link").to_numpy(), 1e-5
    y = fit.design.y * trials
    low, high = (log_density(fit.family, y, eta + s, fit.fit.parameters, trials) for s in (-h, h))
    R = np.hstack([fit.design.X, fit.design.Zt.toarray().T])
    precisions = [
        np.kron(np.eye(term.n_levels), np.linalg.inv(S))
        for term, S in zip(fit.design.random_terms, fit.fit.relative_covariance, strict=True)
    ]
    return R, (high - low) / (2 * h), block_diag(np.zeros((fit.design.n_fixed, fit.design.n_fixed)), *precisions)


@pytest.mark.parametrize("family", OTHERS)
def test_deleting_from_other_families_is_a_step_of_newtons_method(family: str) -> None:
    """From the estimates, towards those of the penalised density of the rows that are left."""
    fit, group = other(family), OTHERS[family][2]
    R, s, P = equations(fit)
    term = fit.design.random_terms[0]
    for found, members in ((fit.influence(group), [term.codes == 0, term.codes == 3]), (fit.influence(), [0, 3])):
        for place, rows in zip((0, 3), members, strict=True):
            left = np.ones(fit.nobs, dtype=bool)
            left[rows] = False
            hessian = R[left].T @ (fit.fit.weights[left, None] * R[left]) + P
            out = np.atleast_2d(R[rows]).T @ np.atleast_1d(s[rows])
            step = np.linalg.solve(hessian, out)[: fit.design.n_fixed]
            np.testing.assert_allclose(found.dfbeta[place], step, atol=2e-7)


@pytest.mark.parametrize("family", OTHERS)
def test_leverage_of_other_families_is_that_of_the_working_responses(family: str) -> None:
    """The diagonal of R (R'WR + P)^-1 R'W; Cook's distance is made of it and of scores."""
    fit = other(family)
    R, s, P = equations(fit)
    w = fit.fit.weights
    h = w * np.einsum("ij,jk,ik->i", R, np.linalg.inv(R.T @ (w[:, None] * R) + P), R)
    np.testing.assert_allclose(fit.leverage(), h, rtol=1e-5)
    distance = s**2 / w * h / (1 - h) ** 2 / fit.design.n_fixed
    np.testing.assert_allclose(fit.cooks_distance(), distance, rtol=1e-4, atol=1e-10)
    shown = fit.augment(influence=True)
    np.testing.assert_allclose(shown[["leverage", "cooks_distance"]].to_numpy().T, [h, distance], rtol=1e-4, atol=1e-10)
    if family in ("binomial", "poisson"):  # the canonical link
        np.testing.assert_allclose(fit.residuals("pearson"), s / np.sqrt(w), rtol=1e-5, atol=1e-8)


def test_a_step_is_near_what_refits_without_a_herd_give() -> None:
    """To a tenth of its standard error, all parameters estimated anew."""
    fit, data = other("binomial"), dataset("cbpp")
    found = fit.influence("herd")
    for herd in ("1", "11", "14"):
        rest = lf.glmer(OTHERS["binomial"][0], data[data["herd"].astype(str) != herd], family="binomial")
        change = fit.fixef - rest.fixef
        assert (np.abs(found.dfbeta[found.labels.index(herd)] - change) < 0.1 * fit.std_errors).all()


def test_large_groups_of_other_families_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the other rows' working responses."""
    fit = other("poisson")
    small = fit.influence("grp")
    monkeypatch.setattr(module, "LARGE_GROUP", 5)
    np.testing.assert_allclose(fit.influence("grp").dfbeta, small.dfbeta, atol=1e-7)


def test_rows_of_negative_curvature_have_an_influence() -> None:
    """An outlier of a student response moves the fixed effects by its score alone, and has no Cook's distance."""
    fit = lf.Model("Reaction ~ Days + (1 | Subject)", dataset("sleepstudy"), family="student").fit()
    convex = fit.fit.weights < 0
    assert convex.any()
    assert np.isfinite(fit.influence().dfbeta).all()
    np.testing.assert_array_equal(np.isnan(fit.cooks_distance()), convex)


def test_what_has_no_finite_estimate_has_no_influence() -> None:
    """A period without a case: its coefficient is infinite with and without a herd, the others are not."""
    data = dataset("cbpp").copy()
    data.loc[data["period"].astype(str) == "4", "incidence"] = 0
    with pytest.warns(lf.FitWarning, match="separation"):
        fit = lf.glmer(OTHERS["binomial"][0], data, family="binomial")
    found = fit.influence("herd")
    assert np.isnan(found.dfbeta).any(axis=0).tolist() == [False, False, False, True]
    assert np.isfinite(found.cooks_distance).all()
    np.testing.assert_array_equal(np.isnan(fit.leverage()), (data["period"].astype(str) == "4").to_numpy())
