"""
The first pass over data in parts: which rows are complete, what each variable is, what scale() and the like must know.

What a part knows is a `Learned`; two of them add up to what both parts know. From that of all parts follows the very
`Schema` that the data would have given in one table.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from lmmformula.arrays import AnyArray, FloatArray, IntArray
from lmmformula.data.columns import FactorColumn, NumericColumn
from lmmformula.data.fingerprint import WORD, fingerprint
from lmmformula.data.table import Table, read_table
from lmmformula.design.coding.contrasts import Contrast
from lmmformula.design.coding.factors import MAKE_LEVELS, State
from lmmformula.design.coding.levels import Levels, column_levels, number_key, united
from lmmformula.design.columns.evaluated import Categorical, Numbers, column_of_numbers
from lmmformula.design.columns.frame import Frame, at
from lmmformula.design.columns.inputs import Inputs, complete_cases
from lmmformula.design.columns.mergeable import SCALED, calls, columns_read, expressions, scaling_of
from lmmformula.design.columns.summaries import (
    ColumnSummary,
    PartialSummary,
    SampleMoments,
    columns_read_as_levels,
    term_columns_read,
)
from lmmformula.design.fixed import term_expressions
from lmmformula.design.random import GroupedRows
from lmmformula.design.schema import ColumnSchema
from lmmformula.errors import DataError
from lmmformula.ir.expressions import Apply, Expression, Variable, label, variables
from lmmformula.ir.functions import bound
from lmmformula.ir.model import ModelIR
from lmmformula.ir.records import RandomTerm

SAMPLE = 1 << 15
"""Rows from which coordinates are learnt."""


@dataclass(frozen=True, slots=True)
class Seen:
    """
    What a part knows of a variable of the terms.

    levels : what it is; all levels, used or not
    used : the levels in complete rows
    suffixes, contrast : as in `Numbers` and `Categorical`
    """

    levels: Levels
    used: frozenset[str] = frozenset()
    suffixes: tuple[str, ...] = ()
    contrast: Contrast | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """
    The complete rows with the lowest of random numbers that were drawn for all: a sample that can be merged.

    priority : (m,) those numbers
    columns : name -> (m,) numbers, or labels
    """

    priority: FloatArray
    columns: dict[str, AnyArray]

    def __add__(self, other: "Sample") -> "Sample":
        priority = np.concatenate([self.priority, other.priority])
        columns = {name: _joined(values, other.columns[name]) for name, values in self.columns.items()}
        return Sample(priority, columns).cut()

    def cut(self) -> "Sample":
        """Keep the rows with the lowest numbers, in their order."""
        if len(self.priority) <= SAMPLE:
            return self
        kept = np.sort(np.argpartition(self.priority, SAMPLE)[:SAMPLE])
        return Sample(self.priority[kept], {name: values[kept] for name, values in self.columns.items()})


def _joined(a: AnyArray, b: AnyArray) -> AnyArray:
    """Concatenate; a column of nothing but missing values takes the other's type."""
    if a.dtype == b.dtype:
        return np.concatenate([a, b])
    return np.concatenate([a.astype(object), b.astype(object)])


@dataclass(frozen=True, slots=True)
class Learned:
    """
    What some parts of the data know.

    n_given, n : rows, and complete rows
    missing, invented : column or expression -> rows in which it is missing, or in which it is although its columns
        are not
    columns : the columns read -> what they hold
    seen : the variables of the terms, by label
    groups : per random term, the levels of its variables that occur together in complete rows
    group_levels : the variables of the grouping factors -> their levels
    moments : arguments of scale(), by the text of the call
    states : what other functions remember, which is the same in all parts
    response : of the response less the offset, in complete rows
    sample : some of the complete rows
    rows : the fingerprint of all rows
    values : of the columns that terms read, in complete rows
    """

    n_given: int
    n: int
    missing: Counter[str]
    invented: Counter[str]
    columns: dict[str, Levels]
    seen: dict[str, Seen]
    groups: tuple[frozenset[tuple[str, ...]], ...]
    group_levels: dict[str, Levels]
    moments: dict[str, SampleMoments]
    states: dict[str, State]
    response: SampleMoments
    sample: Sample
    rows: int
    values: dict[str, PartialSummary]

    def __add__(self, other: "Learned") -> "Learned":
        return Learned(
            n_given=self.n_given + other.n_given,
            n=self.n + other.n,
            missing=self.missing + other.missing,
            invented=self.invented + other.invented,
            columns={name: united(name, (own, other.columns[name])) for name, own in self.columns.items()},
            seen={name: _both(name, own, other.seen[name]) for name, own in self.seen.items()},
            groups=tuple(a | b for a, b in zip(self.groups, other.groups, strict=True)),
            group_levels={n: united(n, (own, other.group_levels[n])) for n, own in self.group_levels.items()},
            moments={name: own + other.moments[name] for name, own in self.moments.items()},
            states=other.states | self.states,
            response=self.response + other.response,
            sample=self.sample + other.sample,
            rows=(self.rows + other.rows) % WORD,
            values={name: own + other.values[name] for name, own in self.values.items()},
        )


