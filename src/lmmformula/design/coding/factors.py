"""Functions that make factors: factor, ordered, relevel, cut and C, with R's levels and labels."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.data.factorize import merge_equal, number_label, value_label
from lmmformula.design.coding.contrasts import INDICATORS, Contrast, contrast_by_name
from lmmformula.design.columns.evaluated import (
    Categorical,
    Numbers,
    Scalar,
    Value,
    column_of_numbers,
    factor,
    flag,
    recode,
    scalar,
    whole_number,
)
from lmmformula.errors import DataError, meant, printable

State = dict[str, Any]
"""What a function has to remember of the data it first saw, in JSON's types; empty while it learns."""

MAKE_LEVELS = frozenset({"factor", "as.factor", "ordered", "as.ordered"})
"""Functions that make levels of numbers; they must know those of all rows, which data in parts collect first."""


def make_factor(
    state: State,
    x: Value,
    levels: Value = None,
    labels: Value = None,
    exclude: Value = None,
    ordered: Value = None,
) -> Value:
    """factor(x, levels, labels, exclude, ordered): new data get the levels of the old."""
    given = factor(x)
    if not state:
        known = tuple(map(_scalar_label, _constants(levels))) if levels is not None else given.levels
        excluded = set(map(_scalar_label, _constants(exclude)))
        state["levels"] = [level for level in known if level not in excluded]
    found, unseen = recode(given, tuple(state["levels"]))
    if unseen and levels is None and exclude is None:
        found = _with_unseen(given, tuple(state["levels"]), unseen)
    is_ordered = found.ordered if ordered is None else flag(ordered)
    if labels is not None:
        return _relabel(found, tuple(map(_scalar_label, _constants(labels))), ordered=is_ordered)
    return Categorical(found.codes, found.levels, is_ordered)


def as_factor(state: State, x: Value) -> Value:
    """as.factor(x)."""
    return make_factor(state, x)


def make_ordered(state: State, x: Value, levels: Value = None, labels: Value = None) -> Value:
    """ordered(x, levels, labels)."""
    return make_factor(state, x, levels=levels, labels=labels, ordered=True)


def relevel(_: State, x: Value, ref: Value) -> Value:
    """relevel(x, ref): one level moved to the front."""
    given = factor(x)
    if given.ordered:
        raise DataError("relevel() is for factors without order", hint="use factor(f, levels = c(...))")
    if isinstance(ref, str):
        if ref not in given.levels:
            known = ", ".join(map(printable, given.levels[:12]))
            hint = meant(ref, given.levels, f"the levels are: {known}")
            raise DataError(f"there is no level '{printable(ref)}'", hint=hint)
        first = given.levels.index(ref)
    else:
        first = whole_number(ref) - 1
        if not 0 <= first < len(given.levels):
            raise DataError(f"there is no level number {first + 1} among {len(given.levels)} levels")
    order = [first, *(i for i in range(len(given.levels)) if i != first)]
    return recode(given, tuple(given.levels[i] for i in order))[0]


def with_contrast(
    _: State,
    object: Value,  # noqa: A002 (R's name)
    contr: Value = None,
    how_many: Value = None,
    *,
    base: Value = None,
) -> Value:
    """C(object, contr, how.many, base): a factor that says how it is to be coded."""
    given = factor(object)
    match contr:
        case None:
            contrast = Contrast("poly") if given.ordered else Contrast("treatment")
        case Contrast():
            contrast = contr
        case str(name) if name in given.levels:
            message = f"C() takes contrasts, and '{printable(name)}' is a level"
            raise DataError(message, hint=f'relevel(f, "{printable(name)}") makes it the reference')
        case str(name):
            contrast = contrast_by_name(name)
        case tuple():
            column = tuple((scalar(value),) for value in contr)
            contrast = Contrast("matrix", matrix=column)
        case _:
            raise DataError("contrasts inside C() are a name, such as contr.sum", hint="or use the argument contrasts=")
    if base is not None and contrast.kind not in INDICATORS:
        raise DataError("only contr.treatment and contr.SAS have a base")
    contrast = replace(
        contrast,
        base=contrast.base if base is None else whole_number(base),
        how_many=None if how_many is None else whole_number(how_many),
        random=True,
        numbered=contrast.numbered or how_many is not None or base is not None,
    )
    return replace(given, contrast=contrast)


