"""What is worked out from the rows of the data and kept in a file where the rows are not: a few numbers by variable."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.conform import conform, is_shape, require
from lmmformula.design.columns.summaries import ColumnSummary, summary_from
from lmmformula.design.design import Design
from lmmformula.fit.variance import VarianceParameters

VERSION = 1
"""Of what is kept; a file with another says nothing of it, and is read for the rest."""


@dataclass(frozen=True, slots=True, eq=False)
class GridValues:
    """
    All that marginal means, slopes and pictures of predictions need of the data.

    columns : by variable of the fixed and random terms
    aliases : (p, dropped) coefficients that make the dropped columns of X of those that were kept
    offsets : means of the offset() terms, and last of the argument `offset`; None in files of older versions
    """

    columns: dict[str, ColumnSummary]
    aliases: FloatArray
    offsets: FloatArray | None = None


Hypotheses = dict[str, dict[str, FloatArray]]
"""Type of an analysis of variance, where it is known -> fixed term -> (r, p) L of its hypothesis L beta = 0."""


@dataclass(frozen=True, slots=True, eq=False)
class ModeErrors:
    """
    How well the random effects are known, as `JointCovariance` has it.

    pull : (q, p) W Z'X: how the conditional modes follow beta
    W : (J, k, k) blocks of W for one grouping factor, (q, q) all of it for several
    """

    pull: FloatArray
    W: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """
    What was worked out from rows that are gone; None where nothing is known.

    grid : the variables
    variance : how well the variance parameters are known, and how the covariance of beta moves with them
    hypotheses : those of the fixed terms
    residuals : (5,) minimum, quartiles and maximum of the scaled residuals
    r_squared : of a linear model
    modes : how well the random effects are known
    """

    grid: GridValues | None = None
    variance: VarianceParameters | None = None
    hypotheses: Hypotheses | None = None
    residuals: FloatArray | None = None
    r_squared: float | None = None
    modes: ModeErrors | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        return {"version": VERSION} | {name: _plain(value) for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Kept":
        """Return what `to_dict` (or JSON made of it) describes; nothing if that is of another version, or empty."""
        if data.get("version") != VERSION:
            return NOTHING
        conform(data, LAYOUT, "kept")
        grid, variance, hypotheses = data["grid"], data["variance"], data["hypotheses"]
        residuals, modes = data["residuals"], data.get("modes")
        return cls(
            grid=None if grid is None else _grid(grid),
            variance=None if variance is None else _variance(variance),
            hypotheses=None if hypotheses is None else {kind: _arrays(terms) for kind, terms in hypotheses.items()},
            residuals=None if residuals is None else _array(residuals),
            r_squared=data["r_squared"],
            modes=None if modes is None else ModeErrors(_array(modes["pull"]), _array(modes["W"])),
        )


NOTHING = Kept()


def kept_of(design: Design) -> Kept:
    """Return what was kept of rows that are gone: something only where a design was loaded from a file."""
    return design.kept if isinstance(design.kept, Kept) else NOTHING


_ARRAY = {"shape": [int], "numbers": [float]}
_COLUMN = ({"levels": [str], "usual": str}, {"mean": float, "low": float, "high": float, "values": [float]})
LAYOUT = {
    "grid": ({"columns": {str: _COLUMN}, "aliases": _ARRAY}, None),
    "variance": ({own.name: _ARRAY for own in fields(VarianceParameters)}, None),
    "hypotheses": ({str: {str: _ARRAY}}, None),
    "residuals": (_ARRAY, None),
    "r_squared": (float, None),
    "modes?": ({"pull": _ARRAY, "W": _ARRAY}, None),
}
"""What JSON holds of what was kept."""


def _plain(value: Any) -> Any:  # noqa: ANN401 (part of a record)
    """Return arrays as their shape and numbers, so that those without any keep their shape."""
    match value:
        case np.ndarray():
            return {"shape": value.shape, "numbers": value.ravel().tolist()}
        case dict():
            return {name: _plain(part) for name, part in value.items()}
        case _:
            return value


def _array(data: Mapping[str, Any]) -> FloatArray:
    require(is_shape(data["shape"], len(data["numbers"])), "an array's shape")
    return np.array(data["numbers"], dtype=np.float64).reshape(data["shape"])


def _arrays(data: Mapping[str, Any]) -> dict[str, FloatArray]:
    return {name: _array(part) for name, part in data.items()}


def _grid(data: Mapping[str, Any]) -> GridValues:
    columns, offsets = data["columns"], data.get("offsets")
    return GridValues(
        {name: summary_from(part) for name, part in columns.items()},
        _array(data["aliases"]),
        None if offsets is None else _array(offsets),
    )


def _variance(data: Mapping[str, Any]) -> VarianceParameters:
    return VarianceParameters(**{own.name: _array(data[own.name]) for own in fields(VarianceParameters)})
