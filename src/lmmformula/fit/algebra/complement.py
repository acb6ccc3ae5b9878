"""
How an eliminated factor enters a dense Schur complement, and what that says about the factor itself.

    downdate  sum_j C_2j W_j C_j2        adjoint  Y_j = C_j2 V_22 C_2j

Both are linear, and each other's transposes. For products that stay what they are (a Gaussian model's) levels that meet
few of the other effects use a sparse operator with one entry per pair of effects they meet, and levels that meet many
dense rows and the processor's matrix product. For products with changing weights nothing is worth preparing.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from lmmformula.arrays import AnyArray, BoolArray, FloatArray, IntArray
from lmmformula.fit.algebra import blocks
from lmmformula.fit.algebra.border import Border

DENSE_ABOVE = 0.1
"""Part of the other effects, times sqrt(k + 1), that a level must meet for dense rows to be the faster way."""

MAX_PAIRS = 3e7
"""Largest number of numbers the sparse operator may hold; more makes the levels with most pairs dense."""

DENSE_LINKS = 0.1
"""Share of the links' elements that are not zero from which their products are faster as dense matrices."""

MOST_DENSE = 40_000_000
"""Elements that they may have then."""

CHUNK_ELEMENTS = 1_000_000
"""Elements of C_12 V_22 that are formed together."""


class Complement(Protocol):
    """C_12 arranged for a dense Schur complement."""

    def downdate(self, half: FloatArray) -> FloatArray:
        """Return sum_j C_2j W_j C_j2, (q2, q2), for (k, k, J) half with half'half = W; the lower triangle counts."""

    def adjoint(self, V22: FloatArray) -> FloatArray:
        """Return Y_j = C_j2 V_22 C_2j, (k, k, J), for symmetric V_22."""


@dataclass(frozen=True, slots=True)
class Once:
    """
    C_12 for one factorisation.

    links : (k, m) its values in its cells
    """

    border: Border
    links: FloatArray

    def downdate(self, half: FloatArray) -> FloatArray:
        """Return sum_j C_2j W_j C_j2."""
        border, (k, m) = self.border, self.links.shape
        thick = blocks.einsum("abm,bm->am", half[:, :, border.rows], self.links)
        J, q2 = len(border.pointer) - 1, border.size
        if m > DENSE_LINKS * J * q2 and k * J * q2 <= MOST_DENSE:
            dense = np.zeros((k, J, q2))
            dense[:, border.rows, border.indices] = thick
            flat = dense.reshape(k * J, q2)
            return flat.T @ flat
        from scipy.sparse import vstack

        stacked = vstack(border.matrices(thick), format="csr")
        out: FloatArray = (stacked.T @ stacked).toarray()
        return out

    def adjoint(self, V22: FloatArray) -> FloatArray:
        """Return Y_j = C_j2 V_22 C_2j."""
        met, rows = links_times(self.border, self.links, V22), self.border.rows
        J = len(self.border.pointer) - 1
        return np.array([[np.bincount(rows, left * right, J) for right in self.links] for left in met])


