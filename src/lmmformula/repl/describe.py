"""Data, models and trees in words: what the session prints beside the package's own summaries."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.data.columns import FactorColumn
from lmmformula.data.table import Table
from lmmformula.design.design import Design, RandomTermDesign
from lmmformula.errors import printable
from lmmformula.ir.family import GAUSSIAN
from lmmformula.present.explain import missing_text
from lmmformula.present.numbers import format_numbers
from lmmformula.present.tables import matrix_lines
from lmmformula.repl.doing.families import family_text, response_words
from lmmformula.repl.state import Data
from lmmformula.repl.typing.facts import can_group, column_text
from lmmformula.results.tables.lines import table_lines
from lmmformula.screen import filled
from lmmformula.stan.program.responses import own_parameters

if TYPE_CHECKING:
    from lmmformula.api.model import Model

MOST_NAMES = 6
"""Coefficients that a paragraph names before it says '...'."""

MOST_COLUMNS = 30
"""Columns that `:data` describes; `:columns` describes all."""

UNTOLD = frozenset(("span", "name_span", "target_span", "source", "text"))
"""Fields of nodes that tell where something was typed, not what it means."""


def data_lines(data: Data) -> str:
    """Say what the data are: rows, and columns with their kinds."""
    table = data.table
    shown = table.names[:MOST_COLUMNS]
    columns = ", ".join(f"{printable(name)} ({column_text(table, name)})" for name in shown)
    more = ", ..." if len(table.names) > len(shown) else ""
    remark = f" ({data.remark})" if data.remark else ""
    heading = f"{printable(data.name)}: {table.n_rows} rows, {len(table.names)} columns{remark}"
    return f"{heading}\n{filled(columns + more)}"


def column_lines(table: Table) -> list[str]:
    """Describe each column: its kind, what is missing, its range or first levels, and whether it can group."""
    rows = [[name, *_about(table, name), "can group" if can_group(table, name) else ""] for name in table.names]
    return table_lines(["column", "kind", "missing", "values", ""], rows, left=2)


def _about(table: Table, name: str) -> list[str]:
    kind = column_text(table, name)
    if kind == "unusable":
        return [kind, "", ""]
    match table[name]:
        case FactorColumn(codes=codes, levels=levels):
            shown = ", ".join(levels[:3]) + (", ..." if len(levels) > 3 else "")
            return [kind, str(int((codes < 0).sum())), shown]
        case column:
            present = column.values[np.isfinite(column.values)]
            values = f"{present.min():g} to {present.max():g}" if len(present) else ""
            return [kind, str(int(np.isnan(column.values).sum())), values]


def head_lines(table: Table, n: int) -> list[str]:
    """Lay out the first rows."""
    rows = np.arange(min(n, table.n_rows))
    columns = [_cells(table, name, len(rows)) for name in table.names]
    return matrix_lines([str(i) for i in rows], list(table.names), columns, right=True)


def _cells(table: Table, name: str, n: int) -> list[str]:
    if column_text(table, name) == "unusable":
        return ["?"] * n
    match table[name]:
        case FactorColumn(codes=codes, levels=levels):
            return [levels[code] if code >= 0 else "" for code in codes[:n]]
        case column:
            return _numbers(column.values[:n])


def _numbers(values: FloatArray) -> list[str]:
    return format_numbers([float(value) for value in values], 5)


def paragraph(model: "Model") -> str:
    """Explain a model in a paragraph: what varies with what, and how many parameters that makes."""
    design = model.design
    cutpoints = max(len(design.categories) - 1, 0)
    parts = [_fixed(design), *([f"{cutpoints} cutpoints"] if cutpoints else []), *map(_random, design.random_terms)]
    dropped = design.n_given - design.nobs
    gone = f" ({dropped} left out with missing values: {missing_text(design)})" if dropped else ""
    rows = f"{design.nobs} rows{gone}{_family(model)}"
    count = design.n_fixed + cutpoints + design.n_variance_parameters + len(own_parameters(model.ir.family))
    text = f"{printable(design.response_name)} on {rows}: {'; '.join(parts)}. {count} parameters in all."
    return filled(text)


def _family(model: "Model") -> str:
    """Say what the response is in its family; nothing of the Gaussian."""
    family, design = model.ir.family, model.design
    if family == GAUSSIAN:
        return ""
    trials = design.weights if family.name == "binomial" else None
    return f", {family_text(family)}, {response_words(family, design.y, trials, design.categories)}"


def _fixed(design: Design) -> str:
    if not design.n_fixed:
        return "no fixed effects"
    plural = "" if design.n_fixed == 1 else "s"
    return f"{design.n_fixed} fixed effect{plural} ({_names(design.fixed_names)})"


def _random(term: RandomTermDesign) -> str:
    k = term.n_coefficients
    plural = "" if k == 1 else "s"
    names = f"({_names(term.coefficient_names)}){_covariance(term)}"
    return f"for each of {term.n_levels} levels of {printable(term.group)} {k} random effect{plural} {names}"


def _covariance(term: RandomTermDesign) -> str:
    if term.n_coefficients == 1:
        return ""
    return f", {term.covariance.description()}"


def _names(names: Sequence[str]) -> str:
    shown = list(map(printable, names[:MOST_NAMES]))
    return ", ".join([*shown, "..."] if len(names) > MOST_NAMES else shown)


def term_lines(design: Design) -> list[str]:
    """Lay out the terms: of the fixed ones their columns, of the random ones levels, coefficients and parameters."""
    lines = [f"X: {design.nobs} x {design.n_fixed}"]
    for number, label in enumerate(("(Intercept)", *design.fixed_terms)):
        columns = [n for n, term in zip(design.fixed_names, design.fixed_assign, strict=True) if term == number]
        if columns:
            lines.append(f"  {printable(label)}: {_names(columns)}" if columns != [label] else f"  {printable(label)}")
    lines += [f"  dropped: {_names(design.dropped_names)}"] if design.dropped_names else []
    if design.random_terms:
        lines.append(f"Z: {design.nobs} x {design.n_random}")
    for term in design.random_terms:
        count = term.n_parameters
        sizes = f"{term.n_levels} levels, k={term.n_coefficients}, {count} parameter{'' if count == 1 else 's'}"
        lines.append(f"  {printable(term.group)}: {sizes}: {_names(term.coefficient_names)}{_covariance(term)}")
    return lines


def x_lines(design: Design, n: int) -> list[str]:
    """Lay out the first rows of X."""
    rows = min(n, design.nobs)
    columns = [_numbers(design.X[:rows, j]) for j in range(design.n_fixed)]
    heading = f"X: {design.nobs} x {design.n_fixed}"
    return [heading, *matrix_lines(_positions(design, rows), list(design.fixed_names), columns, right=True)]


def z_lines(design: Design, n: int) -> list[str]:
    """Lay out what stands in the first rows of Z: of each term the level, and the covariates in its columns."""
    rows = min(n, design.nobs)
    names: list[str] = []
    columns: list[list[str]] = []
    for term in design.random_terms:
        names += [term.group, *term.coefficient_names]
        columns.append([term.levels[code] for code in term.codes[:rows]])
        columns += [_numbers(term.covariates[:rows, j]) for j in range(term.n_coefficients)]
    heading = f"Z: {design.nobs} x {design.n_random}, of each row the level and what stands in its columns"
    return [heading, *matrix_lines(_positions(design, rows), names, columns, right=True)]


def _positions(design: Design, n: int) -> list[str]:
    return [str(row) for row in design.kept_rows[:n]]


def tree_lines(node: object, name: str = "", depth: int = 0) -> Iterator[str]:
    r"""
    Draw a node and all below it, one line each, without what only tells where it was typed.

    >>> from lmmformula.formula.parse import parse_text
    >>> print("\n".join(tree_lines(parse_text("y ~ x").formula)))
    Formula
      lhs: Name 'y'
      rhs: Name 'x'
    """
    label = "  " * depth + (f"{name}: " if name else "")
    if isinstance(node, tuple):
        for item in node:
            yield from tree_lines(item, name, depth)
    elif is_dataclass(node):
        told = [(f.name, getattr(node, f.name)) for f in fields(node) if f.name not in UNTOLD]
        leaves = [(f, value) for f, value in told if not (is_dataclass(value) or isinstance(value, tuple))]
        words = [_word(f, value) for f, value in leaves if value is not None and value != "" and value is not False]
        yield label + " ".join([type(node).__name__, *words])
        for field_name, value in told:
            if is_dataclass(value) or isinstance(value, tuple):
                yield from tree_lines(value, field_name, depth + 1)
    elif node is not None:
        yield f"{label}{printable(repr(node))}"


def _word(field_name: str, value: object) -> str:
    """Write a leaf; booleans by the name of their field."""
    return field_name if value is True else printable(repr(value))
