"""
The reference grid: the combinations of the fixed effects' variables at which a model is asked for its mean.

Factors stand at each of their levels, numeric variables at their mean (at both values, if there are only two), unless
`at` says otherwise. Lenth (2016), J. Stat. Soft. 69(1); Searle, Speed & Milliken (1980), Amer. Statist. 34, 216-221.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Any, Literal

import numpy as np

from lmmformula.arrays import AnyArray, FloatArray, IntArray
from lmmformula.data.columns import FactorColumn, NumericColumn
from lmmformula.data.table import Table, read_table
from lmmformula.design.columns.summaries import FactorSummary, NumericSummary
from lmmformula.design.fixed import fixed_matrix
from lmmformula.errors import FitError, meant, printable
from lmmformula.inference.means.offsets import Offsets, offsets_of
from lmmformula.inference.tests.linear_functions import with_estimate
from lmmformula.results.arguments import check_mapping
from lmmformula.results.estimates import Specified
from lmmformula.results.predict.grid_values import column_summary, fixed_variables, term_variables
from lmmformula.results.predict.rows import inestimable

MOST_POINTS = 100_000
"""Number of combinations that a grid may have."""

Weights = Literal["equal", "proportional", "outer", "cells", "flat"]
"""
How combinations that are averaged over count: alike; by how many rows have them, whatever the variables that stay;
by the product of each variable's own numbers of rows; by the rows of each cell; alike, but for cells without rows.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """
    Points, and what the model's mean is made of at each.

    columns : variable -> its (N,) values, labels or numbers; the first variable varies fastest
    L : (N, P) rows of X with all of its columns, those dropped included
    offset : (N,) known part of the mean
    rows : (N,) number of the data's rows with the levels of each point; NaN where the rows are gone
    """

    columns: dict[str, AnyArray]
    L: FloatArray
    offset: FloatArray
    rows: FloatArray

    def averaged(self, names: Sequence[str], weights: Weights = "equal") -> "Grid":
        """Average over all other variables; NaN where nothing has a weight."""
        code, shares = self.averaging(names, weights)
        first = np.unique(code, return_index=True)[1]
        L = np.zeros((len(first), self.L.shape[1]))
        np.add.at(L, code, shares[:, None] * self.L)
        offset: FloatArray = np.bincount(code, shares * self.offset).astype(float)
        columns = {name: self.columns[name][first] for name in names}
        return Grid(columns, L, offset, np.bincount(code, self.rows).astype(float))

    def averaging(self, names: Sequence[str], weights: Weights) -> tuple[IntArray, FloatArray]:
        """Return the number of each point's combination of some variables, and its share in the mean over others."""
        code, size = self._coded(names)
        points = np.bincount(code, minlength=size)[code]
        shares = np.where(points > 1, self._shares(names, weights), 1.0)
        with np.errstate(invalid="ignore"):
            return code, shares / np.bincount(code, shares, minlength=size)[code]

    def _shares(self, names: Sequence[str], weights: Weights) -> FloatArray:
        """Return (N,) weights of the points, up to a factor for each of the combinations that stay."""
        others = [name for name in self.columns if name not in names]
        match weights:
            case "cells":
                return self.rows
            case "flat":
                return (self.rows > 0).astype(float)
            case "proportional":
                return self._frequencies(others)
            case "outer":
                return np.asarray(prod((self._frequencies([name]) for name in others), start=np.ones(len(self.L))))
            case _:
                return np.ones(len(self.L))

    def _frequencies(self, names: Sequence[str]) -> FloatArray:
        """Return (N,) numbers of rows with the same values of some variables as each point."""
        code, size = self._coded(names)
        return np.asarray(np.bincount(code, self.rows, minlength=size)[code])

    def _coded(self, names: Sequence[str]) -> tuple[IntArray, int]:
        """Return the number of each point's combination of some variables, and how many combinations there are."""
        code, size = np.zeros(len(self.L), dtype=np.intp), 1
        for codes, values in (_ranks(self.columns[name]) for name in names):  # the first varies fastest
            code += size * codes
            size *= len(values)
        return code, size


def reference_grid(
    model: Specified,
    at: Mapping[str, Any] | None = None,
    *,
    wanted: Collection[str] = (),
    offset: float | None = None,
) -> tuple[Grid, Offsets]:
    """
    Make the grid of a model, and say where its offsets stand.

    at : variable -> value or values at which it shall stand
    wanted : variables that a table is to have
    offset : what takes the place of the model's offsets
    """
    at = {} if at is None else at
    check_mapping("at", at, '{"x": [0, 1]}')
    offsets = offsets_of(model, {*map(str, at), *wanted}, offset)
    values = grid_values(model, at, offsets)
    if (size := prod(map(len, values.values()))) > MOST_POINTS:
        raise FitError(f"the reference grid would have {size:,} points", hint="fix some of the variables by `at`")
    points = list(product(*reversed(values.values())))
    columns = {name: np.array([point[-1 - i] for point in points]) for i, name in enumerate(values)}
    counted = model.design.has_rows
    rows = _rows_of_points(model, columns, len(points), at) if counted else np.full(len(points), np.nan)
    return Grid(columns, *rows_at(model, columns, len(points), offsets), rows), offsets


