"""Rows that a model predicts, old or new: their columns, and which random coefficients are conditioned on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray, IntArray
from lmmformula.data.table import Table, read_table
from lmmformula.design.coding.model_matrix import matrix
from lmmformula.design.columns.frame import Frame
from lmmformula.design.design import RandomTermDesign
from lmmformula.design.fixed import distinct, fixed_matrix, known_values, offset_values
from lmmformula.design.random import random_columns, unseen_levels
from lmmformula.design.rank import independent_columns
from lmmformula.design.response import response_values
from lmmformula.design.schema import FactorVariable, RandomSchema, Schema
from lmmformula.errors import DataError, FitError, look_alike, printable, warn
from lmmformula.ir.expressions import label, variables
from lmmformula.ir.records import RandomTerm
from lmmformula.results.effects import padded_rows, row_index
from lmmformula.results.estimates import Specified
from lmmformula.results.families import trials_of
from lmmformula.results.files.kept_numbers import kept_of

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

NewLevels = Literal["error", "population"]

NOT_ESTIMABLE = 1e-8
"""Distance from the rows of X, relative to a row's size, beyond which a row can't be estimated."""

CHUNK = 2_000_000
"""Numbers in a dense piece of draws, or nodes, times rows."""

SHOWN = 5
"""Combinations that a warning lists before it says '...'."""


def aliases(model: Specified) -> FloatArray:
    """Return (p, dropped) coefficients a for which the dropped columns of X are X a."""
    grid = kept_of(model.design).grid
    if grid is not None:
        return grid.aliases
    dropped = list(model.schema.aliased)
    if not dropped:
        return np.empty((model.design.n_fixed, 0))
    table, X = some_rows(model)
    columns = fixed_matrix(model.ir, replace(model.schema, aliased=()), table)[:, dropped]
    return np.asarray(np.linalg.lstsq(X, columns, rcond=None)[0], dtype=np.float64)


def some_rows(model: Specified) -> tuple[Table, FloatArray]:
    """
    Return rows from which it can be told how columns depend on one another, and their X.

    They are all rows used, or a sample of those that have passed by; FitError where X is not of full rank in that.
    """
    design = model.design
    if (sums := design.sums) is None:
        rows = design.kept_rows
        return model.table if len(rows) == model.table.n_rows else model.table.take(rows), design.X
    X = sums.sample.X
    if not independent_columns(X, intercept=model.ir.fixed.intercept).all():
        raise FitError(
            "some fixed effects are not in the sample of the rows that was kept of data in parts",
            hint="give the model a data frame that fits in memory",
        )
    return sums.table, X


def inestimable(model: Specified, L: FloatArray) -> BoolArray:
    """
    Tell which rows of (N, P) L, with the columns of X that were dropped, are no function of the coefficients estimated.

    A column of X that was dropped, x = X a, must have the value L a, too.
    """
    dropped, kept = list(model.schema.aliased), list(model.schema.kept)
    a = aliases(model)
    size = 1.0 + np.abs(L[:, dropped]) + np.abs(L[:, kept]) @ np.abs(a)
    off = np.abs(L[:, dropped] - L[:, kept] @ a) > NOT_ESTIMABLE * size
    return np.asarray(off.any(axis=1))


def estimable_rows(model: Specified, table: Table) -> FloatArray:
    """Make the columns of X of new data; rows that can't be estimated are NaN, with a warning that names them."""
    known = model.design.has_criterion or kept_of(model.design).grid
    if not model.schema.aliased or not known:
        return fixed_matrix(model.ir, model.schema, table)
    full = fixed_matrix(model.ir, replace(model.schema, aliased=()), table)
    X = np.asfortranarray(full[:, list(model.schema.kept)])
    off = inestimable(model, full)
    if off.any():
        X[off] = np.nan
        cells = list(dict.fromkeys(_cells(model, table, off)))
        shown = "; ".join(cells[:SHOWN]) + ("; ..." if len(cells) > SHOWN else "")
        warn(f"the data tell nothing of {shown}: such predictions can't be estimated, and are NaN")
    return X


def _cells(model: Specified, table: Table, rows: BoolArray) -> list[str]:
    """Name rows by the variables of the terms that have dropped columns, `a = 3, b = 3`."""
    owners = [term for term in model.schema.fixed for _ in term.columns]
    labels = {name for j in model.schema.aliased for name in owners[j].variables}
    read = [v.name for e in distinct(model.ir.fixed.terms) if label(e) in labels for v in variables(e)]
    parts = []
    for name in dict.fromkeys(read):
        factor = table.factor(name)
        parts.append([f"{printable(name)} = {printable(factor.levels[code])}" for code in factor.codes[rows].tolist()])
    return [", ".join(cell) for cell in zip(*parts, strict=True)]


