"""M = Lambda'C Lambda + I, factorised: what every elimination must be able to say."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.fit.algebra import blocks
from lmmformula.fit.algebra.effects import Effects, Roots
from lmmformula.fit.algebra.gram import Gram

SMALL_ROOT = 1e-3
"""Smallest singular value of T from which K is computed by dividing by T."""


@dataclass(frozen=True)
class Factorised(ABC):
    """
    M at roots T; V = Lambda M^-1 Lambda' is the covariance of the random effects given the response.

    log_det : log|M|
    pivot : the smallest one of M, which is no less than 1 where no weight is negative
    """

    gram: Gram
    roots: tuple[FloatArray, ...]
    log_det: float
    pivot: float

    def halved(self, right: Effects) -> tuple[Effects, Effects]:
        """Return a = (I + C Sigma)^-1 right = right - C V right, and Sigma a = V right."""
        b = self.apply(right)
        return right - self.gram.times(b), b

    @abstractmethod
    def apply(self, right: Effects) -> Effects:
        """Return V right."""

    @abstractmethod
    def diagonal_blocks(self) -> list[FloatArray]:
        """Return per factor the (k, k, J) diagonal blocks of V."""

    @abstractmethod
    def link_blocks(self, f: int, g: int) -> FloatArray:
        """Return the (k_f, k_g, m) blocks of V in the cells of two factors f < g."""

    @abstractmethod
    def sum_K(self, f: int) -> FloatArray:
        """Return the sum over the levels of a factor of K = C - C V C, (k, k), for any T."""

    def level_sums(self) -> list[FloatArray]:
        """Return per factor the sum over levels of K: log|M| changes by tr(K dSigma)."""
        return [self.level_sum(f) for f in range(len(self.roots))]

    def level_sum(self, f: int) -> FloatArray:
        """Return one of them, by dividing by T unless it is nearly singular."""
        return self._divided(f, self.diagonal_blocks()[f].sum(axis=2)) if self._regular[f] else self.sum_K(f)

    @cached_property
    def _regular(self) -> list[bool]:
        smallest = [np.linalg.svd(T, compute_uv=False)[-1] if len(T) else 0.0 for T in self.roots]
        return [bool(value > SMALL_ROOT) for value in smallest]

    def _divided(self, f: int, V: FloatArray) -> FloatArray:
        """Return that sum of one factor from T'KT = I - (M^-1)_ff, (M^-1)_ff = T^-1 V_ff T^-T, V summed over levels."""
        T, J = self.roots[f], self.gram.shapes[f][1]
        inner = blocks.solve(T, blocks.solve(T, V).T)
        return blocks.solve(T.T, blocks.solve(T.T, J * np.eye(len(T)) - inner).T)


class Elimination(Protocol):
    """A way to factorise M, prepared for the pattern of C."""

    def factor(self, gram: Gram, roots: Roots) -> Factorised:
        """Factorise M; LinAlgError where it is not positive definite."""


def block_factors(C: FloatArray, T: FloatArray) -> FloatArray:
    """Return packed L with LL' = T'C_jT + I of each level, for packed C."""
    return blocks.cholesky(blocks.penalized(T, C))


def halves(L: FloatArray, T: FloatArray) -> FloatArray:
    """Return (k, k, J) L^-1 T': half'half = T (T'CT + I)^-1 T'."""
    return blocks.solve_lower(L, np.repeat(T.T[:, :, None], L.shape[1], axis=2))


def factor_blocks(C: FloatArray, T: FloatArray) -> tuple[FloatArray, float, float]:
    """Return those halves of each level, log det(T'CT + I) over all levels, and the smallest pivot."""
    L = block_factors(C, T)
    return halves(L, T), 2 * blocks.log_det_factor(L), least_pivot(L)


def least_pivot(L: FloatArray) -> float:
    """Return the smallest pivot of packed Cholesky factors."""
    k = int((2 * len(L)) ** 0.5)
    return float(np.square(L[np.diag(blocks.packed_index(k))]).min(initial=np.inf))


def twice(half: FloatArray, right: FloatArray) -> FloatArray:
    """Return half'half right, level by level."""
    return blocks.products(half.transpose(1, 0, 2), blocks.products(half, right))
