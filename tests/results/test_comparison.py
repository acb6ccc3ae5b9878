"""A fit beside a posterior: the tables, the largest difference, and pairs that don't belong together."""

import numpy as np
import pytest

import lmmformula as lf
from corpus import dataset
from fits import fit_of, model_of, posterior_of

SLEEPSTUDY = "lmm-003r"


@pytest.fixture(scope="module")
def comparison() -> lf.Comparison:
    """Fit and sample the sleepstudy model."""
    return lf.compare(fit_of(SLEEPSTUDY), posterior_of(SLEEPSTUDY))


def test_fixed_effects_side_by_side(comparison: lf.Comparison) -> None:
    """Estimates and standard errors of the fit, moments of the posterior, their difference in posterior sds."""
    table = comparison.fixed
    assert list(table.index) == ["(Intercept)", "Days"]
    np.testing.assert_allclose(table["estimate"], comparison.fit.fixef)
    np.testing.assert_allclose(table["se"], comparison.fit.std_errors)
    np.testing.assert_allclose(table["mean"], comparison.posterior.fixef)
    np.testing.assert_allclose(table["difference"], table["mean"] - table["estimate"])
    np.testing.assert_allclose(table["in_sds"], table["difference"] / table["sd"])


def test_variance_components_side_by_side(comparison: lf.Comparison) -> None:
    """Standard deviations, correlation and sigma, each by group and name."""
    table = comparison.variance
    assert list(table.index) == [
        ("Subject", "sd (Intercept)"),
        ("Subject", "sd Days"),
        ("Subject", "cor (Intercept), Days"),
        ("Residual", "sigma"),
    ]
    np.testing.assert_allclose(table["estimate"], [24.740, 5.922, 0.0656, 25.592], rtol=1e-3)
    assert (table["q5"] < table["mean"]).all()
    assert (table["mean"] < table["q95"]).all()


def test_random_effects_side_by_side(comparison: lf.Comparison) -> None:
    """One row per level and coefficient; conditional modes beside posterior means."""
    table = comparison.random
    assert len(table) == 36
    row = table.loc[("Subject", "308", "Days")]
    assert row["estimate"] == pytest.approx(9.199, abs=1e-3)
    assert row["se"] == pytest.approx(2.305, abs=0.01)
    assert abs(row["in_sds"]) < 0.5


def test_the_largest_difference_is_the_largest(comparison: lf.Comparison) -> None:
    """Over parameters and random effects, in posterior standard deviations."""
    label, size = comparison.largest()
    everything = [*comparison.fixed["in_sds"], *comparison.variance["in_sds"], *comparison.random["in_sds"]]
    assert size == pytest.approx(np.max(np.abs(everything)))
    assert label.startswith(("sd[", "cor[", "random[", "sigma", "(Intercept)", "Days"))


def test_several_terms_on_one_factor_line_up() -> None:
    """`||` splits a term in two: both come under labels of their own, in the same order on both sides."""
    result = lf.compare(fit_of("lmm-004r"), posterior_of("lmm-004r"))
    assert list(result.variance.index) == [
        ("Subject", "sd (Intercept)"),
        ("Subject.1", "sd Days"),
        ("Residual", "sigma"),
    ]
    assert (result.variance["in_sds"].abs() < 1).all()
    assert (result.random["in_sds"].abs() < 1).all()


def test_crossed_factors_line_up() -> None:
    """Random effects of two factors, one of which is integrated out."""
    result = lf.compare(fit_of("lmm-024r"), posterior_of("lmm-024r"))
    assert len(result.random) == 24 + 6
    assert (result.random["in_sds"].abs() < 1).all()


def test_other_models_are_refused() -> None:
    """Another formula, other rows, or two of a kind can't be compared."""
    posterior = posterior_of(SLEEPSTUDY)
    with pytest.raises(lf.FitError, match="different models"):
        lf.compare(fit_of("lmm-001r"), posterior)
    other = lf.Model("Reaction ~ Days + (Days | Subject)", dataset("sleepstudy").iloc[10:])
    with pytest.raises(lf.FitError, match="not of the same data"):
        lf.compare(other.fit(), posterior)
    with pytest.raises(lf.FitError, match="needs a Posterior"):
        lf.compare(fit_of(SLEEPSTUDY), fit_of(SLEEPSTUDY))  # type: ignore[arg-type]


def test_the_order_of_the_arguments_does_not_matter() -> None:
    """Which is which can be seen."""
    swapped = lf.compare(posterior_of(SLEEPSTUDY), fit_of(SLEEPSTUDY))  # type: ignore[arg-type]
    assert swapped.fit is fit_of(SLEEPSTUDY)


def test_equal_data_read_twice_are_the_same_data() -> None:
    """What counts is what the matrices hold, not which model object built them."""
    again = lf.Model("Reaction ~ Days + (Days | Subject)", dataset("sleepstudy").copy())
    assert len(lf.compare(again.fit(), posterior_of(SLEEPSTUDY)).fixed) == 2


def test_the_plot_asks_for_matplotlib_or_draws(comparison: lf.Comparison) -> None:
    """Matplotlib is an extra: without it the message says how to install it."""
    try:
        import matplotlib  # noqa: F401, ICN001
    except ImportError:
        with pytest.raises(lf.FitError, match=r"lmmformula\[plot\]"):
            comparison.plot()
        return
    assert len(comparison.plot().axes) == 2


def test_model_of_a_record_is_cached() -> None:
    """The suite builds each model once."""
    assert model_of(SLEEPSTUDY) is model_of(SLEEPSTUDY)