def _both(name: str, a: Seen, b: Seen) -> Seen:
    if b.levels.nature == "nothing":
        return a
    return Seen(united(name, (a.levels, b.levels)), a.used | b.used, b.suffixes or a.suffixes, b.contrast or a.contrast)


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What is to be learnt.

    weights, offset : names of columns
    known : columns whose levels must be known before expressions of them can be computed
    states : of functions that make factors, known with them
    """

    ir: ModelIR
    weights: str | None = None
    offset: str | None = None
    known: dict[str, ColumnSchema] = field(default_factory=dict)
    states: dict[str, State] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the model reads."""
        return columns_read(self.ir, self.weights, self.offset)

    @property
    def predictors(self) -> list[str]:
        """Those that the terms and the offset read."""
        return term_columns_read(self.ir, self.offset)

    @property
    def variables(self) -> tuple[str, ...]:
        """Those that expressions read; the others are grouping factors or weights."""
        return tuple(dict.fromkeys(v.name for e in expressions(self.ir) if isinstance(v := e, Variable)))


@np.errstate(all="ignore")
def learn(plan: Plan, table: Table, place: tuple[int, ...]) -> Learned:
    """
    Learn what a part knows.

    place : numbers of the part and of the table in it, from which the sample's random numbers are drawn
    """
    ir = plan.ir
    states = {label(call): {"center": 0.0, "scale": 1.0} for call in calls(ir, SCALED)}
    frame = Frame(table, ir.source, known=plan.known, states=states | plan.states)
    inputs = complete_cases(frame, ir, plan.weights, plan.offset)
    y = inputs.y if inputs.offset is None else inputs.y - inputs.offset
    evaluated = (*ir.response.expressions, *term_expressions(ir))
    invented = {label(e): rows for e in evaluated if (rows := frame.invented(e)) is not None}
    levels = columns_read_as_levels(ir)
    group_levels = {v.name: _group_levels(table, v) for term in ir.random for v in term.group}
    return Learned(
        n_given=table.n_rows,
        n=len(inputs.y),
        missing=Counter(inputs.missing),
        invented=Counter({name: int(rows.sum()) for name, rows in invented.items()}),
        columns={name: column_levels(table[name]) for name in plan.variables},
        seen={label(e): _seen(frame, e, inputs) for e in term_expressions(ir)},
        groups=tuple(_cells(table, term, inputs) for term in ir.random),
        group_levels=group_levels,
        moments={
            label(c): SampleMoments.of(column_of_numbers(frame.evaluate(bound(c)["x"]))) for c in calls(ir, SCALED)
        },
        states={text: state for text, state in frame.states.items() if text not in states},
        response=SampleMoments.of(y),
        sample=_sample(plan, table, inputs.rows, place),
        rows=fingerprint(table, plan.columns),
        values={
            name: PartialSummary.of(table[name], inputs.rows, as_levels=name in levels) for name in plan.predictors
        },
    )


def summaries(plan: Plan, learned: Learned) -> dict[str, ColumnSummary]:
    """Sum up the variables that terms read; without those that would take too much."""
    levels = columns_read_as_levels(plan.ir)
    found = {
        name: values.summary(learned.columns[name].labels if name in learned.columns else (), as_levels=name in levels)
        for name, values in learned.values.items()
    }
    return {name: summary for name, summary in found.items() if summary is not None}


def _group_levels(table: Table, variable: Variable) -> Levels:
    factor = table.factor(variable.name)
    return column_levels(table[variable.name], factor.levels)


def _seen(frame: Frame, expression: Expression, inputs: Inputs) -> Seen:
    match frame.column(expression):
        case Numbers(values=values, suffixes=suffixes):
            some = bool((~np.isnan(values)).any())
            return Seen(Levels("numbers" if some else "nothing"), suffixes=suffixes)
        case Categorical(levels=levels, ordered=ordered, kind=kind, contrast=contrast):
            used = inputs.values[label(expression)]
            assert isinstance(used, Categorical)
            return Seen(Levels(kind, levels, ordered), frozenset(used.levels), contrast=contrast)


def _cells(table: Table, term: RandomTerm, inputs: Inputs) -> frozenset[tuple[str, ...]]:
    """Return the levels of a term's variables that occur together, by a row in which each cell occurs."""
    group = inputs.groups[term.group]
    if len(term.group) == 1:
        return frozenset((level,) for level in group.levels)
    row = np.zeros(len(group.levels), dtype=np.intp)
    row[group.codes] = np.arange(len(group.codes)) if inputs.rows is None else inputs.rows
    columns = [table.factor(variable.name) for variable in term.group]
    labels = [[column.levels[code] for code in column.codes[row].tolist()] for column in columns]
    return frozenset(zip(*labels, strict=True))


