"""
What a formula would mean for the data, told while it is being typed.

Sizes come from the levels and codes of columns, each read once; no matrix of all rows is made and nothing is fitted.
"""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray, IntArray
from lmmformula.data.columns import FactorColumn
from lmmformula.data.table import Table
from lmmformula.design.coding.contrasts import default_contrast
from lmmformula.design.coding.model_matrix import matrix, term_schemas
from lmmformula.design.columns.evaluated import Categorical, Numbers, missing, restrict
from lmmformula.design.columns.frame import Frame
from lmmformula.design.fixed import distinct, named_numbers
from lmmformula.design.limits import LIMITS
from lmmformula.design.random import GroupedRows, check_levels, check_number_of_effects, group_column, grouping
from lmmformula.design.rank import independent_columns
from lmmformula.design.response import categories_of, check_support, response_name, response_values
from lmmformula.design.schema import FactorVariable, NumericVariable, TermSchema, VariableSchema
from lmmformula.design.times import check_structure, read_times, refuse_uneven
from lmmformula.errors import FitWarning, LmmFormulaError, printable
from lmmformula.ir.expressions import Expression, label
from lmmformula.ir.family import GAUSSIAN
from lmmformula.ir.model import ModelIR
from lmmformula.ir.records import RandomTerm
from lmmformula.ir.written.text import random_text
from lmmformula.repl.doing.families import equation, response_words

ROWS_LOOKED_AT = 2_000
"""Rows from which dependent columns are told; the first rows of each level come on top."""

COLUMNS_LOOKED_AT = 60
"""With more columns than these, dependence is not looked for while typing."""

MOST_KEPT = 200
"""Expressions whose values are kept; all are forgotten when there are more, since most were half typed."""


@dataclass(frozen=True, slots=True)
class TermSizes:
    """
    The size of one random term.

    text : the term, `(x | g)`
    """

    text: str
    n_coefficients: int
    n_levels: int
    n_parameters: int

    def __str__(self) -> str:
        plural = "" if self.n_parameters == 1 else "s"
        return f"{self.text}: k={self.n_coefficients}, {self.n_levels} levels, {self.n_parameters} parameter{plural}"


@dataclass(frozen=True, slots=True)
class Preview:
    """
    What a model would be.

    n, p : rows that are complete, and columns of X
    terms : the random terms, in the order of the formula
    warnings : what its writer may not have meant
    response : what it is in the family, and what the linear predictor is of; "" in the Gaussian
    """

    n: int
    p: int
    terms: tuple[TermSizes, ...]
    warnings: tuple[str, ...] = ()
    response: str = ""

    def __str__(self) -> str:
        sizes = "   ".join([f"{self.n:,} x {self.p}", *map(str, self.terms)])
        return f"{sizes}\n{self.response}" if self.response else sizes


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """
    The complete rows of one model.

    rows : their positions, None for all
    key : names what they depend on
    """

    rows: IntArray | None
    n: int
    key: tuple[str, ...]

    def of(self, column: FloatArray) -> FloatArray:
        """Take these rows of a column."""
        return column if self.rows is None else column[self.rows]


