"""Which responses Laplace's method can fit, and by which kernel."""

from collections.abc import Callable

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.coordinates import scale_of
from lmmformula.design.matrices import DesignMatrices
from lmmformula.errors import FitError, printable
from lmmformula.fit.factored import Factored
from lmmformula.fit.kernels import Beta, Binomial, Gamma, Kernel, Normal, Student
from lmmformula.fit.kernels_counts import Counts, NegativeBinomial, RootCounts
from lmmformula.ir.family import GAUSSIAN, Family

Weights = FloatArray | float


def _lognormal(x: FloatArray, w: Weights) -> Normal:
    return Normal(x / (s := spread(x)), -x, s, np.sqrt(w))


def spread(y: FloatArray) -> float:
    """Return the power of two next to the standard deviation of a response."""
    return scale_of(y - y.mean())


KERNELS: dict[Family, Callable[[FloatArray, Weights], Kernel]] = {
    GAUSSIAN: lambda y, w: Normal(y / (s := spread(y)), 0.0, s, np.sqrt(w)),
    Family("binomial", "logit"): lambda y, w: Binomial(y, w, "logit"),
    Family("binomial", "probit"): lambda y, w: Binomial(y, w, "probit"),
    Family("binomial", "cloglog"): lambda y, w: Binomial(y, w, "cloglog"),
    Family("poisson", "log"): lambda y, _: Counts(y),
    Family("poisson", "sqrt"): lambda y, _: RootCounts(y, 1.0, scale_of(np.sqrt(y))),
    Family("negbinomial", "log"): lambda y, _: NegativeBinomial(y),
    Family("zero_inflated_poisson", "log"): lambda y, _: Counts(y, zeros=True),
    Family("zero_inflated_negbinomial", "log"): lambda y, _: NegativeBinomial(y, zeros=True),
    Family("Gamma", "log"): lambda y, _: Gamma(y),
    Family("beta", "logit"): lambda y, _: Beta(y),
    Family("lognormal", "identity"): lambda y, w: _lognormal(np.log(y), w),
    Family("student", "identity"): lambda y, w: Student(y / (s := spread(y)), s, np.sqrt(w)),
}
"""Family -> kernel of a response with prior weights: precision weights or, of a binomial family, trials."""

COUNTS = {"poisson", "negbinomial", "zero_inflated_poisson", "zero_inflated_negbinomial"}


def refuse_constant(design: DesignMatrices, family: Family) -> None:
    """Refuse a response that drives a mean, or a variance, to a limit: nothing but zeros, ones, or one number."""
    lowest, highest = float(design.y.min()), float(design.y.max())
    discrete = family.name in {"binomial", *COUNTS}
    ends = {0.0, 1.0} if family.name == "binomial" else {0.0}
    if lowest == highest and (highest in ends if discrete else design.offset is None):
        raise FitError(
            f"the response `{printable(design.response_name)}` is constant in the rows used: {highest:g} everywhere",
            hint=".sample() needs no finite estimate" if discrete else "there is nothing to explain",
        )


CURVATURES = ("observed", "expected")
"""Of a row's log density; the expected one makes lme4's criterion."""


def can_fit(family: Family) -> bool:
    """Tell whether Laplace's method is there for a family."""
    return family in KERNELS


def check_curvature(family: Family, curvature: object) -> None:
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
    if curvature == "expected" and family == GAUSSIAN:
        raise FitError(
            "a gaussian likelihood needs no approximation, and so no curvature: it is exact",
            hint="leave out curvature",
        )
    if curvature == "expected" and family.name.startswith("zero_inflated"):
        raise FitError(
            f"the family {family.name} is fitted with the observed curvature alone; lme4 does not have it",
            hint="leave out curvature",
        )


def kernel_of(design: DesignMatrices, family: Family) -> Kernel:
    """
    Return the kernel of a design's response.

    Raises
    ------
    FitError
        There is none, or the response has no finite mean.
    """
    if family not in KERNELS:
        own = [f for f in KERNELS if f.name == family.name]
        known = ", ".join(f"{f.name}({f.link})" for f in own or KERNELS)
        raise FitError(
            f"there is no fit by Laplace's method for the family {family.name} with link {family.link}",
            hint=f'write family="{known}"'
            if len(own) == 1
            else f"there is: {known}; Stan samples some others, .sample()",
        )
    refuse_constant(design, family)
    kernel = KERNELS[family](design.y, 1.0 if design.weights is None else design.weights)
    return kernel if design.loglik_weights is None else Factored(kernel, design.loglik_weights)