def _sample(plan: Plan, table: Table, rows: IntArray | None, place: tuple[int, ...]) -> Sample:
    n = table.n_rows if rows is None else len(rows)
    priority = np.random.default_rng(place).random(n)
    chosen = np.arange(n) if n <= SAMPLE else np.sort(np.argpartition(priority, SAMPLE)[:SAMPLE])
    kept = chosen if rows is None else rows[chosen]
    numeric = {*plan.variables, plan.weights, plan.offset}
    columns: dict[str, AnyArray] = {}
    for name in plan.columns:
        match table[name] if name in numeric else table.factor(name):
            case NumericColumn(values=values):
                columns[name] = values[kept]
            case FactorColumn(codes=codes, levels=levels):
                labels = np.array([*levels, None], dtype=object)
                columns[name] = labels[codes[kept]]
    return Sample(priority[chosen], columns)


def level_columns(ir: ModelIR) -> tuple[str, ...]:
    """List the columns that functions are applied to: if they are factors, all their levels must be known first."""
    inside = [v for e in expressions(ir) if isinstance(e, Apply) for v in variables(e)]
    return tuple(dict.fromkeys(variable.name for variable in inside))


def learn_levels(
    names: Collection[str], table: Table, _: tuple[int, ...], *, of_numbers: bool = False
) -> "LevelsByName":
    """Learn what some columns hold, and the levels of factors among them, or of all of them."""
    labels = {name: table.factor(name).levels if of_numbers else () for name in names}
    return LevelsByName({name: column_levels(table[name], labels[name]) for name in names})


@dataclass(frozen=True, slots=True)
class LevelsByName:
    """What some parts know of some columns."""

    levels: dict[str, Levels]

    def __add__(self, other: "LevelsByName") -> "LevelsByName":
        return LevelsByName({name: united(name, (own, other.levels[name])) for name, own in self.levels.items()})


def with_levels(plan: Plan, found: LevelsByName) -> Plan:
    """Add to a plan what is now known of columns, and what factor() and the like make of it."""
    schemas = {name: _column_schema(name, levels) for name, levels in found.levels.items()}
    known = {name: schema for name, schema in schemas.items() if schema.levels is not None}
    states: dict[str, State] = {}
    for call in calls(plan.ir, MAKE_LEVELS):
        argument = bound(call)["x"]
        if isinstance(argument, Variable):
            levels = found.levels[argument.name]
            values = list(map(number_key, levels.labels)) if levels.nature == "numbers" else list(levels.labels)
            frame = Frame(read_table({argument.name: values}), plan.ir.source, known=known)
            frame.evaluate(call)
            states |= frame.states
    return replace(plan, known=known, states=states)


def merged_inputs(plan: Plan, learned: Learned) -> Inputs:
    """Return what is known of all rows as `Inputs` that hold levels, names and states, but no rows."""
    ir = plan.ir
    states: dict[str, State] = dict(learned.states)
    for call in calls(ir, SCALED):
        try:
            states[label(call)] = scaling_of(call, learned.moments[label(call)])
        except DataError as error:
            raise at(error, call.span, ir.source) from None
    no_codes: IntArray = np.empty(0, dtype=np.intp)
    groups = {
        term.group: GroupedRows(no_codes, _group_order(term, cells, learned.group_levels))
        for term, cells in zip(ir.random, learned.groups, strict=True)
    }
    columns = {name: _column_schema(name, levels) for name, levels in learned.columns.items()}
    values = {name: _value(seen) for name, seen in learned.seen.items()}
    frame = Frame(read_table({}), ir.source, states=states, columns=columns)
    return Inputs(frame, None, np.empty(0), None, None, values, groups, learned.missing)


def _column_schema(name: str, levels: Levels) -> ColumnSchema:
    if levels.nature in {"numbers", "nothing"}:
        return ColumnSchema(name)
    return ColumnSchema(name, levels.labels, levels.ordered, levels.kind)


def _value(seen: Seen) -> Numbers | Categorical:
    levels = seen.levels
    if levels.nature in {"numbers", "nothing"}:
        return Numbers(np.empty(0), seen.suffixes)
    used = levels.labels if levels.nature == "logical" else tuple(x for x in levels.labels if x in seen.used)
    return Categorical(np.empty(0, dtype=np.intp), used, levels.ordered, levels.kind, seen.contrast)


def _group_order(term: RandomTerm, cells: frozenset[tuple[str, ...]], levels: Mapping[str, Levels]) -> tuple[str, ...]:
    """Put the levels of a grouping factor into the order in which one table has them: the first varies slowest."""
    ranks = [{name: i for i, name in enumerate(levels[variable.name].labels)} for variable in term.group]
    ordered = sorted(cells, key=lambda cell: tuple(rank[name] for rank, name in zip(ranks, cell, strict=True)))
    names = tuple(":".join(cell) for cell in ordered)
    if len(set(names)) < len(names):
        raise DataError("two levels of an interaction have the same name", hint="rename levels that have a colon")
    return names
