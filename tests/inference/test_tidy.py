import numpy as np
import pytest

import fits
import lmmformula as lf
from lmmformula.inference.confint import confint
from lmmformula.inference.tidy import augment, tidy

COLUMNS = ["effect", "group", "term", "estimate", "std_error", "statistic", "df", "p_value"]


def test_the_columns_are_those_of_broom() -> None:
    """Estimate, error, test and bounds, for fixed effects, variance parameters and random effects."""
    fit = fits.fit_of("lmm-003r")
    assert list(tidy(fit)) == COLUMNS
    assert list(tidy(fit, conf_int=True)) == [*COLUMNS, "conf_low", "conf_high"]
    assert list(tidy(fit, "ran_vals")) == [*COLUMNS[:2], "level", *COLUMNS[2:]]
    assert list(tidy(fit, ["ran_pars"]).term) == [
        "sd__(Intercept)", "sd__Days", "cor__(Intercept).Days", "sd__Observation",
    ]  # fmt: skip


def test_fixed_effects_have_satterthwaites_tests() -> None:
    """Sleepstudy as in lmerTest, and bounds by Student's t with these degrees of freedom."""
    row = tidy(fits.fit_of("lmm-003r"), "fixed", conf_int=True).set_index("term").loc["Days"]
    assert row.df == pytest.approx(17.0, abs=1e-3)
    assert row.p_value == pytest.approx(3.264e-6, rel=1e-3)
    assert row.conf_high - row.estimate == pytest.approx(2.109816 * row.std_error, rel=1e-4)


def test_bounds_are_those_of_the_method() -> None:
    """Profile and Wald bounds of each row are the ones that confint gives."""
    fit = fits.fit_of("lmm-003r")
    for method in ("wald", "profile"):
        found = tidy(fit, "ran_pars", conf_int=True, method=method)
        expected = confint(fit, "ran_pars", method=method)
        np.testing.assert_allclose(found.conf_low, expected.low)
        np.testing.assert_allclose(found.conf_high, expected.high)
    none = tidy(fit, "fixed", conf_int=True, ddf="none")
    np.testing.assert_allclose(none.conf_low, confint(fit, "fixed").low)
    assert none.p_value.isna().all()


def test_random_effects_have_conditional_errors() -> None:
    """One row per level and coefficient, with the conditional standard deviations of ranef(condvar=True)."""
    fit = fits.fit_of("lmm-003r")
    found = tidy(fit, "ran_vals", conf_int=True)
    modes, covariances = fit.ranef(condvar=True)
    np.testing.assert_allclose(found.estimate, modes["Subject"].to_numpy().ravel())
    np.testing.assert_allclose(found.std_error[0], np.sqrt(covariances["Subject"][0, 0, 0]))
    assert found.level[1] == "308"


def test_augment_adds_influence_when_asked() -> None:
    """Leverage and Cook's distance stand beside the residuals."""
    fit = fits.fit_of("lmm-003r")
    assert "leverage" not in augment(fit)
    assert augment(fit, influence=True).leverage.sum() == pytest.approx(29.022, abs=1e-3)


def test_unknown_choices_are_refused() -> None:
    """Effects and methods that there are not."""
    fit = fits.fit_of("lmm-003r")
    with pytest.raises(lf.FitError, match="fixed, ran_pars, ran_vals"):
        tidy(fit, "random")  # type: ignore[arg-type]
    with pytest.raises(lf.FitError, match="wald, profile, boot"):
        confint(fit, method="lrt")  # type: ignore[arg-type]
