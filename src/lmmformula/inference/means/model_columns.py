"""The fixed effects' columns, coded anew: by treatment contrasts, by all levels, or of fewer terms."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray, IntArray
from lmmformula.data.table import Table
from lmmformula.design.coding.contrasts import Contrast
from lmmformula.design.coding.model_matrix import matrix, term_schemas
from lmmformula.design.columns.evaluated import Categorical, Numbers
from lmmformula.design.columns.frame import Frame
from lmmformula.design.design import Design
from lmmformula.design.fixed import known_values
from lmmformula.design.limits import LIMITS
from lmmformula.design.rank import independent_columns
from lmmformula.design.schema import FactorVariable, TermSchema, VariableSchema
from lmmformula.ir.terms import Term
from lmmformula.results.glmm import MixedResult

TREATMENT = Contrast("treatment")

SAMPLE = 2000
"""Rows that can stand for all where only the dependence of columns on one another is asked for."""

ROWS_PER_COLUMN = 40
"""So many for each column of X, if that is more."""


def used_rows(result: MixedResult) -> Table:
    """Return the data that the fit used, as a table."""
    kept = result.design.kept_rows
    return result.table if len(kept) == result.table.n_rows else result.table.take(kept)


def coding_rows(result: MixedResult) -> IntArray | None:
    """
    Return positions, among the rows used, of enough of them to tell how columns depend on one another; None for all.

    One coding of the fixed terms is a linear function of another, the same in every row. So it can be found from any
    rows in which X has full rank.
    """
    n, p = result.design.X.shape
    size = max(SAMPLE, ROWS_PER_COLUMN * p)
    if n <= 2 * size:
        return None
    rows: IntArray = np.linspace(0, n - 1, size).astype(np.intp)
    enough = independent_columns(result.design.X[rows], intercept=result.ir.fixed.intercept).all()
    return rows if enough else None


def variables_on(result: MixedResult, table: Table, terms: Sequence[Term]) -> dict[str, Numbers | Categorical]:
    """Evaluate the variables of terms on rows, by the transformations that the model has learned."""
    frame = Frame(table, result.ir.source, known=result.schema.columns, states=result.schema.states)
    return known_values(frame, result.schema, terms)


def fixed_columns(
    result: MixedResult,
    schemas: Sequence[TermSchema],
    variables: Mapping[str, VariableSchema],
    rows: IntArray | None = None,
) -> FloatArray:
    """
    Make (n, columns) columns of the fixed terms, coded as the schemas say.

    rows : positions among the rows used; None for all
    """
    table = used_rows(result)
    if rows is not None:
        table = table.take(rows)
    values = variables_on(result, table, result.ir.fixed.terms)
    return matrix(schemas, variables, values, n=table.n_rows, random=False)


def treatment_columns(result: MixedResult, rows: IntArray | None = None) -> tuple[FloatArray, IntArray, IntArray]:
    """
    Code X by treatment contrasts, without columns that depend on earlier ones.

    rows : positions among the rows used; None for all

    Returns
    -------
    X, assign, positions
        (n, p) columns, (p,) the term of each (0 for the intercept), and (p,) its place among `full_columns`.
    """
    variables = treatment_variables(result.schema.variables)
    intercept = result.ir.fixed.intercept
    schemas = term_schemas(result.ir.fixed.terms, variables, intercept=intercept, random=False, limit=LIMITS.columns)
    X = fixed_columns(result, schemas, variables, rows)
    keep = independent_columns(X, intercept=intercept)
    places, start, assign = [], 0, []
    for number, term in enumerate(schemas):
        own, width = _places(term, variables)
        places += [start + place for place in own]
        assign += [number if intercept else number + 1] * len(own)
        start += width
    return X[:, keep], np.array(assign)[keep], np.array(places)[keep]


def full_columns(result: MixedResult, rows: IntArray | None = None) -> FloatArray:
    """
    Code every term by all levels of its factors: more columns than can be estimated, and none preferred.

    rows : positions among the rows used; None for all
    """
    variables = result.schema.variables
    schemas = []
    for term in result.schema.fixed:
        _, width = _places(term, variables)
        full = tuple(isinstance(variables[name], FactorVariable) for name in term.variables)
        schemas.append(TermSchema(term.variables, full, ("",) * width))
    return fixed_columns(result, schemas, variables, rows)


def without_term(result: MixedResult, term: Term) -> Design:
    """Return the design of the model without one of its fixed terms, the others coded anew by R's rule."""
    left = [other for other in result.ir.fixed.terms if other != term]
    intercept = result.ir.fixed.intercept
    variables = result.schema.variables
    schemas = term_schemas(left, variables, intercept=intercept, random=False, limit=LIMITS.columns)
    X = fixed_columns(result, schemas, variables)
    keep = independent_columns(X, intercept=intercept)
    names = [name for schema in schemas for name in schema.columns]
    assign = [number + (not intercept) for number, schema in enumerate(schemas) for _ in schema.columns]
    return replace(
        result.design.with_rows(X=np.asfortranarray(X[:, keep])),
        fixed_names=_kept(names, keep),
        fixed_assign=_kept(assign, keep),
        fixed_terms=tuple(other.label for other in left),
        dropped_names=_kept(names, ~keep),
    )


def treatment_variables(variables: Mapping[str, VariableSchema]) -> dict[str, VariableSchema]:
    """Return the variables with all factors coded by treatment contrasts."""
    return {
        name: replace(variable, fixed=TREATMENT) if isinstance(variable, FactorVariable) else variable
        for name, variable in variables.items()
    }


def _places(term: TermSchema, variables: Mapping[str, VariableSchema]) -> tuple[list[int], int]:
    """Return where a term's columns stand among those coded by all levels, and how many these are."""
    own, stride = [], 1
    for name, full in zip(term.variables, term.full, strict=True):
        variable = variables[name]
        if isinstance(variable, FactorVariable):
            first, width = (0 if full else 1), len(variable.levels)
        else:
            first, width = 0, max(len(variable.suffixes), 1)
        own.append([stride * i for i in range(first, width)])
        stride *= width
    return [sum(parts) for parts in product(*reversed(own))], stride


def _kept(items: Sequence[Any], keep: BoolArray) -> tuple[Any, ...]:
    return tuple(item for item, is_kept in zip(items, keep, strict=True) if is_kept)
