"""What a reference grid needs of the data: of each variable its levels, or its mean and range; from rows, or kept."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.data.columns import Column, FactorColumn
from lmmformula.data.table import Table
from lmmformula.design.fixed import fixed_matrix
from lmmformula.errors import LmmFormulaError
from lmmformula.ir.terms import Apply, Expression, Variable, children, variables
from lmmformula.results.kept import ColumnSummary, FactorSummary, GridValues, NumericSummary, kept_of
from lmmformula.results.rows import Estimates

FEW_VALUES = 2
"""A numeric variable with so many values or fewer stands at each of them."""

FACTOR_CALLS = frozenset({"factor", "as.factor", "ordered", "as.ordered"})
"""Functions that make a numeric variable one of levels."""


class FixedModel(Estimates, Protocol):
    """A fit or a posterior, with the data it was made of."""

    @property
    def table(self) -> Table: ...  # noqa: D102


def column_summary(model: FixedModel, name: str) -> ColumnSummary:
    """Sum up a variable: what was kept of it, or what its column says."""
    grid = kept_of(model.design).grid
    if grid is not None and name in grid.columns:
        return grid.columns[name]
    return _summary(model.table[name], model, as_levels=name in used_as_levels(model))


def aliases(model: FixedModel) -> FloatArray:
    """Return (p, dropped) coefficients a for which the dropped columns of X are X a."""
    grid = kept_of(model.design).grid
    if grid is not None:
        return grid.aliases
    dropped = list(model.schema.aliased)
    if not dropped:
        return np.empty((model.design.n_fixed, 0))
    rows = model.design.kept_rows
    used = model.table if len(rows) == model.table.n_rows else model.table.take(rows)
    columns = fixed_matrix(model.ir, replace(model.schema, aliased=()), used)[:, dropped]
    return np.asarray(np.linalg.lstsq(model.design.X, columns, rcond=None)[0], dtype=np.float64)


def grid_values(model: FixedModel) -> GridValues | None:
    """Sum up all that a reference grid may be asked; None where the rows are not there to tell."""
    if not model.design.has_rows:
        return kept_of(model.design).grid
    try:
        return GridValues({name: column_summary(model, name) for name in predictors(model)}, aliases(model))
    except (LmmFormulaError, np.linalg.LinAlgError):  # nor would a grid be made of these data
        return None


def fixed_variables(model: Estimates) -> list[str]:
    """List the columns of the data that the fixed part reads, offsets included."""
    names = [variable.name for e in _expressions(model) for variable in variables(e)]
    if model.schema.offset is not None:
        names.append(model.schema.offset)
    return list(dict.fromkeys(names))


def predictors(model: Estimates) -> list[str]:
    """List the columns that the fixed and the random terms read; those that do but name groups are not among them."""
    terms = [term for random in model.ir.random for term in random.terms]
    names = [variable.name for term in terms for e in term.factors for variable in variables(e)]
    return list(dict.fromkeys([*fixed_variables(model), *names]))


def used_as_levels(model: Estimates) -> set[str]:
    """Return the variables that a call such as factor(k) turns into levels."""
    return {variable.name for e in _expressions(model) for variable in _inside_factor(e)}


def _summary(column: Column, model: FixedModel, *, as_levels: bool) -> ColumnSummary:
    kept = model.design.kept_rows
    if isinstance(column, FactorColumn):
        counts = np.bincount(column.codes[kept][column.codes[kept] >= 0], minlength=len(column.levels))
        levels = tuple(level for level, count in zip(column.levels, counts, strict=True) if count)
        return FactorSummary(levels, column.levels[int(counts.argmax())])
    numbers = column.values[kept]
    low, high = float(numbers.min()), float(numbers.max())
    few = as_levels or bool(np.all((numbers == low) | (numbers == high)))
    return NumericSummary(float(numbers.mean()), low, high, tuple(np.unique(numbers).tolist()) if few else ())


def _expressions(model: Estimates) -> Iterator[Expression]:
    yield from (factor for term in model.ir.fixed.terms for factor in term.factors)
    yield from model.ir.offsets


def _inside_factor(expression: Expression) -> Iterator[Variable]:
    """List the variables that a call such as factor(k) turns into levels."""
    match expression:
        case Apply(function=function) if function in FACTOR_CALLS:
            yield from variables(expression)
        case _:
            for child in children(expression):
                yield from _inside_factor(child)
