"""Probabilities corrected for several tests at once."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import FitError

Adjustment = Literal["tukey", "holm", "bonferroni", "none"]


def adjusted(method: Adjustment, p: FloatArray) -> FloatArray:
    """
    Correct p values by a method that needs nothing else.

    >>> adjusted("holm", np.array([0.01, 0.04, 0.03]))
    array([0.03, 0.06, 0.06])
    >>> adjusted("bonferroni", np.array([0.01, 0.04, 0.5]))
    array([0.03, 0.12, 1.  ])
    """
    known = np.flatnonzero(~np.isnan(p))
    out = p.copy()
    match method:
        case "bonferroni":
            out[known] = np.minimum(len(known) * p[known], 1.0)
        case "holm":
            order = known[np.argsort(p[known])]
            factors = np.arange(len(order), 0, -1)
            out[order] = np.minimum(np.maximum.accumulate(factors * p[order]), 1.0)
        case _:
            pass
    return out


def tukey(t: FloatArray, df: FloatArray, means: int) -> FloatArray:
    """
    Correct all pairwise t tests of several means: probability that their studentized range exceeds sqrt(2) |t|.

    >>> tukey(np.array([2.5]), np.array([10.0]), 3).round(5)
    array([0.07404])
    """
    from scipy.stats import studentized_range

    known = ~np.isnan(t) & ~np.isnan(df)
    out = np.full(len(t), np.nan)
    if means > 1 and known.any():
        out[known] = studentized_range.sf(np.sqrt(2) * np.abs(t[known]), means, df[known])
    bounded: FloatArray = np.clip(out, 0.0, 1.0)
    return bounded


def refuse_unknown(value: str, choices: Sequence[str]) -> None:
    """Refuse the name of a method that there is not."""
    if value not in choices:
        raise FitError(f"adjust={value!r} is not known here", hint=f"the choices are: {', '.join(choices)}")
