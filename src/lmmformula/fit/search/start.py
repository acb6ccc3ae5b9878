"""
MINQUE(0) estimates of all variance parameters: where the optimiser starts.

Quadratic forms of the ordinary least squares residuals are set equal to their expectations,

    [ n-p         tr(P_0 V_b)         ] [s2   ]   [ y'P_0 y         ]
    [ tr(P_0 V_a) tr(P_0 V_a P_0 V_b) ] [omega] = [ y'P_0 V_a P_0 y ],     P_0 = I - X (X'X)^-1 X',

for directions V_a = Z_f (I (x) S_a) Z_f'. Rao (1971), J. Multivariate Anal. 1, 257-275. For balanced data the solution
is the REML estimate itself. Everything comes from the cross-products; no iteration.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.design.sums.records import CrossProducts
from lmmformula.fit.algebra import blocks
from lmmformula.fit.search.covariances import Parameters, stacked

FLOOR_PER_REPLICATE = 0.05
"""Least relative variance to start at, times J / n: a T near zero would be close to a stationary point."""

FLOOR_OF_LARGEST = 0.02
"""Least eigenvalue of a term's covariance to start at, as a part of its largest."""

LEAST_RESIDUAL = 0.02
"""Least residual variance to start at, as a part of the variance that the fixed effects leave, where the estimate of it
is not positive."""

DOUBTFUL_RESIDUAL = 0.05
"""Part of the variance that the fixed effects leave, below which the estimated residual variance is checked."""

ROUNDING = 1e-12
"""Residual variance, relative to the same, that is nothing but rounding."""

SCALE_STEP = 4.0
"""Factor by which all standard deviations are moved in that check."""

MAX_TABLE = 400
"""Largest k^2 for which all directions are used; for more only the variances are, by sums that need no k^4 numbers."""


@dataclass(frozen=True, slots=True)
class _Side:
    """
    One factor seen from the least squares fit.

    S : (n, k, k) directions; None for the variances alone, one of each coefficient
    Q : (k, p, J) Z'X R^-1
    e : (k, J) Z'P_0 y
    """

    S: FloatArray | None
    Q: FloatArray
    e: FloatArray

    @property
    def size(self) -> int:
        """Number n of directions."""
        return len(self.Q if self.S is None else self.S)

    def along(self, K: FloatArray) -> FloatArray:
        """Return (n,) tr(S_a K)."""
        return np.diag(K) if self.S is None else np.tensordot(self.S, K, axes=2)

    def sum(self, omega: FloatArray) -> FloatArray:
        """Return (k, k) sum omega_a S_a."""
        return np.diag(omega) if self.S is None else np.tensordot(omega, self.S, axes=1)

    def weighted(self) -> FloatArray:
        """Return (n, p, p) sum over levels of Q'S_aQ."""
        if self.S is None:
            out: FloatArray = np.matmul(self.Q, self.Q.transpose(0, 2, 1))
            return out
        k, p, J = self.Q.shape
        flat = self.Q.reshape(k * p, J)
        return blocks.contract("qxrz,aqr->axz", (flat @ flat.T).reshape(k, p, k, p), self.S)


def starting_point(products: CrossProducts, parameters: Parameters, value: Callable[[FloatArray], float]) -> FloatArray:
    """
    Return parameters to start the optimiser at.

    MINQUE(0) is poor at a residual variance far below the others; then the scale is sought by the criterion's `value`.
    """
    found, residual = minque(products, parameters)
    if residual > DOUBTFUL_RESIDUAL:
        return found
    best = value(found)
    for factor in (SCALE_STEP, 1 / SCALE_STEP):
        while (there := value(moved := parameters.rescaled(found, factor))) < best:
            found, best = moved, there
    return found


