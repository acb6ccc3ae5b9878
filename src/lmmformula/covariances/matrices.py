"""Roots of one small covariance matrix."""

import numpy as np

from lmmformula.arrays import FloatArray


def square_root(covariance: FloatArray) -> FloatArray:
    """Return the symmetric square root of a positive semidefinite matrix; negative eigenvalues count as zero."""
    values, vectors = np.linalg.eigh(covariance)
    out: FloatArray = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return out


def root(covariance: FloatArray) -> FloatArray:
    """
    Return the lower triangular L with LL' = covariance, positive semidefinite, diagonal >= 0.

    Pivots below 1e-12 of the trace count as zero, so that a singular matrix has exact zeros.

    >>> root(np.array([[4.0, 2.0], [2.0, 1.0]]))
    array([[2., 0.],
           [1., 0.]])
    """
    k = len(covariance)
    rest = np.array(covariance, dtype=np.float64)
    L = np.zeros((k, k))
    for j in range(k):
        if rest[j, j] <= 1e-12 * covariance[j, j] or rest[j, j] <= 0.0:
            continue
        L[j:, j] = rest[j:, j] / np.sqrt(rest[j, j])
        rest[j:, j:] -= np.outer(L[j:, j], L[j:, j])
    return L


def inverse(matrix: FloatArray) -> FloatArray:
    """Return the inverse of a (k, k) matrix."""
    out: FloatArray = np.linalg.inv(matrix).astype(np.float64, copy=False)
    return out


def diagonal_basis(k: int) -> FloatArray:
    """Return the (k, k, k) matrices with a single 1 on the diagonal."""
    return np.eye(k)[:, :, None] * np.eye(k)[:, None, :]


def correlations_of(covariance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return (k,) standard deviations and the (k, k) correlations between those that are not zero."""
    s = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    scale = np.where(s > 0, s, 1.0)
    return s, covariance / np.outer(scale, scale)
