from dataclasses import replace

import numpy as np
import pytest

import lmmformula as lf
from corpus import dataset
from lmmformula.inference.refits.power import power
from lmmformula.inference.refits.replicated import replicated


@pytest.fixture(scope="module")
def sleep() -> lf.LinearMixedFit:
    """The fit that everyone knows."""
    return lf.Model("Reaction ~ Days + (Days | Subject)", dataset("sleepstudy")).fit()


def test_power_of_a_z_test_is_what_theory_says() -> None:
    """In a balanced one-way design the power for the mean is that of the noncentral normal distribution."""
    fit = lf.Model("Yield ~ 1 + (1 | Batch)", dataset("Dyestuff")).fit()
    size = {"(Intercept)": 60.0}
    found = power(fit, size, assume={"sigma": 10, "sd[Batch, (Intercept)]": 60}, n_groups=40, n=400, test="z", seed=1)
    error = np.sqrt(60**2 / 40 + 10**2 / 200)
    from scipy.special import ndtr

    assert found.power[0] == pytest.approx(ndtr(60 / error - 1.96), abs=0.02)


def test_an_effect_of_zero_is_found_at_the_level_of_the_test(sleep: lf.LinearMixedFit) -> None:
    """The t test keeps its level also with 8 groups; the z test does not."""
    t = power(sleep, {"Days": 0.0}, n_groups=8, n=400, seed=2)
    z = power(sleep, {"Days": 0.0}, n_groups=8, n=400, seed=2, test="z")
    assert t.frame.conf_low[0] < 0.05 < t.frame.conf_high[0]
    assert z.found[0] > t.found[0]


def test_power_rises_with_groups_and_effect(sleep: lf.LinearMixedFit) -> None:
    """More levels and a larger effect are found more often; the same seed gives the same curve."""
    small = power(sleep, {"Days": 3}, n_groups=[6, 36], n=60, seed=3)
    large = power(sleep, {"Days": 6}, n_groups=[6, 36], n=60, seed=3)
    assert small.power[0] < small.power[1]
    assert small.power[0] < large.power[0]
    assert power(sleep, {"Days": 3}, n_groups=[6, 36], n=60, seed=3).found == small.found
    assert list(small.frame.n_rows) == [60, 360]


def test_likelihood_ratio_test_is_there(sleep: lf.LinearMixedFit) -> None:
    """A huge effect is always found by two fits by maximum likelihood, none at all about as often as the level."""
    assert power(sleep, {"Days": 20}, n=20, seed=1, test="lrt").power[0] == 1.0
    assert power(sleep, {"Days": 0}, n=20, seed=1, test="lrt").power[0] < 0.3


def test_repeated_levels_bring_their_rows_and_nested_levels() -> None:
    """Doubling the blocks of Oats doubles the varieties within them, and shares none between repetitions."""
    design = lf.Model("yield ~ nitro + (1 | Block/Variety)", dataset("Oats")).design
    wide = replicated(design, "Block", 12)
    assert {t.group: t.n_levels for t in wide.random_terms} == {"Variety:Block": 36, "Block": 12}
    assert wide.nobs == 2 * design.nobs
    inner, outer = wide.random_terms
    assert len(set(zip(inner.codes.tolist(), outer.codes.tolist(), strict=True))) == 36
    np.testing.assert_array_equal(wide.X[: design.nobs], wide.X[design.nobs :])


def test_a_crossed_factor_keeps_its_levels() -> None:
    """Twice the plates of Penicillin meet the same six samples."""
    design = lf.Model("diameter ~ 1 + (1 | plate) + (1 | sample)", dataset("Penicillin")).design
    wide = replicated(design, "plate", 48)
    assert {t.group: t.n_levels for t in wide.random_terms} == {"plate": 48, "sample": 6}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"effect": "Dayz"}, "not one fixed effect"),
        ({"effect": {"Days": 1, "(Intercept)": 2}}, "not one fixed effect"),
        ({"effect": "Days", "n_groups": {"Item": 5}}, "not about one grouping factor"),
        ({"effect": "Days", "n_groups": 1}, "at least 2"),
        ({"effect": "Days", "alpha": 5}, "no probability"),
        ({"effect": "Days", "n": 0}, "at least 1"),
        ({"effect": "Days", "test": "F"}, "not known"),
        ({"effect": "Days", "assume": {"sd": 1}}, "no parameter"),
        ({"effect": "Days", "assume": {"sigma": -1}}, "no covariance matrix"),
        ({"effect": "Days", "assume": {"cor[Subject, (Intercept), Days]": 2}}, "no covariance matrix"),
    ],
)
def test_what_makes_no_sense_is_refused(sleep: lf.LinearMixedFit, arguments: dict[str, object], message: str) -> None:
    """Each mistake gets a sentence of its own."""
    with pytest.raises(lf.FitError, match=message):
        power(sleep, **arguments)  # type: ignore[arg-type]


