"""
Several factors, the largest eliminated level by level: what is common to a dense and a sparse Schur complement.

With factor 1 eliminated, W_j = T_1 (I + T_1'C_jT_1)^-1 T_1' and

    H = C_22 - sum_j C_2j W_j C_j2,    S = I + Lambda_2'H Lambda_2,    V_22 = Lambda_2 S^-1 Lambda_2'

and V has the other blocks V_12 = -W C_12 V_22 and V_11 = W + W C_12 V_22 C_21 W.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.fit.algebra import blocks
from lmmformula.fit.algebra.effects import Effects, part_of, rows_of
from lmmformula.fit.algebra.factorised import Factorised, twice
from lmmformula.fit.algebra.gram import Gram


@dataclass(frozen=True)
class Border:
    """
    Where the factor eliminated first meets the others; of these, coefficient a of level j is row start + a J + j.

    first : its position among the factors
    shapes : per factor, its k and J
    which : positions of the others
    places : rows of each of them
    order : places of the cells of C_12, (J, q2) CSR, among those of the pairs, one pair and coefficient after the other
    pointer, indices : its rows and columns
    rows : (m,) level of the first factor in each cell
    """

    first: int
    shapes: tuple[tuple[int, int], ...]
    which: tuple[int, ...]
    places: tuple[slice, ...]
    order: IntArray
    pointer: IntArray
    indices: IntArray
    rows: IntArray

    @classmethod
    def of(cls, gram: Gram, first: int) -> "Border":
        """Lay out all factors but the first, and find where it meets them."""
        which = tuple(f for f in range(len(gram.own)) if f != first)
        sizes = [gram.shapes[f][0] * gram.shapes[f][1] for f in which]
        ends = np.cumsum(sizes).tolist()
        places = tuple(slice(end - size, end) for end, size in zip(ends, sizes, strict=True))
        row, column = [], []
        for g, here in zip(which, places, strict=True):
            pair = gram.pairs[min(first, g), max(first, g)]
            levels, others = (pair.rows, pair.columns) if first < g else (pair.columns, pair.rows)
            k, J = gram.shapes[g]
            for b in range(k):
                row.append(levels)
                column.append(here.start + b * J + others)
        rows, columns = np.concatenate(row), np.concatenate(column)
        order = np.lexsort((columns, rows))
        pointer = np.searchsorted(rows[order], np.arange(gram.shapes[first][1] + 1)).astype(np.intp)
        return cls(first, tuple(gram.shapes), which, places, order, pointer, columns[order], rows[order])

    @property
    def size(self) -> int:
        """Number q2 of the others' effects."""
        return int(self.places[-1].stop)

    @property
    def counts(self) -> IntArray:
        """(J,) how many of the others' effects each level meets."""
        return np.diff(self.pointer)

    def each(self) -> list[tuple[int, slice]]:
        """Return the other factors and their places."""
        return list(zip(self.which, self.places, strict=True))

    def values(self, gram: Gram) -> FloatArray:
        """Return (k, m) C_12 in its cells."""
        parts = []
        for g in self.which:
            pair = gram.pairs[min(self.first, g), max(self.first, g)]
            values = pair.values if self.first < g else pair.values.transpose(1, 0, 2)
            parts.append(values.reshape(len(values), -1))
        whole: FloatArray = np.concatenate(parts, axis=1)[:, self.order]
        return whole

    def cells(self, gram: Gram, other: int) -> IntArray:
        """Return the places in C_12 of the cells of the first factor and another, coefficient by coefficient."""
        at, back = 0, np.empty(len(self.order), dtype=np.intp)
        back[self.order] = np.arange(len(self.order))
        for g in self.which:
            size = self.shapes[g][0] * len(gram.pairs[min(self.first, g), max(self.first, g)].rows)
            if g == other:
                return back[at : at + size]
            at += size
        raise AssertionError(other)

    def turned(self, gram: Gram, values: FloatArray, roots: Sequence[FloatArray]) -> FloatArray:
        """Return (k, m) values in the cells of C_12 times Lambda_2."""
        out = np.empty_like(values)
        for g in self.which:
            here, T = self.cells(gram, g), roots[g]
            own = values[:, here].reshape(len(values), len(T), -1)
            out[:, here] = blocks.einsum("abm,bc->acm", own, T).reshape(len(values), -1)
        return out

    def matrices(self, values: FloatArray) -> list[Any]:
        """Return per coefficient of the first factor a (J, q2) CSR matrix of values in the cells."""
        from scipy.sparse import csr_array

        shape = (len(self.pointer) - 1, self.size)
        return [csr_array((row, self.indices, self.pointer), shape=shape) for row in values]

    def triplets(self, gram: Gram) -> tuple[IntArray, IntArray, FloatArray]:
        """Return rows, columns and values of the elements of C_22."""
        rows, columns, values = [], [], []
        for i, (f, here) in enumerate(self.each()):
            levels = np.arange(self.shapes[f][1])
            for g, there in self.each()[i:]:
                pair = gram.pairs[f, g] if f != g else None
                places = (pair.rows, pair.columns) if pair else (levels, levels)
                for a in range(self.shapes[f][0]):
                    for b in range(self.shapes[g][0]):
                        row = here.start + a * len(levels) + places[0]
                        column = there.start + b * self.shapes[g][1] + places[1]
                        value = pair.values[a, b] if pair else gram.own[f][a, b]
                        rows += [row, column] if pair else [row]
                        columns += [column, row] if pair else [column]
                        values += [value, value] if pair else [value]
        return np.concatenate(rows), np.concatenate(columns), np.concatenate(values)

    def scaled(self, roots: Sequence[FloatArray], rows: FloatArray) -> FloatArray:
        """Return Lambda_2 rows of (q2, w) rows; with transposed roots, Lambda_2' rows."""
        out = np.empty(rows.shape)
        for f, here in self.each():
            if len(roots[f]) == 1:
                np.multiply(rows[here], float(roots[f][0, 0]), out=out[here])
            else:
                out[here] = blocks.kron_rows(roots[f], rows[here])
        return out

    def congruence(self, roots: Sequence[FloatArray], matrix: FloatArray) -> FloatArray:
        """Return Lambda_2 C Lambda_2' of a symmetric (q2, q2) C; with transposed roots, Lambda_2'C Lambda_2."""
        out = self.scaled(roots, matrix)
        for f, here in self.each():
            if len(roots[f]) == 1:
                out[:, here] *= float(roots[f][0, 0])
            else:
                out[:, here] = blocks.kron_columns(out[:, here], roots[f].T)
        return out

    def stacked(self, effects: Effects) -> FloatArray:
        """Return (q2, w) rows of the others' effects."""
        return np.concatenate([rows_of(effects.parts[f]) for f in self.which])

    def effects(self, first: FloatArray, rest: FloatArray) -> Effects:
        """Put the first factor's (k, w, J) and the others' (q2, w) together."""
        found = {f: part_of(rest[here], self.shapes[f][0]) for f, here in self.each()} | {self.first: first}
        return Effects(tuple(found[f] for f in range(len(self.shapes))))