class Facts:
    """
    What is known of a table's columns, and of expressions of them; learned on first use, and kept.

    >>> from lmmformula.api.input.parsing import parse
    >>> from lmmformula.data.table import read_table
    >>> table = read_table({"y": [1.0, 2, 4, 3], "x": [1.0, 2, 3, 4], "g": ["a", "a", "b", "b"]})
    >>> print(Facts(table).preview(parse("y ~ x + (1 | g)")))
    4 x 2   (1 | g): k=1, 2 levels, 1 parameter
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self._forget()

    @cached_property
    def grouping_columns(self) -> tuple[str, ...]:
        """Columns that are plausible as grouping factors."""
        return tuple(name for name in self.table.names if can_group(self.table, name))

    def _forget(self) -> None:
        self._frame = Frame(self.table)
        self._masks: dict[Expression, BoolArray | None] = {}
        self._variables: dict[tuple[Expression, tuple[str, ...]], VariableSchema] = {}
        self._groups: dict[tuple[str, tuple[str, ...]], GroupedRows] = {}
        self._constant: dict[tuple[Expression, str, tuple[str, ...]], bool] = {}

    def preview(self, ir: ModelIR, weights: str = "", loglik_weights: str = "") -> Preview:
        """
        Tell the sizes of a model, and what is doubtful about it.

        weights, loglik_weights : the columns that hold them

        Raises
        ------
        LmmFormulaError
            The data don't fit the formula; the place is filled in.
        """
        if len(self._frame.values) > MOST_KEPT:
            self._forget()
        try:
            with np.errstate(all="ignore"):
                return self._preview(ir.bind(self.table.names), weights, loglik_weights)
        except LmmFormulaError as error:
            raise error.located(ir.source) from None

    def _preview(self, given: ModelIR, weights: str, loglik_weights: str) -> Preview:
        ir = read_times(given, self.table)
        y, trials = response_values(self._frame, ir.response, ir.family)
        read = {response_name(ir.response): y}
        if weights:
            read[f"weights {weights}"] = prior = named_numbers(self.table, weights, "weights")
            trials = prior if trials is None else trials
        if loglik_weights:
            read[f"loglik_weights {loglik_weights}"] = named_numbers(self.table, loglik_weights, "loglik_weights")
        rows = self._complete(ir, read)
        everything = distinct([*ir.fixed.terms, *(term for random in ir.random for term in random.terms)])
        variables = {label(e): self._variable(e, rows) for e in everything}
        refuse_uneven(given, ir, variables)
        fixed = term_schemas(
            ir.fixed.terms, variables, intercept=ir.fixed.intercept, random=False, limit=LIMITS.columns
        )
        response, doubts = self._response(ir, rows.of(y), None if trials is None else rows.of(trials))
        sizes, found = [], [*doubts, *self._dependent(ir, fixed, variables, rows)]
        for term in ir.random:
            schemas = term_schemas(
                term.terms, variables, intercept=term.intercept, random=True, limit=LIMITS.coefficients
            )
            check_structure(term, variables, sum(len(schema.columns) for schema in schemas))
            sizes.append(self._sizes(ir, term, schemas, rows))
            found += self._unvarying(term, rows)
        p = sum(len(term.columns) for term in fixed) - int(ir.family.ordinal)  # cutpoints are its intercept
        return Preview(rows.n, p, tuple(sizes), tuple(found), response)

    def _response(self, ir: ModelIR, y: FloatArray, trials: FloatArray | None) -> tuple[str, list[str]]:
        """Refuse a response that the family can't have, and say what it is, and what is doubtful about it."""
        check_support(y, ir.response, ir.family)
        if ir.family == GAUSSIAN:
            return "", []
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", FitWarning)
            categories = categories_of(self._frame, ir.response, y) if ir.family.ordinal else ()
        parts = [("Xβ", ir.fixed.terms or not ir.family.ordinal), ("Zb", ir.random), ("offset", ir.offsets)]
        predictor = " + ".join(part for part, is_there in parts if is_there) or "0"
        told = response_words(ir.family, y, trials, categories)
        text = f"{response_name(ir.response)}: {told}   {equation(ir.family, predictor)}"
        return text, [str(warning.message) for warning in caught]

    def _complete(self, ir: ModelIR, numbers: Mapping[str, FloatArray]) -> _Rows:
        """
        Find the rows in which nothing that the model reads is missing.

        numbers : what it reads beside its terms
        """
        masks = {name: missing(Numbers(values)) for name, values in numbers.items()}
        terms = [*ir.fixed.terms, *(term for random in ir.random for term in random.terms)]
        masks |= {label(e): self._mask(e) for e in (*distinct(terms), *ir.offsets)}
        for variable in (v for term in ir.random for v in term.group):
            codes = group_column(self.table, variable, ir.source).codes
            masks[f"factor {variable.name}"] = missing(Categorical(codes, ()))
        found = {name: mask for name, mask in masks.items() if mask is not None}
        if not found:
            return _Rows(None, self.table.n_rows, ())
        rows = np.flatnonzero(~np.logical_or.reduce(list(found.values())))
        return _Rows(rows, len(rows), tuple(sorted(found)))

    def _mask(self, expression: Expression) -> BoolArray | None:
        if expression not in self._masks:
            self._masks[expression] = missing(self._frame.evaluate(expression))
        return self._masks[expression]

    def _variable(self, expression: Expression, rows: _Rows) -> VariableSchema:
        key = (expression, rows.key)
        if key not in self._variables:
            self._variables[key] = _schema(label(expression), restrict(self._frame.column(expression), rows.rows))
        return self._variables[key]

    def _grouping(self, term: RandomTerm, rows: _Rows) -> GroupedRows:
        key = (term.group_name, rows.key)
        if key not in self._groups:
            self._groups[key] = grouping([self.table.factor(v.name) for v in term.group], rows.rows)
        return self._groups[key]

    def _sizes(self, ir: ModelIR, term: RandomTerm, schemas: tuple[TermSchema, ...], rows: _Rows) -> TermSizes:
        """Count levels, coefficients and parameters; make lme4's checks of them."""
        found = self._grouping(term, rows)
        names = tuple(name for schema in schemas for name in schema.columns)
        gaussian = ir.family.name == "gaussian"
        check_levels(term, len(found.levels), rows.n, gaussian=gaussian)
        check_number_of_effects(term, len(found.levels), len(names), rows.n, gaussian=gaussian)
        return TermSizes(random_text(term), len(names), len(found.levels), term.covariance.n_parameters(len(names)))

    def _unvarying(self, term: RandomTerm, rows: _Rows) -> Iterator[str]:
        """Find slopes of what is constant within each level: they can't be told from the intercept's variation."""
        group = self._grouping(term, rows)
        for expression in distinct(term.terms):
            key = (expression, term.group_name, rows.key)
            if key not in self._constant:
                self._constant[key] = _is_constant_within(restrict(self._frame.column(expression), rows.rows), group)
            if self._constant[key]:
                name, levels = printable(label(expression)), printable(term.group_name)
                yield f"`{name}` is constant within each level of `{levels}`: its slope can't vary there"

    def _dependent(
        self, ir: ModelIR, fixed: tuple[TermSchema, ...], variables: dict[str, VariableSchema], rows: _Rows
    ) -> Iterator[str]:
        """Find columns of X that depend on earlier ones, in a sample of the rows that has all levels."""
        names = [name for term in fixed for name in term.columns]
        if not 1 < len(names) <= COLUMNS_LOOKED_AT:
            return
        expressions = distinct(ir.fixed.terms)
        values = {label(e): restrict(self._frame.column(e), rows.rows) for e in expressions}
        sample = _sample(rows.n, [value for value in values.values() if isinstance(value, Categorical)])
        looked_at = {name: _at(value, sample) for name, value in values.items()}
        X = matrix(fixed, variables, looked_at, n=len(sample), random=False)
        if not np.isfinite(X).all():
            return
        for j in np.flatnonzero(~independent_columns(X, intercept=ir.fixed.intercept)):
            where = "" if len(sample) == rows.n else f" in the {len(sample):,} rows looked at"
            yield f"column `{printable(names[j])}` depends on earlier ones{where}, and would be dropped"