def minque(products: CrossProducts, parameters: Parameters) -> tuple[FloatArray, float]:
    """Return parameters, and the residual variance as a part of what the fixed effects leave."""
    p, n = products.p, products.n
    R = np.linalg.cholesky(products.A[:p, :p]).T
    beta = np.linalg.solve(R.T @ R, products.A[:p, p]) if p else np.zeros(0)
    residual = float(products.A[p, p] - products.A[:p, p] @ beta)
    inverse = np.linalg.solve(R, np.eye(p))
    whole = all(factor.k**2 <= MAX_TABLE for factor in products.factors)
    sides = [
        _Side(
            S=stacked([m.spanning for m in parameters.maps[f]]) if whole else None,
            Q=np.matmul(inverse.T, factor.B[:, :p]),
            e=factor.B[:, p] - np.tensordot(factor.B[:, :p], beta, axes=(1, 0)),
        )
        for f, factor in enumerate(products.factors)
    ]
    quadratic = np.concatenate([s.along(s.e @ s.e.T) for s in sides])
    own = [
        f.C.sum(axis=2) - blocks.einsum("pxj,qxj->pq", s.Q, s.Q) for f, s in zip(products.factors, sides, strict=True)
    ]
    linear = np.concatenate([s.along(K) for s, K in zip(sides, own, strict=True)])
    system = np.block([[np.array([[float(n - p)]]), linear[None]], [linear[:, None], _squares(products, sides)]])
    solution = np.linalg.lstsq(system, np.append(residual, quadratic), rcond=1e-12)[0]
    left = residual / (n - p)
    s2 = float(solution[0]) if solution[0] > ROUNDING * left else LEAST_RESIDUAL * left
    return parameters.nearest(_split(products, sides, solution[1:] / s2)), float(solution[0]) / left


def _squares(products: CrossProducts, sides: list[_Side]) -> FloatArray:
    """Return tr(P_0 V_a P_0 V_b) for all directions."""
    weighted = np.concatenate([s.weighted().reshape(s.size, -1) for s in sides])
    out: FloatArray = weighted @ weighted.T
    ends = np.cumsum([s.size for s in sides]).tolist()
    places = [slice(end - s.size, end) for end, s in zip(ends, sides, strict=True)]
    for f, factor in enumerate(products.factors):
        levels = np.arange(factor.n_levels)
        out[places[f], places[f]] += _cells(factor.C, levels, levels, sides[f], sides[f])
    for (f, g), pair in products.pairs.items():
        block = _cells(pair.values, pair.rows, pair.columns, sides[f], sides[g])
        out[places[f], places[g]] += block
        out[places[g], places[f]] += block.T
    return out


def _cells(C: FloatArray, rows: IntArray, columns: IntArray, left: _Side, right: _Side) -> FloatArray:
    """Return the sums over cells of tr(S_a C S_b C') - 2 tr(S_a C S_b Q_g Q_f')."""
    k, h, m = C.shape
    rest = C - 2 * blocks.einsum("pxm,sxm->psm", left.Q[:, :, rows], right.Q[:, :, columns])
    if left.S is None or right.S is None:
        return blocks.einsum("abm,abm->ab", C, rest)
    table = (C.reshape(k * h, m) @ rest.reshape(k * h, m).T).reshape(k, h, k, h)
    return blocks.contract("apq,brs,qrps->ab", left.S, right.S, table)


def _split(products: CrossProducts, sides: list[_Side], omega: FloatArray) -> list[list[FloatArray]]:
    """Return per factor and term a positive definite covariance near sum omega_a S_a."""
    out, at = [], 0
    for factor, side in zip(products.factors, sides, strict=True):
        whole = side.sum(omega[at : at + side.size])
        at += side.size
        floor = FLOOR_PER_REPLICATE * factor.n_levels / products.n
        out.append([_lifted(whole[place, place], floor) for place in factor.slices()])
    return out


def _lifted(covariance: FloatArray, floor: float) -> FloatArray:
    values, vectors = np.linalg.eigh(covariance)
    least = max(floor, FLOOR_OF_LARGEST * float(values[-1]))
    lifted: FloatArray = (vectors * np.maximum(values, least)) @ vectors.T
    return lifted
