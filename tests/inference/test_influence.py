from dataclasses import replace

import numpy as np
import pytest

import fits
import lmmformula as lf
from corpus import dataset
from lmmformula.fit.lmm import evaluate_at
from lmmformula.inference import influence as module
from lmmformula.inference.influence import cooks_distance, influence, leverage

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
