"""What a formula means for its data, in plain words and in maths."""

import re
from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from lmmformula.design.columns.inputs import listed
from lmmformula.design.design import Design, RandomTermDesign
from lmmformula.design.schema import Schema
from lmmformula.errors import printable
from lmmformula.ir.family import GAUSSIAN, Family
from lmmformula.ir.model import ModelIR
from lmmformula.present.formula import formula_lines, formula_text
from lmmformula.results.tables.markup import markdown_text

MOST_SUMMANDS = 8
"""Columns of X, or coefficients of a term, that the equation writes out."""
MOST_LEVELS = 6


def explain(ir: ModelIR, schema: Schema, design: Design, remarks: Sequence[str] = ()) -> str:
    """
    Print variables with their types, fixed and random terms, dimensions, and the model as equations.

    remarks : on how the data were read
    """
    sections = [
        [
            *formula_lines("Model      ", ir, indent=11 * " "),
            f"Family     {ir.family.name}, link {ir.family.link}",
            *_rows(design),
            *(f"           {remark}" for remark in remarks),
        ],
        ["Variables", *_variables(schema)],
        [f"Fixed effects: {design.n_fixed} coefficients", *_fixed(design)],
        [f"Random effects: {design.n_random} in all", *_random(design)] if design.random_terms else [],
        ["In maths", *(f"  {line}" for line in equations(ir.family, design))],
    ]
    return "\n\n".join("\n".join(map(printable, lines)) for lines in sections if lines)


def model_html(ir: ModelIR, design: Design, remarks: Sequence[str] = ()) -> str:
    """Show a model in a notebook: its formula, its data, and its equations in letters that need no typesetting."""
    maths = "<br>".join(escape(printable(line)) for line in equations(ir.family, design))
    heading = f"<p><code>{escape(formula_text(ir))}</code><br>{escape(_extent(design, remarks))}</p>"
    return f'{heading}<p style="font-family:serif">{maths}</p>'


def model_markdown(ir: ModelIR, design: Design, remarks: Sequence[str] = ()) -> str:
    """Show a model in a text that is typeset later: its formula, its data, and its mathematics."""
    fence = "`" * (1 + max(map(len, re.findall("`+", ir.formula)), default=0))
    return f"{fence} {ir.formula} {fence}\n\n{markdown_text(_extent(design, remarks))}\n\n$$\n{ir.latex()}\n$$"


def _extent(design: Design, remarks: Sequence[str]) -> str:
    """Say how many rows there are, and levels."""
    rows = "; ".join([*_rows(design), *remarks]).removeprefix("Data").strip()
    levels = {term.group: term.n_levels for term in design.random_terms}
    return "; ".join([rows, *(f"{printable(name)}, {count} levels" for name, count in levels.items())])


def equations(family: Family, design: Design) -> Iterator[str]:
    """Write the model as equations, one line each."""
    beta = (_summand(f"β{i + 1}", name) for i, name in enumerate(design.fixed_names))
    summands = list(_first(list(beta)))
    start, blocks = 1, []
    for number, term in enumerate(design.random_terms, start=1):
        symbols = [f"b{start + i}" for i in range(term.n_coefficients)]
        start += term.n_coefficients
        named = [f"{symbol}[{term.group}]" for symbol in symbols]
        summands += _first([_summand(b, name) for b, name in zip(named, term.coefficient_names, strict=True)])
        blocks.append(_distribution(symbols, term, number))
    if design.offset is not None:
        summands.append("offset")
    if family == GAUSSIAN:
        yield f"{design.response_name} = {' + '.join([*summands, 'ε'])}"
        yield from blocks
        yield "ε ~ N(0, σ²)" if design.weights is None else "ε ~ N(0, σ² / weight)"
    elif family.ordinal:
        less = f" - ({' + '.join(summands)})" if summands else ""
        yield f"{family.link}(P({design.response_name} ≤ k)) = cutpoint[k]{less}"
        yield from blocks
    else:
        yield f"{family.link}(mean of {design.response_name}) = {' + '.join(summands) or '0'}"
        yield from blocks
        yield f"{design.response_name} ~ {family.name}"


