"""
Products Z'WZ with weights that change at every step: their pattern is found once, their values by sums over rows.

The factor with most random effects comes first and is eliminated level by level; the effects of all others, the
*rest*, form one matrix with q2 columns, of which each row of the data meets the same small number.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.design.coordinates import orthogonaliser, shifted
from lmmformula.design.crossproducts import factors_of, turn
from lmmformula.design.matrices import DesignMatrices, RandomTermDesign
from lmmformula.fit import blocks
from lmmformula.fit.work import Budget, work_of


@dataclass(frozen=True, slots=True)
class Level:
    """
    One grouping factor in inner coordinates.

    terms : positions of its random terms in the design, in whose order its k columns stand
    sizes : number of columns of each
    codes : (n,) level of each row
    columns : (k, n)
    n_levels : J
    """

    terms: tuple[int, ...]
    sizes: tuple[int, ...]
    codes: IntArray
    columns: FloatArray
    n_levels: int

    @property
    def k(self) -> int:
        """Number of random coefficients per level."""
        return len(self.columns)

    def slices(self) -> list[slice]:
        """Return where the columns of each of its terms stand."""
        ends = np.cumsum(self.sizes).tolist()
        return [slice(end - size, end) for end, size in zip(ends, self.sizes, strict=True)]


@dataclass(frozen=True, slots=True)
class InnerColumns:
    """
    The columns of a design in inner coordinates: X'X = n I, random-effects columns of unit mean square.

    X : (n, p)
    fixed : (p, p) beta = fixed @ beta_inner
    random : per random term, (k, k) matrix U: b = U b_inner
    factors : the grouping factors, that with most random effects first
    """

    X: FloatArray
    fixed: FloatArray
    random: tuple[FloatArray, ...]
    factors: tuple[Level, ...]


def inner_columns(design: DesignMatrices) -> InnerColumns:
    """Shift, scale and turn the columns of a design."""
    moved, N = shifted(design.X, None)
    X = np.column_stack([*moved, np.empty((design.nobs, 0))])
    basis = orthogonaliser(X) if design.n_fixed else np.eye(0)
    terms = [_turned(term) for term in design.random_terms]
    factors = []
    for positions in factors_of(design.random_terms):
        first = design.random_terms[positions[0]]
        columns = np.concatenate([terms[t][0] for t in positions])
        sizes = tuple(len(terms[t][0]) for t in positions)
        factors.append(Level(positions, sizes, first.codes, columns, first.n_levels))
    factors.sort(key=lambda f: -f.k * f.n_levels)
    if not factors:  # one level of no coefficients keeps all shapes what they are
        factors = [Level((), (), np.zeros(design.nobs, dtype=np.intp), np.empty((0, design.nobs)), 1)]
    return InnerColumns(X @ basis, N @ basis, tuple(U for _, U in terms), tuple(factors))


def _turned(term: RandomTermDesign) -> tuple[FloatArray, FloatArray]:
    """Return (k, n) columns of unit mean square, as far as the covariance allows, and the (k, k) way back."""
    if term.covariance.any_matrix:
        moved, N = shifted(term.covariates, None)
        columns = np.array(moved)
    else:
        columns, N = np.ascontiguousarray(term.covariates.T), np.eye(term.n_coefficients)
    U = turn(term, columns @ columns.T / columns.shape[1])
    return np.ascontiguousarray(U.T @ columns), N @ U


@dataclass(frozen=True, slots=True)
class Pattern:
    """
    Where the rows of the data stand in Z'WZ.

    factors : the grouping factors, the first of which is eliminated
    squares : (d, n) products of two columns of the first factor, packed
    places : per other factor, its rows among the rest; coefficient a of level j is row start + a J + j
    columns, values : (r, n) the rest's columns that each row meets, and their values there
    cells : (r, n) their positions in the sparse products of the first factor with the rest
    pointer, indices : pattern of these, CSR, (J, q2)
    rows : (m,) level of the first factor of each
    budget : from which each pass over the rows is paid
    """

    factors: tuple[Level, ...]
    squares: FloatArray
    places: tuple[slice, ...]
    columns: IntArray
    values: FloatArray
    cells: IntArray
    pointer: IntArray
    indices: IntArray
    rows: IntArray
    budget: Budget = field(default_factory=Budget)

    @classmethod
    def of(cls, factors: Sequence[Level], budget: Budget | None = None) -> "Pattern":
        """Find which effects meet which."""
        first, rest = factors[0], factors[1:]
        rows, columns = blocks.lower(first.k)
        ends = np.cumsum([f.k * f.n_levels for f in rest]).tolist()
        places = tuple(slice(end - f.k * f.n_levels, end) for end, f in zip(ends, rest, strict=True))
        n, q2 = len(first.codes), (ends[-1] if ends else 0)
        met = [p.start + a * f.n_levels + f.codes for p, f in zip(places, rest, strict=True) for a in range(f.k)]
        table = np.array(met, dtype=np.intp).reshape(-1, n)
        values = np.concatenate([f.columns for f in rest]) if rest else np.empty((0, n))
        found, cells = np.unique(first.codes * q2 + table, return_inverse=True)
        pointer = np.searchsorted(found, np.arange(first.n_levels + 1) * q2)
        squares = first.columns[rows] * first.columns[columns]
        level, index = np.divmod(found, max(q2, 1))
        cells = cells.reshape(table.shape)
        return cls(tuple(factors), squares, places, table, values, cells, pointer, index, level, budget or Budget())

    @property
    def first(self) -> Level:
        """The factor that is eliminated."""
        return self.factors[0]

    @property
    def rest(self) -> list[tuple[int, Level, slice]]:
        """The other factors: number, factor, place."""
        return [(i + 1, f, p) for i, (f, p) in enumerate(zip(self.factors[1:], self.places, strict=True))]

    @property
    def q2(self) -> int:
        """Number of the rest's effects."""
        return self.places[-1].stop if self.places else 0

    @property
    def work(self) -> float:
        """What a pass over the rows costs."""
        n, first = len(self.first.codes), self.first
        return work_of(n, first.k + len(self.columns), first.k * first.n_levels, self.q2)

    def products(self, w: FloatArray) -> "Products":
        """Sum over rows, with weights w."""
        self.budget.spend(self.work)
        first, J, q2, r = self.first, self.first.n_levels, self.q2, len(self.columns)
        own = np.array([np.bincount(first.codes, w * z, J) for z in self.squares]).reshape(-1, J)
        if not q2:
            return Products(own, np.empty((first.k, 0)), np.empty((0, 0)))
        links = np.empty((first.k, len(self.indices)))
        weighted = w * self.values
        for a, z in enumerate(first.columns):
            links[a] = np.bincount(self.cells.ravel(), (weighted * z).ravel(), len(self.indices))
        upper = np.zeros(q2 * q2)
        for i in range(r):
            for j in range(i, r):
                upper += np.bincount(self.columns[i] * q2 + self.columns[j], weighted[i] * self.values[j], q2 * q2)
        rest = upper.reshape(q2, q2)
        return Products(own, links, rest + np.triu(rest, 1).T)

    def transposed(self, v: FloatArray) -> "Effects":
        """Return Z'v."""
        first = self.first
        own = np.array([np.bincount(first.codes, v * z, first.n_levels) for z in first.columns]).reshape(
            -1, first.n_levels
        )
        if not self.places:
            return Effects(own, np.empty(0))
        return Effects(own, np.bincount(self.columns.ravel(), (v * self.values).ravel(), self.q2).astype(np.float64))

    def applied(self, b: "Effects") -> FloatArray:
        """Return Z b."""
        self.budget.spend(self.work)
        out: FloatArray = blocks.einsum("an,an->n", self.first.columns, b.first[:, self.first.codes])
        return out + blocks.einsum("rn,rn->n", self.values, b.rest[self.columns]) if self.places else out

    def table(self, V: FloatArray) -> "Effects":
        """Return Z'V for (n, w) V."""
        parts = [self.transposed(v) for v in V.T]
        empty = Effects(np.empty((self.first.k, 0, self.first.n_levels)), np.empty((self.q2, 0)))
        if not parts:
            return empty
        return Effects(np.stack([p.first for p in parts], axis=1), np.stack([p.rest for p in parts], axis=1))


