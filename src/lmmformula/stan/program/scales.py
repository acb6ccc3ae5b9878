"""Robust location and scale of the data, which make the default priors free of units."""

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.rank import independent_columns

NORMAL_MAD = 1.4826
"""Standard deviation over median absolute deviation, of a normal distribution."""

LEAST_OWN = 1e-4
"""Part of a column's own, below which the default prior of its coefficient gets no wider."""
DECIMALS = 9
"""Of that part which count, so that rows in another order, or in parts, give the same prior to the last digit."""


def spread(values: FloatArray) -> float:
    """
    Median absolute deviation times 1.4826; where that is 0 the standard deviation, then the root mean square, then 1.

    >>> spread(np.array([1.0, 2.0, 3.0, 4.0, 1000.0])), spread(np.array([0.0, 0.0, 0.0, 1.0])), spread(np.zeros(3))
    (1.4826, 0.5, 1.0)
    """
    mad = NORMAL_MAD * float(np.median(np.abs(values - np.median(values))))
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return next((s for s in (mad, deviation, size(values)) if _usable(s, values)), 1.0)


def size(values: FloatArray) -> float:
    """Root mean square: the spread around zero."""
    largest = float(np.max(np.abs(values), initial=0.0))
    return largest * float(np.sqrt(np.mean(np.square(values / largest)))) if largest > 0 else 0.0


def own_parts(X: FloatArray, *, centred: bool) -> FloatArray:
    """
    Tell what part of each column's spread the other columns don't explain: sqrt(1 - R^2), (K,), from 1e-4 to 1.

    A column that depends on earlier ones in these rows, which are not all rows then, counts as free of them.

    centred : whether there is an intercept, or cutpoints, beside them

    >>> own_parts(np.array([[1.0, 1], [2, 4], [3, 9], [4, 16]]), centred=True).round(3).tolist()
    [0.176, 0.176]
    """
    scaled = X / np.where((largest := np.max(np.abs(X), axis=0, initial=0.0)) > 0, largest, 1.0)
    around_mean = scaled - scaled.mean(axis=0)
    scaled = around_mean if centred else scaled
    kept = independent_columns(scaled, intercept=False)
    inverse = np.linalg.inv(np.linalg.qr(scaled[:, kept], mode="r"))
    left = 1 / np.sqrt(np.square(inverse).sum(axis=1))
    whole = np.sqrt(np.square(around_mean[:, kept]).sum(axis=0))
    parts = np.ones(X.shape[1])
    parts[kept] = np.clip(np.divide(left, whole, out=np.ones(len(left)), where=whole > 0), LEAST_OWN, 1.0)
    return np.round(parts, DECIMALS)


def _usable(scale: float, values: FloatArray) -> bool:
    """Whether a scale is more than the rounding error of values that are all the same."""
    return scale > 1e-12 * float(np.max(np.abs(values), initial=0.0))
