"""
Trust-region Newton method for a handful of smooth parameters without bounds.

Each step minimises the quadratic model within a ball (More & Sorensen 1983, SIAM J. Sci. Stat. Comput. 4, 553-572); a
direction of negative curvature is followed to the ball's surface, so that no saddle point holds the method up.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.fit.settings import OptimizerLog, OptimizerSettings, Step


class Evaluated(Protocol):
    """A point at which the criterion is known, and can be differentiated."""

    @property
    def value(self) -> float:
        """The criterion."""

    def derivatives(self) -> tuple[FloatArray, FloatArray]:
        """Return gradient and Hessian (or a positive semidefinite stand-in for it)."""


E = TypeVar("E", bound=Evaluated)


@dataclass(frozen=True, slots=True)
class Minimum(Generic[E]):
    """
    Where the method came to rest.

    parameters : (n,) values
    point : the criterion there
    log : every evaluation
    """

    parameters: FloatArray
    point: E
    log: OptimizerLog


def minimise(evaluate: Callable[[FloatArray], E], start: FloatArray, settings: OptimizerSettings) -> Minimum[E]:
    """
    Minimise a criterion from a start.

    `evaluate` may raise LinAlgError where the criterion can't be computed: the step is then shortened.
    """
    x, point = start, evaluate(start)
    gradient, hessian = point.derivatives()
    radius = max(settings.first_radius, float(np.linalg.norm(start)))
    step, predicted = trust_step(gradient, hessian, radius)
    steps = [Step(point.value, predicted, radius, accepted=True)]
    least_radius = 1e-12 * max(1.0, float(np.linalg.norm(start)))
    while predicted > _enough(point.value, settings):
        if len(steps) >= settings.max_evaluations:
            return _minimum(x, point, steps, f"stopped after {len(steps)} evaluations", converged=False)
        new, found = _attempt(evaluate, x + step)
        decrease = point.value - new
        noise = settings.rounding * abs(point.value)
        ratio = 1.0 if abs(decrease) <= noise and predicted <= noise else decrease / predicted
        length = float(np.linalg.norm(step))
        if ratio < settings.shrink_below:
            radius = settings.shrink_factor * length
        elif ratio > settings.expand_above and length > 0.99 * radius:
            radius = min(settings.expand_factor * radius, settings.max_radius)
        accepted = found is not None and ratio > settings.accept_ratio
        if accepted and found is not None:
            x, point = x + step, found
            gradient, hessian = point.derivatives()
        step, predicted = trust_step(gradient, hessian, radius)
        steps.append(Step(new, predicted, radius, accepted))
        if radius < least_radius:
            return _minimum(x, point, steps, "no step lowers the criterion any more", converged=False)
    x, point = _last_step(evaluate, x + step, x, point, settings)
    reason = f"converged: a further step promises {predicted:.1e} of deviance"
    return _minimum(x, point, steps, reason, converged=True)


def _minimum(x: FloatArray, point: E, steps: list[Step], reason: str, *, converged: bool) -> Minimum[E]:
    return Minimum(x, point, OptimizerLog(steps=tuple(steps), reason=reason, converged=converged))


def _enough(value: float, settings: OptimizerSettings) -> float:
    """Return the predicted decrease that is not worth a step."""
    return max(settings.stop_decrease, settings.stop_decrease_relative * abs(value))


def _attempt(evaluate: Callable[[FloatArray], E], x: FloatArray) -> tuple[float, E | None]:
    try:
        found = evaluate(x)
    except np.linalg.LinAlgError:
        return math.inf, None
    return (found.value, found) if math.isfinite(found.value) else (math.inf, None)


def _last_step(
    evaluate: Callable[[FloatArray], E], end: FloatArray, x: FloatArray, point: E, settings: OptimizerSettings
) -> tuple[FloatArray, E]:
    """Take the last step: it doubles the correct digits of the parameters, though the criterion hardly moves."""
    value, found = _attempt(evaluate, end)
    if found is None or value > point.value + settings.rounding * abs(point.value):
        return x, point
    return end, found


def trust_step(gradient: FloatArray, hessian: FloatArray, radius: float) -> tuple[FloatArray, float]:
    """
    Return the step s of length <= radius that minimises g's + s'Hs/2, and the decrease it promises.

    >>> trust_step(np.array([1.0, 0.0]), np.diag([2.0, 1.0]), 10.0)
    (array([-0.5,  0. ]), 0.25)
    """
    values, vectors = np.linalg.eigh((hessian + hessian.T) / 2)
    g = vectors.T @ gradient
    floor = 1e-14 * max(float(np.abs(values).max(initial=0.0)), 1e-300)
    shift = _shift(values, g, radius, floor)
    denominator = values + shift
    free = denominator > floor
    s = np.where(free, -g / np.where(free, denominator, 1.0), 0.0)
    missing = radius * radius - float(s @ s)
    if values[0] < -floor and missing > 0.0:  # the hard case: go along the lowest curvature to the surface
        s[0] += math.copysign(math.sqrt(missing), -g[0] if g[0] != 0.0 else -1.0)
    promised = -float(g @ s + 0.5 * (values * s) @ s)
    return vectors @ s, max(promised, 0.0)


def _shift(values: FloatArray, g: FloatArray, radius: float, floor: float) -> float:
    """Return the smallest lambda >= 0 for which H + lambda I is positive semidefinite and the step fits the ball."""

    def length(shift: float) -> float:
        d = values + shift
        free = d > floor
        return float(np.linalg.norm(np.where(free, g / np.where(free, d, 1.0), 0.0)))

    low = max(0.0, -float(values[0]))
    if length(low) <= radius and (values[0] >= -floor or abs(g[0]) <= 1e-10 * float(np.linalg.norm(g))):
        return low
    if values[0] + low > floor and length(low) <= radius:
        return low
    high = low + float(np.linalg.norm(g)) / radius + floor
    for _ in range(100):  # bisection on the length, which falls with lambda; 100 halvings exhaust a double
        middle = (low + high) / 2
        if length(middle) > radius:
            low = middle
        else:
            high = middle
        if high - low <= 1e-10 * high:
            break
    return high