@dataclass(frozen=True)
class Bordered(Factorised):
    """
    M with the first factor eliminated.

    half : (k, k, J) half'half = W
    links : (k, m) C_12 in its cells
    """

    border: Border
    half: FloatArray
    links: FloatArray

    @abstractmethod
    def solve(self, right: FloatArray) -> FloatArray:
        """Return S^-1 right for (q2, w) right."""

    @cached_property
    def matrices(self) -> list[Any]:
        """C_12 per coefficient of the first factor."""
        return self.border.matrices(self.links)

    def spread(self, right: FloatArray) -> FloatArray:
        """Return C_21 right, (q2, w), for (k, w, J) right."""
        out = np.zeros((self.border.size, right.shape[1]))
        for matrix, part in zip(self.matrices, right, strict=True):
            out += matrix.T @ np.ascontiguousarray(part.T)
        return out

    def gather(self, right: FloatArray) -> FloatArray:
        """Return C_12 right, (k, w, J), for (q2, w) right."""
        return np.stack([(matrix @ right).T for matrix in self.matrices])

    def V22_times(self, right: FloatArray) -> FloatArray:
        """Return V_22 right for (q2, w) right."""
        transposed = [T.T for T in self.roots]
        return self.border.scaled(self.roots, self.solve(self.border.scaled(transposed, right)))

    def apply(self, right: Effects) -> Effects:
        """Return V right."""
        first = right.parts[self.border.first]
        below = self.border.stacked(right) - self.spread(twice(self.half, first))
        rest = self.V22_times(below)
        return self.border.effects(twice(self.half, first - self.gather(rest)), rest)

    @abstractmethod
    def adjoint(self) -> FloatArray:
        """Return (k, k, J) C_j2 V_22 C_2j."""

    def first_links(self, met: FloatArray, other: int) -> FloatArray:
        """
        Return the blocks of V in the cells of the first factor and another, in the order of the two.

        met : (k, m) C_12 V_22 in the cells of C_12
        """
        k, h = len(self.half), self.border.shapes[other][0]
        linked = -blocks.einsum("abm,bm->am", blocks.cross(self.half, self.half)[:, :, self.border.rows], met)
        found = linked[:, self.border.cells(self.gram, other)].reshape(k, h, -1)
        return found if self.border.first < other else found.transpose(1, 0, 2)

    def first_block(self) -> FloatArray:
        """Return the (k, k, J) diagonal blocks of V for the first factor."""
        inner = twice(self.half, self.adjoint())
        return blocks.cross(self.half, self.half) + twice(self.half, inner.transpose(1, 0, 2))

    def first_sum_K(self) -> FloatArray:
        """Return the sum over the levels of the first factor of K."""
        C = self.gram.own[self.border.first]

        def reduced(right: FloatArray) -> FloatArray:
            return right - blocks.products(C, twice(self.half, right))

        outer = reduced(reduced(self.adjoint()).transpose(1, 0, 2))
        total: FloatArray = (reduced(C) - outer).sum(axis=2)
        return total

    def level_sums(self) -> list[FloatArray]:
        """Return per factor the sum over levels of K; that of the first needs no division by T."""
        first = self.border.first
        return [self.first_sum_K() if f == first else self.level_sum(f) for f in range(len(self.roots))]


def largest(gram: Gram) -> int:
    """Return the position of the factor with most random effects."""
    return max(range(len(gram.own)), key=lambda f: gram.shapes[f][0] * gram.shapes[f][1])
