"""A model and its data -> what its variables are (`Schema`) and its numbers (`Design`)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.data.table import Table
from lmmformula.design.coding.contrasts import Contrast, default_contrast, read_contrasts
from lmmformula.design.coding.model_matrix import matrix, term_schemas
from lmmformula.design.columns.evaluated import Categorical, Numbers
from lmmformula.design.columns.inputs import SHOWN, Inputs, read_inputs
from lmmformula.design.design import Design, RandomTermDesign
from lmmformula.design.fixed import term_expressions
from lmmformula.design.limits import LIMITS, refuse_large
from lmmformula.design.random import check_levels, check_number_of_effects, lme4_order
from lmmformula.design.rank import independent_columns
from lmmformula.design.response import response_name
from lmmformula.design.rows import AbsentRows, Rows, TermRows
from lmmformula.design.schema import FactorVariable, NumericVariable, RandomSchema, Schema, VariableSchema
from lmmformula.design.times import check_structure, warn_of_order
from lmmformula.errors import DataError, LmmFormulaError, meant, printable, warn
from lmmformula.ir.expressions import Expression, Variable, label
from lmmformula.ir.model import ModelIR
from lmmformula.ir.written.text import random_text

NaAction = Literal["omit", "exclude", "fail"]

SMALLEST, LARGEST = 1e-150, 1e150
"""Numbers, other than zero, whose squares are floats of full precision."""

RESCALE = "rescale its variables"


@np.errstate(all="ignore")  # what is not finite is found, named and counted
def build_design(
    ir: ModelIR,
    table: Table,
    *,
    weights: Any = None,  # noqa: ANN401 (a column's name or anything that numpy makes an array of)
    offset: Any = None,  # noqa: ANN401 (as weights)
    contrasts: Mapping[str, Any] | None = None,
    na_action: NaAction = "omit",
    loglik_weights: Any = None,  # noqa: ANN401 (as weights)
) -> tuple[Schema, Design]:
    """
    Make the design of a model on data: R's columns, in R's order, of the rows in which nothing is missing.

    weights, offset, loglik_weights : name of a column, or (n,) numbers
    contrasts : name of a factor -> "treatment", "sum", "helmert", "poly", "SAS", a matrix with a row per level, or a
        `Contrast`; for X only, as lmer's argument, unless the `Contrast` says otherwise
    na_action : "omit" rows with something missing; "exclude" them (results show them as missing); or "fail"

    Raises
    ------
    DataError
        The data don't fit the formula; the message says where.
    """
    try:
        inputs = read_inputs(ir, table, weights, offset, na_action, loglik_weights)
        y = inputs.y if inputs.offset is None else inputs.y - inputs.offset
        refuse_constant_response(ir, y.min(), y.max(), len(y))
        named = offset if isinstance(offset, str) else None
        schema = make_schema(ir, inputs, read_contrasts(contrasts), named, n_rows=len(inputs.y))
        warn_of_correlated(ir, schema)
        X = _fixed_matrix(schema, inputs)
        schema, X = _drop_dependent(ir, schema, X)
        if ir.family.ordinal:
            schema, X = _without_intercept(ir, schema, X)
        return schema, _checked_design(ir, schema, inputs, X)
    except LmmFormulaError as error:
        raise error.located(ir.source) from None


def make_schema(
    ir: ModelIR, inputs: Inputs, contrasts: Mapping[str, Contrast], offset: str | None, *, n_rows: int
) -> Schema:
    """
    Decide what each variable is, and which columns each term has.

    inputs : of which levels and names are read, but no rows
    n_rows : number of rows used
    """
    wanted = {label(Variable(name)): contrast for name, contrast in contrasts.items()} | dict(contrasts)
    variables = {label(e): _variable(e, inputs.values[label(e)], wanted) for e in term_expressions(ir)}
    _refuse_unknown_contrasts(contrasts, variables)
    fixed = term_schemas(ir.fixed.terms, variables, intercept=ir.fixed.intercept, random=False, limit=LIMITS.columns)
    order = lme4_order([len(inputs.groups[term.group].levels) for term in ir.random])
    return Schema(
        response=response_name(ir.response),
        columns=inputs.frame.columns,
        variables=variables,
        states=inputs.frame.states,
        fixed=fixed,
        random=tuple(_random_schema(ir, i, inputs, variables, n_rows) for i in order),
        order=order,
        offset=offset,
    )


def warn_of_correlated(ir: ModelIR, schema: Schema) -> None:
    """Warn where `||` left the columns of a factor correlated, as it does in lme4."""
    wide = [ir.random[i].span for i, random in zip(schema.order, schema.random, strict=True) if len(random.columns) > 1]
    for span in dict.fromkeys(term.span for term in ir.random if term.split and term.span in wide):
        parts = " + ".join(random_text(term) for term in ir.random if term.span == span)
        typed = ir.source[span.start : span.end].replace("||", "|")
        message = f"`||` separates terms, not the columns of a term; this is read, as in lme4, as {parts}"
        hint = f"diag({typed}) makes all columns independent"
        warn(message, text=ir.source, span=span, hint=hint)


def _variable(
    expression: Expression, value: Numbers | Categorical, contrasts: Mapping[str, Contrast]
) -> VariableSchema:
    """Decide how a variable is coded: by the argument `contrasts`, by C() in the formula, or by R's default."""
    name = label(expression)
    match value:
        case Numbers(suffixes=suffixes):
            return NumericVariable(name, suffixes)
        case Categorical(kind="date"):
            raise DataError(
                f"`{name}` holds dates, which are neither numbers nor levels",
                span=expression.span,
                hint="make a column of days since some day, or of text",
            )
        case Categorical(levels=levels) if len(levels) < 2:
            raise DataError(
                f"the factor `{name}` has only one level in the rows used: {printable(''.join(levels))}",
                span=expression.span,
                hint="contrasts need at least two levels; leave it out",
            )
        case Categorical(levels=levels, ordered=ordered, kind=kind, contrast=own):
            default = own or default_contrast(ordered=ordered)
            given = contrasts.get(name)
            return FactorVariable(
                name, levels, ordered, kind,
                fixed=given or default,
                random=given if given is not None and given.random else default,
            )  # fmt: skip


