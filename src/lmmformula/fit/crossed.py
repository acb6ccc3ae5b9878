"""Crossed factors: after the largest is eliminated, the others meet in a dense Schur complement."""

from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.products import CrossProducts
from lmmformula.fit import blocks
from lmmformula.fit.dense import stacked_rows
from lmmformula.fit.eliminated import Eliminated, EliminatedPoint
from lmmformula.fit.links import Links, Rest
from lmmformula.fit.objective import Roots, profile
from lmmformula.fit.schur import Schur

SINGLE_PRECISION = 2000
"""Size of the Schur complement from which its inverse, needed for traces only, is taken in single precision.

The criterion keeps all its digits; the gradient's error of 1e-7 of its terms moves the optimum by less than that."""

SMALL_ROOT = 1e-3
"""Smallest singular value of T below which K is computed without dividing by T."""


@dataclass(frozen=True, slots=True)
class Crossed(Eliminated):
    """
    Objective for several factors whose Schur complement is held as a dense matrix.

    schur : the links, arranged for it
    """

    schur: Schur

    @classmethod
    def of(cls, products: CrossProducts, first: int, *, reml: bool) -> "Crossed":
        """Write the products of all factors but the first into matrices."""
        rest = Rest.of(products, first)
        links = Links.of(products, first, rest)
        C22 = np.zeros((rest.size, rest.size))
        rows, columns, values = rest.triplets(products)
        C22[rows, columns] = values
        C1, B2 = blocks.pack(products.factors[first].C), stacked_rows(products, rest.which)
        return cls(products, reml, first, rest, C1, links, B2, C22, Schur.of(links))

    def at(self, roots: Roots) -> "CrossedPoint":
        """Evaluate the criterion."""
        from scipy.linalg import lapack

        first = self.eliminate(roots[self.first])
        H = self.C22 - self.schur.downdate(first.half)
        S = self.congruence(roots, H)
        S[np.diag_indices(len(S))] += 1.0
        R, info = lapack.dpotrf(S.T, lower=0, clean=0, overwrite_a=1)  # S = R'R
        if info:
            raise np.linalg.LinAlgError("the Schur complement is not positive definite")
        Y, _ = lapack.dtrtrs(R, np.asfortranarray(self.rest.scaled(roots, first.U)), trans=1)
        log_det = first.log_det + 2 * float(np.log(np.diag(R)).sum())
        found = profile(first.A - Y.T @ Y, log_det, n=self.products.n, reml=self.reml)
        return CrossedPoint(self, tuple(roots), found, first, H, R)

    def congruence(self, roots: Roots, matrix: FloatArray) -> FloatArray:
        """Return Lambda_2' matrix Lambda_2 for a symmetric (q2, q2) matrix."""
        out = self.rest.scaled(roots, matrix)
        for f, here in self.rest:
            if len(roots[f]) == 1:
                out[:, here] *= float(roots[f][0, 0])
            else:
                out[:, here] = blocks.kron_columns(out[:, here], roots[f])
        return out


@dataclass(slots=True)
class CrossedPoint(EliminatedPoint):
    """
    The criterion at roots T.

    R : upper Cholesky factor of the Schur complement
    """

    objective: Crossed
    R: FloatArray
    inverses_: tuple[FloatArray, FloatArray] | None = None
    projected_: tuple[FloatArray, FloatArray] | None = None

    def projected(self) -> tuple[FloatArray, FloatArray]:
        """Return the projections, formed once."""
        if self.projected_ is None:
            self.projected_ = EliminatedPoint.projected(self)
        return self.projected_

    def solve(self, right: FloatArray) -> FloatArray:
        """Return S^-1 right by the Cholesky factor."""
        from scipy.linalg import lapack

        solution: FloatArray = lapack.dpotrs(self.R, np.asfortranarray(right), lower=0)[0]
        return solution

    def inverses(self) -> tuple[FloatArray, FloatArray]:
        """Return S^-1 and W_2 = Lambda_2 S^-1 Lambda_2', (q2, q2), for traces: in single precision where it pays."""
        from scipy.linalg import lapack

        if self.inverses_ is None:
            if len(self.R) < SINGLE_PRECISION:
                inverse = lapack.dpotri(self.R, lower=0)[0]
            else:
                inverse = lapack.spotri(self.R.astype(np.float32), lower=0, overwrite_c=1)[0]
            S = blocks.mirror(inverse.T.astype(np.float64))
            self.inverses_ = S, self.objective.congruence([T.T for T in self.roots], S)
        return self.inverses_

    def level_sums(self) -> list[FloatArray]:
        """Return per factor the sum over levels of K = Z'V^-1Z."""
        W2 = self.inverses()[1]
        sums = {f: self._sum_K(f, here) for f, here in self.objective.rest}
        C = self.objective.factor.C
        outer = self.reduced(self.reduced(self.objective.schur.adjoint(W2)).transpose(1, 0, 2))
        sums[self.objective.first] = (C - blocks.products(C, self.w_times(C)) - outer).sum(axis=2)
        return [sums[f] for f in range(len(self.roots))]

    def _sum_K(self, f: int, here: slice) -> FloatArray:
        """Return the sum over the levels of one of the other factors, dividing by T unless it is nearly singular."""
        T, k = self.roots[f], len(self.roots[f])
        J = (here.stop - here.start) // k
        inverse, W2 = self.inverses()
        if np.linalg.svd(T, compute_uv=False)[-1] > SMALL_ROOT:
            middle = J * np.eye(k) - blocks.einsum("ajbj->ab", inverse[here, here].reshape(k, J, k, J))
            return blocks.solve(T.T, blocks.solve(T.T, middle).T)
        H = self.H[here]
        own = blocks.einsum("ajbj->ab", H[:, here].reshape(k, J, k, J))
        return own - blocks.contract("ajm,bjm->ab", (H @ W2).reshape(k, J, -1), H.reshape(k, J, -1))

    def covariances(self) -> list[FloatArray]:
        """Return per factor the (k, k, J) diagonal blocks of Lambda M^-1 Lambda'."""
        W2, half = self.inverses()[1], self.eliminated.half
        inner = self.w_times(self.objective.schur.adjoint(W2))
        out = {self.objective.first: blocks.cross(half, half) + self.w_times(inner.transpose(1, 0, 2))}
        for f, here in self.objective.rest:
            k, J = len(self.roots[f]), (here.stop - here.start) // len(self.roots[f])
            out[f] = blocks.einsum("ajbj->abj", W2[here, here].reshape(k, J, k, J)).copy()
        return [out[f] for f in range(len(self.roots))]
