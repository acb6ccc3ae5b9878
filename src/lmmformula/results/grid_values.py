"""What a reference grid needs of the data: of each variable its levels, or its mean and range; from rows, or kept."""

from collections.abc import Iterator

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.data.columns import Column, FactorColumn
from lmmformula.design.fixed import offset_of
from lmmformula.design.frame import Frame
from lmmformula.errors import LmmFormulaError
from lmmformula.ir.terms import Apply, Expression, Variable, children, variables
from lmmformula.results.kept import ColumnSummary, FactorSummary, GridValues, NumericSummary, kept_of
from lmmformula.results.rows import Estimates, FixedModel, aliases

FEW_VALUES = 2
"""A numeric variable with so many values or fewer stands at each of them."""

FACTOR_CALLS = frozenset({"factor", "as.factor", "ordered", "as.ordered"})
"""Functions that make a numeric variable one of levels."""


def column_summary(model: FixedModel, name: str) -> ColumnSummary:
    """Sum up a variable: what was kept of it, or what its column says."""
    grid = kept_of(model.design).grid
    if grid is not None and name in grid.columns:
        return grid.columns[name]
    return _summary(model.table[name], model, as_levels=name in used_as_levels(model))


def offset_variables(model: Estimates) -> list[frozenset[str]]:
    """List the variables of each offset() term, and last those of the argument `offset`."""
    terms = [frozenset(variable.name for variable in variables(term)) for term in model.ir.offsets]
    return [*terms, frozenset() if model.schema.offset is None else frozenset([model.schema.offset])]


def offset_means(model: FixedModel) -> FloatArray | None:
    """Return the means over the rows of each offset() term and, last, of the argument; None where nobody knows them."""
    if not model.design.has_rows:
        grid = kept_of(model.design).grid
        return None if grid is None else grid.offsets
    frame = Frame(model.table, model.ir.source, known=model.schema.columns, states=model.schema.states)
    rows = model.design.kept_rows
    terms = [float(offset_of(frame, term)[rows].mean()) for term in model.ir.offsets]
    total = 0.0 if model.design.offset is None else float(model.design.offset.mean())
    return np.array([*terms, total - sum(terms)])


def grid_values(model: FixedModel) -> GridValues | None:
    """Sum up all that a reference grid may be asked; None where the rows are not there to tell."""
    if not model.design.has_rows:
        return kept_of(model.design).grid
    try:
        columns = {name: column_summary(model, name) for name in predictors(model)}
        return GridValues(columns, aliases(model), offset_means(model))
    except (LmmFormulaError, np.linalg.LinAlgError):  # nor would a grid be made of these data
        return None


def fixed_variables(model: Estimates) -> list[str]:
    """List the columns of the data that the fixed part reads, offsets included."""
    offsets = [variable.name for term in model.ir.offsets for variable in variables(term)]
    argument = [] if model.schema.offset is None else [model.schema.offset]
    return list(dict.fromkeys([*term_variables(model), *offsets, *argument]))


def term_variables(model: Estimates) -> list[str]:
    """List the columns of the data that the terms of the fixed part read."""
    factors = (factor for term in model.ir.fixed.terms for factor in term.factors)
    return list(dict.fromkeys(variable.name for factor in factors for variable in variables(factor)))


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
