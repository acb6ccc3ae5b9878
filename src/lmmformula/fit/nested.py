"""
Nested factors: levels are eliminated from the finest to the coarsest, and no fill-in arises.

A group meets only its own ancestors, so its products with everything coarser, [Z_parent .. Z_top | X | y], are one
small block. Eliminating it changes the blocks of its ancestors by sums over children, which stand side by side because
every level is sorted by its parents. Cost O(sum over levels of J k (sum k + p)^2); nothing grows with the rows.

The second derivatives are the average information, as in `crossed`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.design.products import CrossProducts
from lmmformula.fit import blocks
from lmmformula.fit.objective import Directions, Profile, Roots, data_curvature, profile


@dataclass(frozen=True, slots=True)
class Level:
    """
    One factor of the chain, its levels sorted by their parents.

    factor : its position among the cross-products' factors
    order : (J,) its levels, sorted
    C : (k, k, J) Z'Z
    B : (k, w, J) Z'[Z_parent .. Z_top | X | y]
    ancestors : per coarser factor, (J,) its level there, ascending
    starts : per coarser factor, where the children of each of its levels begin
    columns : per coarser factor, its columns in B
    """

    factor: int
    order: IntArray
    C: FloatArray
    B: FloatArray
    ancestors: tuple[IntArray, ...]
    starts: tuple[IntArray, ...]
    columns: tuple[slice, ...]

    @property
    def n_above(self) -> int:
        """Number of columns of B that belong to coarser factors."""
        return self.columns[-1].stop if self.columns else 0


@dataclass(frozen=True, slots=True)
class Nested:
    """
    Objective for a chain of nested factors.

    chain : positions of the factors, the finest first
    levels : the factors, prepared
    """

    products: CrossProducts
    reml: bool
    chain: tuple[int, ...]
    levels: tuple[Level, ...]

    @classmethod
    def of(cls, products: CrossProducts, chain: Sequence[int], *, reml: bool) -> "Nested":
        """Sort and stack the products."""
        return cls(products, reml, tuple(chain), _levels(products, chain))

    def with_response(self, products: CrossProducts) -> "Nested":
        """Return the objective of products that differ in the response only."""
        levels = []
        for level in self.levels:
            B = level.B.copy()
            B[:, level.n_above :] = products.factors[level.factor].B[:, :, level.order]
            levels.append(replace(level, B=B))
        return replace(self, products=products, levels=tuple(levels))

    def at(self, roots: Roots) -> "NestedPoint":
        """Evaluate the criterion."""
        C, B = [level.C.copy() for level in self.levels], [level.B.copy() for level in self.levels]
        A, log_det = self.products.A.copy(), 0.0
        factors, solved = [], []
        for i, level in enumerate(self.levels):
            T = roots[level.factor]
            L = blocks.cholesky(blocks.penalized(T, blocks.pack(C[i])))
            Y = blocks.solve_lower(L, blocks.multiply(T.T, B[i]))
            for h, (own, starts) in enumerate(zip(level.columns, level.starts, strict=True)):
                inner = blocks.segment_sums(blocks.cross(Y[:, own], Y[:, own.start :]), starts)
                size = own.stop - own.start
                C[i + 1 + h] -= inner[:, :size]
                B[i + 1 + h] -= inner[:, size:]
            fixed = Y[:, level.n_above :].transpose(1, 0, 2).reshape(len(A), -1)
            A -= fixed @ fixed.T
            log_det += blocks.log_det_factor(L)
            factors.append(L)
            solved.append(Y)
        found = profile(A, 2 * log_det, n=self.products.n, reml=self.reml)
        return NestedPoint(self, tuple(roots), found, C, B, factors, solved)


def chain_of(products: CrossProducts) -> tuple[int, ...] | None:
    """Return the factors from the finest to the coarsest if each lies within the next, else None."""
    order = sorted(range(len(products.factors)), key=lambda f: -products.factors[f].n_levels)
    for fine, coarse in pairwise(order):
        pair = products.pairs[min(fine, coarse), max(fine, coarse)]
        if not (pair.nested if fine < coarse else pair.contains):
            return None
    return tuple(order)


def _levels(products: CrossProducts, chain: Sequence[int]) -> tuple[Level, ...]:
    """Sort each factor's levels by their parents, and put its products with everything coarser side by side."""
    positions: dict[int, IntArray] = {}
    out: list[Level] = []
    for i in reversed(range(len(chain))):
        f, above = chain[i], chain[i + 1 :]
        pairs = [products.pair(f, g) for g in above]
        own = products.factors[f]
        order = np.argsort(positions[above[0]][pairs[0].columns], kind="stable") if above else np.arange(own.n_levels)
        positions[f] = np.empty_like(order)
        positions[f][order] = np.arange(len(order))
        ancestors = tuple(positions[g][pair.columns[order]] for g, pair in zip(above, pairs, strict=True))
        ends = np.cumsum([products.factors[g].k for g in above]).tolist()
        level = Level(
            factor=f,
            order=order,
            C=np.ascontiguousarray(own.C[:, :, order]),
            B=np.concatenate([*(pair.values for pair in pairs), own.B], axis=1)[:, :, order],
            ancestors=ancestors,
            starts=tuple(np.flatnonzero(np.diff(a, prepend=-1)) for a in ancestors),
            columns=tuple(slice(end - products.factors[g].k, end) for g, end in zip(above, ends, strict=True)),
        )
        out.append(level)
    return tuple(reversed(out))


