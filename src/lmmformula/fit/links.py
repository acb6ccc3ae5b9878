"""How the factor that is eliminated first meets the others: C_12, and where the others' effects stand."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.design.products import CrossProducts
from lmmformula.fit import blocks
from lmmformula.fit.objective import Roots


@dataclass(frozen=True, slots=True)
class Rest:
    """
    The factors that are not eliminated first, their effects one after the other.

    which : their positions among the factors
    places : rows of each; coefficient a of level j is row start + a J + j
    """

    which: tuple[int, ...]
    places: tuple[slice, ...]

    @classmethod
    def of(cls, products: CrossProducts, first: int) -> "Rest":
        """Lay out all factors but the first."""
        which = tuple(f for f in range(len(products.factors)) if f != first)
        sizes = [products.factors[f].k * products.factors[f].n_levels for f in which]
        ends = np.cumsum(sizes).tolist()
        return cls(which, tuple(slice(end - size, end) for end, size in zip(ends, sizes, strict=True)))

    @property
    def size(self) -> int:
        """Number q2 of their effects."""
        return int(self.places[-1].stop)

    def __iter__(self) -> Iterator[tuple[int, slice]]:
        return iter(zip(self.which, self.places, strict=True))

    def triplets(self, products: CrossProducts) -> tuple[IntArray, IntArray, FloatArray]:
        """Return rows, columns and values of the elements of Z_2'Z_2."""
        rows, columns, values = [], [], []
        for f, here in self:
            for g, there in self:
                pair, J, H = products.pair(f, g), products.factors[f].n_levels, products.factors[g].n_levels
                for a in range(products.factors[f].k):
                    for b in range(products.factors[g].k):
                        rows.append(here.start + a * J + pair.rows)
                        columns.append(there.start + b * H + pair.columns)
                        values.append(pair.values[a, b])
        return np.concatenate(rows), np.concatenate(columns), np.concatenate(values)

    def scaled(self, roots: Roots, rows: FloatArray) -> FloatArray:
        """Return Lambda_2' rows; with transposed roots, Lambda_2 rows."""
        out = np.empty(rows.shape)
        for f, here in self:
            if len(roots[f]) == 1:
                np.multiply(rows[here], float(roots[f][0, 0]), out=out[here])
            else:
                out[here] = blocks.kron_rows(roots[f].T, rows[here])
        return out


@dataclass(frozen=True, slots=True)
class Links:
    """
    C_12 of one factor and all others.

    rows : per coefficient of the factor, (J, q2) CSR matrix, all with the same pattern
    """

    rows: tuple[Any, ...]

    @classmethod
    def of(cls, products: CrossProducts, first: int, rest: Rest) -> "Links":
        """Collect the products of a factor with the others."""
        from scipy.sparse import csr_array

        J, k = products.factors[first].n_levels, products.factors[first].k
        row, column, value = [], [], []
        for g, here in rest:
            pair = products.pair(first, g)
            for b in range(products.factors[g].k):
                row.append(pair.rows)
                column.append(here.start + b * products.factors[g].n_levels + pair.columns)
                value.append(pair.values[:, b])
        rows, columns, values = np.concatenate(row), np.concatenate(column), np.concatenate(value, axis=1)
        order = np.lexsort((columns, rows))
        pointer = np.searchsorted(rows[order], np.arange(J + 1))
        columns, values = columns[order], values[:, order]
        return cls(tuple(csr_array((values[a], columns, pointer), shape=(J, rest.size)) for a in range(k)))

    @property
    def counts(self) -> IntArray:
        """(J,) how many of the others' effects each level meets."""
        out: IntArray = np.diff(self.rows[0].indptr).astype(np.intp)
        return out

    @property
    def size(self) -> int:
        """Number q2 of the others' effects."""
        return int(self.rows[0].shape[1])

    def spread(self, right: FloatArray) -> FloatArray:
        """Return sum_j C_2j right_j, (q2, w), for (k, w, J) right."""
        out = np.zeros((self.size, right.shape[1]))
        for matrix, part in zip(self.rows, right, strict=True):
            out += matrix.T @ part.T
        return out

    def gather(self, right: FloatArray) -> FloatArray:
        """Return C_j2 right, (k, w, J), for (q2, w) right."""
        return np.stack([(matrix @ right).T for matrix in self.rows])
