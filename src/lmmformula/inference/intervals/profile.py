"""
Profile likelihood: how far a parameter can move before the deviance tells.

zeta(v) = sign(v - estimate) sqrt(D(v) - least D), with D the deviance (of maximum likelihood, for REML fits too, as in
lme4) minimised over all other parameters; an interval holds the v with |zeta| below a normal quantile.
Bates, Maechler, Bolker & Walker (2015), J. Stat. Soft. 67(1), section 5.1.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.design import Design
from lmmformula.errors import FitError, legible, warn
from lmmformula.fit.glmm import GlmmFit
from lmmformula.fit.lmm import Fit, fit_lmm
from lmmformula.fit.reml.problem import Problem, prepare
from lmmformula.inference.intervals.curves import Curve, curve_of
from lmmformula.inference.intervals.interval_table import Intervals
from lmmformula.inference.intervals.laplace_curve import LaplaceProblem
from lmmformula.inference.intervals.parameters import Parameter, chosen, estimates, normal_quantile
from lmmformula.inference.refits.jobs import Progress, Running, each
from lmmformula.newcomers import answers_newcomers
from lmmformula.results.arguments import check_count
from lmmformula.results.glmm import GeneralizedMixedResult, MixedResult
from lmmformula.screen import paged

if TYPE_CHECKING:
    import pandas as pd

ZETA_TOLERANCE = 1e-3
"""A bound is one more Newton step away when zeta is this close to the quantile: the step leaves 1e-7 of that."""

LOWER = 1e-3
"""A deviance that is lower than the least one by more than this is no rounding."""

MOST_STEPS = 60
"""Newton steps and bisections after which a bound is given up; half a dozen is usual."""


@dataclass(frozen=True, eq=False)
class ProfileCurve:
    """
    The profile of one parameter.

    parameter : which
    estimate : by maximum likelihood
    values, zeta : (m,) points of the curve, ascending
    """

    parameter: Parameter
    estimate: float
    values: FloatArray
    zeta: FloatArray


@answers_newcomers()
@dataclass(frozen=True, eq=False, repr=False)
class Profile:
    """
    Profiles of several parameters.

    curves : one per parameter
    """

    curves: tuple[ProfileCurve, ...]

    @property
    def frame(self) -> "pd.DataFrame":
        """One row per point: parameter, value, zeta."""
        import pandas as pd

        from lmmformula.results.tables.shown import harmless

        rows = [(c.parameter.label, v, z) for c in self.curves for v, z in zip(c.values, c.zeta, strict=True)]
        return harmless(pd.DataFrame(rows, columns=["parameter", "value", "zeta"]))

    def __str__(self) -> str:
        points = ", ".join(f"{c.parameter.label} ({len(c.values)})" for c in self.curves)
        return paged(legible(f"Profiles of the deviance, number of points: {points}"))

    __repr__ = __str__


def profile(
    result: MixedResult,
    parameters: str | Sequence[str] | None = None,
    *,
    level: float = 0.99,
    points: int = 12,
    progress: Progress = True,
    workers: int | None = None,
) -> Profile:
    """
    Trace the profiles of parameters between the bounds of `level` intervals, at `points` values and the estimate.

    progress : whether to draw a bar on a terminal, or a function of the numbers of profiles done and of all
    workers : number of processes; None for as many as pay

    >>> import lmmformula as lf
    >>> fit = lf.Model("Yield ~ 1 + (1 | Batch)", lf.datasets.load("Dyestuff")).fit()
    >>> profile(fit, "sigma").frame.zeta.round(3).iloc[[0, -1]].tolist()
    [-2.576, 2.576]
    """
    z = normal_quantile(level)
    check_count("points", points, least=2)
    wanted = chosen(result, parameters)
    tracer = _Tracer(result.design, _by_ml(result), z, points)
    jobs = ((1, parameter) for parameter in wanted)
    found = each(tracer, jobs, len(wanted), running=Running(progress, workers), what="profiles")
    return Profile(tuple(found))


def profile_intervals(
    result: MixedResult,
    parameters: str | Sequence[str] | None = None,
    *,
    level: float = 0.95,
    progress: Progress = True,
    workers: int | None = None,
) -> Intervals:
    """
    Return profile likelihood intervals.

    A standard deviation's lower bound is 0, and a correlation's bound -1 or 1, where the deviance never reaches the
    quantile on that side.

    >>> import lmmformula as lf
    >>> fit = lf.Model("Yield ~ 1 + (1 | Batch)", lf.datasets.load("Dyestuff")).fit()
    >>> print(profile_intervals(fit))
    95 % intervals (profile likelihood)
                            estimate  conf_low  conf_high
    (Intercept)               1527.5    1486.5     1568.5
    sd[Batch, (Intercept)]        42      12.2      84.06
    sigma                      49.51     38.23      67.66
    """
    z = normal_quantile(level)
    wanted = chosen(result, parameters)
    bounder = _Bounder(result.design, _by_ml(result), z)
    jobs = ((1, parameter) for parameter in wanted)
    found = each(bounder, jobs, len(wanted), running=Running(progress, workers), what="profiles")
    bounds = np.array(found).reshape(-1, 2)
    labels = tuple(p.label for p in wanted)
    lost = [label for label, row in zip(labels, bounds, strict=True) if np.isnan(row).any()]
    if lost:
        warn(f"no bound was found for {', '.join(lost)}", hint='try method="boot"')
    return Intervals(labels, estimates(wanted, result), bounds[:, 0], bounds[:, 1], level, "profile likelihood")


@dataclass(frozen=True)
class _Bounder:
    """
    Finds the bounds of a parameter's interval.

    fit : by maximum likelihood
    z : what |zeta| is at the bounds
    """

    design: Design
    fit: Fit | GlmmFit
    z: float

    def __call__(self, parameter: Parameter) -> tuple[float, float]:
        """Return lower and upper bound."""
        curve = self.curve(parameter)
        low, high = self.bounds(curve)
        return curve.shown(low), curve.shown(high)

    def curve(self, parameter: Parameter) -> Curve:
        """Return the profile deviance of a parameter, as yet with the estimate alone."""
        if isinstance(self.problem, LaplaceProblem):
            return self.problem.curve(parameter)
        assert isinstance(self.fit, Fit)
        return curve_of(self.problem, self.design, self.fit, parameter)

    def bounds(self, curve: Curve) -> tuple[float, float]:
        """Return where |zeta| is z, on the curve's own scale."""
        zeta = _zeta(curve)
        return _crossing(zeta, curve, self.z, -1), _crossing(zeta, curve, self.z, 1)

    @cached_property
    def problem(self) -> Problem | LaplaceProblem | None:
        """The prepared design; None for a linear model."""
        if isinstance(self.fit, GlmmFit):
            return LaplaceProblem(self.design, self.fit)
        return prepare(self.design, reml=False) if self.design.random_terms else None

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave out what is prepared: the factors of sparse matrices can't be copied to another process."""
        return type(self), tuple(getattr(self, field.name) for field in fields(self))


