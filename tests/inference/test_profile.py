import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import fits
import lmmformula as lf
from corpus import dataset, record, records
from lmmformula.fit.algebra import plan as structure
from lmmformula.fit.reml.problem import prepare
from lmmformula.inference.intervals import profile as module
from lmmformula.inference.intervals.parameters import Parameter, parameters_of
from lmmformula.inference.intervals.profile import profile, profile_intervals
from lmmformula.inference.intervals.variance_space import VarianceSpace

OF_WIDTH = 1e-5
"""Tolerated error of a bound, in widths of its interval: lme4's own grid leaves 1e-6."""

FORMULAS = {
    "correlated": ("Reaction ~ Days + (Days | Subject)", "sleepstudy"),
    "three": ("score ~ Machine + (Machine | Worker)", "Machines"),
    "crossed": ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin"),
    "ar1": ("score ~ Machine + ar1(0 + Machine | Worker, hom = FALSE)", "Machines"),
    "cs": ("Reaction ~ Days + cs(Days | Subject, hom = TRUE)", "sleepstudy"),
    "shared": ("Reaction ~ Days + diag(Days | Subject, hom = TRUE)", "sleepstudy"),
}


def lme4_name(parameter: Parameter) -> str:
    """Return the name that lme4's confint(oldNames = FALSE) gives a parameter."""
    group = parameter.group.split(".")[0]
    match parameter.part:
        case "sd":
            return f"sd_{parameter.name}|{group}"
        case "cor":
            earlier, later = parameter.name.split(", ")
            return f"cor_{later}.{earlier}|{group}"
        case _:
            return parameter.label


