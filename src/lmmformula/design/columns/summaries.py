"""A variable in a few numbers: what marginal means and pictures ask of its rows; from one table, or from parts."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.data.columns import Column, FactorColumn
from lmmformula.design.coding.factors import MAKE_LEVELS
from lmmformula.ir.expressions import Apply, Expression, Variable, children, variables
from lmmformula.ir.model import ModelIR

FEW_VALUES = 2
"""A numeric variable with so many values or fewer stands at each of them."""

MOST_VALUES = 1000
"""Of a numeric variable in parts so many values are kept, in case it is used as levels."""


@dataclass(frozen=True, slots=True)
class NumericSummary:
    """
    A numeric variable in the rows used.

    values : at which it stands in a reference grid, if it has few or is used as levels; else none, and it is its mean
    """

    mean: float
    low: float
    high: float
    values: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class FactorSummary:
    """
    A factor in the rows used.

    levels : those that occur
    usual : the one that most rows have
    """

    levels: tuple[str, ...]
    usual: str


ColumnSummary = NumericSummary | FactorSummary


def summary_from(data: Mapping[str, Any]) -> ColumnSummary:
    """Return what `asdict` (or JSON made of it) describes."""
    if "levels" in data:
        return FactorSummary(tuple(data["levels"]), data["usual"])
    return NumericSummary(data["mean"], data["low"], data["high"], tuple(data["values"]))


def fixed_columns_read(ir: ModelIR, offset: str | None) -> list[str]:
    """List the columns of the data that the fixed part reads; `offset` is that of the argument of this name."""
    names = [variable.name for e in _expressions(ir) for variable in variables(e)]
    return list(dict.fromkeys([*names, *([] if offset is None else [offset])]))


def term_columns_read(ir: ModelIR, offset: str | None) -> list[str]:
    """List the columns that the fixed and the random terms read; those that do but name groups are not among them."""
    terms = [term for random in ir.random for term in random.terms]
    names = [variable.name for term in terms for e in term.factors for variable in variables(e)]
    return list(dict.fromkeys([*fixed_columns_read(ir, offset), *names]))


def columns_read_as_levels(ir: ModelIR) -> set[str]:
    """Return the variables that a call such as factor(k) turns into levels."""
    return {variable.name for e in _expressions(ir) for variable in _inside_factor(e)}


def _expressions(ir: ModelIR) -> Iterator[Expression]:
    yield from (factor for term in ir.fixed.terms for factor in term.factors)
    yield from ir.offsets


def _inside_factor(expression: Expression) -> Iterator[Variable]:
    """List the variables that a call such as factor(k) turns into levels."""
    match expression:
        case Apply(function=function) if function in MAKE_LEVELS:
            yield from variables(expression)
        case _:
            for child in children(expression):
                yield from _inside_factor(child)


@dataclass(frozen=True, slots=True)
class SampleMoments:
    """
    Number, mean, sum of squared deviations and range of the numbers that are not missing.

    Chan, Golub & LeVeque (1983), "Algorithms for computing the sample variance", equation 2.1 for the sum of two.
    """

    n: int = 0
    mean: float = 0.0
    squares: float = 0.0
    lowest: float = math.inf
    highest: float = -math.inf

    @classmethod
    def of(cls, values: FloatArray) -> "SampleMoments":
        """Take the moments of some numbers."""
        there = values[~np.isnan(values)]
        if not len(there):
            return cls()
        mean = float(there.mean())
        return cls(len(there), mean, float(np.square(there - mean).sum()), float(there.min()), float(there.max()))

    def __add__(self, other: "SampleMoments") -> "SampleMoments":
        n = self.n + other.n
        if not self.n or not other.n:
            return self if self.n else other
        step = other.mean - self.mean
        return SampleMoments(
            n,
            self.mean + step * other.n / n,
            self.squares + other.squares + step * step * self.n * other.n / n,
            min(self.lowest, other.lowest),
            max(self.highest, other.highest),
        )


@dataclass(frozen=True, slots=True)
class PartialSummary:
    """
    What some rows know of a variable.

    moments : of numbers
    distinct : the numbers, unless they are many
    counts : level -> number of rows
    """

    moments: SampleMoments = field(default_factory=SampleMoments)
    distinct: frozenset[float] | None = frozenset()
    counts: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, column: Column, rows: IntArray | None, *, as_levels: bool) -> "PartialSummary":
        """
        Look at a column in the rows used.

        rows : their positions; None for all
        as_levels : keep the numbers even if they are more than a few
        """
        if isinstance(column, FactorColumn):
            codes = column.codes if rows is None else column.codes[rows]
            counts = np.bincount(codes[codes >= 0], minlength=len(column.levels)).tolist()
            return cls(counts=Counter({level: n for level, n in zip(column.levels, counts, strict=True) if n}))
        numbers = column.values if rows is None else column.values[rows]
        moments = SampleMoments.of(numbers)
        ends = (moments.lowest, moments.highest)
        if as_levels or not moments.n:
            return cls(moments, frozenset(np.unique(numbers).tolist()))
        few = bool(np.all((numbers == ends[0]) | (numbers == ends[1])))
        return cls(moments, frozenset(ends) if few else None)

    def __add__(self, other: "PartialSummary") -> "PartialSummary":
        distinct = None
        if self.distinct is not None and other.distinct is not None:
            distinct = self.distinct | other.distinct
            distinct = distinct if len(distinct) <= MOST_VALUES else None
        return PartialSummary(self.moments + other.moments, distinct, self.counts + other.counts)

    def summary(self, order: tuple[str, ...], *, as_levels: bool) -> ColumnSummary | None:
        """
        Sum up the variable; None where that would take more of its values than are known.

        order : of its levels
        """
        if self.counts:
            levels = tuple(level for level in order if level in self.counts)
            return FactorSummary(levels, max(levels, key=self.counts.__getitem__))
        if as_levels and self.distinct is None:
            return None
        known = self.distinct or ()
        values = tuple(sorted(known)) if as_levels or len(known) <= FEW_VALUES else ()
        return NumericSummary(self.moments.mean, self.moments.lowest, self.moments.highest, values)
