from typing import Any

import numpy as np
import pytest

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
