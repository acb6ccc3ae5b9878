"""The known part of a model's mean in a reference grid: its mean over the rows, unless its variables are asked for."""

import math
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.data.table import Table
from lmmformula.design.fixed import offset_values
from lmmformula.errors import FitError
from lmmformula.ir.expressions import Expression
from lmmformula.results.estimates import Specified
from lmmformula.results.predict.grid_values import offset_means, offset_variables


@dataclass(frozen=True, slots=True)
class Offsets:
    """
    The offsets of a grid.

    constant : the means of those that stand at them, or what the user gave
    terms, column : those that are computed at each point: offset() terms, and the column that the argument named
    variables : the variables of those whose variables are asked for
    """

    constant: float
    terms: tuple[Expression, ...] = ()
    column: str | None = None
    variables: frozenset[str] = frozenset()

    def at(self, model: Specified, table: Table) -> FloatArray:
        """Return (n,) offsets at given values of the variables."""
        ir, schema = replace(model.ir, offsets=self.terms), replace(model.schema, offset=self.column)
        return self.constant + offset_values(ir, schema, table)


def offsets_of(model: Specified, asked: Collection[str], given: float | None) -> Offsets:
    """
    Return the offsets of a grid.

    asked : variables that stand at chosen values, or at each of theirs
    given : what takes their place
    """
    reads = offset_variables(model)
    opened = [any(name in asked for name in names) for names in reads]
    means = None if given is not None else offset_means(model)
    if given is None and means is None:  # of files of older versions, and of data that came in parts
        if not (model.ir.offsets or model.schema.offset) and model.design.has_offset:
            raise FitError("the mean of the offset is not known", hint="offset= gives what it shall be")
        opened = [True] * len(reads)
    shown = frozenset().union(*(names for names, is_open in zip(reads, opened, strict=True) if is_open))
    if given is not None:
        return Offsets(_number(given), variables=shown)
    closed = 0.0 if means is None else float(means[~np.array(opened)].sum())
    terms = tuple(term for term, is_open in zip(model.ir.offsets, opened[:-1], strict=True) if is_open)
    return Offsets(closed, terms, model.schema.offset if opened[-1] else None, shown)


def _number(given: object) -> float:
    """Return what a user gave as a finite number."""
    if isinstance(given, int | float | np.integer | np.floating) and not isinstance(given, bool):
        with suppress(OverflowError):
            if math.isfinite(number := float(given)):
                return number
    raise FitError(f"`offset` must be a finite number, not {given!r:.60}", hint="it takes the place of the model's own")
