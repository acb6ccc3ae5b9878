"""
Modes on both sides of zero, where -eta has the same density as eta: counts with a square root link.

The density of a level's effects then has a mode for either sign of its linear predictors, and which of them is the
higher one can only be told by looking at both. Levels of one factor are independent of each other, all else given.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.fit.algebra.effects import Effects
from lmmformula.fit.algebra.rows import RowSums
from lmmformula.fit.algebra.single import Single
from lmmformula.fit.likelihood.laplace import Laplace
from lmmformula.fit.likelihood.modes import Mode, mode_of
from lmmformula.fit.likelihood.target import Target


def on_better_sides(point: Laplace, approximate: Callable[[Effects], Laplace]) -> Laplace:
    """Move random effects to the other side of zero where their mode is higher; the same point if none is."""
    target = point.target
    if not target.family.mirrored or target.blocked != (0,):
        return point
    for number in range(len(target.rows.factors)):
        a = _turned(point, number)
        if a is not None:
            there = approximate(a)
            point = there if there.mode.value > point.mode.value + point.mode.noise else point
    return point


def _turned(point: Laplace, number: int) -> Effects | None:
    """Return random effects, those of a factor's levels on the other side where that is better; None for nowhere."""
    target, mode, roots = point.target, point.mode, [point.M.roots[number]]
    rows = RowSums.of((target.rows.factors[number],))
    here = replace(mode, a=Effects((mode.a.parts[number],)), b=Effects((mode.b.parts[number],)))
    eta = mode.eta[0]
    rest = eta - rows.applied(here.b, 0)
    alone = replace(target, rows=rows, elimination=Single())
    w = target.family.positive(target.observed, mode.eta, mode.density)
    M = Single().factor(rows.gram({(0, 0): w}), roots)
    across, _ = M.halved(rows.transposed({0: -w * (eta + rest)}))  # where eta comes next to -eta
    there = mode_of(alone, roots, [rest, *mode.eta[1:]], across)
    better = _by_level(alone, there) > _by_level(alone, here) + mode.noise
    if not better.any():
        return None
    parts = list(mode.a.parts)
    parts[number] = np.where(better, there.a.parts[0], parts[number])
    return Effects(tuple(parts))


def _by_level(target: Target, mode: Mode) -> FloatArray:
    """(J,) penalised log density of each level."""
    (factor,) = target.rows.factors
    loglik = np.bincount(factor.codes, mode.density.value, factor.n_levels)
    out: FloatArray = loglik - (mode.a.parts[0] * mode.b.parts[0]).sum(axis=(0, 1)) / 2
    return out
