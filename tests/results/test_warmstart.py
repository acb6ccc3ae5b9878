"""What a fit hands to the sampler."""

import numpy as np
import pytest

from fits import fit_of
from lmmformula.results.warmstart import estimates_of, information_of


def test_estimates_are_on_the_users_scale() -> None:
    """Covariances of the random effects, not relative ones; fixed effects and modes as they are."""
    fit = fit_of("lmm-003r")
    estimates = estimates_of(fit.fit)
    np.testing.assert_allclose(np.sqrt(np.diag(estimates.covariances[0])), [24.7405, 5.9221], rtol=1e-4)
    assert estimates.sigma == fit.sigma
    np.testing.assert_allclose(estimates.modes[0], fit.ranef()["Subject"])


def test_information_of_a_random_intercept() -> None:
    """Rows of a level times theta^2: 5 rows a batch."""
    fit = fit_of("lmm-022r")
    assert information_of(fit.design, fit.fit) == {"Batch": pytest.approx(5 * fit.theta.iloc[0] ** 2)}


def test_what_is_told_least_of_counts() -> None:
    """
    A level whose intercept is known well and whose other coefficients are not known at all is sampled as if unknown.

    Centred effects of `rt ~ cond + (0 + cond | subj) + (cond || item)`, whose fit is singular in item but has large
    variances there too, had 1719 divergences in 4000 draws while the sum of the variances decided.
    """
    fit = fit_of("lmm-082r")
    assert fit.is_singular
    assert information_of(fit.design, fit.fit)["item"] == pytest.approx(0.0, abs=1e-6)