def test_power_of_a_linear_model_needs_no_groups() -> None:
    """Without random terms the t test has n - p degrees of freedom, and n_groups is refused."""
    fit = lf.Model("Reaction ~ Days", dataset("sleepstudy")).fit()
    assert power(fit, {"Days": 0}, n=200, seed=1).power[0] < 0.11
    with pytest.raises(lf.FitError, match="has none"):
        power(fit, "Days", n_groups=4)


def test_the_curve_prints_itself(sleep: lf.LinearMixedFit) -> None:
    """The printed curve says what was tested, how, and names the grouping factor."""
    lines = str(power(sleep, {"Days": 20}, n_groups=18, n=10, seed=1)).splitlines()
    assert lines[0] == (
        "Power to find Days = 20 by a t test with Satterthwaite's degrees of freedom at 0.05, 10 simulations"
    )
    assert lines[1].split() == ["Subject", "n_rows", "power", "conf_low", "conf_high"]
    assert lines[2].split()[:3] == ["18", "180", "1.000"]


def test_a_singular_fit_has_power_too() -> None:
    """The correlation with an effect that doesn't vary is not a number, and nobody has assumed one."""
    rng = np.random.default_rng(3)
    data = {"y": rng.normal(size=60), "x": rng.normal(size=60), "g": rng.integers(0, 6, 60).astype(str)}
    fit = lf.Model("y ~ x + (x | g)", data).fit(reml=False)
    assert fit.is_singular
    assert power(fit, "x", n=10, seed=1, progress=False).frame["power"].between(0, 1).all()


@pytest.fixture(scope="module")
def herds() -> lf.GeneralizedMixedFit:
    """A fit of another family."""
    formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    fit = lf.glmer(formula, dataset("cbpp"), family="binomial")
    assert isinstance(fit, lf.GeneralizedMixedFit)
    return fit


def test_power_of_another_family_counts_significant_refits(herds: lf.GeneralizedMixedFit) -> None:
    """At the estimates the responses are those of `simulate`, and each is fitted and tested as a user would."""
    found = herds.power("period2", n=12, seed=3, progress=False)
    again = [herds.refit(y) for y in herds.simulate(12, seed=3).to_numpy().T]
    z = [fit.fixef["period2"] / fit.std_errors["period2"] for fit in again]
    assert found.found[0] == sum(abs(value) > 1.959964 for value in z)
    lrt = herds.power("period2", n=12, seed=3, test="lrt", progress=False)
    without = herds.design.X[:, [0, 2, 3]]
    names = tuple(name for name in herds.design.fixed_names if name != "period2")
    ratios = []
    for fit in again:
        smaller = replace(fit.design.with_rows(X=np.asfortranarray(without)), fixed_names=names, fixed_assign=(0, 1, 1))
        ratios.append(herds.fit.again(smaller).criterion - fit.deviance)
    assert lrt.found[0] == sum(ratio > 3.841459 for ratio in ratios)
    assert str(lrt).startswith("Power to find period2 = -0.9923 by a likelihood ratio test at 0.05, 12 simulations")


def test_power_of_another_family_rises_with_groups_and_effect(herds: lf.GeneralizedMixedFit) -> None:
    """Herds are repeated with their trials; any number of processes gives the same numbers."""
    few, many = ({"period2": size} for size in (-0.4, -1.2))
    small = herds.power(few, n_groups=[8, 30], n=25, seed=2, progress=False)
    assert small.found[0] < small.found[1]
    assert herds.power(many, n_groups=[8, 30], n=25, seed=2, progress=False).found > small.found
    assert herds.power(few, n_groups=[8, 30], n=25, seed=2, progress=False, workers=2).found == small.found
    assert lf.power(herds, few, n_groups=[8, 30], n=25, seed=2, progress=False).found == small.found


def test_parameters_of_a_family_are_assumed() -> None:
    """Counts that vary more tell less; what the parameter can't be is refused."""
    fit = lf.Model("ynb ~ x + (1 | grp)", dataset("sim_glmm"), family="negbinomial").fit()
    found = [
        fit.power({"x": 0.2}, assume={"shape": shape, "sd[grp, (Intercept)]": 0.1}, n=20, seed=1, progress=False)
        for shape in (0.2, 20.0)
    ]
    assert found[0].found[0] < found[1].found[0] - 5
    with pytest.raises(lf.FitError, match="the assumed shape can't be -1"):
        fit.power("x", assume={"shape": -1.0})
    with pytest.raises(lf.FitError, match="no covariance matrix"):
        fit.power("x", assume={"sd[grp, (Intercept)]": -1.0})
