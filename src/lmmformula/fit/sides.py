"""
Modes on both sides of zero, where -eta has the same density as eta: counts with a square root link.

The density of a level's effects then has a mode for either sign of its linear predictors, and which of them is the
higher one can only be told by looking at both. Levels of one factor are independent of each other, all else given.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.fit.curvature import Curvature, spread
from lmmformula.fit.laplace import Laplace
from lmmformula.fit.modes import Mode, Target, mode_of
from lmmformula.fit.weighted import Effects, Pattern


def on_better_sides(point: Laplace, approximate: Callable[[Effects], Laplace]) -> Laplace:
    """Move random effects to the other side of zero where their mode is higher; the same point if none is."""
    target = point.target
    if not target.kernel.mirrored:
        return point
    for number in range(len(target.pattern.factors)):
        u = _turned(point, number)
        if u is not None:
            there = approximate(u)
            point = there if there.mode.value > point.mode.value + point.mode.noise else point
    return point


def _turned(point: Laplace, number: int) -> Effects | None:
    """Return random effects, those of a factor's levels on the other side where that is better; None for nowhere."""
    target, mode = point.target, point.mode
    factor, roots = target.pattern.factors[number], [point.curvature.roots[number]]
    pattern = Pattern.of((factor,))
    own = _part(target, mode.u, number)
    here = Effects(own, np.empty(0))
    rest = mode.eta - pattern.applied(spread(pattern, roots, here))
    alone = replace(target, X=np.empty((len(rest), 0)), offset=rest, pattern=pattern)
    psi = target.limited(target.split(point.x)[2])
    w = target.kernel.positive(mode.rows, mode.eta, psi)
    M = Curvature.of(pattern, roots, w)
    across = M.solve(M.root_transposed(pattern.transposed(-w * (mode.eta + rest))))  # where eta comes next to -eta
    there = mode_of(alone, roots, np.zeros(0), psi, across)
    better = _by_level(alone, there) > _by_level(alone, replace(mode, u=here)) + mode.noise
    return _with(target, mode.u, number, np.where(better, there.u.first, own)) if better.any() else None


def _by_level(target: Target, mode: Mode) -> FloatArray:
    """(J,) penalised log density of each level."""
    first = target.pattern.first
    loglik = np.bincount(first.codes, mode.rows.loglik, first.n_levels)
    out: FloatArray = loglik - np.square(mode.u.first).sum(axis=0) / 2
    return out


def _part(target: Target, u: Effects, number: int) -> FloatArray:
    """(k, J) effects of a factor."""
    if not number:
        return u.first
    _, factor, place = target.pattern.rest[number - 1]
    return u.rest[place].reshape(factor.k, factor.n_levels)


def _with(target: Target, u: Effects, number: int, part: FloatArray) -> Effects:
    """Return effects, those of a factor replaced."""
    if not number:
        return Effects(part, u.rest)
    rest = u.rest.copy()
    rest[target.pattern.rest[number - 1][2]] = part.ravel()
    return Effects(u.first, rest)
