"""
How well conditional means are known: the joint covariance of fixed effects and random effects.

With b the random effects and b^ their conditional modes, the error of x'beta^ + z'b^ has the variance

    sigma^2 z'W z + x~'Cov(beta^)x~,    W = Lambda M^-1 Lambda',    x~ = x - X'Z W z,

which is what the inverse of Henderson's mixed model equations holds (Henderson 1975, Biometrics 31, 423-447). The
variance parameters count as known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.design.matrices import DesignMatrices
from lmmformula.fit.blocks import square_root
from lmmformula.fit.lmm import Fit

CHUNK = 4_000_000
"""Numbers in a dense piece of right-hand sides."""

Columns = Sequence[tuple[FloatArray, IntArray]]
"""Per random term the columns of some rows, (m, k), and the rows' levels, (m,), -1 for a level that is new."""


@dataclass(frozen=True, eq=False)
class JointCovariance:
    """
    The covariance of beta^ and b^ - b at given variance parameters.

    fit : the estimates
    Lambdat : (q, q) sparse, transposed relative covariance factor; levels one after the other, as in Zt
    factor : sparse factor of M = Lambda'Z'Z Lambda + I
    pull : (q, p) W Z'X: how the conditional modes follow beta
    """

    fit: Fit
    Lambdat: Any
    factor: Any
    pull: FloatArray

    @classmethod
    def of(cls, design: DesignMatrices, fit: Fit) -> "JointCovariance":
        """Factorise M; Z and X are multiplied by the square roots of the weights."""
        from scipy.sparse import block_diag, csc_array, eye_array, kron
        from scipy.sparse.linalg import splu

        blocks = [
            kron(eye_array(term.n_levels), square_root(S), format="csc")
            for term, S in zip(design.random_terms, fit.relative_covariance, strict=True)
        ]
        if not blocks:
            return cls(fit, None, None, np.zeros((0, design.n_fixed)))
        Lambdat = csc_array(block_diag(blocks, format="csc"))
        roots = np.ones(design.nobs) if design.weights is None else np.sqrt(design.weights)
        half = csc_array(Lambdat @ (design.Zt * roots))
        M = csc_array(half @ half.T + eye_array(half.shape[0]))
        factor = splu(M, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
        X = np.asarray(half @ (design.X * roots[:, None]))
        return cls(fit, Lambdat, factor, np.asarray(Lambdat.T @ factor.solve(X)))

    def rows(self, columns: Columns) -> Any:  # noqa: ANN401 (scipy.sparse.csr_array)
        """Return the sparse (m, q) rows z' of random-effects columns; nothing for an unseen level."""
        from scipy.sparse import coo_array

        m, start = len(columns[0][1]), 0
        row, column, value = [], [], []
        for (z, codes), modes in zip(columns, self.fit.modes, strict=True):
            J, k = modes.shape
            seen = np.flatnonzero(codes >= 0)
            row.append(np.repeat(seen, k))
            column.append((start + codes[seen][:, None] * k + np.arange(k)).ravel())
            value.append(z[seen].ravel())
            start += J * k
        places = (np.concatenate(row), np.concatenate(column))
        return coo_array((np.concatenate(value), places), shape=(m, start)).tocsr()

    def variances(self, X: FloatArray, columns: Columns) -> FloatArray:
        """
        Return (m,) variances of the errors of x'beta^ + z'b^; a level that the fit has not seen has all of its Cov(b).

        X, columns : (m, p) and the random terms' columns
        """
        if not len(columns):  # a linear model
            return quadratic(X, self.fit.vcov)
        Z = self.rows(columns)
        out = quadratic(X - Z @ self.pull, self.fit.vcov)
        out += self.fit.sigma**2 * self.half_quadratic(Z)
        for (z, codes), S in zip(columns, self.fit.relative_covariance, strict=True):
            out += np.where(codes < 0, self.fit.sigma**2 * quadratic(z, S), 0.0)
        return out

    def half_quadratic(self, Z: Any) -> FloatArray:  # noqa: ANN401 (scipy.sparse.csr_array)
        """Return (m,) z'W z of sparse rows z'."""
        out = np.empty(Z.shape[0])
        step = max(1, CHUNK // Z.shape[1])
        for first in range(0, len(out), step):
            half = (self.Lambdat @ Z[first : first + step].T).toarray()
            out[first : first + step] = np.einsum("qm,qm->m", half, self.factor.solve(half))
        return out


def quadratic(X: FloatArray, V: FloatArray) -> FloatArray:
    """
    Return x'V x of each row.

    >>> quadratic(np.array([[1.0, 2.0]]), np.eye(2))
    array([5.])
    """
    out: FloatArray = np.einsum("mp,pq,mq->m", X, V, X)
    return out
