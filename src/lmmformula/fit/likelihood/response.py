"""The response of a design as its family observes it, and which families Laplace's method can fit."""

from collections.abc import Mapping

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.design import Design
from lmmformula.design.sums.coordinates import scale_of
from lmmformula.errors import FitError, printable
from lmmformula.families.calculus.links import LINKS
from lmmformula.families.family import Family as Distribution
from lmmformula.families.family import Observed
from lmmformula.families.table import FAMILIES, family
from lmmformula.ir.family import GAUSSIAN, Family

CURVATURES = ("observed", "expected")
"""Of a row's log density; the expected one makes lme4's criterion."""

FITTED = tuple(Family(name, link) for name, kind in FAMILIES.items() if not kind.ordinal for link in kind.links)
"""Families that Laplace's method can fit."""


def can_fit(named: Family) -> bool:
    """Tell whether Laplace's method is there for a family."""
    return named in FITTED


def check_curvature(named: Family, curvature: object) -> None:
    """
    Refuse a curvature that there is not.

    Raises
    ------
    FitError
        It is no curvature, or not one of the family's.
    """
    if not isinstance(curvature, str) or curvature not in CURVATURES:
        raise FitError(
            f'the curvature is "observed" or "expected", not {curvature!r:.60}',
            hint='"observed" is the default; "expected" gives lme4\'s criterion',
        )
    if curvature == "expected" and named == GAUSSIAN:
        raise FitError(
            "a gaussian likelihood needs no approximation, and so no curvature: it is exact",
            hint="leave out curvature",
        )
    if curvature == "expected" and not FAMILIES[named.name].has_expected:
        raise FitError(
            f"the family {named.name} is fitted with the observed curvature alone; lme4 does not have it",
            hint="leave out curvature",
        )


def observed_of(design: Design, named: Family) -> tuple[Distribution, Observed]:
    """
    Return a design's response, and the distribution of its family.

    Raises
    ------
    FitError
        There is no fit of the family, or the response has no finite mean.
    """
    if not can_fit(named):
        own = [f for f in FITTED if f.name == named.name]
        known = ", ".join(f"{f.name}({f.link})" for f in own or FITTED)
        raise FitError(
            f"there is no fit by Laplace's method for the family {named.name} with link {named.link}",
            hint=f'write family="{known}"'
            if len(own) == 1
            else f"there is: {known}; Stan samples some others, .sample()",
        )
    distribution = family(named.name, named.link)
    _refuse_constant(design, distribution)
    weights = 1.0 if design.weights is None else design.weights
    factors = 1.0 if design.loglik_weights is None else design.loglik_weights
    is_trials = distribution.name == "binomial"
    trials, precision = (weights, 1.0) if is_trials else (1.0, weights)
    return distribution, Observed(design.y, trials, precision, factors)


def scores(design: Design, named: Family, eta: FloatArray, own: Mapping[str, float]) -> FloatArray:
    """Return (n,) derivatives of the rows' log densities in the linear predictor of the mean."""
    distribution, observed = observed_of(design, named)
    others = [np.atleast_1d(LINKS[p.link].of(np.array(own[p.name]))) for p in distribution.parameters]
    with np.errstate(all="ignore"):
        found = distribution.at(observed, [eta, *others], frozenset({(), (0,)})).at(0)
    return np.array(np.broadcast_to(found, design.nobs), dtype=np.float64)


def unit_of(distribution: Distribution, observed: Observed) -> float:
    """Return the unit of the linear predictor: a power of two next to its spread where it has the response's units."""
    if not (distribution.units or distribution.mirrored):
        return 1.0
    link = distribution.predictor(observed)
    return scale_of(link - link.mean() if distribution.units else link)


def _refuse_constant(design: Design, distribution: Distribution) -> None:
    """Refuse a response that drives a mean, or a variance, to a limit: nothing but zeros, ones, or one number."""
    lowest, highest = float(design.y.min()), float(design.y.max())
    ends = distribution.ends
    if lowest == highest and (highest in ends if ends else design.offset is None):
        raise FitError(
            f"the response `{printable(design.response_name)}` is constant in the rows used: {highest:g} everywhere",
            hint=".sample() needs no finite estimate" if ends else "there is nothing to explain",
        )


def start_of(distribution: Distribution, observed: Observed) -> tuple[float, ...]:
    """Return predictors of the family's own parameters to start at, away from where a density is flat."""
    limit = distribution.farthest(observed)
    return tuple(float(np.clip(x, -limit, limit)) for x in distribution.start(observed))
