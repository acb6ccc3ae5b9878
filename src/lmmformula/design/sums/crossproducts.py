"""
Cross-products X'X, Z'X, Z'Z, X'y, Z'y, y'y: all that the Gaussian likelihood knows of the data.

They are sums over rows, by level of each grouping factor and by pair of levels of two; the number of rows is gone
once they are formed. Random terms with the same grouping factor are one *factor* here, with their columns side by side.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from lmmformula.arrays import AnyArray, FloatArray, IntArray
from lmmformula.design.design import Design, RandomTermDesign
from lmmformula.design.sums.coordinates import Columns, block_diagonal, columns_of, whitener
from lmmformula.design.sums.records import Coordinates, CrossProducts, FactorProducts, PairProducts
from lmmformula.errors import FitError


def cross_products(design: Design) -> CrossProducts:
    """Form the cross-products of a design, in coordinates that keep their digits; those of data in parts are there."""
    if design.sums is not None:
        return design.sums.products
    return whitened(raw_products(columns_of(design), design), design.random_terms)


def raw_products(columns: Columns, design: Design) -> CrossProducts:
    """
    Sum the products of columns over the rows of a design, or of a part of one.

    columns : its columns in the coordinates in which they are summed
    """
    groups = factors_of(design.random_terms)
    sums = _Sums(columns, groups)
    codes = [design.random_terms[terms[0]].codes for terms in groups]
    levels = [design.random_terms[terms[0]].n_levels for terms in groups]
    groupings, pairs = _groupings(codes, levels)
    factors = tuple(
        FactorProducts(
            group=design.random_terms[terms[0]].group,
            terms=terms,
            sizes=tuple(design.random_terms[t].n_coefficients for t in terms),
            C=sums.table(grouping, f, f),
            B=sums.table(grouping, f, None),
        )
        for f, (terms, grouping) in enumerate(zip(groups, groupings, strict=True))
    )
    return CrossProducts(
        n=design.nobs,
        p=design.n_fixed,
        A=columns.gram,
        factors=factors,
        pairs={(f, g): pair.products(sums.table(pair.cells, f, g)) for (f, g), pair in pairs.items()},
        sum_log_weights=design.sum_log_weights,
        coordinates=columns.coordinates,
    )


def factors_of(terms: Sequence[RandomTermDesign]) -> list[tuple[int, ...]]:
    """Gather the positions of the terms that share a grouping factor."""
    by_group: dict[str, list[int]] = {}
    for position, term in enumerate(terms):
        by_group.setdefault(term.group, []).append(position)
    return [tuple(positions) for positions in by_group.values()]


@dataclass(frozen=True, slots=True, eq=False)
class _Grouping:
    """
    A partition of the rows.

    finer : a finer partition that is already there, so that its sums can be added up instead of the rows
    codes : (n,) group of each row, or, with `finer`, of each of its groups
    """

    codes: IntArray
    n_groups: int
    finer: "_Grouping | None" = None


@dataclass(frozen=True, slots=True)
class _Pair:
    """Pairs of levels that occur, as a partition of the rows (see `PairProducts`)."""

    cells: _Grouping
    rows: IntArray
    columns: IntArray
    nested: bool
    contains: bool

    def products(self, values: FloatArray) -> PairProducts:
        return PairProducts(self.rows, self.columns, values, self.nested, self.contains)


def _groupings(codes: list[IntArray], levels: list[int]) -> tuple[list[_Grouping], dict[tuple[int, int], _Pair]]:
    """Find which factors are nested in which; a factor adds up the sums of the finest one within it."""
    order = sorted(range(len(codes)), key=lambda f: -levels[f])
    groupings: dict[int, _Grouping] = {}
    parents: dict[tuple[int, int], IntArray] = {}
    for f in order:
        finer = None
        for g in sorted(groupings, key=lambda g: levels[g]):
            if (parent := _parent(codes[g], levels[g], codes[f])) is not None:
                parents[g, f] = parent
                finer = finer or (groupings[g], parent)
        groupings[f] = _Grouping(finer[1], levels[f], finer[0]) if finer else _Grouping(codes[f], levels[f])
    pairs = {}
    for g in range(len(codes)):
        for f in range(g):
            pairs[f, g] = _pair(f, g, codes, levels, groupings, parents)
    return [groupings[f] for f in range(len(codes))], pairs


def _parent(codes: IntArray, n_levels: int, coarse: IntArray) -> IntArray | None:
    """Return the coarse level that each fine level lies in, None if some fine level lies in several."""
    parent = np.zeros(n_levels, dtype=np.intp)
    head = slice(None, 1000)  # most pairs of factors are crossed, and show it in their first rows
    parent[codes[head]] = coarse[head]
    if not np.array_equal(parent[codes[head]], coarse[head]):
        return None
    parent[codes] = coarse
    return parent if np.array_equal(parent[codes], coarse) else None


def _pair(
    f: int,
    g: int,
    codes: list[IntArray],
    levels: list[int],
    groupings: dict[int, _Grouping],
    parents: dict[tuple[int, int], IntArray],
) -> _Pair:
    if (f, g) in parents:
        return _Pair(groupings[f], np.arange(levels[f]), parents[f, g], nested=True, contains=levels[f] == levels[g])
    if (g, f) in parents:
        order = np.argsort(parents[g, f], kind="stable")
        cells = _Grouping(np.argsort(order), levels[g], groupings[g])
        return _Pair(cells, parents[g, f][order], order, nested=False, contains=True)
    key = codes[f] * levels[g] + codes[g]
    size = levels[f] * levels[g]
    if size <= 4 * len(key) + 1000:
        present = np.flatnonzero(np.bincount(key, minlength=size))
        lookup = np.empty(size, dtype=np.intp)
        lookup[present] = np.arange(len(present))
        inverse = lookup[key]
    else:
        present, inverse = np.unique(key, return_inverse=True)
    cells = _Grouping(inverse, len(present))
    return _Pair(cells, present // levels[g], present % levels[g], nested=False, contains=False)


@dataclass(slots=True)
class _Sums:
    """
    Sums over the groups of a partition of products of two columns; each distinct product is summed once.

    A random-effects column usually is a fixed-effects column too: columns are compared by value.
    """

    columns: Columns
    groups: list[tuple[int, ...]]
    known: dict[bytes, list[tuple[int, FloatArray]]] = field(default_factory=dict)
    arrays: list[FloatArray | None] = field(default_factory=list)
    done: dict[tuple[int, int, int], tuple[_Grouping, FloatArray]] = field(default_factory=dict)
    fixed: list[int] = field(default_factory=list)
    random: list[list[int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fixed = [self._number(c) for c in self.columns.fixed]
        self.random = [[self._number(c) for t in terms for c in self.columns.random[t]] for terms in self.groups]

    def table(self, grouping: _Grouping, f: int, g: int | None) -> FloatArray:
        """Return the (k_f, k_g, groups) products of the columns of two factors, or of one with [X y]."""
        left, right = self.random[f], self.fixed if g is None else self.random[g]
        out = np.empty((len(left), len(right), grouping.n_groups))
        for i, a in enumerate(left):
            for j, b in enumerate(right):
                out[i, j] = self._sum(grouping, min(a, b), max(a, b))
        return out

    def _number(self, column: FloatArray) -> int:
        """Return the number of a column, the same for equal columns."""
        sample = np.ascontiguousarray(column[:: max(len(column) // 16, 1)]).tobytes()
        for number, other in self.known.setdefault(sample, []):
            if column is other or np.array_equal(column, other):
                return number
        number = len(self.arrays)
        self.known[sample].append((number, column))
        self.arrays.append(None if bool((column == 1.0).all()) else column)
        return number

    def _sum(self, grouping: _Grouping, a: int, b: int) -> FloatArray:
        key = (id(grouping), a, b)
        if key not in self.done:
            if grouping.finer is not None:
                weights: FloatArray | None = self._sum(grouping.finer, a, b)
            else:
                left, right = self.arrays[a], self.arrays[b]
                weights = left if right is None else right if left is None else left * right
            total: AnyArray = np.bincount(grouping.codes, weights, grouping.n_groups)
            self.done[key] = (grouping, total.astype(np.float64, copy=False))  # holding grouping keeps its id its own
        return self.done[key][1]


def whitened(products: CrossProducts, terms: Sequence[RandomTermDesign]) -> CrossProducts:
    """Turn each random term's columns so that they are uncorrelated with mean square 1, and X so that X'X = n I."""
    p, n = products.p, products.n
    R = np.eye(p + 1)
    R[:p, :p] = whitener(products.A[:p, :p] / n)
    turns: list[FloatArray] = [np.eye(0)] * len(terms)
    for factor in products.factors:
        mean = factor.C.sum(axis=2) / n
        for term, place in zip(factor.terms, factor.slices(), strict=True):
            turns[term] = turn(terms[term], mean[place, place])
    blocks = [block_diagonal([turns[t] for t in factor.terms]) for factor in products.factors]
    factors = tuple(
        FactorProducts(factor.group, factor.terms, factor.sizes, sandwich(U, factor.C, U), sandwich(U, factor.B, R))
        for factor, U in zip(products.factors, blocks, strict=True)
    )
    pairs = {
        (f, g): PairProducts(
            pair.rows, pair.columns, sandwich(blocks[f], pair.values, blocks[g]), pair.nested, pair.contains
        )
        for (f, g), pair in products.pairs.items()
    }
    old = products.coordinates
    coordinates = Coordinates(
        fixed=old.fixed @ R[:p, :p],
        pilot=old.pilot,
        log_det_fixed=old.log_det_fixed + float(np.log(np.diag(R)).sum()),
        y_scale=old.y_scale,
        random=tuple(U @ turn for U, turn in zip(old.random, turns, strict=True)),
        turns=tuple(turns),
    )
    return CrossProducts(n, p, R.T @ products.A @ R, factors, pairs, products.sum_log_weights, coordinates)


def sandwich(left: FloatArray, middle: FloatArray, right: FloatArray) -> FloatArray:
    """Return left' middle right for (a, b, J) middles."""
    half = np.tensordot(left, middle, axes=(0, 0))
    return np.ascontiguousarray(np.tensordot(right, half, axes=(0, 1)).transpose(1, 0, 2))


def turn(term: RandomTermDesign, mean: FloatArray) -> FloatArray:
    """Return the (k, k) matrix that makes a term's columns of unit mean square, as far as its covariance allows."""
    size = np.sqrt(np.diag(mean))
    if not bool((size > 0.0).all()):
        name = term.coefficient_names[int(np.argmin(size))]
        what = f"column '{name}' of the random term for '{term.group}'"
        if "(Intercept)" in term.coefficient_names and term.covariance.any_matrix:  # all others are centred
            hint = f"leave it out: (1 | {term.group})" if len(mean) == 2 else "leave it out"
            raise FitError(f"{what} is the same in every row, and can't be told from the intercept", hint=hint)
        raise FitError(f"{what} is zero in every row")
    return term.covariance.turn(mean)
