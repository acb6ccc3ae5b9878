"""Whether the parts of a saved result fit each other, so that what is wrong with a file shows when it is read."""

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lmmformula.arrays import AnyArray, FloatArray
from lmmformula.conform import require
from lmmformula.data.columns import Column, NumericColumn
from lmmformula.data.table import read_table
from lmmformula.design.columns.summaries import FactorSummary
from lmmformula.design.design import Design
from lmmformula.design.fixed import fixed_matrix, offset_values, term_expressions
from lmmformula.design.random import random_columns
from lmmformula.design.schema import FactorVariable, Schema
from lmmformula.errors import LmmFormulaError
from lmmformula.families.table import family
from lmmformula.fit.glmm import GlmmFit
from lmmformula.fit.likelihood.response import can_fit
from lmmformula.fit.lmm import Fit
from lmmformula.ir.expressions import Apply, Expression, children, label
from lmmformula.ir.family import GAUSSIAN
from lmmformula.ir.functions import REGISTERED
from lmmformula.ir.model import ModelIR
from lmmformula.results.files.kept_numbers import GridValues, Kept, kept_of
from lmmformula.results.predict.uncertainty import has_one_factor


def check_parts(ir: ModelIR, schema: Schema, design: Design) -> None:
    """Refuse a model, its schema and its design that are not of each other; ValueError, KeyError, ... say so."""
    require(1 <= design.nobs <= design.n_given, "the number of rows")
    assign, names = design.fixed_assign, design.fixed_names
    require(len(assign) == len(names) and set(assign) <= set(range(len(design.fixed_terms) + 1)), "fixed_assign")
    columns = schema.fixed_columns
    require(set(schema.aliased) <= set(range(len(columns))), "aliased")
    ordinal = bool(design.categories)
    kept = tuple(columns[j] for j in schema.kept)
    require(names in (kept, kept[1:] if ordinal else kept) and design.dropped_names == schema.dropped, "fixed_names")
    require(design.fixed_terms == tuple(t.label for t in schema.fixed if t.variables), "fixed_terms")
    require(sorted(schema.order) == list(range(len(ir.random))), "order")
    found = tuple((term.group, term.levels, term.coefficient_names) for term in design.random_terms)
    require(found == tuple((term.group, term.levels, term.columns) for term in schema.random), "random_terms")
    require(all(t.levels and len(set(t.levels)) == len(t.levels) and t.columns for t in schema.random), "levels")
    require(
        tuple(ir.random[i].covariance for i in schema.order) == tuple(t.covariance for t in design.random_terms),
        "covariance",
    )
    require(design.response_name == schema.response, "response_name")
    for name, column in schema.columns.items():
        require(column.name == name, "columns")
    for name, variable in schema.variables.items():
        require(variable.label == name, "variables")
        if isinstance(variable, FactorVariable):
            require(len(variable.levels) > 0, "variables")
    for terms in (ir.fixed.terms, *(term.terms for term in ir.random)):
        require({label(factor) for term in terms for factor in term.factors} <= set(schema.variables), "variables")
    _try_out(ir, schema, design)
    _check_grid(kept_of(design).grid, schema, design)


def _try_out(ir: ModelIR, schema: Schema, design: Design) -> None:
    """Make the columns of a row, which needs all that functions have learnt; what a user may meet is no damage."""
    row: dict[str, Any] = {
        name: [1.0 if c.levels is None else next(iter(c.levels), "?")] for name, c in schema.columns.items()
    }
    row |= {name: ["?"] for term in schema.random for name in term.variables if name not in row}
    row |= {} if schema.offset is None else {schema.offset: [0.0]}
    if not row or any(name in REGISTERED for e in (*term_expressions(ir), *ir.offsets) for name in _called(e)):
        return  # what a user has registered is not called before it is needed
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        table = read_table(row)
        try:
            X = fixed_matrix(ir, schema, table)
            require(X.shape == (1, design.n_fixed) and X.dtype == np.float64, "states")
            require(offset_values(ir, schema, table).shape == (1,), "offset")
            made = random_columns(ir, schema, table)
        except LmmFormulaError:
            return
        shapes = [(1, term.n_coefficients) for term in design.random_terms]
        require([z.shape for z, _ in made] == shapes, "states")


def _called(expression: Expression) -> Iterator[str]:
    """Name the functions that an expression calls."""
    if isinstance(expression, Apply):
        yield expression.function
    for child in children(expression):
        yield from _called(child)


def _check_grid(grid: GridValues | None, schema: Schema, design: Design) -> None:
    if grid is None:
        return
    require(grid.aliases.shape == (design.n_fixed, len(schema.aliased)), "aliases")
    require(grid.offsets is None or grid.offsets.ndim == 1, "grid")
    for name, column in grid.columns.items():
        is_factor = isinstance(column, FactorSummary)
        known = schema.columns.get(name)
        require(known is None or is_factor == (known.levels is not None), "grid")
        if not isinstance(column, FactorSummary):
            require(bool(np.isfinite([column.mean, column.low, column.high, *column.values]).all()), "grid")
        else:
            require(column.usual in column.levels, "grid")
            require(known is None or set(column.levels) <= set(known.levels or ()), "grid")