def random_part(random_terms: Sequence[RandomTermDesign], modes: Sequence[FloatArray]) -> FloatArray | float:
    """
    Compute Z b, row by row.

    modes : per random term, (J, k)
    """
    return sum((_times(term.covariates, term.codes, b) for term, b in zip(random_terms, modes, strict=True)), 0.0)


def pieces(rows: int, n_each: int) -> Iterator[slice]:
    """Cut rows into pieces of which so many numbers for each fit into memory."""
    step = max(1, CHUNK // n_each)
    for first in range(0, rows, step):
        yield slice(first, first + step)


class NewRows:
    """
    Rows that a model is to predict: X, offset and the random terms' columns, by the schema learnt from the old rows.

    Where a variable is missing the columns are NaN, and X where the data tell nothing; a level that the fit has not
    seen has the code -1; random coefficients that are left out have columns of zeros.
    """

    def __init__(self, model: Specified, newdata: object, *, random: str, new_levels: str) -> None:
        _require_known_offset(model)
        masks = coefficients_used(model, random)
        table = read_table(newdata)
        self.index = _index(newdata, table.n_rows)
        self.X = estimable_rows(model, table)
        self.offset: FloatArray | float = offset_values(model.ir, model.schema, table)
        self.random: tuple[tuple[FloatArray, IntArray], ...] = ()
        if any(mask.any() for mask in masks):
            if new_levels == "error":
                _refuse(model.schema, unseen_levels(model.ir, model.schema, table))
            self.random = masked(random_columns(model.ir, model.schema, table), masks)

    def linear_predictor(self, beta: FloatArray, modes: Sequence[FloatArray]) -> FloatArray:
        """
        Compute X beta + offset + Z b; NaN where a variable is missing, no random effect for an unseen level.

        beta : (p,)
        modes : per random term, (J, k); not read for "population"
        """
        effects = sum((_times(z, codes, b) for (z, codes), b in zip(self.random, modes, strict=False)), 0.0)
        return np.asarray(self.X @ beta + self.offset + effects, dtype=float)

    def frame(self, columns: Mapping[Any, FloatArray]) -> "pd.DataFrame":
        """Lay out numbers of the rows; the index is the new data's, where they have one."""
        import pandas as pd

        return pd.DataFrame(columns, index=self.index)


class OldRows(NewRows):
    """The rows that a model was built on."""

    def __init__(self, model: Specified, *, random: str) -> None:
        design = model.design
        masks = coefficients_used(model, random)
        self.X = design.X
        self.index = row_index(model)
        self.model = model
        self.offset = 0.0 if design.offset is None else design.offset
        self.random = ()
        if any(mask.any() for mask in masks):
            self.random = masked([(term.covariates, term.codes) for term in design.random_terms], masks)

    def frame(self, columns: Mapping[Any, FloatArray]) -> "pd.DataFrame":
        """Lay out numbers of the rows by their positions, NaN for rows that were left out where these are given."""
        return super().frame({name: padded_rows(self.model, values) for name, values in columns.items()})


def rows_of(model: Specified, newdata: object, *, random: str, new_levels: str) -> NewRows:
    """Return the rows to predict: those of new data, or those of the model for None."""
    if newdata is None:
        return OldRows(model, random=random)
    return NewRows(model, newdata, random=random, new_levels=new_levels)


def masked(
    columns: Sequence[tuple[FloatArray, IntArray]], masks: Sequence[BoolArray]
) -> tuple[tuple[FloatArray, IntArray], ...]:
    """Put the columns of coefficients that are left out to zero."""
    return tuple((z if mask.all() else z * mask, codes) for (z, codes), mask in zip(columns, masks, strict=True))


def coefficients_used(model: Specified, random: str) -> list[BoolArray]:
    """Return per random term which of its coefficients a prediction is conditional on, (k,)."""
    if not isinstance(random, str):
        random = repr(random)  # refused below, by its text
    if random in ("conditional", "population"):
        return [np.full(t.n_coefficients, random == "conditional") for t in model.design.random_terms]
    if "|" not in random:
        raise FitError(
            f"random={random!r} is not known",
            hint='the choices are: conditional, population, or a formula of random terms such as "~ (1 | group)"',
        )
    from lmmformula.formula.parse import parse_text
    from lmmformula.ir.lower.model import lower

    masks = [np.zeros(term.n_coefficients, dtype=bool) for term in model.design.random_terms]
    for wanted in lower(parse_text(f"y ~ 0 + {random.strip().removeprefix('~').strip()}")).random:
        for name in ["(Intercept)"] * wanted.intercept + [term.label for term in wanted.terms]:
            found = False
            for mask, schema in zip(masks, model.schema.random, strict=True):
                if schema.group == wanted.group_name and (places := _places(model.schema, schema, name, wanted)):
                    mask[places], found = True, True
            if not found:
                group = printable(wanted.group_name)
                raise FitError(f"the model has no random '{printable(name)}' for '{group}', as {random} has")
    return masks


def _places(schema: Schema, random: RandomSchema, label: str, wanted: RandomTerm) -> list[int]:
    """
    Return where the columns of a term stand among a random term's coefficients, none if they are not there.

    The columns of a factor are others when there is no intercept beside them.
    """
    ends = np.cumsum([len(term.columns) for term in random.terms]).tolist()
    for term, end in zip(random.terms, ends, strict=True):
        factors = any(isinstance(schema.variables[name], FactorVariable) for name in term.variables)
        same = wanted.intercept == (random.terms[0].label == "(Intercept)")
        if term.label == label and (same or not factors):
            return list(range(end - len(term.columns), end))
    return []


def random_covariates(model: Specified, newdata: object) -> list[FloatArray]:
    """Return per random term its columns, (m, k), on new rows, where they need no grouping factor; None for the old."""
    if newdata is None:
        return [term.covariates for term in model.design.random_terms]
    table = read_table(newdata)
    frame = Frame(table, model.ir.source, known=model.schema.columns, states=model.schema.states)
    return [
        matrix(
            random.terms,
            model.schema.variables,
            known_values(frame, model.schema, model.ir.random[number].terms),
            n=table.n_rows,
            random=True,
        )
        for number, random in zip(model.schema.order, model.schema.random, strict=True)
    ]


def _times(covariates: FloatArray, codes: IntArray, modes: FloatArray) -> FloatArray:
    """sum_c covariates[i, c] * modes[codes[i], c]; zero where the code is -1."""
    padded = np.vstack([modes, np.zeros((1, modes.shape[1]))])
    product: FloatArray = np.einsum("nk,nk->n", covariates, padded[codes])
    return product


def _require_known_offset(model: Specified) -> None:
    """Refuse to predict new rows of a model whose offset is an array: nobody knows it there."""
    named = model.schema.offset is not None or model.ir.offsets
    if model.design.has_offset and not named:
        raise FitError(
            "the offset was given as an array, which says nothing of new rows",
            hint="give the model the name of a column as offset, or an offset(...) term",
        )


def _refuse(schema: Schema, unseen: Mapping[str, Sequence[str]]) -> None:
    """Refuse levels that the fit has not seen."""
    for group, levels in unseen.items():
        known = next(random.levels for random in schema.random if random.group == group)
        shown = ", ".join(printable(level) for level in levels[:5]) + (", ..." if len(levels) > 5 else "")
        raise DataError(
            f"the new data have levels of '{printable(group)}' that the fit has not seen: {shown}",
            hint=look_alike(levels[0], known) or 'new_levels="population" predicts them without a random effect',
        )


def _index(newdata: object, n_rows: int) -> "pd.Index[Any]":
    """Return the index of a pandas data frame; else positions."""
    import pandas as pd

    return newdata.index if isinstance(newdata, pd.DataFrame) else pd.RangeIndex(n_rows)


def trials_of_rows(model: Specified, newdata: object, given: "npt.ArrayLike | None" = None) -> FloatArray | float:
    """
    Return the trials of rows, 1 where the family has none: of new ones as given, or of the response's own columns.

    newdata : None for the rows of the model
    """
    ir = model.ir
    if newdata is None:
        if given is not None:
            raise FitError("the rows of the data have their own trials", hint="trials= is of new data")
        return trials_of(model.design, ir.family)
    table = read_table(newdata)
    if ir.family.name != "binomial" or not model.design.has_weights:
        if given is not None:
            raise FitError("this model has no trials", hint="leave trials= out")
        return 1.0
    if given is not None:
        return _whole_numbers(given, table.n_rows)
    unknown = FitError(
        "the number of trials of new rows is not known",
        hint="give the new data the columns of the response, or posterior_predictive() trials=10; "
        'interval="confidence" needs none',
    )
    if ir.response.kind == "value":
        raise unknown
    try:
        frame = Frame(table, ir.source, known=model.schema.columns, states=model.schema.states)
        _, trials = response_values(frame, ir.response, ir.family)
    except DataError:
        raise unknown from None
    assert trials is not None
    return trials


def _whole_numbers(given: "npt.ArrayLike", n_rows: int) -> FloatArray:
    """Read trials: one for all rows, or one for each."""
    try:
        trials = np.broadcast_to(np.asarray(given, dtype=np.float64), (n_rows,))
        whole = bool(np.all(np.isnan(trials) | ((trials >= 1) & (trials == np.rint(trials)) & np.isfinite(trials))))
    except (TypeError, ValueError):
        whole = False
    if not whole:
        raise FitError(f"trials are whole numbers from 1, one or {n_rows} of them, not {given!r:.60}")
    return trials
