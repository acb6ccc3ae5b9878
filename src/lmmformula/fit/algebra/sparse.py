"""
Partly crossed factors (pupils who move between schools): a sparse Schur complement, factorised by SuperLU.

Blocks of V need the elements of S^-1 where its factor has any, and no others. Where T is nearly singular sums over
levels of K are differences of log|M| along directions of T = Sigma^(1/2), in the basis of its eigenvectors:

    d log|M| along v_a v_b' + v_b v_a'  =  2 (t_a + t_b) K_ab;    where t_a = 0, the second difference is 2 K_aa

Davis & Hu's and Li's ordering and factorisation are scipy's: `splu` in symmetric mode, minimum degree on S.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.fit.algebra import blocks
from lmmformula.fit.algebra.border import Border, Bordered
from lmmformula.fit.algebra.effects import Roots
from lmmformula.fit.algebra.factorised import factor_blocks
from lmmformula.fit.algebra.gram import Gram
from lmmformula.fit.algebra.selected import Selected, runs

DIFFERENCE_STEP = 2e-5
"""Step of the differences of log|M|, relative to the standard deviations they change."""

LEAST_SCALE = 0.5
"""Relative standard deviation below which that step no longer shrinks."""

ZERO = 1e-5
"""Relative standard deviation that counts as zero."""

SECOND_STEP = 1e-3
"""Step of the second difference there."""


@dataclass(frozen=True)
class Sparse:
    """
    Elimination with a sparse Schur complement.

    order : (q2,) fill-reducing order of the others' effects
    pattern : a matrix with the pattern of the Schur complement, ordered
    triplets : rows and columns of the elements of C_22, before that
    """

    border: Border
    order: IntArray
    pattern: Any
    triplets: tuple[IntArray, IntArray]

    @classmethod
    def of(cls, gram: Gram, first: int) -> "Sparse":
        """Find where the factors meet, and an order for the others."""
        border = Border.of(gram, first)
        pattern = _pattern(border, gram)
        order = np.argsort(factorised(pattern, "MMD_AT_PLUS_A").perm_c)
        S = pattern[order][:, order].tocsc()
        S.sort_indices()
        return cls(border, order, S, border.triplets(gram)[:2])

    @cached_property
    def selected(self) -> Selected:
        """The elements of S^-1 that are found without the others."""
        return Selected.of(sorted_factor(factorised(self.pattern)))

    def places(self, rows: IntArray, columns: IntArray) -> IntArray:
        """Return where elements of S^-1 stand among these."""
        back = np.argsort(self.order)
        return self.selected.places(back[rows], back[columns])

    @cached_property
    def meetings(self) -> tuple[IntArray, IntArray, IntArray]:
        """For each two of the others' effects that a level of the first factor meets: their cells, and their place."""
        border, counts = self.border, self.border.counts
        many = np.repeat(counts, counts)
        left = np.repeat(np.arange(len(many)), many)
        right = runs(np.repeat(border.pointer[:-1], counts), many)
        return left, right, self.places(border.indices[left], border.indices[right])

    def factor(self, gram: Gram, roots: Roots) -> "SparseFactorised":
        """Factorise M."""
        border = self.border
        half, log_det, pivot = factor_blocks(gram.packed[border.first], roots[border.first])
        links = border.values(gram)
        factor = factorised(self._complement(gram, roots, links, half))
        diagonal = factor.U.diagonal()
        if not bool((diagonal > 0).all()):
            raise np.linalg.LinAlgError("the Schur complement is not positive definite")
        log_det += float(np.log(diagonal).sum())
        pivot = min(pivot, float(diagonal.min()))
        return SparseFactorised(gram, tuple(roots), log_det, pivot, border, half, links, self, factor)

    @cached_property
    def slots(self) -> tuple[IntArray, IntArray, IntArray]:
        """Where in S, ordered, elements of C_22 belong, products of cells of C_12, and those of the diagonal."""
        back, q = np.argsort(self.order), np.intp(self.border.size)
        S, (left, right, _) = self.pattern, self.meetings
        keys = np.repeat(np.arange(q), np.diff(S.indptr)) * q + S.indices
        at = self.border.indices
        pairs = (self.triplets, (at[left], at[right]), (self.order, self.order))
        own, met, diagonal = (np.searchsorted(keys, back[columns] * q + back[rows]) for rows, columns in pairs)
        return own, met, diagonal

    def _complement(self, gram: Gram, roots: Roots, links: FloatArray, half: FloatArray) -> Any:  # noqa: ANN401
        """Return S = I + Lambda_2'H Lambda_2, ordered."""
        from scipy.sparse import csc_array

        border, (own, met, diagonal), (left, right, _) = self.border, self.slots, self.meetings
        thick = blocks.einsum("abm,bm->am", half[:, :, border.rows], border.turned(gram, links, roots))
        products = np.sum([row[left] * row[right] for row in thick], axis=0)
        S, m = self.pattern, len(self.pattern.data)
        data = np.zeros(m)
        data[diagonal] = 1.0
        data += np.bincount(own, border.triplets(gram.turned(roots))[2], m) - np.bincount(met, products, m)
        return csc_array((data, S.indices, S.indptr), shape=S.shape)