def check_fit(ir: ModelIR, schema: Schema, design: Design, fit: Fit | GlmmFit) -> None:
    """Refuse estimates that are not of the design, and what was worked out from other rows."""
    check_parts(ir, schema, design)
    p, terms = design.n_fixed, design.random_terms
    require(fit.theta.shape == (len(design.theta_names),), "theta")
    require(fit.beta.shape == (p,) and fit.vcov.shape == (p, p), "beta")
    require(len(fit.modes) == len(terms) == len(fit.relative_covariance), "modes")
    for term, S, b in zip(terms, fit.relative_covariance, fit.modes, strict=True):
        k = term.n_coefficients
        require(S.shape == (k, k) and b.shape == (term.n_levels, k), "modes")
    numbers = [fit.theta, fit.beta, fit.vcov, *fit.relative_covariance, *fit.modes]
    if isinstance(fit, Fit):
        require(ir.family == GAUSSIAN and not design.categories, "the family")
        require(fit.sigma >= 0 and fit.pwrss > 0, "sigma")
        require(design.nobs > p or not (fit.reml and terms), "the number of rows")
    else:
        require(kept_of(design).variance is None, "variance")
        _check_generalized(design, fit)
        numbers += fit.mode_covariances
    require(all(np.isfinite(array).all() for array in numbers), "a number")
    _check_kept(kept_of(design), design)


def _check_generalized(design: Design, fit: GlmmFit) -> None:
    """Refuse estimates of another family or approximation; errors may be unknown, which is NaN."""
    require(can_fit(fit.family) and not design.categories, "the family")
    own = {p.name: p.link for p in family(fit.family.name, fit.family.link).parameters}
    for name, value in fit.parameters.items():
        require(value >= 0 if own[name] == "log" else 0 <= value <= 1, "parameters")
    p, terms = design.n_fixed, design.random_terms
    require(len(fit.flat) == p and fit.flat.shape[1] <= p and bool(np.isfinite(fit.flat).all()), "flat")
    scalar = len(terms) == 1 and terms[0].n_coefficients == 1
    require(fit.nagq >= 1 and (fit.nagq == 1 or scalar), "nagq")
    require(bool(np.isfinite([fit.criterion, fit.log_det_L, fit.penalty]).all()), "criterion")
    for term, V, errors in zip(terms, fit.mode_covariances, fit.covariance_errors, strict=True):
        k = term.n_coefficients
        require(V.shape == (term.n_levels, k, k) and errors.shape == (k, k), "mode_covariances")


def _check_kept(kept: Kept, design: Design) -> None:
    """Refuse what was kept in other shapes than the design has."""
    p, q, terms = design.n_fixed, design.n_random, design.random_terms
    v = 1 + sum(t.covariance.n_parameters(t.n_coefficients) for t in terms)
    if (variance := kept.variance) is not None:
        shapes = {"values": (v,), "gradient": (v,), "hessian": (v, v), "vcov": (v, v), "vcov_beta_slopes": (v, p, p)}
        require(all(getattr(variance, name).shape == shape for name, shape in shapes.items()), "variance")
    for kind, hypotheses in (kept.hypotheses or {}).items():
        require(kind in {"I", "II", "III"} and set(hypotheses) <= {*design.fixed_terms, "(Intercept)"}, "hypotheses")
        require(all(_is_hypothesis(L, p) for L in hypotheses.values()), "hypotheses")
    require(kept.residuals is None or kept.residuals.shape == (5,), "residuals")
    if (modes := kept.modes) is not None:
        k = sum(term.n_coefficients for term in terms)
        whole = (terms[0].n_levels, k, k) if terms and has_one_factor(design) else (q, q)
        require(modes.pull.shape == (q, p) and modes.W.shape == whole, "modes")


def check_rows(design: Design) -> None:
    """Refuse a design whose arrays are not of the same rows."""
    n, rows = design.nobs, design.kept_rows
    require(design.y.shape == (n,) and design.X.shape == (n, design.n_fixed), "X")
    require(all(known is None or known.shape == (n,) for known in (design.weights, design.offset)), "weights")
    require(_are_places(rows, n, 0, design.n_given) and bool((np.diff(rows) > 0).all()), "kept_rows")
    for term in design.random_terms:
        require(_are_places(term.codes, n, 0, term.n_levels), "codes")
        require(term.covariates.shape == (n, term.n_coefficients), "covariates")


def check_columns(columns: Mapping[str, Column], n: int) -> None:
    """Refuse columns that are not of n rows."""
    for column in columns.values():
        if isinstance(column, NumericColumn):
            require(column.values.shape == (n,), "columns")
        else:
            require(_are_places(column.codes, n, -1, len(column.levels)), "columns")


def _are_places(found: AnyArray, n: int, low: int, high: int) -> bool:
    """Tell whether an array holds n whole numbers from low to below high."""
    return found.dtype.kind == "i" and found.shape == (n,) and bool(((low <= found) & (found < high)).all())


def _is_hypothesis(L: FloatArray, p: int) -> bool:
    return L.ndim == 2 and L.shape[1] == p and L.shape[0] <= p and bool(np.isfinite(L).all())
