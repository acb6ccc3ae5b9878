"""C = Z'WZ: a block for each level of a factor, and for each pair of levels of two factors that share a row."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.design.sums.records import CrossProducts
from lmmformula.fit.algebra import blocks
from lmmformula.fit.algebra.effects import Effects, Roots, part_of, rows_of


@dataclass(frozen=True)
class Pair:
    """
    Z_f'WZ_g of two factors f < g: a sparse matrix of small blocks.

    shape : (J_f, J_g) numbers of levels
    rows, columns : (m,) levels of f and of g, sorted by row and within it by column
    values : (k_f, k_g, m)
    nested : each level of f lies within one of g, so that rows = 0 .. J_f - 1
    contains : each level of g lies within one of f
    """

    shape: tuple[int, int]
    rows: IntArray
    columns: IntArray
    values: FloatArray
    nested: bool
    contains: bool

    @cached_property
    def pointer(self) -> IntArray:
        """(J_f + 1,) where the cells of each row begin."""
        return np.searchsorted(self.rows, np.arange(self.shape[0] + 1)).astype(np.intp)

    @cached_property
    def places(self) -> tuple[IntArray, IntArray]:
        """Where the elements stand in the matrix: columns, and where each row begins."""
        (k, h), m, I = self.values.shape[:2], len(self.rows), self.shape[1]
        columns = (self.columns[:, None] + I * np.arange(h)).ravel()
        begins = (h * (self.pointer[:-1] + m * np.arange(k)[:, None])).ravel()
        kind: type[np.integer[Any]] = np.int32 if max(k * h * m, h * I) < np.iinfo(np.int32).max else np.int64
        return np.tile(columns, k).astype(kind), np.append(begins, k * h * m).astype(kind)

    @cached_property
    def matrix(self) -> Any:  # noqa: ANN401 (a sparse matrix)
        """All of it, (k_f J_f, k_g J_g) CSR: coefficient a of level j is row a J + j."""
        from scipy.sparse import csr_array

        (k, h, _), (J, I) = self.values.shape, self.shape
        data = self.values.transpose(0, 2, 1).reshape(-1)
        return csr_array((data, *self.places), shape=(k * J, h * I))

    def forth(self, part: FloatArray) -> FloatArray:
        """Return C_fg part, (k_f, w, J_f)."""
        if self.nested:
            return blocks.products(self.values, part[:, :, self.columns])
        if self.contains:  # the children of each level of f stand side by side
            return blocks.segment_sums(blocks.products(self.values, part[:, :, self.columns]), self.pointer[:-1])
        return part_of(self.matrix @ rows_of(part), len(self.values))

    def back(self, part: FloatArray) -> FloatArray:
        """Return C_gf part, (k_g, w, J_g)."""
        if self.contains:
            out = np.empty((self.values.shape[1], part.shape[1], self.shape[1]))
            out[:, :, self.columns] = blocks.cross(self.values, part[:, :, self.rows])
            return out
        return part_of(self.matrix.T @ rows_of(part), self.values.shape[1])

    def replaced(self, values: FloatArray) -> "Pair":
        """Return the same cells with other values."""
        pair = replace(self, values=values)
        pair.__dict__["pointer"] = self.pointer
        if not self.contains:
            pair.__dict__["places"] = self.places
        return pair


@dataclass(frozen=True)
class Gram:
    """
    C = Z'WZ.

    own : per factor, (k, k, J)
    pairs : (f, g), f < g -> cells of two factors
    """

    own: tuple[FloatArray, ...]
    pairs: Mapping[tuple[int, int], Pair]

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Per factor, its numbers k of coefficients and J of levels."""
        return [(int(C.shape[0]), int(C.shape[2])) for C in self.own]

    @cached_property
    def packed(self) -> tuple[FloatArray, ...]:
        """Per factor, (k (k+1) / 2, J)."""
        return tuple(blocks.pack(C) for C in self.own)

    def turned(self, roots: Roots) -> "Gram":
        """Return Lambda'C Lambda."""
        own = [blocks.einsum("ba,bcj,cd->adj", T, C, T) for C, T in zip(self.own, roots, strict=True)]
        pairs = {
            (f, g): pair.replaced(blocks.einsum("ba,bcm,cd->adm", roots[f], pair.values, roots[g]))
            for (f, g), pair in self.pairs.items()
        }
        return Gram(tuple(own), pairs)

    def times(self, d: Effects) -> Effects:
        """Return C d."""
        out = [blocks.products(C, part) for C, part in zip(self.own, d.parts, strict=True)]
        for (f, g), pair in self.pairs.items():
            out[f] += pair.forth(d.parts[g])
            out[g] += pair.back(d.parts[f])
        return Effects(tuple(out))


def gram_of(products: CrossProducts) -> Gram:
    """Return the C of a Gaussian model's sums."""
    pairs = {
        (f, g): Pair(
            (products.factors[f].n_levels, products.factors[g].n_levels),
            pair.rows,
            pair.columns,
            pair.values,
            pair.nested,
            pair.contains,
        )
        for (f, g), pair in products.pairs.items()
    }
    return Gram(tuple(factor.C for factor in products.factors), pairs)
