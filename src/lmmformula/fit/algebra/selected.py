"""
The elements of a sparse symmetric matrix's inverse that stand where its Cholesky factor has any.

With S = L D L', L unit lower triangular, and s the rows below the diagonal of column j of L, Z = S^-1 has

    Z_sj = -Z_ss L_sj,    Z_jj = 1 / D_jj - L_sj'Z_sj

and every element of Z_ss stands where L has one, in a later column (Takahashi, Fagan & Chen 1973). Columns
of which none needs another are done at once. The last columns, where L is nearly full, are one dense matrix.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray, IntArray

DENSE = 0.005
"""Work of a product of three elements of a dense matrix, beside that of a product in the sparse part."""


@dataclass(frozen=True, slots=True)
class _Step:
    """
    Columns that are done at once.

    columns, entries : them, and the elements of L in them
    owner : (entries,) number of each element's column among them
    left, right, places : for each pair of elements of a column, their numbers among these and where Z has its element
    """

    columns: IntArray
    entries: IntArray
    owner: IntArray
    left: IntArray
    right: IntArray
    places: IntArray


@dataclass(frozen=True)
class Selected:
    """
    Where the elements stand: of the first columns those of L, then the diagonal, then the last columns, dense.

    size, first : numbers of all columns, and of those that are not dense
    keys : (m,) column times size plus row of the elements of L below the diagonal in the first columns, in order
    steps : what is done one after the other
    """

    size: int
    first: int
    keys: IntArray
    steps: Sequence[_Step]

    @classmethod
    def of(cls, L: Any) -> "Selected":  # noqa: ANN401 (a sparse matrix)
        """Plan it for the pattern of a factor."""
        size = L.shape[0]
        rows, columns = _below(L)
        counts = np.bincount(columns, minlength=size).astype(np.float64)
        sparse = np.concatenate([[0.0], np.cumsum(counts**2)])
        first = int(np.argmin(sparse + DENSE * np.arange(size, -1, -1.0) ** 3))
        keys = columns[columns < first] * np.intp(size) + rows[columns < first]
        found = cls(size, first, keys, [])
        return cls(size, first, keys, list(found._planned()))

    def _planned(self) -> list[_Step]:
        columns, rows = np.divmod(self.keys, self.size)
        counts = np.bincount(columns, minlength=self.first)
        begins = np.cumsum(counts) - counts
        depth = np.zeros(self.first, dtype=np.intp)
        for j in range(self.first - 1, -1, -1):
            if counts[j] and (parent := rows[begins[j]]) < self.first:
                depth[j] = depth[parent] + 1
        steps = []
        for level in range(int(depth.max(initial=-1)) + 1):
            own = np.flatnonzero(depth == level)
            owner = np.repeat(np.arange(len(own)), counts[own])
            entries = runs(begins[own], counts[own])
            many = counts[own][owner]
            left = np.repeat(np.arange(len(entries)), many)
            right = runs((np.cumsum(counts[own]) - counts[own])[owner], many)
            places = self.places(rows[entries[left]], rows[entries[right]])
            steps.append(_Step(own, entries, owner, left, right, places))
        return steps

    def places(self, rows: IntArray, columns: IntArray) -> IntArray:
        """Return where elements of Z stand."""
        low, high, rest = np.minimum(rows, columns), np.maximum(rows, columns), self.size - self.first
        inner = np.searchsorted(self.keys, low * np.intp(self.size) + high)
        dense = self.first + (high - self.first) * rest + (low - self.first)
        found = np.where(low >= self.first, len(self.keys) + dense, np.where(low == high, len(self.keys) + low, inner))
        return np.asarray(found, dtype=np.intp)

    def inverse(self, L: Any, D: FloatArray) -> FloatArray:  # noqa: ANN401 (a sparse matrix)
        """Return the elements of Z, for L of the pattern or less."""
        m, n = len(self.keys), self.first
        rows, columns = _below(L)
        values, inner = L.data[L.indices > np.repeat(np.arange(self.size), np.diff(L.indptr))], columns < n
        l = np.zeros(m)
        l[np.searchsorted(self.keys, columns[inner] * np.intp(self.size) + rows[inner])] = values[inner]
        out = np.empty(m + n + (self.size - n) ** 2)
        out[m + n :] = self._last(rows[~inner] - n, columns[~inner] - n, values[~inner], D[n:])
        for step in self.steps:
            own = l[step.entries]
            found = -np.bincount(step.left, out[step.places] * own[step.right], len(own))
            out[step.entries] = found
            out[m + step.columns] = 1 / D[step.columns] - np.bincount(step.owner, own * found, len(step.columns))
        return out

    def _last(self, rows: IntArray, columns: IntArray, values: FloatArray, D: FloatArray) -> FloatArray:
        """Return the dense part of Z."""
        if not len(D):
            return np.empty(0)
        from scipy.linalg import lapack

        R = np.eye(len(D), order="F")
        R[rows, columns] = values
        Z: FloatArray = lapack.dpotri(R * np.sqrt(D), lower=1)[0]
        return (np.tril(Z) + np.tril(Z, -1).T).ravel()


def _below(L: Any) -> tuple[IntArray, IntArray]:  # noqa: ANN401 (a sparse matrix)
    """Return rows and columns of the elements of a sorted CSC matrix below its diagonal."""
    columns = np.repeat(np.arange(L.shape[0]), np.diff(L.indptr))
    below = L.indices > columns
    return L.indices[below].astype(np.intp), columns[below]


def runs(begins: IntArray, lengths: IntArray) -> IntArray:
    """Return begin, begin + 1, ... of each length, one after the other."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    found: IntArray = np.arange(total) + np.repeat(begins - (ends - lengths), lengths)
    return found
