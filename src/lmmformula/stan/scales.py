"""Robust location and scale of the data, which make the default priors free of units."""

import numpy as np

from lmmformula.arrays import FloatArray

NORMAL_MAD = 1.4826
"""Standard deviation over median absolute deviation, of a normal distribution."""


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


def _usable(scale: float, values: FloatArray) -> bool:
    """Whether a scale is more than the rounding error of values that are all the same."""
    return scale > 1e-12 * float(np.max(np.abs(values), initial=0.0))
