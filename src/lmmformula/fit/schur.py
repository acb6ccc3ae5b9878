"""
Products of an eliminated factor with the others: C_12, and the two ways in which it enters the Schur complement.

    downdate  sum_j C_2j W_j C_j2        adjoint  Y_j = C_j2 W_2 C_2j

Both are linear, and each other's transposes. Levels j that meet few of the other effects use a sparse operator with one
entry per pair of effects they meet; levels that meet many use dense rows and the processor's matrix product.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmmformula.arrays import AnyArray, BoolArray, FloatArray, IntArray
from lmmformula.design.crossproducts import CrossProducts
from lmmformula.fit import blocks

DENSE_ABOVE = 0.2
"""Part of the other effects, times sqrt(k + 1), that a level must meet for dense rows to be the faster way."""

MAX_PAIRS = 3e7
"""Largest number of numbers the sparse operator may hold; more makes the levels with most pairs dense."""


@dataclass(frozen=True, slots=True)
class Schur:
    """
    C_12 of one factor and all others.

    rows : per coefficient of the first factor, (J, q2) CSR matrix
    heavy : levels with dense rows
    light : the other levels
    dense : (k, heavy, q2) rows of the heavy levels
    pairs : (a, b), a >= b -> sparse operator (q2^2, light) from W_j[a, b] to the lower triangle of the downdate
    """

    rows: tuple[Any, ...]
    heavy: IntArray
    light: IntArray
    dense: FloatArray
    pairs: dict[tuple[int, int], Any]
    q2: int

    @classmethod
    def of(cls, products: CrossProducts, first: int, rest: Sequence[int], starts: Sequence[int], q2: int) -> "Schur":
        """Collect the products of a factor with the others, whose effects start at the given rows."""
        from scipy.sparse import csr_array

        J, k = products.factors[first].n_levels, products.factors[first].k
        row, column, value = [], [], []
        for g, start in zip(rest, starts, strict=True):
            pair = products.pair(first, g)
            for b in range(products.factors[g].k):
                row.append(pair.rows)
                column.append(start + b * products.factors[g].n_levels + pair.columns)
                value.append(pair.values[:, b])
        rows, columns, values = np.concatenate(row), np.concatenate(column), np.concatenate(value, axis=1)
        order = np.lexsort((columns, rows))
        rows, columns, values = rows[order], columns[order], values[:, order]
        pointer = np.searchsorted(rows, np.arange(J + 1))
        matrices = tuple(csr_array((values[a], columns, pointer), shape=(J, q2)) for a in range(k))
        is_heavy = split(np.diff(pointer), q2, k)
        heavy, light = np.flatnonzero(is_heavy), np.flatnonzero(~is_heavy)
        dense = np.stack([m[heavy].toarray() for m in matrices]) if len(heavy) else np.empty((k, 0, q2))
        return cls(matrices, heavy, light, dense, pair_operators(values, columns, pointer, light, q2), q2)

    def downdate(self, half: FloatArray) -> FloatArray:
        """Return sum_j C_2j W_j C_j2, (q2, q2), for (k, k, J) half with half'half = W."""
        out = np.zeros((self.q2, self.q2))
        if len(self.heavy):
            from scipy.linalg import blas

            thick = blocks.einsum("baj,ajq->bjq", half[:, :, self.heavy], self.dense).reshape(-1, self.q2)
            out = blas.dsyrk(1.0, thick.T, lower=0).T
        if len(self.light):
            W = blocks.products(half.transpose(1, 0, 2), half)[:, :, self.light]
            flat = out.reshape(-1)
            for (a, b), pairs in self.pairs.items():
                flat += pairs @ W[a, b]
        return blocks.mirror(out)

    def adjoint(self, W2: FloatArray) -> FloatArray:
        """Return Y_j = C_j2 W_2 C_2j, (k, k, J), for symmetric W_2."""
        k, J = len(self.rows), self.rows[0].shape[0]
        out = np.empty((k, k, J))
        if len(self.heavy):
            for a in range(k):
                half = self.dense[a] @ W2
                for b in range(k):
                    out[a, b, self.heavy] = blocks.einsum("jq,jq->j", half, self.dense[b])
        if len(self.light):
            diagonal = np.diag_indices(self.q2)
            W2[diagonal] /= 2  # the operator sees one triangle; halving is exact, so it is undone without a trace
            for (a, b), pairs in self.pairs.items():
                out[a, b, self.light] = out[b, a, self.light] = (pairs.T @ W2.reshape(-1)) * (2 if a == b else 1)
            W2[diagonal] *= 2
        return out

    def spread(self, right: FloatArray) -> FloatArray:
        """Return sum_j C_2j right_j, (q2, w), for (k, w, J) right."""
        out = np.zeros((self.q2, right.shape[1]))
        for matrix, part in zip(self.rows, right, strict=True):
            out += matrix.T @ part.T
        return out

    def gather(self, right: FloatArray) -> FloatArray:
        """Return C_j2 right, (k, w, J), for (q2, w) right."""
        return np.stack([(matrix @ right).T for matrix in self.rows])


def split(counts: IntArray, q2: int, k: int) -> BoolArray:
    """Say which levels, by the number of other effects they meet, get dense rows."""
    heavy: BoolArray = counts * np.sqrt(k + 1) > DENSE_ABOVE * q2
    size = np.where(heavy, 0, counts * (counts + 1) // 2) * (k * (k + 1) // 2)
    order = np.argsort(-size)
    too_much = np.cumsum(size[order][::-1])[::-1] > MAX_PAIRS
    heavy[order[too_much]] = True
    return heavy


def pair_operators(
    values: FloatArray, columns: IntArray, pointer: IntArray, light: IntArray, q2: int
) -> dict[tuple[int, int], Any]:
    """Return, for coefficients a >= b, the operator from W_j[a, b] of the light levels to the downdate."""
    from scipy.sparse import csc_array

    counts = np.diff(pointer)[light]
    size = np.concatenate([[0], np.cumsum(counts * (counts + 1) // 2)])
    index_type = np.int32 if max(q2 * q2, size[-1]) < 2**31 else np.int64
    # every entry of a light row is paired with itself and those before it in its row
    within = np.arange(counts.sum(), dtype=index_type) - np.repeat(np.cumsum(counts) - counts, counts)
    entry = (within + np.repeat(pointer[light], counts)).astype(index_type)
    left = np.repeat(entry, within + 1)
    before = np.cumsum(within + 1) - (within + 1)  # pairs of earlier entries
    right: AnyArray = np.arange(len(left), dtype=index_type)
    right -= np.repeat((before - (entry - within)).astype(index_type), within + 1)
    places = columns.astype(index_type)
    indices: AnyArray = places[left] * index_type(q2)
    indices += places[right]
    indptr: AnyArray = size.astype(index_type)
    out = {}
    for a in range(len(values)):
        for b in range(a + 1):
            data: FloatArray = values[a][left] * values[b][right]
            if a != b:
                data += values[b][left] * values[a][right]
            out[a, b] = csc_array((data, indices, indptr), shape=(q2 * q2, len(light)))
    return out
