"""An unstructured covariance matrix by its standard deviations and angles that make up its correlations."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.covariances.matrices import correlations_of, diagonal_basis, root


@lru_cache(maxsize=1024)
def hyperspherical(angles: tuple[float, ...], k: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """
    Return the unit vector (cos a, sin a cos b, .., sin a sin b .., 0, ..) of k numbers, and its derivatives.

    Returns
    -------
    value, first, second
        (k,), (i, k) and (i, i, k) for i angles; shared between calls, so not to be written to.
    """
    i = len(angles)
    cosine, sine = np.cos([angles]).T, np.sin([angles]).T
    place, own = np.arange(k)[None, :], np.arange(i)[:, None]
    before, here, inside = place < own, place == own, place <= i
    tables = [
        np.where(before, constant, np.where(here, at, after)) * inside
        for constant, at, after in ((1.0, cosine, sine), (0.0, -sine, cosine), (0.0, -cosine, -sine))
    ]
    first = np.empty((i, k))
    second = np.empty((i, i, k))
    start = (np.arange(k) == 0).astype(float) if i == 0 else np.ones(k)
    for l in range(i):
        once = tables[0].copy()
        once[l] = tables[1][l]
        first[l] = once.prod(axis=0)
        for m in range(i):
            twice = once.copy()
            twice[m] = tables[2][l] if l == m else tables[1][m]
            second[l, m] = twice.prod(axis=0)
    return start * tables[0].prod(axis=0), first, second


@dataclass(frozen=True, slots=True)
class Spherical:
    """
    Unstructured: Sigma = F F', row i of F a standard deviation times a unit vector of the earlier rows' dimension.

    order : the coefficients in the order of the rows; the correlation of the first two is the cosine of one angle
    squares : whether the deviations are the parameters' squares: with a sign, they would turn a held correlation round
    Parameters are k standard deviations (or roots of them) in the coefficients' order, then the angles row by row.
    """

    order: tuple[int, ...]
    squares: bool = False

    @property
    def size(self) -> int:
        """Number of parameters."""
        return len(self.order) * (len(self.order) + 1) // 2

    @property
    def spanning(self) -> FloatArray:
        """Not used: nothing starts here."""
        return diagonal_basis(len(self.order))

    def places(self, row: int) -> slice:
        """Return where the angles of a row stand among the parameters."""
        start = len(self.order) + row * (row - 1) // 2
        return slice(start, start + row)

    def deviations(self, parameters: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return (k,) standard deviations and their derivatives."""
        x = parameters[: len(self.order)]
        return (x * x, 2 * x) if self.squares else (x, np.ones_like(x))

    def row(self, parameters: FloatArray, row: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the unit vector of a row and its derivatives with respect to its angles."""
        return hyperspherical(tuple(parameters[self.places(row)].tolist()), len(self.order))

    def root(self, parameters: FloatArray) -> FloatArray:
        """Return F, its rows in the coefficients' order."""
        k = len(self.order)
        F = np.empty((k, k))
        s, _ = self.deviations(parameters)
        for row, i in enumerate(self.order):
            F[i] = s[i] * self.row(parameters, row)[0]
        return F

    def directions(self, parameters: FloatArray) -> FloatArray:
        """Return dF F' + F dF'."""
        half = self._first(parameters) @ self.root(parameters).T
        return half + half.transpose(0, 2, 1)

    def curvature(self, parameters: FloatArray, G: FloatArray) -> FloatArray:
        """Return tr(G d2Sigma) = 2 tr(G dF_a dF_b') + 2 tr(G d2F_ab F')."""
        first, n = self._first(parameters), self.size
        out: FloatArray = 2 * first.reshape(n, -1) @ (G @ first).reshape(n, -1).T
        W = 2 * G @ self.root(parameters)
        s, slope = self.deviations(parameters)
        for row, i in enumerate(self.order):
            here = self.places(row)
            value, once, twice = self.row(parameters, row)
            out[here, here] += s[i] * twice @ W[i]
            out[i, here] += slope[i] * (once @ W[i])
            out[here, i] += slope[i] * (once @ W[i])
            out[i, i] += 2 * (value @ W[i]) if self.squares else 0.0
        return out

    def nearest(self, covariance: FloatArray) -> FloatArray:
        """Return the parameters of a covariance matrix."""
        sds, correlation = correlations_of(covariance)
        np.fill_diagonal(correlation, 1.0)
        L = root(correlation[np.ix_(self.order, self.order)])
        out = np.empty(self.size)
        out[: len(sds)] = np.sqrt(sds) if self.squares else sds
        for row in range(len(sds)):
            left, angles = 1.0, []
            for value in L[row, :row]:
                angle = math.acos(min(max(value / left, -1.0), 1.0)) if left > 1e-8 else math.pi / 2
                angles.append(angle)
                left *= math.sin(angle)
            out[self.places(row)] = angles
        return out

    def rescaled(self, parameters: FloatArray, factor: float) -> FloatArray:
        """Return parameters of all standard deviations times a factor."""
        k = len(self.order)
        return np.append((math.sqrt(factor) if self.squares else factor) * parameters[:k], parameters[k:])

    def snapped(self, parameters: FloatArray, zero: float) -> FloatArray:  # noqa: ARG002
        """Return the parameters: nothing is put to zero here."""
        return parameters

    def _first(self, parameters: FloatArray) -> FloatArray:
        k = len(self.order)
        out = np.zeros((self.size, k, k))
        s, slope = self.deviations(parameters)
        for row, i in enumerate(self.order):
            here = self.places(row)
            value, once, _ = self.row(parameters, row)
            out[i, i] = slope[i] * value
            out[here, i] = s[i] * once
        return out
