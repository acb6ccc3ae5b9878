"""lme4's theta of a whole model: the numbers by which lme4 names relative covariance matrices, term by term."""

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.covariances.structure import Covariance
from lmmformula.errors import FitError


def split_theta(terms: list[tuple[Covariance, int]], theta: FloatArray) -> list[FloatArray]:
    """Cut theta into the terms' own; terms are given by their covariance and number of coefficients."""
    sizes = [covariance.theta_size(k) for covariance, k in terms]
    values = np.asarray(theta, dtype=np.float64)
    if values.shape != (sum(sizes),) or not bool(np.isfinite(values).all()):
        raise FitError(f"theta must be {sum(sizes)} finite numbers for this model, not {_shown(values)}")
    ends = np.cumsum(sizes).tolist()
    return [values[end - size : end] for end, size in zip(ends, sizes, strict=True)]


def _shown(values: FloatArray) -> str:
    return f"an array of shape {values.shape}" if values.ndim != 1 else f"{len(values)}: {values.tolist()}"
