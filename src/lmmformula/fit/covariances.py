"""
Parameters of the relative covariance matrix of one random term, without bounds.

A boundary of the covariance (a variance of zero, a correlation of one) is an ordinary stationary point in parameters
that pass over it symmetrically: T = Sigma^(1/2) may change the sign of an eigenvalue. The criterion is smooth there,
and its curvature is positive exactly where the boundary is the optimum, so Newton's method needs no constraints.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.coordinates import block_diagonal
from lmmformula.fit.algebra import blocks
from lmmformula.fit.correlated import Correlated, diagonal_basis
from lmmformula.ir.covariance import Covariance


class CovarianceMap(Protocol):
    """A map from unbounded parameters to the (k, k) relative covariance Sigma of a term."""

    @property
    def size(self) -> int:
        """Number n of parameters."""

    @property
    def spanning(self) -> FloatArray:
        """(n, k, k) matrices whose sums approximate Sigma well enough to start at."""

    def root(self, parameters: FloatArray) -> FloatArray:
        """Return a (k, k) matrix T with TT' = Sigma."""

    def directions(self, parameters: FloatArray) -> FloatArray:
        """Return (n, k, k) first derivatives of Sigma."""

    def curvature(self, parameters: FloatArray, G: FloatArray) -> FloatArray:
        """Return (n, n) tr(G d2Sigma)."""

    def nearest(self, covariance: FloatArray) -> FloatArray:
        """Return parameters of a matrix of this structure near a given one (equal, where it has the structure)."""

    def rescaled(self, parameters: FloatArray, factor: float) -> FloatArray:
        """Return parameters of all standard deviations times a factor."""

    def snapped(self, parameters: FloatArray, zero: float) -> FloatArray:
        """Return parameters with relative standard deviations below `zero` put to zero exactly."""


@dataclass(frozen=True, slots=True)
class LinearRoot:
    """
    Unstructured or diagonal: Sigma = TT' with T = sum_i t_i D_i.

    basis : (n, k, k) matrices D_i; for the optimiser symmetric, and orthonormal as vectors
    """

    basis: FloatArray

    @property
    def size(self) -> int:
        """Number of parameters."""
        return len(self.basis)

    @property
    def spanning(self) -> FloatArray:
        """The basis itself."""
        return self.basis

    def root(self, parameters: FloatArray) -> FloatArray:
        """Return T."""
        return np.tensordot(parameters, self.basis, axes=1)

    def directions(self, parameters: FloatArray) -> FloatArray:
        """Return D_i T' + T D_i'."""
        half = self.basis @ self.root(parameters).T
        return half + half.transpose(0, 2, 1)

    def curvature(self, parameters: FloatArray, G: FloatArray) -> FloatArray:  # noqa: ARG002 (Sigma is quadratic)
        """Return 2 tr(D_i' G D_j)."""
        n = self.size
        return 2 * self.basis.reshape(n, -1) @ (G @ self.basis).reshape(n, -1).T

    def nearest(self, covariance: FloatArray) -> FloatArray:
        """Return the square root's coordinates; of the diagonal alone, where nothing else is in the basis."""
        if self.size == len(covariance) * (len(covariance) + 1) // 2:
            T = blocks.square_root(covariance)
        else:
            T = np.diag(np.sqrt(np.maximum(np.diag(covariance), 0.0)))
        return np.tensordot(self.basis, T, axes=2)

    def rescaled(self, parameters: FloatArray, factor: float) -> FloatArray:
        """Return the parameters of factor T."""
        return factor * parameters

    def snapped(self, parameters: FloatArray, zero: float) -> FloatArray:
        """Return T with small eigenvalues at zero."""
        values, vectors = np.linalg.eigh(self.root(parameters))
        T = (vectors * np.where(np.abs(values) < zero, 0.0, values)) @ vectors.T
        return np.tensordot(self.basis, T, axes=2)


def covariance_map(covariance: Covariance, k: int) -> CovarianceMap:
    """Return the map of a structure for k coefficients."""
    match covariance.structure:
        case "us":
            rows, columns = np.tril_indices(k)
            basis = np.zeros((len(rows), k, k))
            size = np.where(rows == columns, 1.0, math.sqrt(0.5))
            basis[np.arange(len(rows)), rows, columns] = size
            basis[np.arange(len(rows)), columns, rows] = size
            return LinearRoot(basis)
        case "diag" if covariance.homogeneous:
            return LinearRoot(np.eye(k)[None] / math.sqrt(k))
        case "cs" | "ar1" if k > 1:
            return Correlated(covariance.structure, covariance.homogeneous, k, squares=not covariance.homogeneous)
        case _:
            return LinearRoot(diagonal_basis(k))


def natural_map(covariance: Covariance, k: int, turn: FloatArray) -> CovarianceMap:
    """
    Return the map from the parameters that people read: lme4's theta, or standard deviations and a correlation.

    turn : (k, k) matrix U with Sigma_user = U Sigma_inner U'; the map leads to Sigma_inner
    """
    back = blocks.solve(turn, np.eye(k))
    match covariance.structure:
        case "us":
            columns, rows = np.triu_indices(k)  # the lower triangle by columns
            basis = np.zeros((len(rows), k, k))
            basis[np.arange(len(rows)), rows, columns] = 1.0
            return LinearRoot(back @ basis)
        case "diag" if covariance.homogeneous:
            return LinearRoot(back[None])
        case "cs" | "ar1" if k > 1:
            return Correlated(covariance.structure, covariance.homogeneous, k, natural=True, unit=np.diag(back))
        case _:
            return LinearRoot(back @ diagonal_basis(k))


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
