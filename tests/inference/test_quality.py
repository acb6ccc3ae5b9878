from typing import Any

import numpy as np
import pytest
from scipy.special import polygamma

import fits
import lmmformula as lf
from corpus import dataset
from lmmformula.inference.quality import criteria, r_squared


def test_r_squared_is_nakagawas() -> None:
    """Sleepstudy with random slopes: 0.279 and 0.799, the numbers that R's MuMIn and performance print."""
    found = r_squared(fits.fit_of("lmm-003r"))
    assert found.marginal == pytest.approx(0.2786511, abs=1e-6)
    assert found.conditional == pytest.approx(0.7992199, abs=1e-6)


def test_conditional_r_squared_holds_the_icc() -> None:
    """Of the variance that the fixed effects leave, the random effects have the intraclass correlation."""
    fit = fits.fit_of("lmm-003r")
    found = r_squared(fit)
    assert found.random / (found.random + found.residual) == pytest.approx(fit.icc())


def test_a_linear_model_has_one_r_squared() -> None:
    """Without random terms marginal and conditional agree, near the classical R^2."""
    fit = lf.Model("Reaction ~ Days", dataset("sleepstudy")).fit()
    found = r_squared(fit)
    assert found.marginal == found.conditional
    assert found.marginal == pytest.approx(fit.r_squared, abs=0.01)


def test_criteria_are_those_of_the_fits() -> None:
    """The table holds each fit's own numbers; weights sum to one, and the least AIC has difference zero."""
    data = dataset("sleepstudy")
    few = lf.Model("Reaction ~ Days + (1 | Subject)", data).fit()
    many = lf.Model("Reaction ~ Days + (Days | Subject)", data).fit()
    frame = criteria({"intercepts": few, "slopes": many}).frame
    assert list(frame.aic) == [few.aic, many.aic]
    assert list(frame.n_parameters) == [4, 6]
    assert frame.delta_aic["slopes"] == 0.0
    assert frame.weight.sum() == pytest.approx(1.0)
    assert "intercepts: Reaction ~ Days + (1 | Subject)" in str(criteria({"intercepts": few}))


def test_likelihoods_that_do_not_compare_are_refused() -> None:
    """Other rows, REML beside ML, and REML with other fixed effects."""
    data = dataset("sleepstudy")
    fit = lf.Model("Reaction ~ Days + (1 | Subject)", data).fit()
    with pytest.raises(lf.FitError, match="different rows"):
        criteria([fit, lf.Model("Reaction ~ Days + (1 | Subject)", data[:90]).fit()])
    with pytest.raises(lf.FitError, match="some by ML"):
        criteria([fit, lf.Model("Reaction ~ Days + (1 | Subject)", data).fit(reml=False)])
    with pytest.raises(lf.FitError, match="different fixed effects"):
        criteria([fit, lf.Model("Reaction ~ 1 + (1 | Subject)", data).fit()])
    with pytest.raises(lf.FitError, match="no fit"):
        criteria([])
    assert np.isfinite(criteria([fit, lf.Model("Reaction ~ Days + (Days | Subject)", data).fit()]).bic).all()


@pytest.mark.parametrize(("how", "name"), [({"nagq": 5}, "nagq"), ({"curvature": "expected"}, "curvature")])
def test_likelihoods_that_are_approximated_in_different_ways_do_not_compare(how: dict[str, Any], name: str) -> None:
    """Laplace's approximation beside quadrature, and the observed curvature beside the expected one."""
    model = lf.Model("cbind(incidence, size - incidence) ~ 1 + (1 | herd)", dataset("cbpp"), family="binomial(probit)")
    one, other = model.fit(), model.fit(**how)
    assert len(criteria([other, other]).frame) == 2
    with pytest.raises(lf.FitError, match=rf"likelihoods of a and b are approximated in different ways \({name}\)"):
        criteria({"a": one, "b": other})


def by_hand(fit: Any, left: float) -> tuple[float, float, float]:
    """Marginal and conditional R^2 and the adjusted ICC of a model with random intercepts alone."""
    fixed = float(np.var(fit.design.X @ fit.fixef.to_numpy(), ddof=1))
    random = sum(float(term.sds[0]) ** 2 for term in fit.varcorr)
    total = fixed + random + left
    return fixed / total, (fixed + random) / total, random / (random + left)


def check_by_hand(fit: Any, method: str, left: float) -> None:
    """Compare R^2 and the ICC with those of a residual variance."""
    found = fit.r2(method)
    assert (found.marginal, found.conditional, fit.icc(method=method)) == pytest.approx(by_hand(fit, left), rel=1e-8)
    assert f"{method} variance" in str(found)