def column_text(table: Table, name: str) -> str:
    """
    Say what a column is: `numeric`, `factor, 18 levels`.

    >>> from lmmformula.data.table import read_table
    >>> column_text(read_table({"g": ["a", "b", "a"]}), "g")
    'string, 2 levels'
    """
    try:
        column = table[name]
    except LmmFormulaError:
        return "unusable"
    match column:
        case FactorColumn(levels=levels, ordered=ordered, kind=kind):
            what = "ordered factor" if ordered else kind
            return f"{what}, {len(levels)} levels"
        case _:
            return "numeric"


def can_group(table: Table, name: str) -> bool:
    """
    Tell whether a column is plausible as a grouping factor: levels that repeat, and no fractions.

    >>> from lmmformula.data.table import read_table
    >>> table = read_table({"g": [1, 1, 2, 2], "x": [0.5, 1.5, 0.5, 1.5], "id": ["a", "b", "c", "d"]})
    >>> [can_group(table, name) for name in table]
    [True, False, False]
    """
    try:
        column = table[name]
        if not isinstance(column, FactorColumn):
            values = column.values[np.isfinite(column.values)]
            if not np.array_equal(values, np.floor(values)):
                return False
        return 2 <= len(table.factor(name).levels) < table.n_rows
    except LmmFormulaError:
        return False


def _schema(name: str, value: Numbers | Categorical) -> VariableSchema:
    match value:
        case Numbers(suffixes=suffixes):
            return NumericVariable(name, suffixes)
        case Categorical(levels=levels, ordered=ordered, kind=kind, contrast=own):
            contrast = own or default_contrast(ordered=ordered)
            return FactorVariable(name, levels, ordered, kind, fixed=contrast, random=contrast)


def _is_constant_within(value: Numbers | Categorical, group: GroupedRows) -> bool:
    columns = value.codes[:, None] if isinstance(value, Categorical) else value.values.reshape(len(group.codes), -1)
    for column in columns.T:
        one_of_each = np.empty(len(group.levels), dtype=column.dtype)
        one_of_each[group.codes] = column
        if not np.array_equal(one_of_each[group.codes], column):
            return False
    return True


def _sample(n: int, factors: list[Categorical]) -> IntArray:
    """Return positions spread over all rows, and one row of each level of each factor."""
    if n <= ROWS_LOOKED_AT:
        return np.arange(n)
    chosen = [np.linspace(0, n - 1, ROWS_LOOKED_AT).astype(np.intp)]
    for value in factors:
        row_of = np.zeros(len(value.levels), dtype=np.intp)
        row_of[value.codes] = np.arange(n)
        chosen.append(row_of)
    return np.unique(np.concatenate(chosen))


def _at(value: Numbers | Categorical, rows: IntArray) -> Numbers | Categorical:
    """Take rows, keeping all levels."""
    match value:
        case Categorical(codes=codes):
            return replace(value, codes=codes[rows])
        case Numbers(values=values):
            return replace(value, values=values[rows])
