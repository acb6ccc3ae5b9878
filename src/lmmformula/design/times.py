"""Times of autoregressive terms, and columns that a correlation needs: what `ar1()` and `cs()` may stand over."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lmmformula.covariances.unstructured import UNSTRUCTURED
from lmmformula.data.table import Table
from lmmformula.design.columns.evaluated import Numbers
from lmmformula.design.columns.frame import Frame
from lmmformula.design.schema import FactorVariable, VariableSchema
from lmmformula.errors import DataError, printable, warn
from lmmformula.ir.expressions import Apply, Variable, label
from lmmformula.ir.model import ModelIR
from lmmformula.ir.records import RandomTerm
from lmmformula.ir.terms import Term
from lmmformula.ir.written.text import random_text

EVEN = 1e-6
"""Part of a step by which times may differ from equal distances."""


def read_times(ir: ModelIR, table: Table) -> ModelIR:
    """Read a column of numbers in ar1() as times: `ar1(t | g)` is `ar1(0 + factor(t) | g)`."""
    frame = Frame(table, ir.source)
    return replace(ir, random=tuple(_with_levels(term) if _is_timed(term, frame) else term for term in ir.random))


def _is_timed(term: RandomTerm, frame: Frame) -> bool:
    """Tell whether a term is ar1() over one column of numbers."""
    match term.terms:
        case (Term(factors=(Variable() as variable,)),) if term.covariance.over_times:
            return isinstance(frame.evaluate(variable), Numbers)
        case _:
            return False


def _with_levels(term: RandomTerm) -> RandomTerm:
    return replace(term, intercept=False, terms=tuple(map(_levels_of, term.terms)))


def _levels_of(term: Term) -> Term:
    return Term(tuple(Apply("factor", (factor,), span=term.span) for factor in term.factors), term.span)


def refuse_uneven(given: ModelIR, read: ModelIR, variables: Mapping[str, VariableSchema]) -> None:
    """
    Refuse numbers that were read as times and don't follow each other in equal steps.

    given, read : the model before and after `read_times`
    """
    for before, after in zip(given.random, read.random, strict=True):
        if before.terms == after.terms:
            continue
        name = label(after.terms[0].factors[0])
        variable = variables[name]
        assert isinstance(variable, FactorVariable)
        steps = np.diff([float(level) for level in variable.levels])
        if not np.allclose(steps, steps[0], rtol=EVEN, atol=0.0):
            raise DataError(
                f"the times `{printable(before.terms[0].label)}` do not follow each other in equal steps",
                span=after.span,
                hint=f"{random_text(after)} takes each value as one step from the one before",
            ).located(read.source)


def warn_of_order(term: RandomTerm, variables: Mapping[str, VariableSchema], source: str) -> None:
    """Warn of times that are text, in the order of the alphabet: "10" before "2"."""
    if not term.covariance.over_times:
        return
    factors = [variables[label(factor)] for part in term.terms for factor in part.factors]
    for levels in [factor.levels for factor in factors if isinstance(factor, FactorVariable)]:
        counted = _as_counted(levels)
        wrong = [i for i in range(1, len(levels)) if counted[i] < counted[i - 1]]
        if wrong and sorted(levels) == list(levels):  # any other order is somebody's own
            first, second = (printable(levels[i]) for i in (wrong[0] - 1, wrong[0]))
            warn(
                f"{term.covariance.name}() takes '{second}' as one step after '{first}': text is in alphabetical order",
                text=source,
                span=term.span,
                hint="make it numbers, or an ordered categorical",
            )


def _as_counted(levels: Sequence[str]) -> list[Any]:
    """Return what sorts text as one counts: numbers, or text with numbers within, by their size."""
    try:
        return [float(level) for level in levels]
    except ValueError:
        parts = ([part for part in re.split(r"(\d+)", level) if part] for level in levels)
        return [[(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in own] for own in parts]


def check_structure(term: RandomTerm, variables: Mapping[str, VariableSchema], n_columns: int) -> None:
    """
    Refuse `ar1()` over what is not one factor of times, and `cs()` over a single column.

    lme4 fits both as random slopes, without a word.
    """
    covariance = term.covariance
    factors = [factor for part in term.terms for factor in part.factors]
    is_factor = [isinstance(variables[label(factor)], FactorVariable) for factor in factors]
    if covariance.over_times and is_factor != [True]:
        what = f"{covariance.name}() needs one factor of times"
    elif covariance.over_pairs and n_columns == 1:
        what = f"{covariance.name}() needs at least two columns to correlate"
    else:
        return
    plain = random_text(replace(term, covariance=UNSTRUCTURED))
    one = factors[0] if len(factors) == 1 and not is_factor[0] else Variable("time")
    wanted = replace(term, intercept=False, terms=(_levels_of(Term((one,))),))
    raise DataError(what, span=term.span, hint=f"as in {random_text(wanted)}; without a structure, {plain}")