def targets(about: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """Return lme4's bounds on its finer grid, and the brute-force ones of the fixed effects where there are such."""
    found = {}
    for key in ("ci95_fine_delta", "ci95_beta_bruteforce"):
        if table := about.get(key):
            found |= dict(zip(table["rows"], zip(table["2.5 %"], table["97.5 %"], strict=True), strict=True))
    return found


@pytest.mark.parametrize("identifier", [r["id"] for r in records("confint_profile")])
def test_intervals_are_those_of_lme4(identifier: str) -> None:
    """Every bound of every record agrees, and where lme4's are wrong (weights) with those by brute force."""
    about = record("confint_profile", identifier)
    fit = fits.model_of(about["fit_id"]).fit(reml=about["REML"])
    found, expected = profile_intervals(fit), targets(about)
    for parameter in parameters_of(fit):
        low, high = expected[lme4_name(parameter)]
        np.testing.assert_allclose(found[parameter.label], (low, high), atol=OF_WIDTH * (high - low), rtol=0)


def test_points_of_the_profile_are_those_of_lme4() -> None:
    """At the values where lme4 gives its zeta of sleepstudy, ours is the same, and every curve is monotone."""
    about = record("confint_profile", "confint_profile_lmm-003r")
    points = about["profile_points"]
    fit = fits.model_of("lmm-003r").fit()
    curves = {lme4_name(c.parameter): c for c in profile(fit, level=0.99, points=30).curves}
    assert all(np.all(np.diff(c.zeta) > 0) for c in curves.values())
    for name, values, zeta in zip(points["parameter"], points["focal"], points["zeta"], strict=True):
        curve = curves[name]
        if curve.values[0] < values < curve.values[-1]:
            assert np.interp(values, curve.values, curve.zeta) == pytest.approx(zeta, abs=0.02)


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("name", FORMULAS)
def test_derivatives_are_those_of_the_deviance(name: str, *, reml: bool) -> None:
    """Gradient and Hessian in standard deviations, angles and log sigma agree with differences, away from optima."""
    formula, data = FORMULAS[name]
    model = lf.Model(formula, dataset(data))
    problem = prepare(model.design, reml=reml)
    space = VarianceSpace.of(problem, model.design, (0, 1, 0) if name in ("three", "ar1") else None)
    fit = model.fit(reml=reml)
    x = space.start(fit.fit.relative_covariance, fit.sigma)
    x += 0.1 * np.random.default_rng(1).standard_normal(len(x))
    gradient, hessian = space.at(x).derivatives()
    steps = 1e-5 * np.eye(len(x))
    slope = np.array([space.at(x + h).value - space.at(x - h).value for h in steps]) / 2e-5
    bend = np.array([space.at(x + h).gradient() - space.at(x - h).gradient() for h in steps]) / 2e-5
    np.testing.assert_allclose(gradient, slope, atol=1e-7 * np.abs(gradient).max())
    np.testing.assert_allclose(hessian, bend, atol=1e-7 * np.abs(hessian).max())


@pytest.mark.parametrize("name", FORMULAS)
def test_the_space_holds_the_fit(name: str) -> None:
    """At a fit's own estimates the joint deviance is its criterion, and the gradient vanishes."""
    formula, data = FORMULAS[name]
    fit = lf.Model(formula, dataset(data)).fit(reml=False)
    problem = prepare(fit.design, reml=False)
    space = VarianceSpace.of(problem, fit.design)
    point = space.at(space.start(fit.fit.relative_covariance, fit.sigma))
    user = problem.products.coordinates.criterion(point.value, degrees=fit.nobs, reml=False, sum_log_weights=0.0)
    assert user == pytest.approx(fit.deviance, rel=1e-12)
    assert np.abs(point.gradient()).max() < 1e-5


@pytest.mark.parametrize(
    ("formula", "data"),
    [
        ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin"),
        ("y ~ x + (x | g) + (1 | h)", "toy"),
        ("yield ~ nitro + (1 | Block/Variety)", "Oats"),
    ],
)
def test_every_strategy_of_elimination_gives_the_same_intervals(
    formula: str, data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Crossed and nested factors, whose second derivatives are approximate, agree with the dense matrices."""
    fit = lf.Model(formula, dataset(data)).fit()
    dense = profile_intervals(fit)
    monkeypatch.setattr(structure, "DENSE_EFFECTS", 0)
    found = profile_intervals(fit)
    width = dense.high - dense.low
    np.testing.assert_allclose((found.low - dense.low) / width, 0.0, atol=1e-6)
    np.testing.assert_allclose((found.high - dense.high) / width, 0.0, atol=1e-6)


def test_zero_variance_has_a_one_sided_interval() -> None:
    """Dyestuff2: the standard deviation is estimated as zero, its lower bound is zero, its upper one is lme4's."""
    fit = lf.Model("Yield ~ 1 + (1 | Batch)", dataset("Dyestuff2")).fit()
    low, high = profile_intervals(fit, "sd[Batch, (Intercept)]")["sd[Batch, (Intercept)]"]
    assert low == 0.0
    assert high == pytest.approx(2.0844, abs=1e-3)


def test_correlation_that_the_data_hardly_know_reaches_its_bound() -> None:
    """The deviance never rises to the quantile before the correlation is one: the bound is one."""
    fit = lf.Model("Reaction ~ Days + cs(Days | Subject, hom = TRUE)", dataset("sleepstudy")).fit()
    assert profile_intervals(fit, "cor[Subject, *]")["cor[Subject, *]"][1] == 1.0


@pytest.mark.parametrize("scale", [1e-9, 1e6])
def test_intervals_follow_the_units_of_the_response(scale: float) -> None:
    """Intervals of a rescaled response are the rescaled intervals, however small or large its unit."""
    data = dataset("sleepstudy")
    formula = "Reaction ~ Days + (Days | Subject)"
    plain = profile_intervals(lf.Model(formula, data).fit())
    scaled = profile_intervals(lf.Model(formula, data.assign(Reaction=scale * data.Reaction)).fit())
    for label in plain.labels:
        factor = 1.0 if label.startswith("cor") else scale
        np.testing.assert_allclose(scaled[label], np.multiply(factor, plain[label]), rtol=1e-5)


def test_linear_model_has_likelihood_intervals() -> None:
    """Without random terms the deviance at the bounds exceeds the least one by the quantile of chi squared."""
    fit = lf.Model("Reaction ~ Days", dataset("sleepstudy")).fit()
    found, n = profile_intervals(fit), fit.nobs
    ml = fit.residuals().to_numpy() @ fit.residuals().to_numpy() / n
    v = fit.vcov.loc["Days", "Days"] / fit.sigma**2
    for bound in found["Days"]:
        assert n * np.log(1 + (bound - fit.fixef["Days"]) ** 2 / (v * n * ml)) == pytest.approx(3.8414588, rel=1e-5)
    for bound in found["sigma"]:
        assert n * (np.log(bound**2 / ml) + ml / bound**2 - 1) == pytest.approx(3.8414588, rel=1e-5)


@dataclass(frozen=True)
class Hand:
    """A profile deviance made by hand: (v / step)^2 up to some value, and then level."""

    top: float
    estimate: float = 0.0
    limits: tuple[float, float] = (-100.0, math.inf)
    step: float = 1.0

    def above(self, value: float) -> tuple[float, float]:
        """Return the deviance and its slope; the slope of the level part is zero."""
        return (value**2, 2 * value) if value**2 < self.top else (self.top, 0.0)


def test_bounds_of_curves_made_by_hand() -> None:
    """A parabola is crossed at the quantile; a curve that never gets there ends at its limit, or in NaN."""
    crossing = module._crossing
    parabola, low = Hand(top=math.inf), Hand(top=2.0)
    assert crossing(module._zeta(parabola), parabola, 1.96, 1) == pytest.approx(1.96)
    assert crossing(module._zeta(parabola), parabola, 1.96, -1) == pytest.approx(-1.96)
    assert crossing(module._zeta(low), low, 1.96, -1) == -100.0
    assert math.isnan(crossing(module._zeta(low), low, 1.96, 1))


def test_a_lower_deviance_than_that_of_the_fit_is_an_error() -> None:
    """A fit at a local optimum is found out, and what to do is said."""
    curve = Hand(top=-1.0)
    with pytest.raises(lf.FitError, match="local optimum"):
        module._zeta(curve)(3.0)


def test_a_bound_that_is_not_found_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other bounds are there; the lost one is NaN, and named."""
    monkeypatch.setattr(module, "MOST_STEPS", 0)
    fit = lf.Model("Yield ~ 1 + (1 | Batch)", dataset("Dyestuff")).fit()
    with pytest.warns(lf.FitWarning, match="no bound was found for sigma"):
        found = profile_intervals(fit, "sigma")
    assert np.isnan(found["sigma"]).all()


def test_unknown_parameter_is_refused_with_the_names() -> None:
    """A misspelt parameter names those there are; a level that is none is refused."""
    fit = lf.Model("Yield ~ 1 + (1 | Batch)", dataset("Dyestuff")).fit()
    with pytest.raises(lf.FitError, match=r"sd\[Batch, \(Intercept\)\]"):
        profile_intervals(fit, "sd")
    with pytest.raises(lf.FitError, match="no probability"):
        profile_intervals(fit, level=95)
