"""Profiles of models of other families: against exact ones, against the likelihood by brute force, at boundaries."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq, minimize
from scipy.special import gammaln, logsumexp

import lmmformula as lf
from corpus import dataset
from lmmformula.inference.intervals import laplace_curve
from lmmformula.inference.intervals.profile import profile_intervals

Z = 1.959963984540054
STRUCTURES = {
    "correlated": ("Reaction", "Days + (Days | Subject)", "sleepstudy"),
    "cs": ("Reaction", "Days + cs(Days | Subject, hom = TRUE)", "sleepstudy"),
    "ar1": ("score", "Machine + ar1(0 + Machine | Worker, hom = FALSE)", "Machines"),
    "crossed": ("diameter", "1 + (1 | plate) + (1 | sample)", "Penicillin"),
}


@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_lognormal_model_has_the_profiles_of_its_logarithm(structure: str) -> None:
    """Laplace's method is exact there: all bounds are those of the linear mixed model of log y by ML."""
    response, right, name = STRUCTURES[structure]
    data = dataset(name).assign(L=np.log(dataset(name)[response]))
    linear = profile_intervals(lf.Model(f"L ~ {right}", data).fit(reml=False))
    found = profile_intervals(lf.Model(f"{response} ~ {right}", data, family="lognormal").fit())
    assert found.labels == linear.labels
    width = linear.high - linear.low
    np.testing.assert_allclose((found.low - linear.low) / width, 0.0, atol=2e-5)
    np.testing.assert_allclose((found.high - linear.high) / width, 0.0, atol=2e-5)


def test_a_variance_of_zero_has_a_lower_bound_of_zero() -> None:
    """And the upper one, and those of all else, that the linear mixed model of log y has."""
    data = dataset("Dyestuff2").assign(Y=np.exp(dataset("Dyestuff2")["Yield"] / 10))
    linear = profile_intervals(lf.Model("I(Yield / 10) ~ 1 + (1 | Batch)", data).fit(reml=False))
    found = profile_intervals(lf.Model("Y ~ 1 + (1 | Batch)", data, family="lognormal").fit())
    assert found["sd[Batch, (Intercept)]"][0] == 0.0
    np.testing.assert_allclose(found.high, linear.high, rtol=1e-4)
    np.testing.assert_allclose(found.low, linear.low, rtol=1e-4)


NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(60)


def herds() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Any]:
    """Return successes, trials, X, herds of cbpp, and their log densities, whose linear predictor is given."""
    data = dataset("cbpp")
    y, m = data["incidence"].to_numpy(float), data["size"].to_numpy(float)
    X = np.column_stack([np.ones(len(y)), *(data["period"].astype(str) == p for p in "234")]).astype(float)
    chosen = gammaln(m + 1) - gammaln(y + 1) - gammaln(m - y + 1)
    return y, m, X, data["herd"].astype(str).to_numpy(), lambda eta: chosen + y * eta - m * np.logaddexp(0, eta)


def ticks() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Any]:
    """Return the same of the first broods of grouseticks, as counts."""
    data = dataset("grouseticks").iloc[:120]
    y = data["TICKS"].to_numpy(float)
    X = np.column_stack([np.ones(len(y)), data["cHEIGHT"] / 50])
    return (
        y,
        y,
        X,
        data["BROOD"].astype(str).to_numpy(),
        lambda eta: y * eta - np.exp(eta) - gammaln(y + 1),
    )


def exact_deviance(X: np.ndarray, groups: np.ndarray, density: Any) -> Callable[[float], float]:
    """Return the least -2 log likelihood at a standard deviation, each level's integral by nodes around its mode."""
    codes = np.unique(groups, return_inverse=True)[1]
    n_levels = codes.max() + 1

    def by_level(beta: np.ndarray, sd: float, u: np.ndarray) -> np.ndarray:
        return np.bincount(codes, density(X @ beta + sd * u[codes]), n_levels) - u * u / 2

    def deviance(beta: np.ndarray, sd: float) -> float:
        u, h = np.zeros(n_levels), 1e-4
        for _ in range(30):  # Newton's method, by differences
            low, here, high = (by_level(beta, sd, u + s) for s in (-h, 0.0, h))
            bend = (high - 2 * here + low) / h**2
            u -= np.clip((high - low) / (2 * h) / bend, -1, 1)
        scale = 1 / np.sqrt(-bend)
        terms = [np.log(w) + z * z / 2 + by_level(beta, sd, u + scale * z) for z, w in zip(NODES, WEIGHTS, strict=True)]
        return -2 * float((np.log(scale) + logsumexp(terms, axis=0) - np.log(2 * np.pi) / 2).sum())

    start = [np.zeros(X.shape[1])]

    def least(sd: float) -> float:
        found = minimize(deviance, start[0], (sd,), method="BFGS", options={"gtol": 1e-6})
        start[0] = found.x
        return float(found.fun)

    return least


