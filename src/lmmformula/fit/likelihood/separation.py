"""
Directions of the fixed effects in which a likelihood is flat: there is no finite estimate (separation).

A level without a success, or a column that tells the response exactly, drives coefficients off without end, and with
them the linear predictors of the rows that they touch, until the densities of these rows have no curvature left. What
only such silent rows could tell is flat: the d with x'd = 0 in all other rows.

Albert & Anderson (1984), Biometrika 71, 1-10.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray

SILENT = 1e-4
"""Curvature of the log density below which rows, all together, say nothing: a standard error of 100."""

UNKNOWN = 1e4
"""Standard error of the linear predictor in a flat direction: it stands for infinity in sums that must be finite."""

BEYOND = 10.0
"""A flat direction's standard error is at least so many times its estimate."""

NO_PART = 1e-9
"""Part of a unit column's length below which rows leave nothing of a direction; columns need not be centred."""

NOT_TOUCHED = 1e-7
"""Part of a direction that is rounding."""

SHOWN = 4
"""Coefficients without a finite estimate that a verdict names."""


@dataclass(frozen=True, slots=True)
class Flat:
    """
    The flat directions of the fixed effects.

    directions : (p, m) orthonormal, in inner coordinates
    rest : (p, p - m) orthonormal, all others
    user : (p, m) the directions in the user's coordinates, exactly zero in coefficients that they don't touch
    basis : (p, p) beta = basis @ beta_inner
    variance : that is reported along a direction, instead of an infinite one
    """

    directions: FloatArray
    rest: FloatArray
    user: FloatArray
    basis: FloatArray
    variance: float

    @classmethod
    def of(cls, X: FloatArray, inner: FloatArray, basis: FloatArray, curvature: FloatArray, beta: FloatArray) -> "Flat":
        """
        Find them.

        X, inner : (n, p) fixed effects as the user has them, and X basis with inner'inner = n I
        curvature : (n,) of the rows' log densities
        beta : (p,) estimates in inner coordinates
        """
        n, p = inner.shape
        silent = silent_rows(curvature)
        if not p or float(np.square(inner[silent]).sum()) < n / 2:  # the others determine all: X'X >= n I / 2
            return cls(np.empty((p, 0)), np.eye(p), np.empty((p, 0)), basis, 0.0)
        found = np.linalg.solve(basis, undetermined(X[~silent]))
        m = found.shape[1]
        whole = np.linalg.qr(found, mode="complete")[0]
        directions, user = whole[:, :m], basis @ whole[:, :m]
        parts = np.sqrt(np.mean(np.square(X), axis=0))[:, None] * np.abs(user)
        user[parts < NOT_TOUCHED * parts.max(axis=0, initial=0.0)] = 0.0
        reached = BEYOND * float(np.linalg.norm(directions.T @ beta))
        return cls(directions, whole[:, m:], user, basis, UNKNOWN**2 * float(silent.mean()) + reached**2)

    def named(self, names: Sequence[str]) -> str:
        """List the coefficients that have a part in a flat direction."""
        found = [f"'{name}'" for name, own in zip(names, self.user, strict=True) if own.any()]
        return ", ".join(found[:SHOWN]) + (", ..." if len(found) > SHOWN else "")

    def covariance(self, known: FloatArray) -> FloatArray:
        """
        Return the (p, p) covariance of all fixed effects, in the user's coordinates.

        Flat directions stand beside all others, without correlation, so that functions of the fixed effects that don't
        touch them keep their own variances.

        known : (p - m, p - m) covariance of the others, in inner coordinates
        """
        half = self.basis @ self.rest
        out: FloatArray = half @ known @ half.T + self.variance * self.user @ self.user.T
        return out


def silent_rows(curvature: FloatArray) -> BoolArray:
    """Tell which rows say nothing: those of the least curvatures, as many as together stay below `SILENT`."""
    size = np.abs(curvature)
    silent = size < SILENT
    few = np.flatnonzero(silent)
    order = few[np.argsort(size[few])]
    silent[order[np.cumsum(size[order]) >= SILENT]] = False
    return silent


def undetermined(X: FloatArray) -> FloatArray:
    """
    Return a (p, m) basis of the directions d with X d = 0.

    >>> undetermined(np.array([[1.0, 0.0], [1.0, 0.0]]))
    array([[0.],
           [1.]])
    """
    length = np.sqrt(np.einsum("ij,ij->j", X, X))
    length[length == 0.0] = 1.0
    R = np.linalg.qr(X / length, mode="r")
    values, turned = np.linalg.svd(R)[1:]
    rank = int(np.count_nonzero(values > NO_PART * values.max(initial=0.0)))
    out: FloatArray = turned[rank:].T / length[:, None]
    return out


def touched(L: FloatArray, flat: FloatArray) -> BoolArray:
    """
    Tell which functions L beta have a part in a flat direction, (r,), and with it no finite estimate.

    L, flat : (r, p), (p, m)

    >>> touched(np.array([[1.0, -1.0, 0.0], [0.0, 1.0, -1.0]]), np.array([[0.0], [0.0], [1.0]]))
    array([False,  True])
    """
    size = np.abs(L) @ np.abs(flat)
    return np.asarray((np.abs(L @ flat) > NOT_TOUCHED * size).any(axis=1))