@dataclass(frozen=True)
class _Tracer(_Bounder):
    """
    Traces a parameter's profile between its bounds.

    points : at how many values, besides the estimate
    """

    points: int

    def __call__(self, parameter: Parameter) -> ProfileCurve:  # type: ignore[override]  # another job
        """Return the curve."""
        curve = self.curve(parameter)
        zeta = _zeta(curve)
        values = np.concatenate([np.linspace(*self.bounds(curve), self.points), [curve.estimate]])
        values = np.unique(values[np.isfinite(values)])
        heights = np.array([math.copysign(zeta(v)[0], v - curve.estimate) for v in values])
        shown = np.array([curve.shown(v) for v in values])
        known = np.isfinite(shown) & np.isfinite(heights)
        return ProfileCurve(parameter, curve.shown(curve.estimate), shown[known], heights[known])


def _by_ml(result: MixedResult) -> Fit | GlmmFit:
    if isinstance(result, GeneralizedMixedResult) or not result.fit.reml:
        return result.fit
    start = None if result.is_linear_model else result.fit.theta
    return fit_lmm(result.design, reml=False, start=start, settings=result.fit.settings)


def _zeta(curve: Curve) -> Callable[[float], tuple[float, float]]:
    """Return the function value -> |zeta| and its slope."""

    def zeta(value: float) -> tuple[float, float]:
        if value == curve.estimate:
            return 0.0, math.nan
        try:
            above, slope = curve.above(value)
        except np.linalg.LinAlgError:
            return math.inf, math.nan
        if above < -LOWER:
            raise FitError(
                f"with a parameter held at {value:.4g} the deviance is lower by {-above:.3g} than that of the fit",
                hint="the fit rests at a local optimum: fit again from another `start`",
            )
        height = math.sqrt(max(above, 0.0))
        return height, slope / (2 * height) if height > 0 else math.nan

    return zeta


def _crossing(zeta: Callable[[float], tuple[float, float]], curve: Curve, target: float, side: int) -> float:
    """
    Return where |zeta| reaches the target on one side of the estimate, or the parameter's limit if it never does.

    NaN where that can't be told.
    """
    limit = curve.limits[0 if side < 0 else 1]
    inside, outside, reached = curve.estimate, None, False
    if math.isnan(inside) or inside == limit:
        return limit
    value = _clipped(inside + side * target * curve.step, inside, limit)
    for _ in range(MOST_STEPS):
        height, slope = zeta(value)
        newton = value + (target - height) / slope if math.isfinite(height) and slope * side > 0 else math.nan
        if abs(height - target) < ZETA_TOLERANCE and math.isfinite(newton):
            return _clipped(newton, inside, limit)
        if height > target:
            outside, reached = value, math.isfinite(height)  # beyond, or where nothing can be computed
        elif value == limit:
            return limit
        else:
            inside = value
        if outside is None:
            reach = 3 * (value - curve.estimate)
            ahead = newton if 0 < (newton - value) / reach < 1 else value + reach / 3
            value = _clipped(ahead, inside, limit)
        elif abs(outside - inside) <= 1e-12 * max(abs(outside), abs(inside)):
            return value if reached else math.nan
        else:
            value = newton if min(inside, outside) < newton < max(inside, outside) else (inside + outside) / 2
    return math.nan


def _clipped(value: float, inside: float, limit: float) -> float:
    """Return the value, or the limit where it lies beyond it as seen from inside."""
    return limit if (value - limit) * (inside - limit) <= 0 else value