@pytest.mark.slow
@pytest.mark.parametrize("data", [herds, ticks])
def test_bounds_of_a_standard_deviation_are_those_by_brute_force(data: Any) -> None:
    """With many nodes the profile is that of the likelihood itself, integrated and minimised by other means."""
    y, m, X, groups, density = data()
    least = exact_deviance(X, groups, density)
    frame = {"y": y, "rest": m - y, "g": groups} | {f"x{i}": x for i, x in enumerate(X.T)}
    fixed = " + ".join(f"x{i}" for i in range(1, X.shape[1]))
    left = "cbind(y, rest)" if data is herds else "y"
    model = lf.Model(f"{left} ~ {fixed} + (1 | g)", frame, family="binomial" if data is herds else "poisson")
    fit = model.fit(nagq=25)
    sd = fit.varcorr["g"].sds[0]
    found = fit.confint("ran_pars", method="profile")["sd[g, (Intercept)]"]
    lowest = least(sd)
    assert lowest == pytest.approx(fit.deviance, abs=1e-4)
    bounds = [brentq(lambda s: least(s) - lowest - Z**2, *ends, xtol=1e-5) for ends in ((0.1, sd), (sd, 4.0))]
    np.testing.assert_allclose(found, bounds, rtol=2e-4)


FITS = {
    "negbinomial": ("ynb ~ x + tr + (x | grp)", "sim_glmm"),
    "Gamma(log)": ("yig ~ x + tr + (1 | grp)", "sim_glmm"),
    "zero_inflated_poisson": ("yzip ~ x + tr + (1 | grp)", "sim_glmm"),
    "student": ("Reaction ~ Days + (1 | Subject)", "sleepstudy"),
}


@cache
def fit_of(family: str) -> Any:
    """Return a fit of a family with parameters of its own."""
    formula, data = FITS[family]
    return lf.Model(formula, dataset(data), family=family).fit()


@pytest.mark.parametrize("family", FITS)
def test_at_a_bound_the_deviance_has_risen_by_the_quantile_of_chi_squared(family: str) -> None:
    """With the family's parameter held there, all else estimated anew by a method that needs no derivatives."""
    fit = fit_of(family)
    name = next(iter(fit.fit.parameters))
    low, high = fit.confint([name], method="profile")[name]
    assert low < fit.fit.parameters[name] < high
    problem = laplace_curve.LaplaceProblem(fit.design, fit.fit)
    point, _ = problem.estimated
    target, place = problem.prepared.target, len(point.x) - len(fit.fit.parameters)
    for bound in (low, high):
        own = dict(fit.fit.parameters) | {name: bound}
        x = problem.prepared.located(replace(fit.fit, parameters=own))

        def deviance(free: np.ndarray, x: np.ndarray = x) -> float:
            there = np.insert(free, place, x[place])
            return problem.approximate(target, there, point.mode.a).value

        found = minimize(deviance, np.delete(x, place), method="BFGS", options={"gtol": 1e-4})
        assert found.fun - fit.deviance == pytest.approx(Z**2, abs=2e-3)


def test_a_likelihood_that_stays_flat_has_no_upper_bound() -> None:
    """Counts without an excess of variance: their shape may be as large as it likes, but not small."""
    rng = np.random.default_rng(5)
    data = {"y": rng.binomial(20, 0.5, 90), "g": np.repeat(np.arange(9), 10).astype(str)}
    fit = lf.Model("y ~ 1 + (1 | g)", data, family="negbinomial").fit()
    low, high = fit.confint(["shape"], method="profile")["shape"]
    assert high == np.inf
    assert 1 < low < np.inf
    assert fit.confint("ran_pars", method="profile").low[0] == 0.0


def test_curves_go_from_bound_to_bound() -> None:
    """Zeta of a profile is zero at the estimate and the normal quantile at its ends, of every kind of parameter."""
    fit = fit_of("negbinomial")
    wanted = ["x", "sd[grp, x]", "cor[grp, (Intercept), x]", "shape"]
    seen: list[tuple[int, int]] = []
    traced = fit.profile(wanted, level=0.9, points=5, progress=lambda done, total: seen.append((done, total)))
    bounds = fit.confint(wanted, method="profile", level=0.9)
    assert seen[-1] == (4, 4)
    for curve in traced.curves:
        assert (curve.values[0], curve.values[-1]) == pytest.approx(bounds[curve.parameter.label], rel=1e-4)
        np.testing.assert_allclose(curve.zeta[[0, -1]], [-1.6449, 1.6449], atol=2e-3)
        assert curve.zeta[curve.values == curve.estimate] == pytest.approx(0.0)
        assert (np.diff(curve.zeta) > 0).all()


def test_where_nothing_can_be_computed_there_is_no_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound is not where the computation broke off: it is NaN, and a warning says so."""
    fit = fit_of("Gamma(log)")
    sd = fit.varcorr["grp"].sds[0]
    real = laplace_curve.LaplaceCurve.above

    def broken(curve: Any, value: float) -> tuple[float, float]:
        if value > 1.05 * sd:
            raise np.linalg.LinAlgError("no further")
        return real(curve, value)

    monkeypatch.setattr(laplace_curve.LaplaceCurve, "above", broken)
    with pytest.warns(lf.FitWarning, match="no bound was found for sd"):
        low, high = profile_intervals(fit, "sd[grp, (Intercept)]")["sd[grp, (Intercept)]"]
    assert np.isfinite(low)
    assert np.isnan(high)


def test_modes_on_both_sides_of_zero_are_looked_at() -> None:
    """Counts with a square root link: far from the estimate modes change sides, and the bounds stay near Wald's."""
    fit = lf.Model("TICKS ~ YEAR + (1 | BROOD)", dataset("grouseticks"), family="poisson(sqrt)").fit()
    found, wald = fit.confint(method="profile", workers=1), fit.confint()
    np.testing.assert_allclose(found.high - found.estimate, wald.high - wald.estimate, rtol=0.2)
    np.testing.assert_allclose(found.estimate - found.low, wald.estimate - wald.low, rtol=0.2)
