"""Predictions for old and new rows, and responses drawn from a fitted model."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.data.table import read_table
from lmmformula.design.fixed import fixed_matrix, offset_values
from lmmformula.design.matrices import DesignMatrices, RandomTermDesign
from lmmformula.design.random import random_columns, unseen_levels
from lmmformula.design.schema import Schema
from lmmformula.errors import DataError, FitError, printable
from lmmformula.fit.lmm import Fit
from lmmformula.ir.model import ModelIR

if TYPE_CHECKING:
    import pandas as pd

    from lmmformula.results.lmm import LinearMixedResult

RandomPart = Literal["conditional", "population"]
NewLevels = Literal["error", "population"]


class Estimates(Protocol):
    """What a prediction needs: a model, its schema and matrices; fixed and random effects come as arguments."""

    @property
    def ir(self) -> ModelIR: ...  # noqa: D102
    @property
    def schema(self) -> Schema: ...  # noqa: D102
    @property
    def design(self) -> DesignMatrices: ...  # noqa: D102


def random_part(random_terms: Sequence[RandomTermDesign], modes: Sequence[FloatArray]) -> FloatArray | float:
    """
    Compute Z b, row by row.

    modes : per random term, (J, k)
    """
    return sum((_times(term.covariates, term.codes, b) for term, b in zip(random_terms, modes, strict=True)), 0.0)


class NewRows:
    """
    Rows that a model is to predict: X, offset and the random terms' columns, by the schema learnt from the old rows.

    Where a variable is missing the columns are NaN; a level that the fit has not seen has the code -1.
    """

    def __init__(self, model: Estimates, newdata: object, *, random: RandomPart, new_levels: NewLevels) -> None:
        _check_choices(random, new_levels)
        _require_known_offset(model)
        table = read_table(newdata)
        self.index = _index(newdata, table.n_rows)
        self.X = fixed_matrix(model.ir, model.schema, table)
        self.offset = offset_values(model.ir, model.schema, table)
        self.random: tuple[tuple[FloatArray, IntArray], ...] = ()
        if random == "conditional":
            if new_levels == "error":
                _refuse(unseen_levels(model.ir, model.schema, table))
            self.random = random_columns(model.ir, model.schema, table)

    def linear_predictor(self, beta: FloatArray, modes: Sequence[FloatArray]) -> FloatArray:
        """
        Compute X beta + offset + Z b; NaN where a variable is missing, no random effect for an unseen level.

        beta : (p,)
        modes : per random term, (J, k); not read for "population"
        """
        effects = sum((_times(z, codes, b) for (z, codes), b in zip(self.random, modes, strict=False)), 0.0)
        return np.asarray(self.X @ beta + self.offset + effects, dtype=float)


def predictions(
    result: "LinearMixedResult", newdata: object, *, random: RandomPart, new_levels: NewLevels
) -> "pd.Series[float]":
    """Predict new rows from a `LinearMixedResult`; the index is the new data's, where they have one."""
    import pandas as pd

    rows = NewRows(result, newdata, random=random, new_levels=new_levels)
    return pd.Series(rows.linear_predictor(result.fit.beta, result.fit.modes), index=rows.index, name="prediction")


def simulated(design: DesignMatrices, fit: Fit, population: FloatArray, n: int, rng: np.random.Generator) -> FloatArray:
    """
    Draw (nobs, n) responses: y = population + Z b + e, with b and e drawn anew for each column.

    population : (nobs,) X beta + offset
    """
    if n < 1:
        raise FitError(f"simulate needs n of at least 1, and was given {n}")
    scale = fit.sigma if design.weights is None else fit.sigma / np.sqrt(design.weights)
    roots = [_root(relative) for relative in fit.relative_covariance]
    columns = []
    for _ in range(n):
        modes = [
            fit.sigma * rng.standard_normal((term.n_levels, term.n_coefficients)) @ root
            for term, root in zip(design.random_terms, roots, strict=True)
        ]
        noise = scale * rng.standard_normal(design.nobs)
        columns.append(population + random_part(design.random_terms, modes) + noise)
    return np.column_stack(columns)


def _times(covariates: FloatArray, codes: IntArray, modes: FloatArray) -> FloatArray:
    """sum_c covariates[i, c] * modes[codes[i], c]; zero where the code is -1."""
    padded = np.vstack([modes, np.zeros((1, modes.shape[1]))])
    product: FloatArray = np.einsum("nk,nk->n", covariates, padded[codes])
    return product


def _root(covariance: FloatArray) -> FloatArray:
    """Symmetric square root, also of a singular covariance matrix."""
    values, vectors = np.linalg.eigh(covariance)
    root: FloatArray = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    return root


def _require_known_offset(model: Estimates) -> None:
    """Refuse to predict new rows of a model whose offset is an array: nobody knows it there."""
    named = model.schema.offset is not None or model.ir.offsets
    if model.design.offset is not None and not named:
        raise FitError(
            "the offset was given as an array, which says nothing of new rows",
            hint="give the model the name of a column as offset, or an offset(...) term",
        )


def _refuse(unseen: Mapping[str, Sequence[str]]) -> None:
    """Refuse levels that the fit has not seen."""
    for group, levels in unseen.items():
        shown = ", ".join(printable(level) for level in levels[:5]) + (", ..." if len(levels) > 5 else "")
        raise DataError(
            f"the new data have levels of '{printable(group)}' that the fit has not seen: {shown}",
            hint='new_levels="population" predicts them without a random effect',
        )


def _check_choices(random: str, new_levels: str) -> None:
    for name, value, choices in (
        ("random", random, ("conditional", "population")),
        ("new_levels", new_levels, ("error", "population")),
    ):
        if value not in choices:
            raise FitError(f"{name}={value!r} is not known", hint=f"the choices are: {', '.join(choices)}")


def _index(newdata: object, n_rows: int) -> "pd.Index[Any]":
    """Return the index of a pandas data frame; else positions."""
    import pandas as pd

    return newdata.index if isinstance(newdata, pd.DataFrame) else pd.RangeIndex(n_rows)
