"""
Covariance of the estimates of a generalised model, from the second derivatives of the criterion in all parameters.

Twice their inverse, where they tell anything. A flat direction of the fixed effects is set apart (see `separation`); a
parameter of the family at its limit, such as a shape that is as good as infinite, counts as known. Neither has a part
in what is said of all else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray
from lmmformula.design.sums.coordinates import block_diagonal
from lmmformula.fit.algebra import blocks
from lmmformula.fit.likelihood.columns import InnerColumns
from lmmformula.fit.likelihood.laplace import Laplace
from lmmformula.fit.likelihood.separation import SILENT, Flat

SMALLEST_CURVATURE = 1e-8
"""Part of the largest curvature that stands for any below it: next to nothing is known in that direction."""

STEEP = 0.1
"""Slope of the log likelihood in a parameter at its limit, by which it grows without end."""


@dataclass(frozen=True, slots=True)
class Information:
    """
    What is known of the parameters.

    flat : directions of the fixed effects without a finite estimate
    limits : parameters of the family that are at their limit
    steep : those of them in which the likelihood still rises
    whole : (n, n) covariance of all parameters, in inner coordinates, without the flat directions
    vcov : (p, p) covariance of the fixed effects, in the user's coordinates
    conditional : (p, p) the same at known covariances and working weights
    curvature : of all rows' log densities, summed
    """

    flat: Flat
    limits: BoolArray
    steep: BoolArray
    whole: FloatArray
    vcov: FloatArray
    conditional: FloatArray
    curvature: float

    @classmethod
    def of(cls, point: Laplace, X: FloatArray, columns: InnerColumns) -> "Information":
        """
        Find it.

        X : (n, p) fixed effects in the user's coordinates
        """
        target = point.target
        t, (beta, *own_betas) = target.split(point.x)
        flat, start = columns.flat(X, point.weights, beta), len(t) + len(beta)
        limits = np.diag(point.hessian)[start:] / 2 < SILENT
        slopes = np.array([np.broadcast_to(point.density.at(i), target.n).sum() for i in range(1, 1 + len(own_betas))])
        turn = block_diagonal([np.eye(len(t)), flat.rest, np.eye(len(own_betas))[:, ~limits]])
        own = covariance_from(turn.T @ point.hessian @ turn)
        fixed = slice(len(t), len(t) + flat.rest.shape[1])
        return cls(
            flat,
            limits,
            limits & (np.abs(slopes) > STEEP),
            turn @ own @ turn.T,
            flat.covariance(own[fixed, fixed]),
            flat.covariance(_conditional(point, flat, columns)),
            float(np.abs(point.weights).sum()) * columns.unit**2,
        )

    def nothing(self) -> "Information":
        """Return what is known where the variance of random effects has no end: no parameter has a finite estimate."""
        everything = replace(self.flat, user=np.eye(len(self.vcov)))
        return replace(self, flat=everything, whole=np.full_like(self.whole, np.nan))

    def covariance_errors(
        self, point: Laplace, columns: InnerColumns, covariances: Sequence[FloatArray]
    ) -> list[FloatArray]:
        """
        Return standard errors of standard deviations and correlations, term by term.

        covariances : per term, of its coefficients, in the user's coordinates
        """
        t, maps = point.target.split(point.x)[0], point.target.parameters
        out, at = dict[int, FloatArray](), 0
        for factor, own_maps, parts in zip(columns.factors, maps.maps, maps.split(t), strict=True):
            for term, m, own in zip(factor.terms, own_maps, parts, strict=True):
                U = columns.random[term]
                slopes = _slopes(covariances[term], U @ m.directions(own) @ U.T)
                here = slice(at, at + m.size)
                variances = np.einsum("iab,ij,jab->ab", slopes, self.whole[here, here], slopes)
                out[term] = np.sqrt(np.where(variances > 0.0, variances, np.nan))
                at += m.size
        return [out[term] for term in range(len(out))]


def covariance_from(hessian: FloatArray) -> FloatArray:
    """
    Return twice the inverse of the criterion's second derivatives; a direction without curvature has a large variance.

    A parameter in which the criterion is flat, such as a correlation beside a variance of zero, has rounding errors
    beside a diagonal of zero: its curvature counts as what rounding leaves of the largest one.
    """
    diagonal = np.abs(np.diag(hessian))
    least = np.finfo(np.float64).eps * diagonal.max(initial=0.0)
    scale = np.sqrt(np.maximum(diagonal, max(least, 1e-300)))
    raised = hessian + np.diag(np.maximum(least - diagonal, 0.0))
    values, vectors = np.linalg.eigh(raised / np.outer(scale, scale))
    known = np.maximum(values, SMALLEST_CURVATURE * values[-1:].max(initial=0.0))
    out: FloatArray = 2 * (vectors / known) @ vectors.T / np.outer(scale, scale)
    return out


def _slopes(S: FloatArray, directions: FloatArray) -> FloatArray:
    """Return (n, k, k) changes of standard deviations (diagonal) and correlations along directions of a covariance."""
    sds = np.sqrt(np.diag(S))
    relative = np.einsum("iaa->ia", directions) / (2 * sds**2)  # of the logarithms of the standard deviations
    r = S / np.outer(sds, sds)
    out: FloatArray = directions / np.outer(sds, sds) - r * (relative[:, :, None] + relative[:, None, :])
    k = np.arange(len(S))
    out[:, k, k] = relative * sds
    return out


def _conditional(point: Laplace, flat: Flat, columns: InnerColumns) -> FloatArray:
    """Return (X'V^-1X)^-1 at the working weights, of all directions but the flat ones."""
    X, w = columns.X @ flat.rest, point.weights
    B = point.target.rows.table(X, {0: w})
    A = X.T @ (w[:, None] * X) - B.gram(point.M.apply(B))
    return blocks.solve(A, np.eye(len(A))) if len(A) else A
