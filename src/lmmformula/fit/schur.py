"""
Products of an eliminated factor with the others: C_12, and the two ways in which it enters the Schur complement.

    downdate  sum_j C_2j W_j C_j2        adjoint  Y_j = C_j2 W_2 C_2j

Both are linear, and each other's transposes. Levels j that meet few of the other effects use a sparse operator with one
entry per pair of effects they meet; levels that meet many use dense rows and the processor's matrix product.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lmmformula.arrays import AnyArray, BoolArray, FloatArray, IntArray
from lmmformula.fit import blocks
from lmmformula.fit.links import Links

DENSE_ABOVE = 0.2
"""Part of the other effects, times sqrt(k + 1), that a level must meet for dense rows to be the faster way."""

MAX_PAIRS = 3e7
"""Largest number of numbers the sparse operator may hold; more makes the levels with most pairs dense."""


@dataclass(frozen=True, slots=True)
class Schur:
    """
    C_12 arranged for a dense Schur complement.

    heavy : levels with dense rows
    light : the other levels
    dense : (k, heavy, q2) rows of the heavy levels
    pairs : (a, b), a >= b -> sparse operator (q2^2, light) from W_j[a, b] to the lower triangle of the downdate
    """

    links: Links
    heavy: IntArray
    light: IntArray
    dense: FloatArray
    pairs: dict[tuple[int, int], Any]

    @classmethod
    def of(cls, links: Links) -> "Schur":
        """Decide which levels are heavy, and prepare both kinds."""
        is_heavy = split(links.counts, links.size, len(links.rows))
        heavy, light = np.flatnonzero(is_heavy), np.flatnonzero(~is_heavy)
        none = np.empty((len(links.rows), 0, links.size))
        dense = np.stack([m[heavy].toarray() for m in links.rows]) if len(heavy) else none
        return cls(links, heavy, light, dense, pair_operators(links, light))

    def downdate(self, half: FloatArray) -> FloatArray:
        """Return sum_j C_2j W_j C_j2, (q2, q2), for (k, k, J) half with half'half = W."""
        q2 = self.links.size
        out = np.zeros((q2, q2))
        if len(self.heavy):
            from scipy.linalg import blas

            thick = blocks.einsum("baj,ajq->bjq", half[:, :, self.heavy], self.dense).reshape(-1, q2)
            out = blas.dsyrk(1.0, thick.T, lower=0).T
        if len(self.light):
            W = blocks.products(half.transpose(1, 0, 2), half)[:, :, self.light]
            flat = out.reshape(-1)
            for (a, b), pairs in self.pairs.items():
                flat += pairs @ W[a, b]
        return blocks.mirror(out)

    def adjoint(self, W2: FloatArray) -> FloatArray:
        """Return Y_j = C_j2 W_2 C_2j, (k, k, J), for symmetric W_2."""
        k, J = len(self.links.rows), len(self.links.counts)
        out = np.empty((k, k, J))
        if len(self.heavy):
            for a in range(k):
                half = self.dense[a] @ W2
                for b in range(k):
                    out[a, b, self.heavy] = blocks.einsum("jq,jq->j", half, self.dense[b])
        if len(self.light):
            diagonal = np.diag_indices(len(W2))
            W2[diagonal] /= 2  # the operator sees one triangle; halving is exact, so it is undone without a trace
            for (a, b), pairs in self.pairs.items():
                out[a, b, self.light] = out[b, a, self.light] = (pairs.T @ W2.reshape(-1)) * (2 if a == b else 1)
            W2[diagonal] *= 2
        return out


def split(counts: IntArray, q2: int, k: int) -> BoolArray:
    """Say which levels, by the number of other effects they meet, get dense rows."""
    heavy: BoolArray = counts * np.sqrt(k + 1) > DENSE_ABOVE * q2
    size = np.where(heavy, 0, counts * (counts + 1) // 2) * (k * (k + 1) // 2)
    order = np.argsort(-size)
    too_much = np.cumsum(size[order][::-1])[::-1] > MAX_PAIRS
    heavy[order[too_much]] = True
    return heavy


def pair_operators(links: Links, light: IntArray) -> dict[tuple[int, int], Any]:
    """Return, for coefficients a >= b, the operator from W_j[a, b] of the light levels to the downdate."""
    from scipy.sparse import csc_array

    values, q2 = [m.data for m in links.rows], links.size
    pointer, columns = links.rows[0].indptr, links.rows[0].indices
    counts = links.counts[light]
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
