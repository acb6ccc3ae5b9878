"""A dense inverse metric for fixed effects that are correlated, where it pays."""

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.stan.program import Program

WORTH = 4.0
"""Ratio of the longest to the shortest axis of the posterior, squared, from which a diagonal metric does worse."""
PER_PARAMETER = 0.5
"""What each further parameter adds to that ratio, since a step with a dense metric costs the more of them there are."""
SINGULAR = 1e-10
"""Smallest over largest eigenvalue below which a correlation matrix is no use as a metric."""


def dense_metric(
    program: Program, variances: FloatArray, vcov: FloatArray, means: FloatArray | None
) -> FloatArray | None:
    """
    Put the covariance matrix of the fixed effects into an inverse metric, if their correlations are worth it.

    A diagonal metric takes steps as short as the shortest axis of the posterior and needs as many more as the longest
    is longer. It stays if effects are sampled: there are many of those, and they matter more.

    variances : (m,) of all parameters on the unconstrained scale, the fixed effects first
    vcov : (p, p) covariance matrix of the fixed effects, in the design's order
    means : (K,) of the columns of X beside the intercept, at which the program has its intercept
    Returns the (m, m) inverse metric, or None where a diagonal one serves as well.
    """
    fixed = program.fixed
    count = fixed.K + fixed.intercept
    if count < 2 or program.sampled or fixed.cutpoints:
        return None
    columns = [fixed.intercept_column] * fixed.intercept + list(fixed.columns)
    at = np.eye(len(vcov))[columns]
    if fixed.intercept and means is not None:
        at[0, list(fixed.columns)] = means
    covariance = at @ vcov @ at.T
    sds = np.sqrt(np.diag(covariance))
    axes = np.linalg.eigvalsh(covariance / np.outer(sds, sds))
    worth = max(WORTH, PER_PARAMETER * len(variances))
    if not SINGULAR * axes[-1] < axes[0] < axes[-1] / worth:
        return None
    metric: FloatArray = np.diag(variances)
    metric[:count, :count] = covariance
    return metric
