"""
Nested factors: levels are eliminated from the finest to the coarsest, and no fill-in arises.

A group meets only its own ancestors, so its products with everything coarser are one small block. Eliminating it
changes the blocks of its ancestors by sums over children, which stand side by side because every level is sorted by its
parents. Cost O(sum over levels of J k (sum k)^2); nothing grows with the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.fit.algebra import blocks
from lmmformula.fit.algebra.effects import Effects, Roots
from lmmformula.fit.algebra.factorised import Factorised, block_factors, halves, least_pivot
from lmmformula.fit.algebra.gram import Gram


@dataclass(frozen=True, slots=True)
class Tier:
    """
    One factor of the chain, its levels sorted by their parents.

    factor : its position among the factors
    order : (J,) its levels, sorted
    above : the coarser factors
    cells : per coarser factor, (J,) places of its sorted levels among the cells of the two factors
    ancestors : per coarser factor, (J,) its level there (in that one's order), ascending
    starts : per coarser factor, where the children of each of its levels begin
    columns : per coarser factor, its coefficients' place among all of the coarser ones
    """

    factor: int
    order: IntArray
    above: tuple[int, ...]
    cells: tuple[IntArray, ...]
    ancestors: tuple[IntArray, ...]
    starts: tuple[IntArray, ...]
    columns: tuple[slice, ...]

    def links(self, gram: Gram) -> FloatArray:
        """Return (k, s, J) products with everything coarser, side by side."""
        parts = [np.empty((len(gram.own[self.factor]), 0, len(self.order)))]
        for g, cells in zip(self.above, self.cells, strict=True):
            ordered = self.factor < g
            pair = gram.pairs[(self.factor, g) if ordered else (g, self.factor)]
            parts.append((pair.values if ordered else pair.values.transpose(1, 0, 2))[:, :, cells])
        return np.concatenate(parts, axis=1)


@dataclass(frozen=True, slots=True)
class Nested:
    """
    Elimination along a chain.

    tiers : the factors, the finest first
    prepared_for : products that come often, and their blocks as `sorted_blocks` gives them
    """

    tiers: tuple[Tier, ...]
    prepared_for: tuple[Gram, tuple[list[FloatArray], list[FloatArray]]] | None = None

    @classmethod
    def of(cls, gram: Gram, chain: Sequence[int], *, often: bool) -> "Nested":
        """Sort each factor's levels by their parents."""
        positions: dict[int, IntArray] = {}
        out: list[Tier] = []
        for i in reversed(range(len(chain))):
            f, above = chain[i], tuple(chain[i + 1 :])
            found = [_parents(gram, f, g) for g in above]
            J = gram.shapes[f][1]
            order = np.argsort(positions[above[0]][found[0][0]], kind="stable") if above else np.arange(J)
            positions[f] = np.empty_like(order)
            positions[f][order] = np.arange(J)
            ancestors = tuple(positions[g][parent[order]] for g, (parent, _) in zip(above, found, strict=True))
            starts = tuple(np.flatnonzero(np.diff(a, prepend=-1)) for a in ancestors)
            ends = np.cumsum([gram.shapes[g][0] for g in above]).tolist()
            columns = tuple(slice(end - gram.shapes[g][0], end) for g, end in zip(above, ends, strict=True))
            out.append(Tier(f, order, above, tuple(cells[order] for _, cells in found), ancestors, starts, columns))
        plain = cls(tuple(reversed(out)))
        return cls(plain.tiers, (gram, plain.sorted_blocks(gram))) if often else plain

    def sorted_blocks(self, gram: Gram) -> tuple[list[FloatArray], list[FloatArray]]:
        """Return per tier (k, k, J) products of its sorted levels, and (k, s, J) those with everything coarser."""
        return [gram.own[tier.factor][:, :, tier.order] for tier in self.tiers], [t.links(gram) for t in self.tiers]

    def factor(self, gram: Gram, roots: Roots) -> "NestedFactorised":
        """Factorise M from the leaves to the root."""
        if self.prepared_for is not None and self.prepared_for[0] is gram:
            C, B = ([block.copy() for block in parts] for parts in self.prepared_for[1])
        else:
            C, B = self.sorted_blocks(gram)
        L, Y, log_det = [], [], 0.0
        for i, tier in enumerate(self.tiers):
            T = roots[tier.factor]
            L.append(block_factors(blocks.pack(C[i]), T))
            Y.append(blocks.solve_lower(L[i], blocks.multiply(T.T, B[i])))
            for h, (own, starts) in enumerate(zip(tier.columns, tier.starts, strict=True)):
                inner = blocks.segment_sums(blocks.cross(Y[i][:, own], Y[i][:, own.start :]), starts)
                size = own.stop - own.start
                C[i + 1 + h] -= inner[:, :size]
                B[i + 1 + h] -= inner[:, size:]
            log_det += 2 * blocks.log_det_factor(L[i])
        pivot = min(map(least_pivot, L))
        return NestedFactorised(gram, tuple(roots), log_det, pivot, self.tiers, tuple(C), tuple(B), tuple(L), tuple(Y))


def chain_of(gram: Gram) -> tuple[int, ...] | None:
    """Return the factors from the finest to the coarsest if each lies within the next, else None."""
    order = sorted(range(len(gram.own)), key=lambda f: -gram.shapes[f][1])
    for fine, coarse in pairwise(order):
        pair = gram.pairs[min(fine, coarse), max(fine, coarse)]
        if not (pair.nested if fine < coarse else pair.contains):
            return None
    return tuple(order)


def _parents(gram: Gram, f: int, g: int) -> tuple[IntArray, IntArray]:
    """Return the level of g that each level of f lies in, and its place among the cells of the two."""
    if f < g:
        return gram.pairs[f, g].columns, np.arange(gram.shapes[f][1])
    pair = gram.pairs[g, f]
    order = np.argsort(pair.columns, kind="stable")
    return pair.rows[order], order


@dataclass(frozen=True)
class NestedFactorised(Factorised):
    """
    M of a chain.

    C, B : products after the elimination of everything finer
    L, Y : packed factors with LL' = T'CT + I, and (k, s, J) L^-1 T'B
    """

    tiers: tuple[Tier, ...]
    C: tuple[FloatArray, ...]
    B: tuple[FloatArray, ...]
    L: tuple[FloatArray, ...]
    Y: tuple[FloatArray, ...]

    def apply(self, right: Effects) -> Effects:
        """Return V right: down to the root and back."""
        rest = [right.parts[tier.factor][:, :, tier.order] for tier in self.tiers]
        for i, tier in enumerate(self.tiers):
            T = self.roots[tier.factor]
            rest[i] = blocks.solve_lower(self.L[i], blocks.multiply(T.T, rest[i]))
            for h, (own, starts) in enumerate(zip(tier.columns, tier.starts, strict=True)):
                rest[i + 1 + h] -= blocks.segment_sums(blocks.cross(self.Y[i][:, own], rest[i]), starts)
        for i in reversed(range(len(rest))):
            tier, T = self.tiers[i], self.roots[self.tiers[i].factor]
            for h, own in enumerate(tier.columns):
                rest[i] -= blocks.products(self.Y[i][:, own], rest[i + 1 + h][:, :, tier.ancestors[h]])
            rest[i] = blocks.multiply(T, blocks.solve_upper(self.L[i], rest[i]))
        return Effects(tuple(self._unsorted(rest)))

    @cached_property
    def _inverses(self) -> list[tuple[FloatArray, FloatArray, FloatArray]]:
        """
        Per tier blocks of V.

        own, across, above : (k, k, J) of each group, (k, s, J) of it and its ancestors, (s, s, J) of the ancestors
        """
        out: list[tuple[FloatArray, FloatArray, FloatArray]] = []
        whole = np.empty((0, 0, 1))  # V of a group of the next coarser tier and its ancestors
        for i in reversed(range(len(self.L))):
            tier, T = self.tiers[i], self.roots[self.tiers[i].factor]
            J, s = self.C[i].shape[2], self.Y[i].shape[1]
            above = whole[:, :, tier.ancestors[0]] if s else np.empty((0, 0, J))
            half = halves(self.L[i], T)
            side = blocks.cross(half, self.Y[i])  # T L^-T Y_above
            across = -blocks.products(side, above)
            own = blocks.cross(half, half) - blocks.products(across, side.transpose(1, 0, 2))
            out.append((own, across, above))
            top = np.concatenate([own, across], axis=1)
            whole = np.concatenate([top, np.concatenate([across.transpose(1, 0, 2), above], axis=1)], axis=0)
        return out[::-1]

    def diagonal_blocks(self) -> list[FloatArray]:
        """Return the diagonal blocks of V."""
        return self._unsorted([own for own, _, _ in self._inverses])

    def link_blocks(self, f: int, g: int) -> FloatArray:
        """Return the blocks of V in the cells of two factors."""
        i = next(i for i, tier in enumerate(self.tiers) if tier.factor in (f, g))
        tier = self.tiers[i]
        h = tier.above.index(g if tier.factor == f else f)
        across = self._inverses[i][1][:, tier.columns[h]]
        found = across if tier.factor == f else across.transpose(1, 0, 2)
        out = np.empty(found.shape)
        out[:, :, tier.cells[h]] = found
        return out

    def sum_K(self, f: int) -> FloatArray:
        """Return the sum over levels of K."""
        return self.level_sums()[f]

    def level_sums(self) -> list[FloatArray]:
        """Return per factor the sum over levels of K."""
        out: list[FloatArray] = [np.empty(0)] * len(self.roots)
        for i, (tier, (_, _, above)) in enumerate(zip(self.tiers, self._inverses, strict=True)):
            T = self.roots[tier.factor]
            H = blocks.solve_lower(self.L[i], blocks.multiply(T.T, self.C[i].copy()))  # L^-1 T'C
            N = self.B[i] - blocks.cross(H, self.Y[i])
            K = self.C[i] - blocks.cross(H, H) - blocks.products(blocks.products(N, above), N.transpose(1, 0, 2))
            out[tier.factor] = K.sum(axis=2)
        return out

    def _unsorted(self, per_tier: Sequence[FloatArray]) -> list[FloatArray]:
        """Put groups back into the order of their levels, and the chain into the order of the factors."""
        out: list[FloatArray] = [np.empty(0)] * len(self.roots)
        for tier, array in zip(self.tiers, per_tier, strict=True):
            out[tier.factor] = np.empty_like(array)
            out[tier.factor][..., tier.order] = array
        return out
