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
from lmmformula.design.matrices import DesignMatrices, RandomTermDesign
from lmmformula.design.rank import independent_columns
from lmmformula.design.sums.coordinates import (
    ILL_CONDITIONED,
    Columns,
    refuse_exact_response,
    scale_of,
    shift_of,
    whitener,
)
from lmmformula.design.sums.records import Coordinates


@dataclass(frozen=True, slots=True)
class Moved:
    """
    New columns of old ones, (x - shift) / scale.

    shift : (k,), zero unless the first column is the intercept, which takes the shifts up
    scale : (k,), powers of two
    """

    shift: FloatArray
    scale: FloatArray

    @property
    def matrix(self) -> FloatArray:
        """(k, k) N with new = old N."""
        N = np.eye(len(self.scale))
        if len(N):
            N[0] -= self.shift
        return N / self.scale

    def column(self, columns: FloatArray, j: int) -> FloatArray:
        """Return new column j of (n, k) old ones; the old one itself where nothing changes."""
        column: FloatArray = columns[:, j]
        if self.shift[j]:
            column = column - self.shift[j]
        return column if self.scale[j] == 1.0 else column / self.scale[j]


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

    def columns(self, design: DesignMatrices) -> Columns:
        """Return the columns of a part of the data in these coordinates, times the roots of the weights."""
        n, p = design.X.shape
        root = None if design.weights is None else np.sqrt(design.weights)
        table = np.empty((n, p + 1), order="F")
        for j in range(p):
            table[:, j] = self.fixed.column(design.X, j)
        if p and not np.array_equal(self.mix, np.eye(p)):
            table[:, :p] = table[:, :p] @ self.mix
        y = design.y if design.offset is None else design.y - design.offset
        table[:, p] = (y - table[:, :p] @ self.pilot) / self.y_scale
        if root is not None:
            table *= root[:, None]
        random = [
            [_weighted(moved.column(term.covariates, j), root) for j in range(term.n_coefficients)]
            for term, moved in zip(design.random_terms, self.random, strict=True)
        ]
        return Columns([table[:, j] for j in range(p + 1)], random, table.T @ table, self.coordinates)

    @property
    def coordinates(self) -> Coordinates:
        """The way back."""
        basis = self.fixed.matrix @ self.mix
        transforms = tuple(moved.matrix for moved in self.random)
        return Coordinates(
            fixed=basis,
            pilot=basis @ self.pilot,
            log_det_fixed=float(np.linalg.slogdet(basis)[1]),
            y_scale=self.y_scale,
            random=transforms,
            turns=tuple(np.eye(len(U)) for U in transforms),
        )

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


def learn_map(sample: DesignMatrices, *, intercept: bool, random_intercepts: tuple[bool, ...]) -> InnerMap:
    """
    Choose coordinates by a sample of the rows, as `columns_of` does by all of them.

    Columns of X that depend on earlier ones in the sample (a rare level is in none of its rows) are only scaled.

    intercept, random_intercepts : whether X, and each random term, begins with a column of ones
    """
    X, weights = sample.X, sample.weights
    n, p = X.shape
    independent = independent_columns(X, intercept=intercept)
    fixed = _learn_moved(X, weights, shifting=independent if intercept else np.zeros(p, dtype=np.bool_))
    root = np.ones(n) if weights is None else np.sqrt(weights)
    inner = np.column_stack([*(fixed.column(X, j) for j in range(p)), np.empty((n, 0))]) * root[:, None]
    used = inner[:, independent]
    mix = np.eye(p)
    inverse = whitener(used.T @ used)
    if used.shape[1] and np.linalg.cond(inverse) > ILL_CONDITIONED:
        mix[np.ix_(independent, independent)] = inverse * np.sqrt(n)
        used = used @ inverse * np.sqrt(n)
        inverse = whitener(used.T @ used)
    y = (sample.y if sample.offset is None else sample.y - sample.offset) * root
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
            _learn_term(term, weights, intercept=first)
            for term, first in zip(sample.random_terms, random_intercepts, strict=True)
        ),
        independent=independent,
    )


def _learn_term(term: RandomTermDesign, weights: FloatArray | None, *, intercept: bool) -> Moved:
    """Only an unstructured covariance can take up a shift; any structure can take up one scale for all columns."""
    k = term.n_coefficients
    shifting = np.full(k, intercept and term.covariance.any_matrix)
    moved = _learn_moved(term.covariates, weights, shifting)
    return Moved(moved.shift, term.covariance.scales(moved.scale))


def _learn_moved(columns: FloatArray, weights: FloatArray | None, shifting: BoolArray) -> Moved:
    """Shift the columns that may be shifted, all but the first, and scale all."""
    k = columns.shape[1]
    shift, scale = np.zeros(k), np.ones(k)
    for j in range(k):
        shift[j] = shift_of(columns[:, j], weights) if j and shifting[j] else 0.0
        scale[j] = scale_of(columns[:, j] - shift[j])
    return Moved(shift, scale)


def _weighted(column: FloatArray, root: FloatArray | None) -> FloatArray:
    return column if root is None else column * root


def _lists(moved: Moved) -> dict[str, list[float]]:
    return {"shift": moved.shift.tolist(), "scale": moved.scale.tolist()}


def _moved(data: Mapping[str, Any]) -> Moved:
    return Moved(np.array(data["shift"], dtype=np.float64), np.array(data["scale"], dtype=np.float64))
