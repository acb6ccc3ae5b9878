"""Which columns of X depend on earlier ones: the cheap proof that none does, and the careful search where it fails."""

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray

DEPENDENT = 1e-7
"""A column depends on earlier ones if less than this part of its length is left beside them: R's qr(tol = 1e-7)."""

CLEAR = 1e-3
"""Parts above this are told from cross-products beyond doubt: their squares exceed rounding a millionfold."""

NOTHING = 1e-13
"""Squared parts below this are rounding, where all columns kept so far were clear."""

CONSTANT = 1e-13
"""A column is constant if centring leaves less than this part of its length: that is rounding."""

FAR = 1e140
"""Numbers beyond this, or below its inverse, are rescaled before they are squared."""

SAMPLE = 2048
"""Rows from which the independence of all columns is shown first: what is independent there is so everywhere."""


def independent_columns(X: FloatArray, *, intercept: bool) -> BoolArray:
    """
    Tell which columns of X do not depend linearly on earlier ones, (p,).

    Of column j, the columns before it leave the part |r_jj| / |x_j|, of the QR decomposition. Beside an intercept, the
    first column, all others are centred first, so that a large mean (a year, a time in seconds) makes no column look
    dependent.

    >>> independent_columns(np.array([[1.0, 1, 2], [1, 2, 3], [1, 3, 4]]), intercept=True)
    array([ True,  True, False])
    """
    n, p = X.shape
    if p == 0:
        return np.ones(0, dtype=np.bool_)
    norms = np.sqrt(np.einsum("ij,ij->j", X, X))
    if norms.max() > FAR or norms.min() < 1 / FAR:
        largest = np.maximum(X.max(axis=0), -X.min(axis=0))
        if largest.max() > FAR or np.any((largest > 0) & (largest < 1 / FAR)):
            return independent_columns(X / np.where(largest > 0, largest, 1.0), intercept=intercept)
    sample = max(SAMPLE, 8 * p)
    if (n > 4 * sample and _all_clear(X[:: n // sample], norms)) or _all_clear(X, norms):
        return np.ones(p, dtype=np.bool_)
    scaled, lengths = _centred(X, norms, intercept=intercept)
    found = _by_elimination(scaled.T @ scaled)
    return _by_orthogonalisation(scaled, lengths) if found is None else found


def _all_clear(X: FloatArray, norms: FloatArray) -> bool:
    """
    Show by the Cholesky factor of X'X that all columns are far from dependent; False says nothing.

    norms : (p,) lengths of the columns; if X is a sample of the rows, those of all rows: what other columns leave of a
        column can only grow with more rows
    """
    if X.shape[0] < X.shape[1] or not norms.all():
        return False
    gram = X.T @ X / np.outer(norms, norms)
    try:
        diagonal = np.linalg.cholesky(gram).diagonal()
    except np.linalg.LinAlgError:
        return False
    return bool(diagonal.min() > CLEAR)


def _centred(X: FloatArray, norms: FloatArray, *, intercept: bool) -> tuple[FloatArray, FloatArray]:
    """Return the columns, centred beside an intercept and of unit length, and their lengths: 0 if nothing is left."""
    lengths = np.where(norms > 0, 1.0, 0.0)
    scaled = X / np.where(norms > 0, norms, 1.0)
    if intercept:
        scaled[:, 1:] -= scaled[:, 1:].mean(axis=0)
        lengths = np.sqrt(np.einsum("ij,ij->j", scaled, scaled))
        lengths[lengths < CONSTANT] = 0.0
        scaled /= np.where(lengths > 0, lengths, np.inf)
    return scaled, lengths


def _by_elimination(gram: FloatArray) -> BoolArray | None:
    """Eliminate column by column from the cross-products of columns of unit length; None if a pivot is doubtful."""
    rest = gram.copy()
    p = len(rest)
    independent = np.zeros(p, dtype=np.bool_)
    for j in range(p):
        pivot = rest[j, j]
        if pivot > CLEAR**2:
            independent[j] = True
            rest[j + 1 :, j + 1 :] -= np.outer(rest[j + 1 :, j], rest[j, j + 1 :] / pivot)
        elif not pivot < NOTHING:
            return None
    return independent


def _by_orthogonalisation(scaled: FloatArray, lengths: FloatArray) -> BoolArray:
    """Orthogonalise the columns of the triangular factor, which stand as the columns themselves do, one by one."""
    R: FloatArray = np.linalg.qr(scaled)[1]
    independent = np.zeros(len(lengths), dtype=np.bool_)
    basis = np.empty((len(R), 0))
    for j, length in enumerate(lengths):
        rest = R[:, j].copy()
        for _ in range(2):  # a second pass removes what rounding left of the first
            rest -= basis @ (basis.T @ rest)
        left = float(np.linalg.norm(rest))
        if length > 0 and left > DEPENDENT and basis.shape[1] < len(R):
            independent[j] = True
            basis = np.column_stack([basis, rest / left])
    return independent
