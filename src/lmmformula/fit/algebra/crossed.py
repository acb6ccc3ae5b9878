"""Crossed factors: after the largest is eliminated, the others meet in a dense Schur complement."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.fit.algebra import blocks
from lmmformula.fit.algebra.border import Border, Bordered
from lmmformula.fit.algebra.complement import Complement, Once, Prepared, links_times
from lmmformula.fit.algebra.effects import Roots
from lmmformula.fit.algebra.factorised import factor_blocks
from lmmformula.fit.algebra.gram import Gram

SINGLE_PRECISION = 2000
"""Size of the Schur complement from which its inverse, needed for traces only, is taken in single precision.

The criterion keeps all its digits; the gradient's error of 1e-7 of its terms moves the optimum by less than that."""


@dataclass(frozen=True)
class Crossed:
    """
    Elimination with a dense Schur complement.

    prepared_for : products that come often, and C_12 arranged for them
    """

    border: Border
    prepared_for: tuple[Gram, Prepared] | None = None

    @classmethod
    def of(cls, gram: Gram, first: int, *, often: bool) -> "Crossed":
        """Find where the factors meet; prepare products that come often."""
        border = Border.of(gram, first)
        return cls(border, (gram, Prepared.of(border, border.values(gram))) if often else None)

    def factor(self, gram: Gram, roots: Roots) -> "CrossedFactorised":
        """Factorise M."""
        from scipy.linalg import lapack

        border = self.border
        half, log_det, pivot = factor_blocks(gram.packed[border.first], roots[border.first])
        links = border.values(gram)
        kept = self.prepared_for
        complement: Complement = kept[1] if kept is not None and kept[0] is gram else Once(border, links)
        S = _complement(border, gram, complement, half)
        S = border.congruence([T.T for T in roots], S)
        S[np.diag_indices(len(S))] += 1.0
        R, info = lapack.dpotrf(S.T, lower=0, clean=0, overwrite_a=1)  # S = R'R
        if info:
            raise np.linalg.LinAlgError("the Schur complement is not positive definite")
        log_det += 2 * float(np.log(np.diag(R)).sum())
        pivot = min(pivot, float(np.square(np.diag(R)).min()))
        return CrossedFactorised(gram, tuple(roots), log_det, pivot, border, half, links, R, complement)


def _complement(border: Border, gram: Gram, complement: Complement, half: FloatArray) -> FloatArray:
    """Return H, (q2, q2)."""
    H = complement.downdate(half)
    np.negative(H, out=H)
    rows, columns, values = border.triplets(gram)
    H[rows, columns] += values
    return blocks.mirror(H)


@dataclass(frozen=True)
class CrossedFactorised(Bordered):
    """
    M with a dense Schur complement.

    R : upper Cholesky factor of the Schur complement
    """

    R: FloatArray
    complement: Complement

    def solve(self, right: FloatArray) -> FloatArray:
        """Return S^-1 right by the Cholesky factor."""
        from scipy.linalg import lapack

        solution: FloatArray = lapack.dpotrs(self.R, np.asfortranarray(right), lower=0)[0]
        return solution

    @cached_property
    def V22(self) -> FloatArray:
        """(q2, q2) Lambda_2 S^-1 Lambda_2', for traces: in single precision where it pays."""
        from scipy.linalg import lapack

        if len(self.R) < SINGLE_PRECISION:
            inverse = lapack.dpotri(self.R, lower=0)[0]
        else:
            inverse = lapack.spotri(self.R.astype(np.float32), lower=0, overwrite_c=1)[0]
        return self.border.congruence(self.roots, blocks.mirror(inverse.T.astype(np.float64, copy=False)))

    @cached_property
    def _adjoint(self) -> FloatArray:
        return self.complement.adjoint(self.V22)

    def adjoint(self) -> FloatArray:
        """Return (k, k, J) C_j2 V_22 C_2j."""
        return self._adjoint

    def _square(self, matrix: FloatArray, f: int, here: slice) -> FloatArray:
        k, J = self.border.shapes[f]
        return matrix[here, here].reshape(k, J, k, J)

    def diagonal_blocks(self) -> list[FloatArray]:
        """Return the diagonal blocks of V."""
        return self._diagonal

    @cached_property
    def _diagonal(self) -> list[FloatArray]:
        out = {self.border.first: self.first_block()}
        for f, here in self.border.each():
            out[f] = blocks.einsum("ajbj->abj", self._square(self.V22, f, here)).copy()
        return [out[f] for f in range(len(self.roots))]

    def link_blocks(self, f: int, g: int) -> FloatArray:
        """Return the blocks of V in the cells of two factors."""
        pair, first = self.gram.pairs[f, g], self.border.first
        if first not in (f, g):
            here, there = (self.border.places[self.border.which.index(x)] for x in (f, g))
            (k, J), (h, I) = self.border.shapes[f], self.border.shapes[g]
            block = self.V22[here, there].reshape(k, J, h, I)
            return np.ascontiguousarray(block[:, pair.rows, :, pair.columns].transpose(1, 2, 0))
        return self.first_links(self._met, g if first == f else f)

    @cached_property
    def _met(self) -> FloatArray:
        """(k, m) C_12 V_22 in the cells of C_12."""
        return links_times(self.border, self.links, self.V22)

    def sum_K(self, f: int) -> FloatArray:
        """Return the sum over levels of K."""
        if f == self.border.first:
            return self.first_sum_K()
        here = self.border.places[self.border.which.index(f)]
        H = _complement(self.border, self.gram, self.complement, self.half)[here]
        k, J = self.border.shapes[f]
        own = blocks.einsum("ajbj->ab", H[:, here].reshape(k, J, k, J))
        return own - blocks.contract("ajm,bjm->ab", (H @ self.V22).reshape(k, J, -1), H.reshape(k, J, -1))
