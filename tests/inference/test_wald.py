import numpy as np
import pytest

import fits
import lmmformula as lf
from corpus import dataset, records
from lmmformula.inference.intervals.parameters import parameters_of
from lmmformula.inference.intervals.wald import standard_errors, wald_intervals
from lmmformula.results.varcorr import variation


@pytest.mark.parametrize("about", records("confint_profile"), ids=lambda r: r["id"])
def test_fixed_effects_have_the_intervals_of_lme4(about: dict[str, object]) -> None:
    """Wald intervals of fixed effects are estimate -+ 1.96 standard errors, as `confint(method = "Wald")` has them."""
    table = about["wald95"]
    found = wald_intervals(fits.fit_of(about["fit_id"]), "fixed")
    for name, low, high in zip(table["rows"], table["2.5 %"], table["97.5 %"], strict=True):
        if low is not None:
            np.testing.assert_allclose(found[name], (low, high), rtol=1e-5)


@pytest.mark.parametrize(
    ("formula", "data"),
    [
        ("score ~ Machine + (Machine | Worker)", "Machines"),
        ("score ~ Machine + ar1(0 + Machine | Worker, hom = FALSE)", "Machines"),
        ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin"),
    ],
)
def test_slopes_of_the_delta_method_are_derivatives(formula: str, data: str) -> None:
    """Derivatives of standard deviations and correlations by theta and sigma agree with differences."""
    from lmmformula.fit.variance import variance_parameters
    from lmmformula.inference.intervals.wald import _slope

    fit = lf.Model(formula, dataset(data)).fit()
    values = variance_parameters(fit.design, fit.fit).values

    def quantities(at: np.ndarray) -> dict[str, float]:
        found, place = {}, 0
        for t, term in enumerate(fit.design.random_terms):
            own = term.covariance.natural_map(term.n_coefficients, np.eye(term.n_coefficients))
            root = own.root(at[place : place + own.size])
            place += own.size
            shown = variation("", term, at[-1] ** 2 * root @ root.T)
            for p in parameters_of(fit):
                if p.term == t:
                    found[p.label] = shown.sds[p.row] if p.part == "sd" else shown.correlation[p.row, p.column]
        return found

    for parameter in parameters_of(fit):
        if parameter.term >= 0:
            steps = 1e-6 * np.eye(len(values))
            slope = [(quantities(values + h)[parameter.label] - quantities(values - h)[parameter.label]) for h in steps]
            np.testing.assert_allclose(_slope(fit, parameter, values), np.array(slope) / 2e-6, atol=1e-6)


def test_standard_errors_match_the_curvature_of_the_profile() -> None:
    """A profile near its estimate has the slope 1 / standard error (maximum likelihood)."""
    from lmmformula.inference.intervals.profile import profile

    fit = lf.Model("Reaction ~ Days + (Days | Subject)", dataset("sleepstudy")).fit(reml=False)
    for curve in profile(fit, "ran_pars", level=0.01, points=2).curves:
        slope = (curve.zeta[-1] - curve.zeta[0]) / (curve.values[-1] - curve.values[0])
        (error,) = standard_errors(fit, [curve.parameter])
        assert 1 / slope == pytest.approx(error, rel=1e-3)


def test_boundary_has_no_wald_interval() -> None:
    """A standard deviation of zero has no standard error, and says so by NaN; the others keep theirs."""
    found = wald_intervals(lf.Model("Yield ~ 1 + (1 | Batch)", dataset("Dyestuff2")).fit())
    assert np.isnan(found["sd[Batch, (Intercept)]"]).all()
    assert np.isfinite(found["sigma"]).all()


def test_a_correlation_of_one_has_no_wald_interval() -> None:
    """On its boundary a correlation has no z; nothing is warned of, as the NaN says it."""
    fit = fits.model_of("lmm-085r").fit()
    found = wald_intervals(fit)
    ends = [found[p.label] for p in parameters_of(fit) if p.part == "cor" and abs(p.of(fit)) > 1 - 1e-9]
    assert ends
    assert np.isnan(ends).all()


def test_linear_model_uses_students_t() -> None:
    """Without random terms the intervals are those of R's `confint(lm)`."""
    found = wald_intervals(lf.Model("Reaction ~ Days", dataset("sleepstudy")).fit(), "fixed")
    np.testing.assert_allclose(found["Days"], (8.024, 12.911), atol=1e-2)


def test_intervals_print_themselves() -> None:
    """The printed table says level and method, and is the same text on every machine."""
    fit = fits.fit_of("lmm-022r")
    assert str(wald_intervals(fit, ["(Intercept)", "sigma"])).splitlines() == [
        "95 % intervals (Wald)",
        "             estimate  conf_low  conf_high",
        "(Intercept)    1527.5    1489.5     1565.5",
        "sigma           49.51     37.31       65.7",
    ]
