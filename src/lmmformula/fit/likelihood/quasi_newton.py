"""
Newton's method for Laplace's criterion.

Second derivatives are differences of the gradient at the first and the last point, and in between follow from symmetric
rank one updates, which need nothing but the gradients that are there anyway.

Conn, Gould & Toint (1991), Math. Program. 50, 177-195.
"""

from dataclasses import dataclass, replace

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.fit.algebra.effects import Effects
from lmmformula.fit.likelihood.laplace import Laplace
from lmmformula.fit.likelihood.quadrature import Approximation
from lmmformula.fit.likelihood.sides import on_better_sides
from lmmformula.fit.likelihood.target import Target
from lmmformula.fit.search.newton import minimise, trust_step
from lmmformula.fit.search.settings import OptimizerLog, OptimizerSettings, Step

MOST_ROUNDS = 8
"""Times the second derivatives are computed anew."""

LEAST_PIVOT = 0.05
"""Of M, below which Laplace's approximation has broken down: at 0 the likelihood that it gives is infinite."""

BREAKDOWN = (
    "Laplace's approximation breaks down where the density of a level's random effects is flat at its mode"
    ' (with curvature="expected", in families that have it, it does not)'
)

LEAST_UPDATE = 1e-8
"""Cosine of the angle below which an update says nothing."""


@dataclass(slots=True)
class Memory:
    """Gradient and Hessian of the last point that was accepted, and the random effects from which modes are sought."""

    x: FloatArray
    gradient: FloatArray
    hessian: FloatArray
    a: Effects
    breakdowns: int = 0

    def update(self, x: FloatArray, gradient: FloatArray, a: Effects) -> tuple[FloatArray, FloatArray]:
        """Move to a point; return its gradient, and the Hessian as far as it is known."""
        step = x - self.x
        miss = gradient - self.gradient - self.hessian @ step
        along = float(miss @ step)
        if abs(along) > LEAST_UPDATE * float(np.linalg.norm(miss)) * float(np.linalg.norm(step)):
            self.hessian = self.hessian + np.outer(miss, miss) / along
        self.x, self.gradient, self.a = x, gradient, a
        return gradient, self.hessian


@dataclass(slots=True)
class _Evaluated:
    """A point of the method."""

    point: Laplace
    memory: Memory

    @property
    def value(self) -> float:
        return self.point.value

    def derivatives(self) -> tuple[FloatArray, FloatArray]:
        return self.memory.update(self.point.x, self.point.gradient, self.point.mode.a)


def descend(
    target: Target, x: FloatArray, a: Effects, approximate: Approximation, settings: OptimizerSettings
) -> tuple[Laplace, OptimizerLog]:
    """
    Minimise -2 log likelihood.

    x, a : parameters to start at, and random effects b = Sigma a near their modes there
    approximate : how the likelihood is approximated
    """
    point = _on_better_sides(target, approximate(target, x, a), approximate)
    hessian, steps = point.rough_hessian(), list[Step]()
    for _ in range(MOST_ROUNDS):
        settings = noticing(point, settings)
        memory = Memory(point.x, point.gradient, hessian, point.mode.a)

        def evaluate(x: FloatArray, memory: Memory = memory, start: FloatArray = point.x) -> _Evaluated:
            there = approximate(target, x, memory.a)
            if there.M.pivot < LEAST_PIVOT and x is not start:
                memory.breakdowns += 1
                raise np.linalg.LinAlgError(BREAKDOWN)
            return _Evaluated(there, memory)

        found = minimise(evaluate, point.x, settings)
        steps += found.log.steps
        moved = not np.array_equal(found.parameters, point.x)
        there = found.point.point
        point = _on_better_sides(target, there, approximate)
        hessian = point.hessian
        promise = trust_step(point.gradient, hessian, settings.first_radius)[1]
        enough = promise <= max(settings.stop_decrease, settings.stop_decrease_relative * abs(point.value))
        if point is there and (enough or not moved):
            break
    steps[-1] = replace(steps[-1], predicted=promise)
    converged = promise <= settings.gradient_tolerance
    verb = "converged" if converged else "stopped"
    reason = f"{verb}: a further step promises {promise:.1e} of deviance"
    reason = BREAKDOWN if memory.breakdowns and not converged else reason
    strategy = f"Laplace: {target.strategy}"
    return point, OptimizerLog(strategy, tuple(steps), reason, converged)


def _on_better_sides(target: Target, point: Laplace, approximate: Approximation) -> Laplace:
    return on_better_sides(point, lambda a: approximate(target, point.x, a))


def noticing(point: Laplace, settings: OptimizerSettings) -> OptimizerSettings:
    """Let changes count as none that rounding makes in a criterion whose terms are larger than their sum."""
    noise = 2 * point.mode.noise / max(abs(point.value), 1.0)
    return replace(settings, rounding=max(settings.rounding, noise))
