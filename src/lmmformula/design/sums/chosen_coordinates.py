"""
Coordinates chosen before the sums: shifts and scales learnt from a sample of the rows, then the same for every part.

Any coordinates give the same model (see `coordinates`); good ones only keep digits. So a sample of the rows is enough
to choose them by, and sums that were formed in the same coordinates can be added up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray
from lmmformula.design.design import Design
from lmmformula.design.rank import independent_columns
from lmmformula.design.sums.coordinates import (
    ILL_CONDITIONED,
    Columns,
    Moved,
    fixed_table,
    moved,
    moved_term,
    random_columns,
    refuse_exact_response,
    scale_of,
    whitener,
)
from lmmformula.design.sums.records import Coordinates


@dataclass(frozen=True, slots=True)
class InnerMap:
    """
    How a design's columns become those that are summed.

    fixed : of the p columns of X
    mix : (p, p) upper triangle that turns them afterwards; identity unless they are nearly dependent
    pilot : (p,) coefficients of the turned columns that are subtracted from the response
    y_scale : what the response is divided by then
    random : of the columns of each random term
    independent : (p,) columns of X that are known not to depend on earlier ones
    """

    fixed: Moved
    mix: FloatArray
    pilot: FloatArray
    y_scale: float
    random: tuple[Moved, ...]
    independent: BoolArray

    def columns(self, design: Design) -> Columns:
        """Return the columns of a part of the data in these coordinates, times the roots of the weights."""
        p = design.n_fixed
        table = fixed_table(design, self.fixed)
        if p and not np.array_equal(self.mix, np.eye(p)):
            table[:, :p] = table[:, :p] @ self.mix
        table[:, p] -= table[:, :p] @ self.pilot
        table[:, p] /= self.y_scale
        random = random_columns(design, self.random)
        return Columns([table[:, j] for j in range(p + 1)], random, table.T @ table, self.coordinates)

    @property
    def coordinates(self) -> Coordinates:
        """The way back."""
        random = [own.matrix for own in self.random]
        return Coordinates.of(self.fixed.matrix @ self.mix, self.pilot, self.y_scale, random)

    def to_dict(self) -> dict[str, Any]:
        """Return it in JSON's types; every number reads back as it was."""
        return {
            "fixed": _lists(self.fixed),
            "mix": self.mix.tolist(),
            "pilot": self.pilot.tolist(),
            "y_scale": self.y_scale,
            "random": [_lists(moved) for moved in self.random],
            "independent": self.independent.tolist(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "InnerMap":
        """Return what `to_dict` wrote down."""
        p = len(data["pilot"])
        return cls(
            fixed=_moved(data["fixed"]),
            mix=np.array(data["mix"]).reshape(p, p),
            pilot=np.array(data["pilot"], dtype=np.float64),
            y_scale=data["y_scale"],
            random=tuple(_moved(part) for part in data["random"]),
            independent=np.array(data["independent"], dtype=np.bool_),
        )


def learn_map(sample: Design, *, intercept: bool, random_intercepts: tuple[bool, ...]) -> InnerMap:
    """
    Choose coordinates by a sample of the rows, as `columns_of` does by all of them.

    Columns of X that depend on earlier ones in the sample (a rare level is in none of its rows) are only scaled.

    intercept, random_intercepts : whether X, and each random term, begins with a column of ones
    """
    n, p = sample.X.shape
    independent = independent_columns(sample.X, intercept=intercept)
    fixed = moved(sample.X, sample.weights, 0 if intercept else None, independent)
    table = fixed_table(sample, fixed)
    used, y = table[:, :p][:, independent], table[:, p]
    mix = np.eye(p)
    inverse = whitener(used.T @ used)
    if used.shape[1] and np.linalg.cond(inverse) > ILL_CONDITIONED:
        mix[np.ix_(independent, independent)] = inverse * np.sqrt(n)
        used = used @ inverse * np.sqrt(n)
        inverse = whitener(used.T @ used)
    pilot = np.zeros(p)
    pilot[independent] = inverse @ (inverse.T @ (used.T @ y))
    residual = y - used @ pilot[independent]
    enough = n > 2 * used.shape[1]
    if enough:
        refuse_exact_response(float(residual @ residual), float(y @ y))
    return InnerMap(
        fixed=fixed,
        mix=mix,
        pilot=pilot,
        y_scale=scale_of(residual if enough else y),
        random=tuple(
            moved_term(term, sample.weights, 0 if first else None)
            for term, first in zip(sample.random_terms, random_intercepts, strict=True)
        ),
        independent=independent,
    )


def _lists(own: Moved) -> dict[str, list[float]]:
    return {"shift": own.shift.tolist(), "scale": own.scale.tolist()}


def _moved(data: Mapping[str, Any]) -> Moved:
    return Moved(np.array(data["shift"], dtype=np.float64), np.array(data["scale"], dtype=np.float64))
