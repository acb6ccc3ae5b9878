"""Models that R fitted, on the same data in one table and in parts: the same numbers."""

import re

import numpy as np
import pytest

from corpus import record, records
from fit.recorded import recorded_design, recorded_fit
from lmmformula.errors import FormulaError
from lmmformula.fit.lmm import evaluate_at, fit_lmm
from streaming.parts import streamed_record

EXACT = 1e-10
"""Relative difference of what is computed at the same theta."""

NEEDS_ALL_ROWS = re.compile(r"poly\(|ns\(|bs\(|cut\(z, 3\)")

MODELS = [(kind, r["id"]) for kind in ("lmm", "lmm_structured") for r in records(kind)]
SUMMABLE = [(kind, i) for kind, i in MODELS if not NEEDS_ALL_ROWS.search(record(kind, i)["formula"])]
OTHERS = [model for model in MODELS if model not in SUMMABLE]


@pytest.mark.parametrize(("number", "kind", "identifier"), [(n, *model) for n, model in enumerate(SUMMABLE)])
def test_data_in_parts_give_the_numbers_of_one_table(number: int, kind: str, identifier: str) -> None:
    """At the same theta, criterion, beta, its covariance, sigma and the modes agree to 1e-10."""
    whole, fit = recorded_design(kind, identifier), recorded_fit(kind, identifier)
    streamed = streamed_record(kind, identifier, seed=number)
    assert streamed.fixed_names == whole.fixed_names
    assert streamed.fixed_assign == whole.fixed_assign
    assert streamed.dropped_names == whole.dropped_names
    assert streamed.theta_names == whole.theta_names
    assert (streamed.nobs, streamed.n_given, streamed.missing) == (whole.nobs, whole.n_given, whole.missing)
    assert [t.levels for t in streamed.random_terms] == [t.levels for t in whole.random_terms]
    one, other = (evaluate_at(design, fit.theta, reml=fit.reml) for design in (whole, streamed))
    for name in ("criterion", "sigma", "pwrss", "log_det_L"):
        np.testing.assert_allclose(getattr(other, name), getattr(one, name), rtol=EXACT, atol=EXACT, err_msg=name)
    errors = np.sqrt(np.diag(one.vcov))
    np.testing.assert_allclose(other.beta / errors, one.beta / errors, rtol=EXACT, atol=EXACT)
    np.testing.assert_allclose(other.vcov, one.vcov, rtol=EXACT, atol=EXACT * one.vcov.max())
    for ours, theirs in zip(other.modes, one.modes, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=EXACT, atol=EXACT * one.sigma)


@pytest.mark.parametrize(("number", "kind", "identifier"), [(n, *model) for n, model in enumerate(SUMMABLE[::8])])
def test_fits_of_data_in_parts_come_to_the_same_optimum(number: int, kind: str, identifier: str) -> None:
    """The optimiser ends at the same criterion, and near the same theta."""
    fit = recorded_fit(kind, identifier)
    found = fit_lmm(streamed_record(kind, identifier, seed=100 + number), reml=fit.reml)
    assert found.criterion == pytest.approx(fit.criterion, rel=EXACT)
    np.testing.assert_allclose(found.theta, fit.theta, rtol=1e-4, atol=1e-4)
    assert found.verdict == fit.verdict


@pytest.mark.parametrize(("kind", "identifier"), OTHERS)
def test_functions_of_all_rows_are_refused_with_what_to_do(kind: str, identifier: str) -> None:
    """What can't be merged is refused before a row is read, with a caret and an alternative."""
    with pytest.raises(FormulaError, match=r"\^") as refused:
        streamed_record(kind, identifier, seed=0)
    assert "can't be computed part by part" in refused.value.message
    assert refused.value.hint
