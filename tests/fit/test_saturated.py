"""As many random effects as rows, which lme4 allows to correlation structures."""

import pytest

import lmmformula as lf
from corpus import dataset


@pytest.mark.filterwarnings("ignore:ar1\\(\\) takes:lmmformula.FitWarning")  # days as text, on purpose
def test_a_residual_that_vanishes_is_said() -> None:
    """BodyWeight with ar1 over days and an intercept: the criterion falls without end as sigma goes to zero."""
    rats = dataset("BodyWeight").copy()
    rats["day"] = rats["Time"].astype(int).astype(str)
    with pytest.warns(lf.FitWarning, match="the residual standard deviation is driven to zero"):
        fit = lf.lmer("weight ~ Diet * Time + (1 | Rat) + ar1(0 + day | Rat)", rats)
    assert not fit.converged


def test_a_saturated_structure_with_a_residual_is_fitted() -> None:
    """An autocorrelated series and independent errors on top of it can be told apart."""
    fit = lf.lmer("y ~ x + ar1(0 + time | id)", dataset("sim_ar1"))
    assert fit.converged
