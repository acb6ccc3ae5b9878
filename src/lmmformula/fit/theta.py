"""
lme4's theta: the numbers by which lme4 names a relative covariance matrix, term by term.

us : the lower triangle, by columns, of L with LL' = Sigma and diagonal >= 0
diag : standard deviations relative to sigma (one, if homogeneous)
cs, ar1 : as us; if homogeneous, each value that repeats itself in L is given once
"""

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import FitError
from lmmformula.fit.algebra import blocks
from lmmformula.ir.covariance import Covariance


def theta_of(covariance: Covariance, sigma: FloatArray) -> FloatArray:
    """
    Return theta of a (k, k) relative covariance matrix.

    >>> theta_of(Covariance(), np.array([[4.0, 2.0], [2.0, 10.0]]))
    array([2., 1., 3.])
    """
    if covariance.structure == "diag":
        deviations = np.sqrt(np.diag(sigma))
        return deviations[:1] if covariance.homogeneous else deviations
    L = blocks.root(sigma)
    return np.array([L[i, j] for i, j in _distinct(covariance, len(sigma))])


def sigma_of(covariance: Covariance, theta: FloatArray, k: int) -> FloatArray:
    """
    Return the (k, k) relative covariance matrix of a term's theta.

    >>> sigma_of(Covariance(), np.array([2.0, 1.0, 3.0]), 2)
    array([[ 4.,  2.],
           [ 2., 10.]])
    """
    if covariance.structure == "diag":
        return np.diag(np.broadcast_to(theta, k) ** 2)
    if covariance.structure == "us" or not covariance.homogeneous or k == 1:
        L = np.zeros((k, k))
        L[*np.array(_distinct(covariance, k)).T] = theta
        return L @ L.T
    rho = theta[1] / theta[0] if theta[0] > 0 else 0.0
    lag = np.abs(np.subtract.outer(np.arange(k), np.arange(k)))
    out: FloatArray = theta[0] ** 2 * rho ** (np.minimum(lag, 1) if covariance.structure == "cs" else lag)
    return out


def theta_size(covariance: Covariance, k: int) -> int:
    """Return the length of a term's theta."""
    if covariance.structure == "diag":
        return 1 if covariance.homogeneous else k
    return len(_distinct(covariance, k))


def split_theta(terms: list[tuple[Covariance, int]], theta: FloatArray) -> list[FloatArray]:
    """Cut theta into the terms' own; terms are given by their covariance and number of coefficients."""
    sizes = [theta_size(covariance, k) for covariance, k in terms]
    values = np.asarray(theta, dtype=np.float64)
    if values.shape != (sum(sizes),) or not bool(np.isfinite(values).all()):
        raise FitError(f"theta must be {sum(sizes)} finite numbers for this model, not {_shown(values)}")
    ends = np.cumsum(sizes).tolist()
    return [values[end - size : end] for end, size in zip(ends, sizes, strict=True)]


def _shown(values: FloatArray) -> str:
    return f"an array of shape {values.shape}" if values.ndim != 1 else f"{len(values)}: {values.tolist()}"


def _distinct(covariance: Covariance, k: int) -> list[tuple[int, int]]:
    """Return the places (row, column) of L that theta holds, in its order."""
    if not covariance.homogeneous or covariance.structure == "us":
        return [(i, j) for j in range(k) for i in range(j, k)]
    if covariance.structure == "cs":
        return [(i, j) for j in range(k) for i in range(j, min(j + 2, k))]
    return [(i, j) for j in range(min(k, 2)) for i in range(j, k)]