@dataclass(slots=True)
class NestedPoint:
    """
    The criterion at roots T, with what was computed for each level of the chain.

    C, B : products after the elimination of everything finer
    L, Y : packed factors with LL' = T'CT + I, and (k, w, J) L^-1 T'B
    """

    objective: Nested
    roots: tuple[FloatArray, ...]
    profile: Profile
    C: list[FloatArray]
    B: list[FloatArray]
    L: list[FloatArray]
    Y: list[FloatArray]

    def coefficients(self, right: FloatArray) -> list[FloatArray]:
        """Return per level the (k, w, J) random effects W Z'[X y] right."""
        out: list[FloatArray] = [np.empty(0)] * len(self.L)
        for i in reversed(range(len(out))):
            level, T = self.objective.levels[i], self.roots[self.objective.levels[i].factor]
            rest = blocks.times(self.Y[i][:, level.n_above :], right)
            for h, own in enumerate(level.columns):
                rest -= blocks.products(self.Y[i][:, own], out[i + 1 + h][:, :, level.ancestors[h]])
            out[i] = blocks.multiply(T, blocks.solve_upper(self.L[i], rest))
        return out

    def projected(self, right: FloatArray) -> list[FloatArray]:
        """Return per level the (k, w, J) Z'V^-1[X y] right."""
        b = self.coefficients(right)
        out = []
        for i, level in enumerate(self.objective.levels):
            Q = blocks.times(self.B[i][:, level.n_above :], right) - blocks.products(self.C[i], b[i])
            for h, own in enumerate(level.columns):
                Q -= blocks.products(self.B[i][:, own], b[i + 1 + h][:, :, level.ancestors[h]])
            out.append(Q)
        return out

    def inverses(self) -> list[tuple[FloatArray, FloatArray]]:
        """
        Return per level blocks of W = Lambda M^-1 Lambda'.

        Returns
        -------
        own, above
            (k, k, J) diagonal blocks, and (s, s, J) blocks of all coarser levels of the group's ancestors.
        """
        out: list[tuple[FloatArray, FloatArray]] = []
        whole = np.empty((0, 0, 1))  # W of a group of the next coarser level and its ancestors
        for i in reversed(range(len(self.L))):
            level, T = self.objective.levels[i], self.roots[self.objective.levels[i].factor]
            J, s = self.C[i].shape[2], level.n_above
            above = whole[:, :, level.ancestors[0]] if s else np.empty((0, 0, J))
            half = blocks.solve_lower(self.L[i], np.repeat(T.T[:, :, None], J, axis=2))  # L^-1 T'
            side = blocks.cross(half, self.Y[i][:, :s])  # T L^-T Y_above
            across = -blocks.products(side, above)
            own = blocks.cross(half, half) - blocks.products(across, side.transpose(1, 0, 2))
            out.append((own, above))
            top = np.concatenate([own, across], axis=1)
            whole = np.concatenate([top, np.concatenate([across.transpose(1, 0, 2), above], axis=1)], axis=0)
        return out[::-1]

    def gradients(self) -> list[FloatArray]:
        """Return per factor the sum over its levels of K - [REML] N - E."""
        keep = slice(None) if self.profile.reml else slice(len(self.profile.beta), None)
        out: list[FloatArray] = [np.empty(0)] * len(self.roots)
        parts = zip(self.objective.levels, self.projected(self.profile.whitener), self.inverses(), strict=True)
        for i, (level, Q, (_, above)) in enumerate(parts):
            T, s = self.roots[level.factor], level.n_above
            H = blocks.solve_lower(self.L[i], blocks.multiply(T.T, self.C[i].copy()))  # L^-1 T'C
            N = self.B[i][:, :s] - blocks.cross(H, self.Y[i][:, :s])
            K = self.C[i] - blocks.cross(H, H) - blocks.products(blocks.products(N, above), N.transpose(1, 0, 2))
            flat = Q[:, keep].reshape(len(T), -1)
            out[level.factor] = K.sum(axis=2) - flat @ flat.T
        return out

    def curvature(self, directions: Directions) -> FloatArray:
        """Return the average information, (m/r^2) y'P V_a P V_b P y - g_a g_b / m."""
        p = len(self.profile.beta)
        Q = self.projected(self.profile.whitener)
        ends = np.cumsum([len(S) for S in directions]).tolist()
        d = []
        for level, own in zip(self.objective.levels, Q, strict=True):
            S = directions[level.factor]
            part = np.zeros((len(own), ends[-1], own.shape[2]))
            part[:, ends[level.factor] - len(S) : ends[level.factor]] = blocks.einsum("aqr,rj->qaj", S, own[:, p])
            d.append(part)
        right = self._products_with(d)
        quadratic = sum_products(d, right)
        for i, level in enumerate(self.objective.levels):  # the forward elimination, on the directions
            T = self.roots[level.factor]
            solved = blocks.solve_lower(self.L[i], blocks.multiply(T.T, right[i]))
            quadratic -= sum_products([solved], [solved])
            for h, (place, starts) in enumerate(zip(level.columns, level.starts, strict=True)):
                right[i + 1 + h] -= blocks.segment_sums(blocks.cross(self.Y[i][:, place], solved), starts)
        side = sum_products(d, Q)
        quadratic -= side[:, :p] @ side[:, :p].T
        return data_curvature(quadratic, side[:, p], self.profile.degrees) - quadratic

    def _products_with(self, d: list[FloatArray]) -> list[FloatArray]:
        """Return Z'Z d, per level (k, n, J)."""
        levels = self.objective.levels
        out = [blocks.products(level.C, own) for level, own in zip(levels, d, strict=True)]
        for i, level in enumerate(levels):
            for h, (own, ancestor) in enumerate(zip(level.columns, level.ancestors, strict=True)):
                pair = level.B[:, own]
                out[i] += blocks.products(pair, d[i + 1 + h][:, :, ancestor])
                out[i + 1 + h] += blocks.segment_sums(blocks.cross(pair, d[i]), level.starts[h])
        return out

    def weighted(self, directions: Directions) -> FloatArray:
        """Return sums over levels of Q'S_aQ."""
        out = {
            level.factor: blocks.contract("qxj,aqr,rzj->axz", Q, directions[level.factor], Q)
            for level, Q in zip(self.objective.levels, self.projected(self.profile.whitener), strict=True)
        }
        return np.concatenate([out[f] for f in range(len(self.roots))])

    def modes(self) -> list[FloatArray]:
        """Return per factor the (k, J) conditional modes."""
        found = self.coefficients(np.append(-self.profile.beta, 1.0)[:, None])
        return self._unsorted([b[:, 0] for b in found])

    def covariances(self) -> list[FloatArray]:
        """Return per factor the (k, k, J) diagonal blocks of Lambda M^-1 Lambda'."""
        return self._unsorted([own for own, _ in self.inverses()])

    def _unsorted(self, per_level: list[FloatArray]) -> list[FloatArray]:
        """Put groups back into the order of their levels, and the chain into the order of the factors."""
        out: list[FloatArray] = [np.empty(0)] * len(self.roots)
        for level, array in zip(self.objective.levels, per_level, strict=True):
            out[level.factor] = np.empty_like(array)
            out[level.factor][..., level.order] = array
        return out


def sum_products(left: Sequence[FloatArray], right: Sequence[FloatArray]) -> FloatArray:
    """Return (a, b) sums over levels and coefficients of left_a right_b, of (k, a, J) and (k, b, J) arrays."""
    a, b = left[0].shape[1], right[0].shape[1]
    out = np.zeros((a, b))
    for x, z in zip(left, right, strict=True):
        out += x.transpose(1, 0, 2).reshape(a, -1) @ z.transpose(1, 0, 2).reshape(b, -1).T
    return out
