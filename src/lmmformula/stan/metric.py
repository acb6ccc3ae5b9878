"""A dense inverse metric for fixed effects that are correlated, where it pays."""

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.stan.program.record import Fixed, Program

WORTH = 4.0
"""Ratio of the longest to the shortest axis of the posterior, squared, from which a diagonal metric does worse."""
PER_PARAMETER = 0.5
"""What each further parameter adds to that ratio, since a step with a dense metric costs the more of them there are."""
SINGULAR = 1e-13
"""Smallest over largest eigenvalue below which a correlation matrix is no use as a metric."""

SHARED = 0.5
"""Part of a column's spread that the others don't explain, below which a dense metric is always worth it ..."""
MOST = 1000
"""... up to so many parameters, since a step costs their number squared."""
ADAPTS = 10
"""Iterations of warm-up for each parameter that a dense metric needs to be adapted."""
BLUR = 1e-3
"""What Stan adds to the variances that it adapts a metric from, times 5 / (n + 5) of n iterations."""
HARM = 30.0
"""Ratio of that to the shortest axis, squared, from which a metric that is kept as it was serves better."""


def dense_metric(
    program: Program, variances: FloatArray, vcov: FloatArray, means: FloatArray | None
) -> FloatArray | None:
    """
    Put the covariance matrix of the fixed effects into an inverse metric, if their correlations are worth it.

    A diagonal metric takes steps as short as the shortest axis of the posterior and needs as many more as the longest
    is longer. It stays if effects are sampled, since there are many of those and they matter more, unless the columns
    of X share so much, as x and x^2 do, that a diagonal one gets nowhere.

    variances : (m,) of all parameters on the unconstrained scale, the fixed effects first
    vcov : (p, p) covariance matrix of the fixed effects, in the design's order
    means : (K,) of the columns of X beside the intercept, at which the program has its intercept
    Returns the (m, m) inverse metric, or None where a diagonal one serves as well.
    """
    fixed = program.fixed
    count = fixed.K + fixed.intercept
    shared = shares(fixed) and len(variances) <= MOST
    if count < 2 or fixed.cutpoints or (program.sampled and not shared):
        return None
    columns = [fixed.intercept_column] * fixed.intercept + list(fixed.columns)
    at = np.eye(len(vcov))[columns]
    if fixed.intercept and means is not None:
        at[0, list(fixed.columns)] = means
    covariance = at @ vcov @ at.T
    sds = np.sqrt(np.diag(covariance))
    axes = np.linalg.eigvalsh(covariance / np.outer(sds, sds))
    worth = 1.0 if shared else max(WORTH, PER_PARAMETER * len(variances))
    if not SINGULAR * axes[-1] < axes[0] < axes[-1] / worth:
        return None
    metric: FloatArray = np.diag(variances)
    metric[:count, :count] = covariance
    return metric


def shares(fixed: Fixed) -> bool:
    """Tell whether a column of X is mostly explained by the others, as x^2 is by x far from zero."""
    return min(fixed.own, default=1.0) < SHARED


def beats_adaptation(inverse: FloatArray, warmup: int) -> bool:
    """
    Tell whether an inverse metric had better be kept than adapted.

    Stan's adaptation adds a little to all variances, and takes the unit of every parameter to be about 1: of one whose
    posterior is much narrower, or of a narrow direction among several, nothing is left. A dense one needs a warm-up
    that is long enough, too.

    inverse : (m,) variances, or (m, m)

    >>> beats_adaptation(np.array([1.0, 0.01]), 1000), beats_adaptation(np.array([1.0, 1e-8]), 1000)
    (False, True)
    """
    dense = inverse.ndim == 2
    shortest = np.linalg.eigvalsh(inverse)[0] if dense else inverse.min()
    added = BLUR * 5 / (warmup / 2 + 5)  # the last window of a warm-up is half of it
    return bool(shortest * HARM < added or (dense and warmup < ADAPTS * len(inverse)))