def _rows_of_points(model: Specified, columns: Mapping[str, AnyArray], n: int, at: Mapping[str, Any]) -> FloatArray:
    """Return (n,) numbers of rows with each point's levels; means of numbers count as met by all."""
    kept = model.design.kept_rows
    code, size = np.zeros(len(kept), dtype=np.intp), 1
    places = np.zeros(n, dtype=np.intp)
    for name, values in columns.items():
        match model.table[name]:
            case FactorColumn(codes=codes, levels=levels):
                own, position = codes[kept], {level: i for i, level in enumerate(levels)}
            case NumericColumn(values=numbers):
                known = np.unique(numbers[kept])
                if name in at or len(np.unique(values)) < 2:  # a mean is no level
                    continue
                own, position = np.searchsorted(known, numbers[kept]), {v: i for i, v in enumerate(known.tolist())}
        code += size * own
        places += size * np.array([position[value] for value in values.tolist()], dtype=np.intp)
        size *= len(position)
    found, counts = np.unique(code, return_counts=True)
    where = np.minimum(np.searchsorted(found, places), len(found) - 1)
    return np.where(found[where] == places, counts[where], 0.0)


def rows_at(
    model: Specified, columns: Mapping[str, AnyArray], n: int, offsets: Offsets
) -> tuple[FloatArray, FloatArray]:
    """Return rows of X with all of its columns, (n, P), and offsets, (n,), at given values of the variables."""
    table = read_table(dict(columns)) if columns else Table(n, (), {})
    L = fixed_matrix(model.ir, replace(model.schema, aliased=()), table)
    return L, offsets.at(model, table)


def estimable(model: Specified, L: FloatArray) -> FloatArray:
    """
    Return (N, p) functions of the coefficients that were estimated, NaN where (N, P) L is no function of these.

    A column of X that was dropped, x = X a, must have the value L a, too; and the likelihood must not be flat.
    """
    if not model.schema.aliased:
        return with_estimate(model, L)
    kept = list(model.schema.kept)
    return np.where(inestimable(model, L)[:, None], np.nan, with_estimate(model, L[:, kept]))


def grid_values(model: Specified, at: Mapping[str, Any], offsets: Offsets) -> dict[str, list[Any]]:
    """Return the values at which each variable of the fixed part stands; those of offsets at their means are not."""
    names = fixed_variables(model)
    for name in at:
        refuse_unknown_variable(str(name), names)
    values: dict[str, list[Any]] = {}
    for name in names:
        if name not in offsets.variables and name not in term_variables(model):
            continue
        match column_summary(model, name):
            case FactorSummary(levels=levels):
                values[name] = _given_levels(name, at[name], levels) if name in at else list(levels)
            case NumericSummary(mean=mean, values=few):
                values[name] = _given_numbers(name, at[name]) if name in at else list(few) or [mean]
    return values


METHODS = ("pairwise", "revpairwise", "trt.vs.ctrl", "consec", "eff", "poly")
"""What stands before the `~` of an `emmeans` formula in R."""


def refuse_unknown_variable(name: str, known: Sequence[str]) -> None:
    """Refuse a variable that the fixed part does not have."""
    if name not in known:
        hint = meant(name, known, f"they are: {', '.join(map(printable, known))}")
        hint = 'differences are emmeans("f").pairs()' if name in METHODS else hint
        raise FitError(
            f"'{printable(name)}' is no variable of the fixed effects", hint=hint if known else "there is none"
        )


def refuse_uncounted(model: Specified, weights: Weights) -> None:
    """Refuse weights that count rows where there are none to be counted."""
    if weights != "equal":
        model.design.need_rows(f'weights="{weights}"', 'weights="equal" does not')


def _given_levels(name: str, given: Any, known: Sequence[str]) -> list[str]:  # noqa: ANN401 (what a user gave)
    levels = [_label(value) for value in _listed(given)]
    if not levels:
        raise FitError(f"`at` gives no level of '{printable(name)}'")
    for level in levels:
        if level not in known:
            raise FitError(
                f"'{printable(level)}' is no level of '{printable(name)}'",
                hint=meant(level, known, f"the levels are: {', '.join(map(printable, known[:12]))}"),
            )
    return levels


def _given_numbers(name: str, given: Any) -> list[float]:  # noqa: ANN401 (what a user gave)
    try:
        numbers = np.asarray(_listed(given), dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.ndim != 1 or not len(numbers) or not np.isfinite(numbers).all():
        raise FitError(f"'{printable(name)}' is numeric, and `at` must give finite numbers for it")
    return [float(number) for number in numbers]


def _listed(given: Any) -> list[Any]:  # noqa: ANN401 (what a user gave)
    return list(given) if isinstance(given, (list, tuple, range, np.ndarray)) else [given]


def _label(value: object) -> str:
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value)).upper()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _ranks(column: AnyArray) -> tuple[IntArray, list[Any]]:
    """Return the number of each value in the order of first appearance, and the values."""
    values = list(dict.fromkeys(column.tolist()))
    position = {value: i for i, value in enumerate(values)}
    return np.array([position[value] for value in column.tolist()], dtype=np.intp), values
