"""
Hypotheses of types I, II and III for the terms of a model: one matrix L for each, in the columns of X.

As in SAS and in lmerTest: a term is contained in another if that has all of its variables, more factors, and no other
numeric variables. Of a generalised model, type II is car's: a chi-squared for a term and those that contain it, less
that for those alone.
Kuznetsova, Brockhoff & Christensen (2017), J. Stat. Soft. 82(13), section 4; Goodnight (1978), SAS Technical Report
R-101.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.design.schema import NumericVariable
from lmmformula.errors import FitError
from lmmformula.inference.means.model_columns import coding_rows, full_columns, treatment_columns
from lmmformula.results.files.kept_numbers import kept_of
from lmmformula.results.glmm import GeneralizedMixedResult, MixedResult
from lmmformula.results.predict.rows import some_rows

AnovaType = Literal["I", "II", "III"]

NOTHING = 1e-8
"""Entries of a hypothesis, beside entries of 1, that are rounding."""


def hypotheses(result: MixedResult, kind: AnovaType) -> dict[str, FloatArray]:
    """Return per fixed term the (r, p) rows L of its hypothesis L beta = 0; no rows where it has no columns left."""
    design = result.design
    kept = kept_of(design).hypotheses
    if kept is not None and kind in kept:
        return kept[kind]
    names = design.fixed_terms
    columns = {name: np.flatnonzero(np.equal(design.fixed_assign, i + 1)) for i, name in enumerate(names)}
    if kind == "I" or len(names) <= 1:
        L = sequential(_triangle_of(result))
        return {name: L[own] for name, own in columns.items()}
    if kind == "II":
        containing = contained_in(result, by_numbers=isinstance(result, GeneralizedMixedResult))
        R = _triangle_of(result)
        return {name: _type_two(R, columns, name, containing[name]) for name in names}
    return _type_three(_on_some_rows(result), contained_in(result))


def _on_some_rows(result: MixedResult) -> MixedResult:
    """Put rows of which X is known in the place of those that have passed by."""
    if result.design.sums is None:
        return result
    table, _ = some_rows(result)
    return replace(result, design=result.design.sample, table=table)


def _triangle_of(result: MixedResult) -> FloatArray:
    """Return R, (p, p), with R'R = X'X; of a generalised model the inverse of vcov, which is X'WX for known weights."""
    if isinstance(result, GeneralizedMixedResult):
        try:
            return np.asarray(np.linalg.cholesky(np.linalg.inv(result.fit.vcov)).T)
        except np.linalg.LinAlgError:
            raise FitError("the covariance matrix of the fixed effects is singular, so there are no tests") from None
    design = result.design
    return triangle(design.X) if design.sums is None or design.has_weights else design.sums.products.triangle()


def triangle(X: FloatArray) -> FloatArray:
    """
    Return R, (p, p), with R'R = X'X.

    By Cholesky factors, the second of columns that the first made orthonormal but for rounding (no digit is lost), and
    by Householder's reflections, which are slow for many rows, where X is too badly conditioned for that.
    """
    scale = np.sqrt(np.einsum("ij,ij->j", X, X))
    try:
        first = np.linalg.cholesky((X.T @ X) / np.outer(scale, scale)).T
        orthogonal = X @ (np.linalg.inv(first) / scale[:, None])
        R: FloatArray = np.linalg.cholesky(orthogonal.T @ orthogonal).T @ first * scale
    except np.linalg.LinAlgError:
        R = np.asarray(np.linalg.qr(X, mode="r"))
    return R


def sequential(R: FloatArray) -> FloatArray:
    """
    Return the unit upper triangular L with R'R = L'DL: row j tests column j after those before it.

    >>> sequential(np.array([[1.0, 0.0], [1.0, 2.0]]))
    array([[1., 1.],
           [0., 1.]])
    """
    own: FloatArray = np.asarray(np.linalg.qr(R, mode="r"))
    return own / np.diag(own)[:, None]


def contained_in(result: MixedResult, *, by_numbers: bool = False) -> dict[str, tuple[str, ...]]:
    """
    Return per fixed term the terms that contain it.

    by_numbers : whether `f` is in `f:x` for a numeric `x`, too, as R's marginality (and car's `Anova`) has it
    """
    variables = result.schema.variables
    more_numbers = {label for label, v in variables.items() if isinstance(v, NumericVariable) and not by_numbers}
    terms = [term for term in result.schema.fixed if term.variables]
    members = dict(zip(result.design.fixed_terms, (frozenset(term.variables) for term in terms), strict=True))
    return {
        name: tuple(other for other, more in members.items() if own < more and not (more - own) & more_numbers)
        for name, own in members.items()
    }


def _type_two(R: FloatArray, columns: dict[str, IntArray], name: str, containing: Sequence[str]) -> FloatArray:
    """Test a term after all terms that don't contain it."""
    own, p = columns[name], R.shape[1]
    if not containing:
        return np.eye(p)[own]
    above = np.concatenate([columns[other] for other in containing])
    before = np.setdiff1d(np.arange(p), np.concatenate([own, above]))
    order = np.concatenate([before, own, above])
    L = np.zeros((len(own), p))
    L[:, order] = sequential(R[:, order])[len(before) : len(before) + len(own)]
    return L


def _type_three(result: MixedResult, containing: dict[str, tuple[str, ...]]) -> dict[str, FloatArray]:
    """
    Test a term's effects averaged over the levels of the factors that it meets, each level counting the same.

    All cells' columns are expressed in those of X; a term's are made orthogonal to those of the terms that contain it.
    """
    rows = coding_rows(result)
    X, assign, positions = treatment_columns(result, rows)
    everything = full_columns(result, rows)
    L = _coefficients(X, everything).T  # a row per column of the full set
    terms = list(result.design.fixed_terms)
    columns = {name: np.flatnonzero(np.equal(assign, i + 1)) for i, name in enumerate(terms)}
    orders = {term.label: term.order for term in result.ir.fixed.terms}
    for name in sorted(terms, key=lambda name: -orders[name]):
        if containing[name] and len(columns[name]):
            above = np.concatenate([columns[other] for other in containing[name]])
            L[:, columns[name]] -= L[:, above] @ np.linalg.lstsq(L[:, above], L[:, columns[name]], rcond=None)[0]
    L = _cleaned(L)[positions]
    back = _coefficients(X, result.design.X if rows is None else result.design.X[rows])
    out = {}
    for name, own in columns.items():
        hypothesis = L[:, own].T
        out[name] = _cleaned(hypothesis[np.abs(hypothesis).sum(axis=1) > NOTHING] @ back)
    return out


def _coefficients(X: FloatArray, columns: FloatArray) -> FloatArray:
    """Return the coefficients that make columns of those of X, of full rank."""
    scale = np.sqrt(np.einsum("ij,ij->j", X, X))
    found: FloatArray = np.linalg.lstsq(X / scale, columns, rcond=None)[0] / scale[:, None]
    return _cleaned(found)


def _cleaned(L: FloatArray) -> FloatArray:
    """Put entries that are nothing but rounding to zero."""
    return np.where(np.abs(L) < NOTHING * np.abs(L).max(initial=0.0), 0.0, L)
