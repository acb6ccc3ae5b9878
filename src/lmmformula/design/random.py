"""The random part of a design: grouping factors, their levels, and the columns of each term."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray, IntArray
from lmmformula.data.columns import FactorColumn
from lmmformula.data.factorize import compress
from lmmformula.data.table import Table
from lmmformula.design.coding.model_matrix import matrix
from lmmformula.design.columns.frame import Frame, at
from lmmformula.design.fixed import known_values
from lmmformula.design.schema import Schema
from lmmformula.errors import DataError, LmmFormulaError, printable
from lmmformula.ir.expressions import Variable
from lmmformula.ir.model import ModelIR
from lmmformula.ir.records import RandomTerm

DENSE = 4
"""Cells of an interaction are counted, not sorted, if there are at most this many of them per row."""


@dataclass(frozen=True, slots=True, eq=False)
class GroupedRows:
    """
    A grouping factor on the rows used.

    codes : (n,) level of each row
    levels : (J,) labels of the levels that occur
    """

    codes: IntArray
    levels: tuple[str, ...]


def group_column(table: Table, variable: Variable, source: str) -> FactorColumn:
    """Read one variable of a grouping factor."""
    try:
        return table.factor(variable.name)
    except LmmFormulaError as error:
        raise at(error, variable.span, source) from None


def grouping(columns: Sequence[FactorColumn], rows: IntArray | None) -> GroupedRows:
    """
    Cross the variables of a grouping factor; the first varies slowest, and only levels that occur are kept.

    rows : positions of the rows used, in which nothing is missing; None for all
    """
    parts = []
    for column in columns:
        codes, occurring = compress(column.codes if rows is None else column.codes[rows], len(column.levels))
        is_whole = len(occurring) == len(column.levels)
        parts.append((codes, column.levels if is_whole else tuple(column.levels[i] for i in occurring)))
    codes, levels = parts[0]
    for more, more_levels in parts[1:]:
        codes, cells = _cross(codes, more, len(levels), len(more_levels))
        firsts, seconds = (number.tolist() for number in np.divmod(cells, len(more_levels)))
        levels = tuple([f"{levels[i]}:{more_levels[j]}" for i, j in zip(firsts, seconds, strict=True)])
    may_collide = len(parts) > 1 and any(":" in level for _, own in parts for level in own)
    if may_collide and len(set(levels)) < len(levels):
        twice = next(name for i, name in enumerate(levels) if name in levels[:i])
        raise DataError(
            f"two levels of the interaction are both called '{printable(twice)}'",
            hint="rename levels that have a colon in them",
        )
    return GroupedRows(codes, levels)


def _cross(first: IntArray, second: IntArray, n_first: int, n_second: int) -> tuple[IntArray, IntArray]:
    """Renumber the cells that occur among n_first x n_second."""
    cells = first * n_second + second
    if n_first * n_second <= DENSE * len(cells) + 1024:
        return compress(cells, n_first * n_second)
    for inner, outer, n_inner in ((first, second, n_first), (second, first, n_second)):
        holder = np.empty(n_inner, dtype=np.intp)
        holder[inner] = outer
        if np.array_equal(holder[inner], outer):  # nested: each inner level is a cell, so n rows need no sorting
            each = np.arange(n_inner)
            cell = each * n_second + holder if inner is first else holder * n_second + each
            rank = np.empty(n_inner, dtype=np.intp)
            order = np.argsort(cell)
            rank[order] = each
            return rank[inner], cell[order]
    occurring, codes = np.unique(cells, return_inverse=True)
    return codes.astype(np.intp, copy=False), occurring


def lme4_order(n_levels: Sequence[int]) -> tuple[int, ...]:
    """
    Order random terms as lme4 does: by decreasing number of levels; ties are reversed if anything has to move.

    >>> lme4_order([20, 12, 20]), lme4_order([20, 20, 12])
    ((2, 0, 1), (0, 1, 2))
    """
    given = range(len(n_levels))
    if all(n_levels[i] >= n_levels[i + 1] for i in given[:-1]):
        return tuple(given)
    return tuple(sorted(given, key=n_levels.__getitem__)[::-1])


def check_levels(term: RandomTerm, n_levels: int, n_rows: int, *, gaussian: bool) -> None:
    """Refuse grouping factors that tell nothing: one level, or one level per row (lme4's checks)."""
    name = printable(term.group_name)
    if n_levels < 2:
        raise DataError(
            f"the grouping factor '{name}' has only one level in the rows used",
            span=term.span,
            hint="a variance between groups needs at least two groups; leave this term out",
        )
    if gaussian and n_levels >= n_rows:
        slopes = ", ".join(printable(own.label) for own in term.terms)
        raise DataError(
            f"the grouping factor '{name}' has as many levels as there are rows ({n_rows})",
            span=term.span,
            hint="the residual does already what this term would do; leave it out"
            if term.intercept
            else f"this lets the residual variance depend on {slopes}, which is not supported yet",
        )


def check_number_of_effects(
    term: RandomTerm, n_levels: int, n_coefficients: int, n_rows: int, *, gaussian: bool
) -> None:
    """Refuse an unstructured term with as many random effects as rows; lme4 stops checking where any term is not."""
    if gaussian and term.covariance.any_matrix and n_levels * n_coefficients >= n_rows:
        raise DataError(
            f"the term with group '{printable(term.group_name)}' has {n_levels * n_coefficients} random effects "
            f"({n_levels} levels x {n_coefficients} coefficients) for {n_rows} rows",
            span=term.span,
            hint="its variances and that of the residual can't be told apart; simplify the term",
        )


@np.errstate(all="ignore")
def random_columns(ir: ModelIR, schema: Schema, table: Table) -> tuple[tuple[FloatArray, IntArray], ...]:
    """
    Make the columns of the random terms of new data, in the order of the model's design.

    Returns
    -------
    per term (covariates, codes)
        (n, k), NaN in rows with something missing, the group included; and the level of each row, (n,), -1 for a level
        that the model has not seen and where it is missing.
    """
    frame = Frame(table, ir.source, known=schema.columns, states=schema.states)
    made = []
    for number, random in zip(schema.order, schema.random, strict=True):
        term = ir.random[number]
        values = known_values(frame, schema, term.terms)
        covariates = matrix(random.terms, schema.variables, values, n=table.n_rows, random=True)
        codes, present, _ = _known_codes(table, term, random.levels, ir.source)
        covariates[~present] = np.nan
        made.append((covariates, codes))
    return tuple(made)


def unseen_levels(ir: ModelIR, schema: Schema, table: Table) -> dict[str, tuple[str, ...]]:
    """List, by grouping factor, the levels of new data that the model has not seen."""
    found = {}
    for number, random in zip(schema.order, schema.random, strict=True):
        _, _, unseen = _known_codes(table, ir.random[number], random.levels, ir.source)
        if unseen:
            found[random.group] = unseen
    return found


def _known_codes(
    table: Table, term: RandomTerm, levels: tuple[str, ...], source: str
) -> tuple[IntArray, BoolArray, tuple[str, ...]]:
    """Return each row's level among those of the model, the rows in which none is missing, and the labels unknown."""
    columns = [group_column(table, variable, source) for variable in term.group]
    present = np.logical_and.reduce([column.codes >= 0 for column in columns])
    new = grouping(columns, np.flatnonzero(present))
    position = {name: i for i, name in enumerate(levels)}
    lookup = np.array([position.get(name, -1) for name in new.levels], dtype=np.intp)
    codes = np.full(table.n_rows, -1, dtype=np.intp)
    codes[present] = lookup[new.codes]
    return codes, present, tuple(name for name in new.levels if name not in position)