def test_r_squared_of_counts_by_hand() -> None:
    """Nakagawa, Johnson & Schielzeth (2017), table 1: at exp(b0 + half of the random variance) of the null model."""
    data = dataset("grouseticks")
    fit = lf.glmer("TICKS ~ cHEIGHT + (1 | BROOD) + (1 | LOCATION)", data, family="poisson")
    null = lf.glmer("TICKS ~ 1 + (1 | BROOD) + (1 | LOCATION)", data, family="poisson")
    rate = np.exp(null.fixef["(Intercept)"] + sum(float(term.sds[0]) ** 2 for term in null.varcorr) / 2)
    assert fit.r2().method == "lognormal"
    check_by_hand(fit, "lognormal", np.log1p(1 / rate))
    check_by_hand(fit, "delta", 1 / rate)
    check_by_hand(fit, "trigamma", float(polygamma(1, rate)))
    assert fit.icc("BROOD") + fit.icc("LOCATION") == pytest.approx(fit.icc())


def test_r_squared_of_overdispersed_counts_by_hand() -> None:
    """The same with 1 / rate + 1 / shape in the place of 1 / rate; the shape is that of the model, not of the null."""
    data = dataset("grouseticks")
    fit = lf.glmer("TICKS ~ cHEIGHT + (1 | LOCATION)", data, family="negbinomial")
    null = lf.glmer("TICKS ~ 1 + (1 | LOCATION)", data, family="negbinomial")
    rate = np.exp(null.fixef["(Intercept)"] + float(null.varcorr["LOCATION"].sds[0]) ** 2 / 2)
    v = 1 / rate + 1 / fit.family_parameters.loc["shape", "estimate"]
    for method, left in (("lognormal", np.log1p(v)), ("delta", v), ("trigamma", float(polygamma(1, 1 / v)))):
        check_by_hand(fit, method, left)


def test_r_squared_of_shares_by_hand() -> None:
    """The latent variance of the link, or 1 / (p (1 - p)) at the probability of equation (6.8)."""
    formula, data = "cbind(incidence, size - incidence) ~ {} + (1 | herd)", dataset("cbpp")
    fit, null = (lf.glmer(formula.format(x), data, family="binomial") for x in ("period", "1"))
    b, s = null.fixef["(Intercept)"], float(null.varcorr["herd"].sds[0]) ** 2
    p = 1 / (1 + np.exp(-(b - 0.5 * s * np.tanh(b * (1 + 2 * np.exp(-0.5 * s)) / 6))))
    check_by_hand(fit, "theoretical", np.pi**2 / 3)
    check_by_hand(fit, "delta", 1 / (p * (1 - p)))
    assert fit.r2().method == "theoretical"
    assert fit.r2().marginal == fit.r2("theoretical").marginal
    check_by_hand(lf.glmer(formula.format("period"), data, family="binomial(probit)"), "theoretical", 1.0)
    check_by_hand(lf.glmer(formula.format("period"), data, family="binomial(cloglog)"), "theoretical", np.pi**2 / 6)


def test_r_squared_of_other_families_by_hand() -> None:
    """Positive responses by their shape or the sd of their logarithms, heavy tails by their variance."""
    rng, g = np.random.default_rng(4), np.arange(200) % 20
    x = rng.normal(size=200)
    eta = 0.5 * x + 0.5 * rng.normal(size=20)[g]
    data = {"x": x, "g": g, "y": np.exp(eta) * rng.gamma(4.0, 0.25, 200), "t": eta + 0.4 * rng.standard_t(6, 200)}
    gamma = lf.glmer("y ~ x + (1 | g)", data, family="Gamma(log)")
    shape = gamma.family_parameters.loc["shape", "estimate"]
    for method, left in (("lognormal", np.log1p(1 / shape)), ("delta", 1 / shape), ("trigamma", polygamma(1, shape))):
        check_by_hand(gamma, method, float(left))
    lognormal = lf.glmer("y ~ x + (1 | g)", data, family="lognormal")
    check_by_hand(lognormal, "lognormal", lognormal.sigma**2)
    student = lf.glmer("t ~ x + (1 | g)", data, family="student")
    nu = student.family_parameters.loc["nu", "estimate"]
    check_by_hand(student, "delta", student.sigma**2 * nu / (nu - 2))


def test_slopes_count_at_the_values_of_their_variables() -> None:
    """Mean of z'Cov(b)z over the rows, as in a gaussian model; which by Laplace's method has the same R^2."""
    data, formula = dataset("sleepstudy"), "Reaction ~ Days + (Days | Subject)"
    exact = lf.Model(formula, data).fit(reml=False)
    laplace = lf.Model(formula, data, loglik_weights=np.ones(len(data))).fit()
    assert (laplace.r2().marginal, laplace.r2().conditional) == pytest.approx(
        (exact.r2().marginal, exact.r2().conditional), rel=1e-4
    )
    assert (laplace.icc(), laplace.explained_variance()) == pytest.approx(
        (exact.icc(), exact.explained_variance()), rel=1e-4
    )


def test_methods_of_other_families_are_refused() -> None:
    """By name, with those that there are."""
    fit = lf.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", dataset("cbpp"), family="binomial")
    with pytest.raises(lf.FitError, match=r"(?s)method='lognormal' is not known.*theoretical, delta"):
        fit.r2("lognormal")
    with pytest.raises(lf.FitError, match=r"(?s)method='theoretical' is not known.*delta"):
        fits.fit_of("lmm-003r").r2("theoretical")
