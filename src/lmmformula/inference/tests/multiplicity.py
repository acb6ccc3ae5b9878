"""Probabilities corrected for several tests at once."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import FitError
from lmmformula.inference.tests.f_statistic import t_quantiles

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


def half_widths(method: Adjustment, level: float, df: FloatArray, means: int) -> FloatArray:
    """
    Return half widths, in standard errors, of intervals for differences that cover all of them together.

    level : probability that all of a family's intervals cover; that each does, for "none"
    means : number of means that the family compares; "holm" has no intervals of its own and takes Bonferroni's

    >>> half_widths("tukey", 0.95, np.array([10.0]), 3).round(3)
    array([2.741])
    """
    rounded = df.round(4)  # quantiles are slow to find, and equal df differ by rounding
    known = np.unique(rounded[~np.isnan(df)])
    match method:
        case "tukey":
            from scipy.stats import studentized_range

            widths = studentized_range.ppf(level, means, known) / np.sqrt(2)
        case "none":
            widths = t_quantiles(level, known)
        case _:
            widths = t_quantiles(1 - (1 - level) / (means * (means - 1) / 2), known)
    out = np.full(len(df), np.nan)
    out[~np.isnan(df)] = widths[np.searchsorted(known, rounded[~np.isnan(df)])]
    return out


def refuse_unknown(value: object, choices: Sequence[str]) -> None:
    """Refuse the name of a method that there is not."""
    if not isinstance(value, str) or value not in choices:
        raise FitError(f"adjust={value!r:.60} is not known here", hint=f"the choices are: {', '.join(choices)}")
