"""Corrections for several tests against R's p.adjust and ptukey."""

import numpy as np
import pytest

from lmmformula.inference.tests.multiplicity import adjusted, tukey

P = np.array([0.01, 0.02, 0.03, 0.04, 0.005])


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("holm", [0.04, 0.06, 0.06, 0.06, 0.025]),
        ("bonferroni", [0.05, 0.1, 0.15, 0.2, 0.025]),
        ("none", P),
    ],
)
def test_adjusted_probabilities_are_those_of_p_adjust(method: str, expected: list[float]) -> None:
    """`p.adjust(c(.01, .02, .03, .04, .005), method)`."""
    np.testing.assert_allclose(adjusted(method, P), expected)


def test_what_could_not_be_tested_counts_for_nothing() -> None:
    """NaN stays NaN, and is not one of the tests."""
    np.testing.assert_allclose(adjusted("bonferroni", np.array([0.01, np.nan, 0.2])), [0.02, np.nan, 0.4])
    np.testing.assert_allclose(adjusted("holm", np.array([np.nan, 0.2, 0.01])), [np.nan, 0.2, 0.02])


def test_two_means_need_no_correction() -> None:
    """The studentized range of two is t: Tukey's probability is the two-sided one, finite df or not."""
    from scipy.stats import norm, t

    statistic = np.array([0.5, 2.0, 4.0])
    np.testing.assert_allclose(tukey(statistic, np.full(3, 7.0), 2), 2 * t.sf(statistic, 7), rtol=1e-8)
    np.testing.assert_allclose(tukey(statistic, np.full(3, np.inf), 2), 2 * norm.sf(statistic), rtol=1e-8)


def test_probabilities_stay_within_bounds() -> None:
    """No t is 1, a huge one 0; NaN stays NaN."""
    found = tukey(np.array([0.0, 500.0, np.nan]), np.array([5.0, 5.0, 5.0]), 4)
    np.testing.assert_allclose(found, [1.0, 0.0, np.nan], atol=1e-9)
