"""Which responses Laplace's method can fit, and by which kernel."""

from collections.abc import Callable

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.coordinates import scale_of
from lmmformula.design.matrices import DesignMatrices
from lmmformula.errors import FitError
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
    Family("poisson", "sqrt"): lambda y, _: RootCounts(y),
    Family("negbinomial", "log"): lambda y, _: NegativeBinomial(y),
    Family("zero_inflated_poisson", "log"): lambda y, _: Counts(y, zeros=True),
    Family("zero_inflated_negbinomial", "log"): lambda y, _: NegativeBinomial(y, zeros=True),
    Family("Gamma", "log"): lambda y, _: Gamma(y),
    Family("beta", "logit"): lambda y, _: Beta(y),
    Family("lognormal", "identity"): lambda y, w: _lognormal(np.log(y), w),
    Family("student", "identity"): lambda y, w: Student(y / (s := spread(y)), s, np.sqrt(w)),
}
"""Family -> kernel of a response with prior weights: precision weights or, of a binomial family, trials."""


def can_fit(family: Family) -> bool:
    """Tell whether Laplace's method is there for a family."""
    return family in KERNELS


def kernel_of(design: DesignMatrices, family: Family) -> Kernel:
    """
    Return the kernel of a design's response.

    Raises
    ------
    FitError
        There is none.
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
    kernel = KERNELS[family](design.y, 1.0 if design.weights is None else design.weights)
    return kernel if design.loglik_weights is None else Factored(kernel, design.loglik_weights)
