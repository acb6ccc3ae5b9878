"""One grouping factor: M is block diagonal."""

from dataclasses import dataclass
from functools import cached_property

from lmmformula.arrays import FloatArray
from lmmformula.fit.algebra import blocks
from lmmformula.fit.algebra.effects import Effects, Roots
from lmmformula.fit.algebra.factorised import Factorised, factor_blocks, twice
from lmmformula.fit.algebra.gram import Gram


@dataclass(frozen=True, slots=True)
class Single:
    """Elimination level by level."""

    def factor(self, gram: Gram, roots: Roots) -> "SingleFactorised":
        """Factorise M."""
        half, log_det, pivot = factor_blocks(gram.packed[0], roots[0])
        return SingleFactorised(gram, tuple(roots), log_det, pivot, half)


@dataclass(frozen=True)
class SingleFactorised(Factorised):
    """
    M of one factor.

    half : (k, k, J) half'half = V
    """

    half: FloatArray

    def apply(self, right: Effects) -> Effects:
        """Return V right."""
        return Effects((twice(self.half, right.parts[0]),))

    @cached_property
    def _blocks(self) -> FloatArray:
        return blocks.cross(self.half, self.half)

    def diagonal_blocks(self) -> list[FloatArray]:
        """Return the blocks of V."""
        return [self._blocks]

    def link_blocks(self, f: int, g: int) -> FloatArray:
        """There are none."""
        raise AssertionError(f, g)

    def sum_K(self, f: int) -> FloatArray:
        """Return the sum over levels of K."""
        C = self.gram.own[f]
        H = blocks.products(self.half, C)
        total: FloatArray = (C - blocks.cross(H, H)).sum(axis=2)
        return total
