"""
Partly crossed factors (pupils who move between schools): a sparse Schur complement, factorised by SuperLU.

Traces would need the inverse on the factor's pattern. Where only their sums over levels are asked for they are
differences of log|M| along directions of T = Sigma^(1/2), in the basis of its eigenvectors:

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

DIFFERENCE_STEP = 2e-5
"""Step of the differences of log|M|, relative to the standard deviations they change."""

LEAST_SCALE = 0.5
"""Relative standard deviation below which that step no longer shrinks."""

ZERO = 1e-5
"""Relative standard deviation that counts as zero."""

SECOND_STEP = 1e-3
"""Step of the second difference there."""

BATCH = 256
"""Columns of the inverse that are formed together."""


@dataclass(frozen=True)
class Sparse:
    """
    Elimination with a sparse Schur complement.

    order : (q2,) fill-reducing order of the others' effects
    """

    border: Border
    order: IntArray

    @classmethod
    def of(cls, gram: Gram, first: int) -> "Sparse":
        """Find where the factors meet, and an order for the others."""
        border = Border.of(gram, first)
        return cls(border, np.argsort(factorised(_pattern(border, gram), None).perm_c))

    def factor(self, gram: Gram, roots: Roots) -> "SparseFactorised":
        """Factorise M."""
        border = self.border
        half, log_det, pivot = factor_blocks(gram.packed[border.first], roots[border.first])
        links = border.values(gram)
        factor = factorised(self._complement(gram, roots, border.matrices(links), half), self.order)
        diagonal = factor.U.diagonal()
        if not bool((diagonal > 0).all()):
            raise np.linalg.LinAlgError("the Schur complement is not positive definite")
        log_det += float(np.log(diagonal).sum())
        pivot = min(pivot, float(diagonal.min()))
        return SparseFactorised(gram, tuple(roots), log_det, pivot, border, half, links, self, factor)

    def _complement(self, gram: Gram, roots: Roots, matrices: list[Any], half: FloatArray) -> Any:  # noqa: ANN401
        """Return S = I + Lambda_2'H Lambda_2."""
        from scipy.sparse import block_diag, csr_array, eye_array, kron

        border, W = self.border, blocks.cross(half, half)
        rows, columns, values = border.triplets(gram)
        H = csr_array((values, (rows, columns)), shape=(border.size, border.size))
        for a, left in enumerate(matrices):
            for b, right in enumerate(matrices):
                scaled = right.copy()
                scaled.data = right.data * np.repeat(W[a, b], border.counts)
                H = H - left.T @ scaled
        parts = [kron(roots[f], eye_array(border.shapes[f][1]), format="csr") for f in border.which]
        Lambda = block_diag(parts, format="csr")
        return Lambda.T @ H @ Lambda + eye_array(border.size, format="csr")


def _pattern(border: Border, gram: Gram) -> Any:  # noqa: ANN401 (sparse matrices)
    """Return a well-conditioned matrix with the pattern of the Schur complement."""
    from scipy.sparse import csr_array, eye_array

    rows, columns, values = border.triplets(gram)
    ones = border.matrices(np.ones((1, len(border.indices))))[0]
    whole = csr_array((np.ones_like(values), (rows, columns)), shape=(border.size, border.size)) + ones.T @ ones
    whole.data[:] = 1.0
    return whole + eye_array(whole.shape[0]) * (2.0 * whole.sum(axis=1).max())