@dataclass(frozen=True, slots=True)
class Products:
    """
    Z'WZ.

    first : (d, J) of the first factor, packed
    links : (k, m) of the first factor with the rest, in the pattern's cells
    rest : (q2, q2)
    """

    first: FloatArray
    links: FloatArray
    rest: FloatArray


@dataclass(frozen=True, slots=True)
class Effects:
    """
    A vector with an entry for each random effect, or w of them side by side.

    first : (k, J) or (k, w, J), of the first factor
    rest : (q2,) or (q2, w), of the others
    """

    first: FloatArray
    rest: FloatArray

    def __add__(self, other: "Effects") -> "Effects":
        return Effects(self.first + other.first, self.rest + other.rest)

    def __sub__(self, other: "Effects") -> "Effects":
        return Effects(self.first - other.first, self.rest - other.rest)

    def __rmul__(self, factor: float) -> "Effects":
        return Effects(factor * self.first, factor * self.rest)

    def gram(self, other: "Effects") -> FloatArray:
        """Return (w, v) inner products of all columns with all, or with the one, of another."""
        many = other if other.first.ndim == 3 else Effects(other.first[:, None], other.rest[:, None])
        out = np.tensordot(self.first, many.first, axes=((0, 2), (0, 2))) + self.rest.T @ many.rest
        return out if many is other else out[:, 0]

    def combined(self, weights: FloatArray) -> "Effects":
        """Return the sum of the columns with weights (w,)."""
        return Effects(np.tensordot(weights, self.first, axes=(0, 1)), self.rest @ weights)

    def dot(self, other: "Effects") -> float:
        """Return the inner product."""
        return float(self.first.ravel() @ other.first.ravel() + self.rest @ other.rest)
