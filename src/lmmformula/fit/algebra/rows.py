"""
Sums over the rows of a model whose weights change at every step: Z'WZ, Z'v, Z b, and the leverages z_i'V z_i.

A column of Z belongs to one of the linear predictors; the weights of two columns are those of their predictors. The
pattern of Z'WZ is found once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.design.sums.records import slices_of
from lmmformula.fit.algebra.effects import Effects
from lmmformula.fit.algebra.factorised import Factorised
from lmmformula.fit.algebra.gram import Gram, Pair

Curvatures = Mapping[tuple[int, int], FloatArray]
"""Predictors j <= k -> (n,) weights W_jk; those that are missing are zero."""


@dataclass(frozen=True, slots=True)
class Grouping:
    """
    One grouping factor in inner coordinates.

    terms : positions of its random terms in the design, in whose order its k columns stand
    sizes : number of columns of each
    codes : (n,) level of each row
    columns : (k, n)
    n_levels : J
    predictors : (k,) linear predictor that each column belongs to
    """

    terms: tuple[int, ...]
    sizes: tuple[int, ...]
    codes: IntArray
    columns: FloatArray
    n_levels: int
    predictors: tuple[int, ...]

    @property
    def k(self) -> int:
        """Number of random coefficients per level."""
        return len(self.columns)

    def slices(self) -> list[slice]:
        """Return where the columns of each of its terms stand."""
        return slices_of(self.sizes)


@dataclass(frozen=True, slots=True)
class _Cells:
    """
    Where the rows stand among the cells of two factors.

    codes : (n,) cell of each row
    pattern : the cells, without values
    """

    codes: IntArray
    pattern: Pair


@dataclass(frozen=True)
class RowSums:
    """
    The rows of a model, ready to be summed.

    factors : the grouping factors
    cells : f < g -> cells of two factors
    products : per pair (f, a), (g, b) of columns that share a sum, their product (n,); None where it is 1
    """

    factors: tuple[Grouping, ...]
    cells: Mapping[tuple[int, int], _Cells]
    products: Mapping[tuple[int, int, int, int], FloatArray | None]

    @classmethod
    def of(cls, factors: Sequence[Grouping]) -> "RowSums":
        """Find which levels meet which."""
        cells = {(f, g): _cells(factors[f], factors[g]) for f, g in combinations(range(len(factors)), 2)}
        ones = [[bool((column == 1.0).all()) for column in factor.columns] for factor in factors]
        products: dict[tuple[int, int, int, int], FloatArray | None] = {}
        for f, g in [*((f, f) for f in range(len(factors))), *cells]:
            for a, left in enumerate(factors[f].columns):
                for b, right in enumerate(factors[g].columns[: a + 1 if f == g else None]):
                    product = right if ones[f][a] else left if ones[g][b] else left * right
                    products[f, a, g, b] = None if ones[f][a] and ones[g][b] else product
        return cls(tuple(factors), cells, products)

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Per factor, its k and J."""
        return [(f.k, f.n_levels) for f in self.factors]

    def gram(self, W: Curvatures) -> Gram:
        """Return Z'WZ."""
        own = []
        for f, factor in enumerate(self.factors):
            C = np.zeros((factor.k, factor.k, factor.n_levels))
            for a in range(factor.k):
                for b in range(a + 1):
                    weighted = self._weighted(W, f, a, f, b)
                    if weighted is not None:
                        C[a, b] = C[b, a] = np.bincount(factor.codes, weighted, factor.n_levels)
            own.append(C)
        pairs = {}
        for (f, g), cells in self.cells.items():
            values = np.zeros((self.factors[f].k, self.factors[g].k, len(cells.pattern.rows)))
            for a in range(len(values)):
                for b in range(values.shape[1]):
                    weighted = self._weighted(W, f, a, g, b)
                    if weighted is not None:
                        values[a, b] = np.bincount(cells.codes, weighted, values.shape[2])
            pairs[f, g] = cells.pattern.replaced(values)
        return Gram(tuple(own), pairs)

    def _weighted(self, W: Curvatures, f: int, a: int, g: int, b: int) -> FloatArray | None:
        """Return (n,) weighted products of two columns; None where they have no weights."""
        j, k = sorted((self.factors[f].predictors[a], self.factors[g].predictors[b]))
        if (j, k) not in W:
            return None
        product = self.products[f, a, g, b]
        return W[j, k] if product is None else W[j, k] * product

    def transposed(self, v: Mapping[int, FloatArray]) -> Effects:
        """Return Z'v as one vector, for v of each predictor."""
        parts = []
        for f in self.factors:
            sums = [np.bincount(f.codes, v[j] * z, f.n_levels) for j, z in zip(f.predictors, f.columns, strict=True)]
            parts.append(np.array(sums, dtype=np.float64).reshape(f.k, 1, f.n_levels))
        return Effects(tuple(parts))

    def applied(self, b: Effects, predictor: int) -> FloatArray | float:
        """Return Z b in one predictor, for one vector."""
        out: FloatArray | float = 0.0
        for factor, part in zip(self.factors, b.parts, strict=True):
            for a, j in enumerate(factor.predictors):
                if j == predictor:
                    out = out + factor.columns[a] * part[a, 0][factor.codes]
        return out

    def table(self, X: FloatArray, weights: Mapping[int, FloatArray]) -> Effects:
        """Return Z'WX, for (n, w) X of one predictor and its weights with each of those that have random effects."""
        each = [self.transposed({j: w * column for j, w in weights.items()}) for column in X.T]
        if not each:
            return Effects(tuple(np.empty((f.k, 0, f.n_levels)) for f in self.factors))
        return Effects(tuple(np.concatenate(parts, axis=1) for parts in zip(*(e.parts for e in each), strict=True)))

    def leverages(self, M: Factorised) -> dict[tuple[int, int], FloatArray]:
        """Return z_i'V z_i, (n,) for each two predictors j <= k; of two different ones in one of the two orders."""
        out: dict[tuple[int, int], FloatArray] = {}

        def add(f: int, a: int, g: int, b: int, values: FloatArray, times: float) -> None:
            j, k = sorted((self.factors[f].predictors[a], self.factors[g].predictors[b]))
            product = self.products[f, a, g, b]
            term = (times if j == k else times / 2) * values
            term = term if product is None else term * product
            out[j, k] = out[j, k] + term if (j, k) in out else term

        for f, (factor, V) in enumerate(zip(self.factors, M.diagonal_blocks(), strict=True)):
            for a in range(factor.k):
                for b in range(a + 1):
                    add(f, a, f, b, V[a, b][factor.codes], 1.0 if a == b else 2.0)
        for (f, g), cells in self.cells.items():
            V = M.link_blocks(f, g)
            for a in range(len(V)):
                for b in range(V.shape[1]):
                    add(f, a, g, b, V[a, b][cells.codes], 2.0)
        return out


def _cells(f: Grouping, g: Grouping) -> _Cells:
    """Find the pairs of levels that share a row."""
    found, codes = np.unique(f.codes * np.intp(g.n_levels) + g.codes, return_inverse=True)
    rows, columns = np.divmod(found, g.n_levels)
    nested = len(rows) == f.n_levels and bool((np.diff(rows) == 1).all())
    contains = len(rows) == g.n_levels and len(np.unique(columns)) == g.n_levels
    empty = np.empty((f.k, g.k, 0))
    return _Cells(codes.ravel(), Pair((f.n_levels, g.n_levels), rows, columns, empty, nested, contains))