def _variables(schema: Schema) -> list[str]:
    """List each variable once: the response, those of the terms, those that only group."""
    groups = [f"{name} (groups)" for name in _grouping_only(schema)]
    return [f"  {line}" for line in (f"{schema.response} (response)", *map(str, schema.variables.values()), *groups)]


def _grouping_only(schema: Schema) -> list[str]:
    names = dict.fromkeys(name for term in schema.random for name in term.variables)
    return [name for name in names if name not in schema.variables]


def _rows(design: Design) -> list[str]:
    left_out = rows_left_out(design)
    return [f"Data       {design.nobs} rows" + (f" of {design.n_given}; {left_out}" if left_out else "")]


def rows_left_out(design: Design) -> str:
    """Say how many rows were left out, why, and which, where that is known; nothing if none was."""
    dropped = design.n_given - design.nobs
    if not dropped:
        return ""
    said = f"{dropped} left out with missing values ({missing_text(design)})"
    if not design.has_rows:
        return said
    gone = np.setdiff1d(np.arange(design.n_given), design.kept_rows)
    return f"{said}: row{'s' if dropped > 1 else ''} {listed(gone)}"


def missing_text(design: Design) -> str:
    """Say in how many rows each variable is missing."""
    return ", ".join(f"{printable(name)} in {count}" for name, count in design.missing.items() if count)


def _fixed(design: Design) -> list[str]:
    lines = []
    for number, label in enumerate(("", *design.fixed_terms)):
        columns = [n for n, term in zip(design.fixed_names, design.fixed_assign, strict=True) if term == number]
        if columns and columns != [label or "(Intercept)"]:
            lines.append(f"  {label}: {', '.join(_first(columns))}")
        elif columns:
            lines.append(f"  {columns[0]}")
    if design.dropped_names:
        lines.append(f"  dropped, because other columns determine them: {', '.join(design.dropped_names)}")
    return lines


def _random(design: Design) -> list[str]:
    lines = []
    for term in design.random_terms:
        shown = list(term.levels[:MOST_LEVELS])
        levels = ", ".join([*shown, "..."] if term.n_levels > MOST_LEVELS else shown)
        lines += [
            f"  {term.group}: {term.n_levels} levels ({levels})",
            f"    {_coefficients(term)}; {_structure(term)} ({_counted(term.n_parameters)})",
        ]
    return lines


def _coefficients(term: RandomTermDesign) -> str:
    names = ", ".join(_first(term.coefficient_names))
    return f"{term.n_coefficients} coefficients each: {names}" if term.n_coefficients > 1 else f"1 coefficient: {names}"


def _counted(number: int) -> str:
    return f"{number} parameters" if number > 1 else "1 parameter"


def _structure(term: RandomTermDesign) -> str:
    if term.n_coefficients == 1:
        return "one standard deviation"
    return term.covariance.explanation()


def _distribution(symbols: Sequence[str], term: RandomTermDesign, number: int) -> str:
    if len(symbols) == 1:
        return f"{symbols[0]}[{term.group}] ~ N(0, τ{number}²)"
    names = ", ".join(symbols) if len(symbols) <= MOST_LEVELS else f"{symbols[0]}, ..., {symbols[-1]}"
    k = len(symbols)
    return f"({names})[{term.group}] ~ N(0, Σ{number}), Σ{number} a {k} x {k} covariance matrix ({_structure(term)})"


def _summand(symbol: str, name: str) -> str:
    return symbol if name == "(Intercept)" else f"{symbol}·{name}"


def _first(texts: Sequence[str]) -> list[str]:
    return list(texts) if len(texts) <= MOST_SUMMANDS else [*texts[: MOST_SUMMANDS - 1], "...", texts[-1]]
