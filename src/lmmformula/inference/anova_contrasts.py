"""
Hypotheses of types I, II and III for the terms of a model: one matrix L for each, in the columns of X.

As in SAS and in lmerTest: a term is contained in another if that has all of its variables, more factors, and no other
numeric variables. Kuznetsova, Brockhoff & Christensen (2017), J. Stat. Soft. 82(13), section 4; Goodnight (1978), SAS
Technical Report R-101.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.design.matrices import DesignMatrices
from lmmformula.design.schema import NumericVariable
from lmmformula.inference.columns import coding_rows, full_columns, treatment_columns
from lmmformula.results.kept import kept_of
from lmmformula.results.lmm import LinearMixedResult

AnovaType = Literal["I", "II", "III"]

NOTHING = 1e-8
"""Entries of a hypothesis, beside entries of 1, that are rounding."""


def hypotheses(result: LinearMixedResult, kind: AnovaType) -> dict[str, FloatArray]:
    """Return per fixed term the (r, p) rows L of its hypothesis L beta = 0; no rows where it has no columns left."""
    design = result.design
    kept = kept_of(design).hypotheses
    if kept is not None and kind in kept:
        return kept[kind]
    names = design.fixed_terms
    columns = {name: np.flatnonzero(np.equal(design.fixed_assign, i + 1)) for i, name in enumerate(names)}
    if kind == "I" or len(names) <= 1:
        L = sequential(_triangle_of(design))
        return {name: L[own] for name, own in columns.items()}
    containing = contained_in(result)
    if kind == "II":
        R = _triangle_of(design)
        return {name: _type_two(R, columns, name, containing[name]) for name in names}
    return _type_three(result, containing)


def _triangle_of(design: DesignMatrices) -> FloatArray:
    """Return R, (p, p), with R'R = X'X, from the rows or from the cross-products."""
    return triangle(design.X) if design.products is None or design.has_weights else design.products.triangle()


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


def contained_in(result: LinearMixedResult) -> dict[str, tuple[str, ...]]:
    """Return per fixed term the terms that contain it."""
    variables = result.schema.variables
    numeric = {label for label, variable in variables.items() if isinstance(variable, NumericVariable)}
    terms = [term for term in result.schema.fixed if term.variables]
    members = dict(zip(result.design.fixed_terms, (frozenset(term.variables) for term in terms), strict=True))
    return {
        name: tuple(other for other, more in members.items() if own < more and not (more - own) & numeric)
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


def _type_three(result: LinearMixedResult, containing: dict[str, tuple[str, ...]]) -> dict[str, FloatArray]:
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
