"""A small number of random effects: M as one dense matrix."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.fit.algebra import blocks
from lmmformula.fit.algebra.effects import Effects, Roots, part_of, rows_of
from lmmformula.fit.algebra.factorised import Factorised
from lmmformula.fit.algebra.gram import Gram


@dataclass(frozen=True, slots=True)
class Dense:
    """
    Elimination of everything at once; coefficient a of level j of a factor is row start + a J + j.

    places : rows of each factor
    """

    places: tuple[slice, ...]

    @classmethod
    def of(cls, gram: Gram) -> "Dense":
        """Lay out the factors."""
        sizes = [k * J for k, J in gram.shapes]
        ends = np.cumsum(sizes).tolist()
        return cls(tuple(slice(end - size, end) for size, end in zip(sizes, ends, strict=True)))

    def matrix(self, gram: Gram) -> FloatArray:
        """Return C, (q, q)."""
        q = self.places[-1].stop
        C = np.zeros((q, q))
        for own, here in zip(gram.own, self.places, strict=True):
            levels = np.arange(own.shape[2])
            blocks.spread(C[here, here], levels, levels, own)
        for (f, g), pair in gram.pairs.items():
            blocks.spread(C[self.places[f], self.places[g]], pair.rows, pair.columns, pair.values)
            C[self.places[g], self.places[f]] = C[self.places[f], self.places[g]].T
        return C

    def factor(self, gram: Gram, roots: Roots) -> "DenseFactorised":
        """Factorise M."""
        C = self.matrix(gram)
        half = C.copy()
        for here, T in zip(self.places, roots, strict=True):
            half[here] = blocks.kron_rows(T.T, C[here])
        M = np.eye(len(C))
        root = np.zeros_like(C)  # Lambda'
        for here, T in zip(self.places, roots, strict=True):
            M[here] += blocks.kron_rows(T.T, half[:, here].T)  # Lambda' (Lambda'C)' = Lambda'C Lambda
            root[here, here] = np.kron(T.T, np.eye((here.stop - here.start) // max(len(T), 1)))
        L: FloatArray = np.linalg.cholesky(M).astype(np.float64, copy=False)
        log_det = 2 * float(np.log(np.diag(L)).sum())
        pivot = float(np.square(np.diag(L)).min(initial=np.inf))
        return DenseFactorised(gram, tuple(roots), log_det, pivot, self.places, C, blocks.solve(L, root))


@dataclass(frozen=True)
class DenseFactorised(Factorised):
    """
    M of all effects.

    C : (q, q)
    half : (q, q) L^-1 Lambda', half'half = V
    """

    places: tuple[slice, ...]
    C: FloatArray
    half: FloatArray

    @cached_property
    def V(self) -> FloatArray:
        """(q, q)."""
        out: FloatArray = self.half.T @ self.half
        return out

    @cached_property
    def K(self) -> FloatArray:
        """(q, q) C - C V C."""
        H = self.half @ self.C
        out: FloatArray = self.C - H.T @ H
        return out

    def stacked(self, effects: Effects) -> FloatArray:
        """Return (q, w) rows."""
        return np.concatenate([rows_of(part) for part in effects.parts])

    def apply(self, right: Effects) -> Effects:
        """Return V right."""
        out = self.half.T @ (self.half @ self.stacked(right))
        return Effects(tuple(part_of(out[here], len(T)) for here, T in zip(self.places, self.roots, strict=True)))

    def _square(self, matrix: FloatArray, f: int) -> FloatArray:
        """Return (k, J, k, J) of a matrix's block for one factor."""
        k, J = self.gram.shapes[f]
        return matrix[self.places[f], self.places[f]].reshape(k, J, k, J)

    def diagonal_blocks(self) -> list[FloatArray]:
        """Return the diagonal blocks of V."""
        return [blocks.einsum("ajbj->abj", self._square(self.V, f)) for f in range(len(self.roots))]

    def link_blocks(self, f: int, g: int) -> FloatArray:
        """Return the blocks of V in the cells of two factors."""
        pair, (k, J), (h, I) = self.gram.pairs[f, g], self.gram.shapes[f], self.gram.shapes[g]
        block = self.V[self.places[f], self.places[g]].reshape(k, J, h, I)
        return np.ascontiguousarray(block[:, pair.rows, :, pair.columns].transpose(1, 2, 0))

    def sum_K(self, f: int) -> FloatArray:
        """Return the sum over levels of K."""
        return blocks.einsum("ajbj->ab", self._square(self.K, f))

    def level_sums(self) -> list[FloatArray]:
        """Return per factor the sum over levels of K."""
        return [self.sum_K(f) for f in range(len(self.roots))]
