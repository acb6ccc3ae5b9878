"""
Partly crossed factors (pupils who move between schools): a sparse Schur complement, factorised by SuperLU.

The data part of every derivative is exact, as in `eliminated`. Traces would need the inverse on the factor's pattern;
they are instead differences of log|M| along directions of T = Sigma^(1/2), in the basis of its eigenvectors:

    d log|M| along v_a v_b' + v_b v_a'  =  2 (t_a + t_b) K_ab;    where t_a = 0, the second difference is 2 K_aa

Davis & Hu's and Li's ordering and factorisation are scipy's: `splu` in symmetric mode, minimum degree on S.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.design.products import CrossProducts
from lmmformula.fit import blocks
from lmmformula.fit.dense import stacked_rows
from lmmformula.fit.eliminated import Eliminated, EliminatedPoint
from lmmformula.fit.links import Links, Rest
from lmmformula.fit.objective import Roots, profile

DIFFERENCE_STEP = 2e-5
"""Step of the differences of log|M|, relative to the standard deviations they change."""

LEAST_SCALE = 0.5
"""Relative standard deviation below which that step no longer shrinks."""

ZERO = 1e-5
"""Relative standard deviation that counts as zero."""

SECOND_STEP = 1e-3
"""Step of the second difference there."""

BATCH = 256
"""Columns of the inverse that are formed together for conditional covariances."""


@dataclass(frozen=True, slots=True)
class Sparse(Eliminated):
    """
    Objective for several factors whose Schur complement stays sparse.

    transposed : per coefficient of the first factor, the links' transpose in CSR
    order : (q2,) fill-reducing order of the others' effects
    """

    transposed: tuple[Any, ...]
    order: IntArray

    @classmethod
    def of(cls, products: CrossProducts, first: int, *, reml: bool) -> "Sparse":
        """Collect the products of all factors but the first, and find an order for them."""
        from scipy.sparse import csr_array

        rest = Rest.of(products, first)
        links = Links.of(products, first, rest)
        rows, columns, values = rest.triplets(products)
        C22 = csr_array((values, (rows, columns)), shape=(rest.size, rest.size))
        C1, B2 = blocks.pack(products.factors[first].C), stacked_rows(products, rest.which)
        transposed = tuple(m.T.tocsr() for m in links.rows)
        order = factorised(pattern_of(C22, links), None).perm_c
        return cls(products, reml, first, rest, C1, links, B2, C22, transposed, np.argsort(order))

    def at(self, roots: Roots) -> "SparsePoint":
        """Evaluate the criterion."""
        first = self.eliminate(roots[self.first])
        H, factor, log_det = self.complement(roots, first.half)
        right = self.rest.scaled(roots, first.U)
        A = first.A - right.T @ solved(factor, self.order, right)
        found = profile((A + A.T) / 2, first.log_det + log_det, n=self.products.n, reml=self.reml)
        return SparsePoint(self, tuple(roots), found, first, H, factor)

    def log_det(self, roots: Roots) -> float:
        """Return log|M| alone."""
        first = self.eliminate(roots[self.first])
        return first.log_det + float(self.complement(roots, first.half)[2])

    def complement(self, roots: Roots, half: FloatArray) -> tuple[Any, Any, float]:
        """Return H, the factorised S, and log|S|."""
        H, W = self.C22, blocks.cross(half, half)
        for a, left in enumerate(self.transposed):
            for b, right in enumerate(self.links.rows):
                scaled = right.copy()
                scaled.data = right.data * np.repeat(W[a, b], self.links.counts)
                H = H - left @ scaled
        factor = factorised(self._inner(roots, H), self.order)
        diagonal = factor.U.diagonal()
        if not bool((diagonal > 0).all()):
            raise np.linalg.LinAlgError("the Schur complement is not positive definite")
        return H, factor, float(np.log(diagonal).sum())

    def _inner(self, roots: Roots, H: Any) -> Any:  # noqa: ANN401 (sparse matrices)
        """Return I + Lambda_2'H Lambda_2."""
        from scipy.sparse import block_diag, eye_array, kron

        parts = [
            kron(roots[f], eye_array((here.stop - here.start) // len(roots[f])), format="csr") for f, here in self.rest
        ]
        Lambda = block_diag(parts, format="csr")
        return Lambda.T @ H @ Lambda + eye_array(self.rest.size, format="csr")


def pattern_of(C22: Any, links: Links) -> Any:  # noqa: ANN401 (sparse matrices)
    """Return a well-conditioned matrix with the pattern of the Schur complement."""
    from scipy.sparse import eye_array

    ones = abs(links.rows[0])
    for other in links.rows[1:]:
        ones = ones + abs(other)
    ones.data[:] = 1.0
    whole = abs(C22) + ones.T @ ones
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


@dataclass(slots=True)
class SparsePoint(EliminatedPoint):
    """
    The criterion at roots T.

    factor : the factorised Schur complement
    """

    objective: Sparse
    factor: Any

    def solve(self, right: FloatArray) -> FloatArray:
        """Return S^-1 right."""
        return solved(self.factor, self.objective.order, right)

    def level_sums(self) -> list[FloatArray]:
        """Return per factor the sum over levels of K = Z'V^-1Z, from differences of log|M|."""
        return [self._sum_K(f) for f in range(len(self.roots))]

    def _sum_K(self, f: int) -> FloatArray:
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
                    K[a, a] = (up - 2 * self.profile.log_det_M + down) / (2 * h * h)
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
        return self.objective.log_det(roots)

    def covariances(self) -> list[FloatArray]:
        """Return per factor the (k, k, J) diagonal blocks of Lambda M^-1 Lambda', W_2 in batches of columns."""
        objective, rest = self.objective, self.objective.rest
        k, J = self.eliminated.half.shape[0], self.eliminated.half.shape[2]
        Y = np.zeros((k, k, J))
        own = {f: np.zeros((len(self.roots[f]), here.stop - here.start)) for f, here in rest}
        columns = [m.tocsc() for m in objective.links.rows]
        for start in range(0, rest.size, BATCH):
            block = np.arange(start, min(start + BATCH, rest.size))
            unit = np.zeros((rest.size, len(block)))
            unit[block, block - start] = 1.0
            W2 = self.w2_times(unit)
            for f, here in rest:
                mine = block[(block >= here.start) & (block < here.stop)]
                levels = (here.stop - here.start) // len(self.roots[f])
                for a in range(len(self.roots[f])):
                    own[f][a, mine - here.start] = W2[
                        here.start + a * levels + (mine - here.start) % levels, mine - start
                    ]
            for b, right in enumerate(columns):
                piece = right[:, block]
                entries = np.repeat(np.arange(len(block)), np.diff(piece.indptr))
                met, place = np.unique(piece.indices, return_inverse=True)
                for a, left in enumerate(objective.links.rows):
                    found = (left[met] @ W2)[place, entries] * piece.data
                    Y[a, b] += np.bincount(piece.indices, found, J)
        half = self.eliminated.half
        inner = self.w_times(Y)
        out = {objective.first: blocks.cross(half, half) + self.w_times(inner.transpose(1, 0, 2))}
        for f, _ in rest:
            size = len(self.roots[f])
            out[f] = own[f].reshape(size, size, -1)
        return [out[f] for f in range(len(self.roots))]