def _random_schema(
    ir: ModelIR, number: int, inputs: Inputs, variables: Mapping[str, VariableSchema], n_rows: int
) -> RandomSchema:
    """Name the columns and levels of a random term, and make lme4's checks of its size."""
    term = ir.random[number]
    levels = inputs.groups[term.group].levels
    gaussian = ir.family.name == "gaussian"
    check_levels(term, len(levels), n_rows, gaussian=gaussian)
    terms = term_schemas(term.terms, variables, intercept=term.intercept, random=True, limit=LIMITS.coefficients)
    schema = RandomSchema(term.group_name, tuple(variable.name for variable in term.group), levels, terms)
    check_structure(term, variables, len(schema.columns))
    warn_of_order(term, variables, ir.source)
    check_number_of_effects(term, len(levels), len(schema.columns), n_rows, gaussian=gaussian)
    return schema


def _fixed_matrix(schema: Schema, inputs: Inputs) -> FloatArray:
    n_rows = len(inputs.y)
    refuse_large(n_rows, len(schema.fixed_columns), "the matrix of the fixed effects")
    X = matrix(schema.fixed, schema.variables, inputs.values, n=n_rows, random=False)
    _refuse_overflow(X, schema.fixed_columns)
    return X


def _drop_dependent(ir: ModelIR, schema: Schema, X: FloatArray) -> tuple[Schema, FloatArray]:
    """Drop the columns of X that depend on earlier ones, as lme4 does, and say so."""
    independent = independent_columns(X, intercept=ir.fixed.intercept)
    if independent.all():
        return schema, X
    schema = replace(schema, aliased=tuple(np.flatnonzero(~independent).tolist()))
    warn_of_dropped(schema)
    return schema, np.asfortranarray(X[:, independent])


def _without_intercept(ir: ModelIR, schema: Schema, X: FloatArray) -> tuple[Schema, FloatArray]:
    """Leave the intercept to the cutpoints of an ordinal response; the other columns stay as they are beside one."""
    if not ir.fixed.intercept:
        message = "a cumulative model has cutpoints in the place of its intercept, and the formula removes that"
        instead = f"write {response_name(ir.response)} ~ 1"
        raise DataError(message, hint="leave out `0 +` or `- 1`" if ir.fixed.terms else instead)
    aliased = tuple(position - 1 for position in schema.aliased)
    return replace(schema, fixed=schema.fixed[1:], aliased=aliased), X[:, 1:]


def warn_of_dropped(schema: Schema) -> None:
    """Say which columns of X were dropped."""
    dropped = schema.dropped
    shown = ", ".join(f"`{printable(name)}`" for name in dropped[:SHOWN]) + (", ..." if len(dropped) > SHOWN else "")
    columns = f"{len(dropped)} of {len(schema.fixed_columns)} columns dropped"
    warn(f"the fixed effects are linearly dependent: {columns}: {shown}")


