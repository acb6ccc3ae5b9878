"""Designs against those that R's model.matrix and lme4's lFormula made."""

import numpy as np
import pytest

from corpus import record, records
from designs import design_of, wsum

LFORMULA = [r["id"] for r in records("lformula")]
LMM = [(kind, r["id"]) for kind in ("lmm", "lmm_structured") for r in records(kind)]
SUM = 1e-9
"""Relative tolerance of sums over a whole matrix: they are printed with 15 digits and summed in another order."""


@pytest.mark.parametrize("identifier", LFORMULA)
def test_fixed_columns_are_those_of_model_matrix(identifier: str) -> None:
    """Names, order, terms and values of X are R's."""
    expected = record("lformula", identifier)
    schema, design = design_of(expected)
    assert list(design.fixed_names) == expected["X_colnames"]
    assert list(design.fixed_assign) == expected["X_assign"]
    assert list(schema.dropped) == list(design.dropped_names) == expected["dropped_columns"]
    assert design.nobs == expected["n"]
    assert design.kept_rows.sum() + design.nobs == expected["kept_rows_sum"]
    X = design.X
    assert X.flags.f_contiguous
    np.testing.assert_allclose(X.sum(axis=0), expected["X_colsum"], rtol=1e-9, atol=1e-8)
    assert (X**2).sum() == pytest.approx(expected["X_sumsq"], rel=SUM, abs=1e-8)
    assert wsum(X) == pytest.approx(expected["X_wsum"], rel=SUM, abs=1e-6)
    if X.shape[1]:
        np.testing.assert_allclose(X[0], expected["X_first"], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(X[-1], expected["X_last"], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("identifier", LFORMULA)
def test_response_and_offset_are_those_of_the_model_frame(identifier: str) -> None:
    """The response and the offset have R's sums."""
    expected = record("lformula", identifier)
    _, design = design_of(expected)
    assert design.y.sum() == pytest.approx(expected["y_sum"], rel=SUM, abs=1e-9)
    if expected["offset_sum"] is None:
        assert design.offset is None
    else:
        assert design.offset is not None
        assert design.offset.sum() == pytest.approx(expected["offset_sum"], rel=SUM)


@pytest.mark.parametrize("identifier", LFORMULA)
def test_random_terms_are_those_of_lformula(identifier: str) -> None:
    """Order, groups, levels and coefficient names of the random terms are lme4's."""
    expected = record("lformula", identifier)
    _, design = design_of(expected)
    named = [(term.group, list(term.coefficient_names)) for term in design.random_terms]
    assert named == [(term["group"], term["names"]) for term in expected["cnms"]]
    by_group = {term.group: term for term in design.random_terms}
    for factor in expected["flist"]:
        term = by_group[factor["name"]]
        assert term.n_levels == factor["n_levels"]
        assert list(term.levels[:5]) == factor["first_levels"]
        assert term.levels[-1] == factor["last_level"]
        assert (term.codes + 1) @ np.arange(1, design.nobs + 1) == factor["codes_wsum"]


@pytest.mark.parametrize("identifier", LFORMULA)
def test_zt_is_that_of_lformula(identifier: str) -> None:
    """Zt has lme4's shape, pattern and values, and as many covariance parameters."""
    expected = record("lformula", identifier)
    _, design = design_of(expected)
    Zt = design.Zt
    assert list(Zt.shape) == expected["Zt_dim"]
    assert Zt.nnz == expected["Zt_nnz"]
    heights = [term.n_levels * term.n_coefficients for term in design.random_terms]
    assert np.cumsum([0, *heights]).tolist() == expected["Gp"]
    assert len(design.theta_names) == expected["n_theta"]
    assert Zt.sum() == pytest.approx(expected["Zt_sum"], rel=SUM, abs=1e-8)
    assert (Zt.data**2).sum() == pytest.approx(expected["Zt_sumsq"], rel=SUM)
    i, j = Zt.nonzero()
    assert np.sum(Zt.data * (i + 1.0) * (j + 1.0)) == pytest.approx(expected["Zt_wsum"], rel=SUM, abs=1e-6)
    for vector, about in (
        (Zt[:, [0]].toarray().ravel(), expected["Zt_first_obs"]),
        (Zt[:, [-1]].toarray().ravel(), expected["Zt_last_obs"]),
        (Zt[[0], :].toarray().ravel(), expected["Zt_row1"]),
        (Zt[[-1], :].toarray().ravel(), expected["Zt_rowlast"]),
    ):
        assert np.flatnonzero(vector).tolist() == about["index0"]
        np.testing.assert_allclose(vector[about["index0"]], about["value"], rtol=1e-10)


@pytest.mark.parametrize("identifier", [r["id"] for r in records("glmm")])
def test_designs_of_generalized_models_are_those_of_lme4(identifier: str) -> None:
    """Columns, counts and trials of models of other families are R's."""
    expected = record("glmm", identifier)
    _, design = design_of(expected)
    about = expected["design"]
    assert list(design.fixed_names) == about["X_colnames"]
    assert list(design.dropped_names) == expected["dropped_columns"]
    assert design.nobs == expected["n"]
    assert wsum(design.X) == pytest.approx(about["X_wsum"], rel=SUM, abs=1e-6)
    assert design.Zt.nnz == about["Zt_nnz"]
    assert list(design.theta_names) == expected["theta_names"]


@pytest.mark.parametrize(("kind", "identifier"), LMM)
def test_designs_of_fits_are_those_of_lme4(kind: str, identifier: str) -> None:
    """Names, sums and parameters of the design of each fitted model are lme4's."""
    expected = record(kind, identifier)
    _, design = design_of(expected)
    about = expected["design"]
    assert list(design.fixed_names) == about["X_colnames"]
    assert list(design.dropped_names) == expected["dropped_columns"]
    assert design.X.sum() == pytest.approx(about["X_sum"], rel=SUM, abs=1e-8)
    assert (design.X**2).sum() == pytest.approx(about["X_sumsq"], rel=SUM)
    assert wsum(design.X) == pytest.approx(about["X_wsum"], rel=SUM, abs=1e-6)
    named = [(term.group, list(term.coefficient_names)) for term in design.random_terms]
    assert named == [(term["group"], term["names"]) for term in about["cnms"]]
    assert list(design.Zt.shape) == about["Zt_dim"]
    assert design.Zt.nnz == about["Zt_nnz"]
    assert design.Zt.sum() == pytest.approx(about["Zt_sum"], rel=SUM, abs=1e-8)
    assert (design.Zt.data**2).sum() == pytest.approx(about["Zt_sumsq"], rel=SUM)
    assert list(design.theta_names) == expected["theta_names"]