def links_times(border: Border, links: FloatArray, V22: FloatArray) -> FloatArray:
    """Return (k, m) C_12 V_22 in the cells of C_12."""
    out = np.empty(links.shape)
    matrices = border.matrices(links)
    step = max(1, CHUNK_ELEMENTS // max(border.size, 1))
    for start in range(0, len(border.pointer) - 1, step):
        end = min(start + step, len(border.pointer) - 1)
        here = slice(border.pointer[start], border.pointer[end])
        for a, m in enumerate(matrices):
            out[a, here] = (m[start:end] @ V22)[border.rows[here] - start, border.indices[here]]
    return out


@dataclass(frozen=True, slots=True)
class Prepared:
    """
    C_12 arranged for many factorisations.

    heavy : levels with dense rows
    light : the other levels
    dense : (k, heavy, q2) rows of the heavy levels
    pairs : (a, b), a >= b -> sparse operator (q2^2, light) from W_j[a, b] to the lower triangle of the downdate
    """

    border: Border
    heavy: IntArray
    light: IntArray
    dense: FloatArray
    pairs: dict[tuple[int, int], Any]

    @classmethod
    def of(cls, border: Border, links: FloatArray) -> "Prepared":
        """Decide which levels are heavy, and prepare both kinds."""
        is_heavy = _split(border.counts, border.size, len(links))
        heavy, light = np.flatnonzero(is_heavy), np.flatnonzero(~is_heavy)
        none = np.empty((len(links), 0, border.size))
        dense = np.stack([m[heavy].toarray() for m in border.matrices(links)]) if len(heavy) else none
        return cls(border, heavy, light, dense, _pair_operators(border, links, light))

    def downdate(self, half: FloatArray) -> FloatArray:
        """Return sum_j C_2j W_j C_j2, its lower triangle."""
        q2 = self.border.size
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
        return out

    def adjoint(self, V22: FloatArray) -> FloatArray:
        """Return Y_j = C_j2 V_22 C_2j."""
        k, J = self.dense.shape[0], len(self.border.pointer) - 1
        out = np.empty((k, k, J))
        if len(self.heavy):
            for a in range(k):
                half = self.dense[a] @ V22
                for b in range(k):
                    out[a, b, self.heavy] = blocks.einsum("jq,jq->j", half, self.dense[b])
        if len(self.light):
            diagonal = np.diag_indices(len(V22))
            V22[diagonal] /= 2  # the operator sees one triangle; halving is exact, so it is undone without a trace
            for (a, b), pairs in self.pairs.items():
                out[a, b, self.light] = out[b, a, self.light] = (pairs.T @ V22.reshape(-1)) * (2 if a == b else 1)
            V22[diagonal] *= 2
        return out


def _split(counts: IntArray, q2: int, k: int) -> BoolArray:
    """Say which levels, by the number of other effects they meet, get dense rows."""
    heavy: BoolArray = counts * np.sqrt(k + 1) > DENSE_ABOVE * q2
    size = np.where(heavy, 0, counts * (counts + 1) // 2) * (k * (k + 1) // 2)
    order = np.argsort(-size)
    too_much = np.cumsum(size[order][::-1])[::-1] > MAX_PAIRS
    heavy[order[too_much]] = True
    return heavy


def _pair_operators(border: Border, links: FloatArray, light: IntArray) -> dict[tuple[int, int], Any]:
    """Return, for coefficients a >= b, the operator from W_j[a, b] of the light levels to the downdate."""
    from scipy.sparse import csc_array

    q2, counts = border.size, border.counts[light]
    size = np.concatenate([[0], np.cumsum(counts * (counts + 1) // 2)])
    index_type = np.int32 if max(q2 * q2, size[-1]) < 2**31 else np.int64
    # every entry of a light row is paired with itself and those before it in its row
    within = np.arange(counts.sum(), dtype=index_type) - np.repeat(np.cumsum(counts) - counts, counts)
    entry = (within + np.repeat(border.pointer[light], counts)).astype(index_type)
    left = np.repeat(entry, within + 1)
    before = np.cumsum(within + 1) - (within + 1)  # pairs of earlier entries
    right: AnyArray = np.arange(len(left), dtype=index_type)
    right -= np.repeat((before - (entry - within)).astype(index_type), within + 1)
    places = border.indices.astype(index_type)
    indices: AnyArray = np.multiply(places[left], q2, dtype=index_type)
    indices += places[right]
    indptr: AnyArray = size.astype(index_type)
    out = {}
    for a in range(len(links)):
        for b in range(a + 1):
            data: FloatArray = links[a][left] * links[b][right]
            if a != b:
                data += links[b][left] * links[a][right]
            out[a, b] = csc_array((data, indices, indptr), shape=(q2 * q2, len(light)))
    return out