def factorised(S: Any, order: IntArray | None) -> Any:  # noqa: ANN401 (SuperLU has no public type)
    """Factorise a symmetric positive definite sparse matrix, in a given order or in one that keeps fill low."""
    from scipy.sparse.linalg import splu

    sorted_rows = S if order is None else S[order][:, order]
    kind = "MMD_AT_PLUS_A" if order is None else "NATURAL"
    options: Any = {"permc_spec": kind, "diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}}
    try:
        return splu(sorted_rows.tocsc(), **options)
    except RuntimeError as error:
        raise np.linalg.LinAlgError(str(error)) from error


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

    def level_sums(self) -> list[FloatArray]:
        """Return per factor the sum over levels of K; from differences of log|M| unless the blocks of V are there."""
        if "_blocks" in self.__dict__:
            return super().level_sums()
        return [self.sum_K(f) for f in range(len(self.roots))]

    def sum_K(self, f: int) -> FloatArray:
        """Return the sum over levels of K, from differences of log|M|."""
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
    def _blocks(self) -> tuple[FloatArray, FloatArray, dict[tuple[int, int], FloatArray]]:
        """
        Return blocks of V, V_22 in batches of columns.

        Returns
        -------
        adjoint, linked, others
            (k, k, J) C_j2 V_22 C_2j; (k, m) C_12 V_22 in the cells of C_12; and per pair of the others (f <= g) the
            blocks of V_22: of each level (k, k, J), or in the pair's cells (k_f, k_g, m).
        """
        border, (k, m) = self.border, self.links.shape
        met = np.zeros((k, m))
        wanted = self._wanted()
        found = np.zeros(len(wanted[0]))
        by_column = np.argsort(border.indices, kind="stable")
        bounds = np.searchsorted(border.indices[by_column], np.arange(border.size + 1))
        for start in range(0, border.size, BATCH):
            end = min(start + BATCH, border.size)
            unit = np.zeros((border.size, end - start))
            unit[np.arange(start, end), np.arange(end - start)] = 1.0
            V22 = self.V22_times(unit)
            cells = by_column[bounds[start] : bounds[end]]
            levels, place = np.unique(border.rows[cells], return_inverse=True)
            for a, matrix in enumerate(self.matrices):
                met[a, cells] = (matrix[levels] @ V22)[place, border.indices[cells] - start]
            here = (wanted[1] >= start) & (wanted[1] < end)
            found[here] = V22[wanted[0][here], wanted[1][here] - start]
        J = len(border.pointer) - 1
        adjoint = np.array([[np.bincount(border.rows, left * right, J) for right in self.links] for left in met])
        return adjoint, met, self._cut(found)

    def _pieces(self) -> list[tuple[int, int]]:
        others = self.border.which
        return [(f, g) for i, f in enumerate(others) for g in others[i:]]

    def _wanted(self) -> tuple[IntArray, IntArray]:
        """Return rows and columns of the elements of V_22 that are asked for: of each level, and in each cell."""
        rows, columns, places = [], [], dict(self.border.each())
        for f, g in self._pieces():
            levels = np.arange(self.border.shapes[f][1])
            left, right = (levels, levels) if f == g else (self.gram.pairs[f, g].rows, self.gram.pairs[f, g].columns)
            for a in range(self.border.shapes[f][0]):
                for b in range(self.border.shapes[g][0]):
                    rows.append(places[f].start + a * len(levels) + left)
                    columns.append(places[g].start + b * self.border.shapes[g][1] + right)
        return np.concatenate(rows), np.concatenate(columns)

    def _cut(self, values: FloatArray) -> dict[tuple[int, int], FloatArray]:
        out, at = {}, 0
        for f, g in self._pieces():
            k, h = self.border.shapes[f][0], self.border.shapes[g][0]
            m = self.border.shapes[f][1] if f == g else len(self.gram.pairs[f, g].rows)
            out[f, g] = values[at : at + k * h * m].reshape(k, h, m)
            at += k * h * m
        return out

    def adjoint(self) -> FloatArray:
        """Return (k, k, J) C_j2 V_22 C_2j."""
        return self._blocks[0]

    @cached_property
    def _diagonal(self) -> list[FloatArray]:
        out = {self.border.first: self.first_block()} | {f: self._blocks[2][f, f] for f in self.border.which}
        return [out[f] for f in range(len(self.roots))]

    def diagonal_blocks(self) -> list[FloatArray]:
        """Return the diagonal blocks of V."""
        return self._diagonal

    def link_blocks(self, f: int, g: int) -> FloatArray:
        """Return the blocks of V in the cells of two factors."""
        if self.border.first not in (f, g):
            return self._blocks[2][f, g]
        return self.first_links(self._blocks[1], g if self.border.first == f else f)