def _pattern(border: Border, gram: Gram) -> Any:  # noqa: ANN401 (sparse matrices)
    """Return a well-conditioned matrix with the pattern of the Schur complement."""
    from scipy.sparse import csr_array, eye_array

    rows, columns, values = border.triplets(gram)
    ones = border.matrices(np.ones((1, len(border.indices))))[0]
    whole = csr_array((np.ones_like(values), (rows, columns)), shape=(border.size, border.size)) + ones.T @ ones
    whole.data[:] = 1.0
    return whole + eye_array(whole.shape[0]) * (2.0 * whole.sum(axis=1).max())


def factorised(S: Any, order: str = "NATURAL") -> Any:  # noqa: ANN401 (SuperLU has no public type)
    """Factorise a symmetric positive definite sparse matrix, as it is ordered or in an order that keeps fill low."""
    from scipy.sparse.linalg import splu

    options: Any = {"permc_spec": order, "diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}}
    try:
        return splu(S.tocsc(), **options)
    except RuntimeError as error:
        raise np.linalg.LinAlgError(str(error)) from error


def sorted_factor(factor: Any) -> Any:  # noqa: ANN401
    """Return L, columns with sorted rows."""
    L = factor.L.tocsc()
    L.sort_indices()
    return L


def solved(factor: Any, order: IntArray, right: FloatArray) -> FloatArray:  # noqa: ANN401
    """Return S^-1 right."""
    out = np.empty_like(right)
    out[order] = factor.solve(np.ascontiguousarray(right[order]))
    return out


@dataclass(frozen=True)
class SparseFactorised(Bordered):
    """
    M with a sparse Schur complement.

    by : how it was factorised
    factor : the factorised Schur complement
    """

    by: Sparse
    superlu: Any

    def solve(self, right: FloatArray) -> FloatArray:
        """Return S^-1 right."""
        return solved(self.superlu, self.by.order, right)

    def sum_K(self, f: int) -> FloatArray:
        """Return the sum over levels of K, of the others from differences of log|M|."""
        if f == self.border.first:
            return self.first_sum_K()
        values, vectors = np.linalg.eigh(self.roots[f] @ self.roots[f].T)
        t = np.sqrt(np.maximum(values, 0.0))
        K = np.zeros((len(t), len(t)))
        for a in range(len(t)):
            for b in range(a + 1):
                both = t[a] + t[b]
                h = DIFFERENCE_STEP * max(both, LEAST_SCALE) if both > ZERO else SECOND_STEP
                up, down = (self._log_det_moved(f, vectors, t, (a, b), s * h) for s in (1, -1))
                if both > ZERO:
                    K[a, b] = K[b, a] = (up - down) / (2 * h * both) * (1.0 if a == b else 0.5)
                elif a == b:
                    K[a, a] = (up - 2 * self.log_det + down) / (2 * h * h)
        out: FloatArray = vectors @ K @ vectors.T
        return out

    def _log_det_moved(self, f: int, vectors: FloatArray, t: FloatArray, place: tuple[int, int], h: float) -> float:
        """Return log|M| with T_f moved by h (v_a v_b' + v_b v_a'), or by h v_a v_a'."""
        T = np.diag(t)
        a, b = place
        T[a, b] += h
        T[b, a] = T[a, b]
        roots = list(self.roots)
        roots[f] = vectors @ T @ vectors.T
        return self.by.factor(self.gram, roots).log_det

    @cached_property
    def _inverse(self) -> FloatArray:
        """The elements of S^-1."""
        return self.by.selected.inverse(sorted_factor(self.superlu), self.superlu.U.diagonal())

    @cached_property
    def _met(self) -> FloatArray:
        """(k, m) C_12 V_22 in the cells of C_12."""
        left, right, places = self.by.meetings
        there, m = self._inverse[places], self.links.shape[1]
        half = self.border.turned(self.gram, self.links, self.roots)
        met = np.array([np.bincount(right, row[left] * there, m) for row in half])
        return self.border.turned(self.gram, met, [T.T for T in self.roots])

    def _between(self, f: int, g: int) -> FloatArray:
        """Return blocks of V_22: of each level (k, k, J), or in the cells of two factors (k_f, k_g, m)."""
        (k, J), (h, I) = self.border.shapes[f], self.border.shapes[g]
        levels, starts = np.arange(J), dict(self.border.each())
        left, right = (levels, levels) if f == g else (self.gram.pairs[f, g].rows, self.gram.pairs[f, g].columns)
        rows = starts[f].start + J * np.arange(k)[:, None, None] + left
        columns = starts[g].start + I * np.arange(h)[None, :, None] + right
        inner = self._inverse[self.by.places(*np.broadcast_arrays(rows, columns))]
        return blocks.einsum("ab,bcm,dc->adm", self.roots[f], inner, self.roots[g])

    @cached_property
    def _adjoint(self) -> FloatArray:
        J = len(self.border.pointer) - 1
        return np.array([[np.bincount(self.border.rows, a * b, J) for b in self.links] for a in self._met])

    def adjoint(self) -> FloatArray:
        """Return (k, k, J) C_j2 V_22 C_2j."""
        return self._adjoint

    @cached_property
    def _diagonal(self) -> list[FloatArray]:
        out = {self.border.first: self.first_block()} | {f: self._between(f, f) for f in self.border.which}
        return [out[f] for f in range(len(self.roots))]

    def diagonal_blocks(self) -> list[FloatArray]:
        """Return the diagonal blocks of V."""
        return self._diagonal

    def link_blocks(self, f: int, g: int) -> FloatArray:
        """Return the blocks of V in the cells of two factors."""
        if self.border.first not in (f, g):
            return self._between(f, g)
        return self.first_links(self._met, g if self.border.first == f else f)
