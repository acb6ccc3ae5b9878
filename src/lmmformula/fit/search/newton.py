"""
Trust-region Newton method for a handful of smooth parameters without bounds.

Each step minimises the quadratic model within a ball (More & Sorensen 1983, SIAM J. Sci. Stat. Comput. 4, 553-572); a
direction of negative curvature is followed to the ball's surface, so that no saddle point holds the method up.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.fit.search.settings import OptimizerLog, OptimizerSettings, Step


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
    hessian : (n, n) second derivatives there, or their stand-in: those that the last step was made with
    """

    parameters: FloatArray
    point: E
    log: OptimizerLog
    hessian: FloatArray


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
            return _minimum(x, point, hessian, steps, f"stopped after {len(steps)} evaluations", converged=False)
        new, found = _attempt(evaluate, x + step)
        decrease = point.value - new
        noise = settings.rounding * abs(point.value)
        ratio = 1.0 if abs(decrease) <= noise and predicted <= noise else decrease / predicted
        length = float(np.linalg.norm(step))
        if ratio < settings.shrink_below:
            radius = settings.shrink_factor * length
        elif ratio > settings.expand_above and length > 0.99 * radius:
            radius = min(settings.expand_factor * radius, max(settings.max_radius, float(np.linalg.norm(x))))
        accepted = found is not None and ratio > settings.accept_ratio
        if accepted and found is not None:
            x, point = x + step, found
            gradient, hessian = point.derivatives()
        step, predicted = trust_step(gradient, hessian, radius)
        steps.append(Step(new, predicted, radius, accepted))
        if radius < least_radius:
            break
    whole = max(settings.first_radius, float(np.linalg.norm(x)))
    promise = trust_step(gradient, hessian, whole)[1]
    if radius < settings.tiny_radius * whole and promise > settings.gradient_tolerance:
        # little is promised only because rejected steps have shrunk the ball
        steps[-1] = replace(steps[-1], predicted=promise)
        return _minimum(x, point, hessian, steps, "no step lowers the criterion any more", converged=False)
    x, point = _last_step(evaluate, x + step, x, point, settings)
    reason = f"converged: a further step promises {predicted:.1e} of deviance"
    return _minimum(x, point, hessian, steps, reason, converged=True)


def _minimum(
    x: FloatArray, point: E, hessian: FloatArray, steps: list[Step], reason: str, *, converged: bool
) -> Minimum[E]:
    return Minimum(x, point, OptimizerLog(steps=tuple(steps), reason=reason, converged=converged), hessian)


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
    negative = bool(values.min(initial=0.0) < -floor)
    gaps = values - values[0] if negative else np.maximum(values, 0.0)  # of H + lambda I at the least lambda allowed
    s = _within(gaps, g, radius, floor, must_shift=negative)
    if negative and s[0] == 0.0:  # the hard case: go along the lowest curvature to the surface
        s[0] = math.sqrt(max(radius * radius - float(s @ s), 0.0))
    promised = -float(g @ s + 0.5 * (values * s) @ s)
    return vectors @ s, max(promised, 0.0)


def _within(gaps: FloatArray, g: FloatArray, radius: float, floor: float, *, must_shift: bool) -> FloatArray:
    """
    Return -g / (gaps + mu) with the smallest mu >= 0 for which it fits the ball.

    Where gap and mu are zero the step is zero, if the gradient is: along a flat ridge nothing is moved, and in the hard
    case the caller moves on.
    """

    def step(mu: float) -> FloatArray:
        denominator = gaps + mu
        free = denominator > (0.0 if mu else floor)
        return np.where(free, -g / np.where(free, denominator, 1.0), 0.0)

    size = float(np.linalg.norm(g))
    flat = float(np.linalg.norm(g[gaps <= floor])) <= (0.0 if must_shift else 1e-10 * size)
    if flat and float(np.linalg.norm(step(0.0))) <= radius:
        return step(0.0)
    high = size / radius
    low = 1e-30 * high
    while high > low * (1 + 1e-12):  # bisection of the logarithm: the length falls with mu
        middle = math.sqrt(low) * math.sqrt(high)
        if not low < middle < high:
            break
        if float(np.linalg.norm(step(middle))) > radius:
            low = middle
        else:
            high = middle
    return step(high)
