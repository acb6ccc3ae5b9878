"""The parameters of the relative covariance matrices of all terms of a model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.covariances.maps import CovarianceMap
from lmmformula.design.sums.coordinates import block_diagonal


@dataclass(frozen=True, slots=True)
class Parameters:
    """
    The parameters of all terms, term after term within factor after factor.

    maps : per factor, the maps of its terms
    """

    maps: tuple[tuple[CovarianceMap, ...], ...]

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum(m.size for maps in self.maps for m in maps)

    def split(self, parameters: FloatArray) -> list[list[FloatArray]]:
        """Return per factor, per term, its own parameters."""
        out, at = [], 0
        for maps in self.maps:
            own = []
            for m in maps:
                own.append(parameters[at : at + m.size])
                at += m.size
            out.append(own)
        return out

    def roots(self, parameters: FloatArray) -> list[FloatArray]:
        """Return per factor the block-diagonal T."""
        return [
            block_diagonal([m.root(own) for m, own in zip(maps, parts, strict=True)])
            for maps, parts in zip(self.maps, self.split(parameters), strict=True)
        ]

    def directions(self, parameters: FloatArray) -> list[FloatArray]:
        """Return per factor the (n_f, k, k) first derivatives of Sigma."""
        return [
            stacked([m.directions(own) for m, own in zip(maps, parts, strict=True)])
            for maps, parts in zip(self.maps, self.split(parameters), strict=True)
        ]

    def gradient(self, directions: Sequence[FloatArray], G: Sequence[FloatArray]) -> FloatArray:
        """Return the gradient of the criterion, tr(G dSigma)."""
        return np.concatenate([np.tensordot(S, g, axes=2) for S, g in zip(directions, G, strict=True)])

    def derivatives(
        self, parameters: FloatArray, directions: Sequence[FloatArray], G: Sequence[FloatArray], curvature: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """
        Return gradient and Hessian of the criterion by the chain rule.

        curvature : second derivatives along the directions; tr(G d2Sigma) is added
        """
        hessian, at = curvature.copy(), 0
        for maps, parts, g in zip(self.maps, self.split(parameters), G, strict=True):
            place = 0
            for m, own in zip(maps, parts, strict=True):
                k = len(m.root(own))
                inner = g[place : place + k, place : place + k]
                hessian[at : at + m.size, at : at + m.size] += m.curvature(own, inner)
                at, place = at + m.size, place + k
        return self.gradient(directions, G), hessian

    def nearest(self, covariances: Sequence[Sequence[FloatArray]]) -> FloatArray:
        """Return the parameters nearest to given covariances, per factor and term."""
        parts = [
            m.nearest(c)
            for maps, own in zip(self.maps, covariances, strict=True)
            for m, c in zip(maps, own, strict=True)
        ]
        return np.concatenate([np.zeros(0), *parts])

    def rescaled(self, parameters: FloatArray, factor: float) -> FloatArray:
        """Return parameters of all standard deviations times a factor."""
        parts = [
            m.rescaled(own, factor)
            for maps, all_own in zip(self.maps, self.split(parameters), strict=True)
            for m, own in zip(maps, all_own, strict=True)
        ]
        return np.concatenate([np.zeros(0), *parts])

    def snapped(self, parameters: FloatArray, zero: float) -> FloatArray:
        """Return parameters with standard deviations below `zero` put to zero exactly."""
        parts = [
            m.snapped(own, zero)
            for maps, all_own in zip(self.maps, self.split(parameters), strict=True)
            for m, own in zip(maps, all_own, strict=True)
        ]
        return np.concatenate([np.zeros(0), *parts])


def stacked(pieces: Sequence[FloatArray]) -> FloatArray:
    """Put the directions of each term into its place in the factor's matrix."""
    k = sum(p.shape[1] for p in pieces)
    out = np.zeros((sum(len(p) for p in pieces), k, k))
    at = place = 0
    for p in pieces:
        out[at : at + len(p), place : place + p.shape[1], place : place + p.shape[1]] = p
        at, place = at + len(p), place + p.shape[1]
    return out