def cut(
    state: State,
    x: Value,
    breaks: Value,
    *,
    labels: Value = None,
    include_lowest: Value = False,
    right: Value = True,
    dig_lab: Value = 3.0,
    ordered_result: Value = False,
) -> Value:
    """cut(x, breaks, ...): intervals, closed on the right; values outside of all of them are missing."""
    values = column_of_numbers(x)
    is_right, is_closed = flag(right), flag(include_lowest)
    if not state:  # JSON has no infinity, but float() reads its name
        state["breaks"] = [edge if np.isfinite(edge) else str(edge) for edge in _breaks(values, breaks)]
    edges = np.array([float(edge) for edge in state["breaks"]])
    n_intervals = len(edges) - 1
    codes = np.searchsorted(edges, values, side="left" if is_right else "right") - 1
    if is_closed:
        codes[values == (edges[0] if is_right else edges[-1])] = 0 if is_right else n_intervals - 1
    codes[(codes >= n_intervals) | np.isnan(values)] = -1
    if labels is False:
        return Numbers(np.where(codes < 0, np.nan, codes + 1.0))
    if labels is None or labels is True:
        digits = whole_number(dig_lab)
        if digits < 1:
            raise DataError("dig.lab is a number of digits, at least 1")
        names = _interval_labels(edges, digits, right=is_right, closed=is_closed)
    else:
        names = tuple(map(_scalar_label, _constants(labels)))
    if len(names) != n_intervals:
        raise DataError(f"cut() makes {n_intervals} intervals but is given {len(names)} labels")
    return Categorical(*merge_equal(codes.astype(np.intp), names), ordered=flag(ordered_result))


def _breaks(values: FloatArray, breaks: Value) -> list[float]:
    """Return the edges of the intervals; their number alone spreads them over the range, as R does."""
    if isinstance(breaks, tuple):
        edges = sorted(scalar(value) for value in breaks)
        if len(edges) < 2 or len(set(edges)) < len(edges):
            raise DataError("cut() needs at least two different breaks")
        return edges
    n_intervals = whole_number(breaks)
    if n_intervals < 2:
        raise DataError("cut() needs at least two intervals")
    if not np.isfinite(values).any():
        raise DataError("cut() has no numbers to find intervals for")
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    width = high - low or abs(low)
    if high == low:
        low, high, width = low - width / 1000, high + width / 1000, 0.0
    edges = [float(edge) for edge in np.linspace(low, high, n_intervals + 1)]
    return [low - width / 1000, *edges[1:-1], high + width / 1000]


def _interval_labels(edges: FloatArray, digits: int, *, right: bool, closed: bool) -> tuple[str, ...]:
    """Write intervals with as few digits, from `digits` to 12, as tell neighbouring edges apart."""
    for significant in range(digits, max(12, digits) + 1):
        text = [_edge(edge, significant) for edge in edges.tolist()]
        if all(a != b for a, b in pairwise(text)):
            break
    names = [f"({a},{b}]" if right else f"[{a},{b})" for a, b in pairwise(text)]
    if closed and right:
        names[0] = "[" + names[0][1:]
    elif closed:
        names[-1] = names[-1][:-1] + "]"
    return tuple(names)


def _edge(edge: float, digits: int) -> str:
    if np.isinf(edge):
        return " Inf" if edge > 0 else "-Inf"  # the blank is R's
    return f"{edge:.{digits}g}"


def _constants(value: Value) -> tuple[Scalar, ...]:
    match value:
        case tuple():
            return value
        case Numbers() | Categorical() | Contrast():
            raise DataError("a column stands where constants are needed", hint="for example c('a', 'b')")
        case None:
            return ()
        case _:
            return (value,)


def _scalar_label(value: Scalar) -> str:
    return number_label(float(value)) if isinstance(value, (int, float)) and value is not True else value_label(value)


def _relabel(given: Categorical, labels: tuple[str, ...], *, ordered: bool) -> Categorical:
    if len(labels) != len(given.levels):
        raise DataError(f"{len(labels)} labels are given for {len(given.levels)} levels")
    return Categorical(*merge_equal(given.codes, labels), ordered=ordered)


def _with_unseen(given: Categorical, levels: tuple[str, ...], unseen: tuple[str, ...]) -> Categorical:
    """Keep the levels that only new data have, behind the known ones, so that an error can name them."""
    return recode(given, (*levels, *unseen))[0]
