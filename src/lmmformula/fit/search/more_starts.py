"""
More points to start the optimiser of a structured model at.

The criterion of standard deviations around one correlation has several minima, with one term in another's place, or
with a strong and a weak correlation. So that no model ends above one that it contains, the optimiser starts also where
all terms vary alike, and where only one of them does, at the best of some sizes and correlations.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import product
from math import inf, isfinite
from typing import TypeVar

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.design import RandomTermDesign
from lmmformula.fit.search.covariances import Parameters

T = TypeVar("T")

DEVIATIONS = (0.2, 1.0, 5.0)
"""Standard deviations that are tried, in columns of unit mean square."""

CORRELATIONS = (0.0, 0.5, 0.9)
"""Correlations that are tried."""

LITTLE = 0.05
"""Standard deviation of a term that another one takes the place of: at zero the criterion is stationary."""

GAIN = 1e-6
"""Deviance by which another start must end lower to count."""


def more_starts(
    terms: Sequence[RandomTermDesign],
    factors: Sequence[Sequence[int]],
    parameters: Parameters,
    value: Callable[[FloatArray], float],
) -> Iterator[FloatArray]:
    """
    Yield parameters to start at; none for terms that may have any covariance matrix.

    factors : per factor, the numbers of its terms
    value : of the criterion; LinAlgError where it can't be computed
    """
    if all(term.n_coefficients == 1 or term.covariance.any_matrix for term in terms):
        return
    for wide in ({*range(len(terms))}, *({t} for t in range(len(terms)) if len(terms) > 1)):
        tried = []
        for deviation, correlation in product(DEVIATIONS, CORRELATIONS):
            S = [
                _covariance(deviation if t in wide else LITTLE, correlation, term.n_coefficients)
                for t, term in enumerate(terms)
            ]
            tried.append(parameters.nearest([[S[t] for t in own] for own in factors]))
        values = [_finite(value, x) for x in tried]
        if np.isfinite(min(values)):
            yield tried[int(np.argmin(values))]


def lowest(found: T, starts: Iterable[FloatArray], descend: Callable[[FloatArray], tuple[float, T]], value: float) -> T:
    """
    Return what was found, or what another start leads to, where that is lower.

    descend : gives the criterion's value, and what is found
    value : of what was found
    """
    for x in starts:
        with suppress(np.linalg.LinAlgError):
            there, other = descend(x)
            if there < value - GAIN:
                found, value = other, there
    return found


def _finite(value: Callable[[FloatArray], float], x: FloatArray) -> float:
    try:
        found = value(x)
    except np.linalg.LinAlgError:
        return inf
    return found if isfinite(found) else inf


def _covariance(deviation: float, correlation: float, k: int) -> FloatArray:
    """Return (k, k) equal variances and correlations."""
    out: FloatArray = deviation**2 * (correlation + (1 - correlation) * np.eye(k))
    return out