def fixed_columns_of(ir: ModelIR, schema: Schema) -> tuple[tuple[str, int], ...]:
    """Return names of the columns of X, dropped ones left out, and the number of the term that each belongs to."""
    first = 0 if ir.fixed.intercept and not ir.family.ordinal else 1
    columns = [(name, i + first) for i, term in enumerate(schema.fixed) for name in term.columns]
    return tuple(columns[j] for j in schema.kept)


def design_of(ir: ModelIR, schema: Schema, inputs: Inputs, X: FloatArray) -> Design:
    """Make the design of the rows of `inputs`, of whose terms the schema has the columns, and the levels that occur."""
    terms = [
        TermRows(
            inputs.groups[ir.random[number].group].codes,
            matrix(random.terms, schema.variables, inputs.values, n=len(inputs.y), random=True),
        )
        for number, random in zip(schema.order, schema.random, strict=True)
    ]
    rows = Rows(inputs.y, X, inputs.rows, inputs.weights, inputs.offset, inputs.loglik_weights)
    n_given = inputs.frame.table.n_rows
    return named_design(ir, schema, rows, terms, n_given, inputs.missing, categories=inputs.categories)


def named_design(
    ir: ModelIR,
    schema: Schema,
    rows: Rows | AbsentRows,
    terms: Sequence[TermRows | AbsentRows],
    n_given: int,
    missing: dict[str, int],
    **others: Any,  # noqa: ANN401 (fields of the design)
) -> Design:
    """
    Name all that a model has in a design, whether the rows are here or not.

    terms : rows of each random term
    """
    columns = fixed_columns_of(ir, schema)
    return Design(
        rows=rows,
        fixed_names=tuple(name for name, _ in columns),
        fixed_assign=tuple(number for _, number in columns),
        fixed_terms=tuple(term.label for term in ir.fixed.terms),
        dropped_names=schema.dropped,
        random_terms=tuple(
            RandomTermDesign(random.group, random.levels, random.columns, own, ir.random[number].covariance)
            for number, random, own in zip(schema.order, schema.random, terms, strict=True)
        ),
        response_name=schema.response,
        n_given=n_given,
        missing=missing,
        **others,
    )


def _checked_design(ir: ModelIR, schema: Schema, inputs: Inputs, X: FloatArray) -> Design:
    """Make the design, unless columns of random terms are too many for memory or too large for floats."""
    for random in schema.random:
        refuse_large(len(inputs.y), len(random.columns), f"the columns of the random term of '{random.group}'")
    design = design_of(ir, schema, inputs, X)
    for term in design.random_terms:
        _refuse_overflow(term.covariates, term.coefficient_names)
    return design


def _refuse_overflow(columns: FloatArray, names: Sequence[str]) -> None:
    """Refuse columns, and products of columns, whose squares are beyond the range of a float."""
    squares = np.einsum("ij,ij->j", columns, columns)
    for j in np.flatnonzero(~((squares > SMALLEST**2) & np.isfinite(squares))).tolist():
        if columns[:, j].any():
            size = "small" if squares[j] <= SMALLEST**2 else "large"
            raise DataError(f"`{printable(names[j])}` is too {size} for a float in some rows", hint=RESCALE)


def refuse_constant_response(ir: ModelIR, lowest: float, highest: float, n_rows: int) -> None:
    """
    Refuse a response without variation.

    lowest, highest : of the response less the offset
    """
    if ir.family.name == "gaussian" and n_rows > 1 and lowest == highest:
        raise DataError(
            f"the response `{response_name(ir.response)}` is constant in the rows used",
            span=ir.response.expressions[0].span,
            hint="there is nothing to explain",
        )
    largest = max(abs(lowest), abs(highest))
    if ir.family.name == "gaussian" and largest and not SMALLEST < largest < LARGEST:
        message = f"the numbers of the response `{response_name(ir.response)}` are too small or too large for a float"
        raise DataError(message, span=ir.response.expressions[0].span, hint=RESCALE)


def _refuse_unknown_contrasts(contrasts: Mapping[str, Contrast], variables: Mapping[str, VariableSchema]) -> None:
    """Refuse contrasts for what is no factor of the model: a misspelt name must not pass in silence."""
    factors = [name for name, variable in variables.items() if isinstance(variable, FactorVariable)]
    for name in contrasts:
        if name in factors or label(Variable(name)) in factors:
            continue
        known = f"the factors are: {', '.join(map(printable, factors))}" if factors else "the model has no factors"
        raise DataError(
            f"contrasts are given for '{printable(name)}', which is no factor of the model",
            hint=meant(name, factors, known),
        )
