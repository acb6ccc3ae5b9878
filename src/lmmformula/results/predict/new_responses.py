"""
Intervals of new responses: quantiles of the family's distribution, mixed over what is not known of its mean.

The linear predictor is normal around its estimate, eta ~ N(eta^, s^2), so that P(Y <= y) is the mean of the family's
distribution function over it, here by the trapezoidal rule. Nothing is drawn: the bounds are the same each time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.families.family import Family as Distribution
from lmmformula.families.family import Observed
from lmmformula.results.predict.rows import pieces

NODES = np.linspace(-6.5, 6.5, 66)
"""Of the trapezoidal rule, in standard errors: the normal density has 1e-10 beyond, and is smooth on this scale."""
WEIGHTS = np.exp(-(NODES**2) / 2) / np.exp(-(NODES**2) / 2).sum()

HALVINGS = 42
"""Of all floating-point numbers, after which nine digits of a quantile are known."""

MOST = 2.0**53
"""Counts beyond it are not told apart."""


def response_quantiles(
    distribution: Distribution,
    eta: FloatArray,
    error: FloatArray,
    own: Mapping[str, Any],
    trials: FloatArray | float,
    p: float,
) -> FloatArray:
    """
    Return the least responses y with P(Y <= y) of at least p, (m,); NaN where something is not known.

    eta, error : (m,) estimates of the linear predictor, and their standard errors
    own : parameters of the family, one number or (m,)
    trials : of a binomial family, whose responses are shares; else 1

    >>> from lmmformula.families.poisson import Poisson
    >>> response_quantiles(Poisson(), np.log([2.0, 2.0]), np.array([0.0, 1.0]), {}, 1.0, 0.975).tolist()
    [5.0, 15.0]
    """
    tried = np.broadcast_to(trials, eta.shape)
    out = np.full(len(eta), np.nan)
    known = np.flatnonzero(np.isfinite(eta + error + tried))
    with np.errstate(all="ignore"):  # densities far from the response, and means beyond the largest float
        for part in pieces(len(known), len(NODES)):
            rows = known[part]
            of_rows = {name: value[rows] if np.ndim(value) else value for name, value in own.items()}
            moved = eta[rows] + error[rows] * NODES[:, None]
            out[rows] = _quantiles(_Mixture(distribution, moved, of_rows, tried[rows]), p)
    return out


@dataclass(frozen=True, slots=True)
class _Mixture:
    """
    P(Y <= y) of rows, over what is not known of their means.

    eta : (nodes, m)
    """

    distribution: Distribution
    eta: FloatArray
    own: Mapping[str, Any]
    trials: FloatArray

    def at(self, y: FloatArray) -> FloatArray:
        """Return it at (m,) responses."""
        chances = self.distribution.cdf(Observed(y, self.trials), self.eta, self.own)
        return np.asarray(WEIGHTS @ chances, dtype=np.float64)

    def holds(self, y: float) -> bool:
        """Tell whether a number can be a response."""
        return bool(self.distribution.holds(np.array([y]))[0])


def _quantiles(mixture: _Mixture, p: float) -> FloatArray:
    """Search among whole numbers, shares of trials, or all numbers that a response can be."""
    m = len(mixture.trials)
    below = np.full(m, -1, dtype=np.int64)
    if mixture.distribution.name == "binomial":
        many = np.rint(mixture.trials)
        halvings = int(many.max(initial=1.0)).bit_length() + 1
        return _first(lambda k: mixture.at(k / many) >= p, below, many.astype(np.int64), halvings) / many
    if not mixture.holds(0.5):
        top = 1.0
        while top < MOST and bool((mixture.at(np.full(m, top)) < p).any()):
            top *= 2
        high = np.full(m, int(top), dtype=np.int64)
        return _first(lambda k: mixture.at(k.astype(np.float64)) >= p, below, high, int(top).bit_length() + 1).astype(
            float
        )
    least, most = np.finfo(np.float64).smallest_subnormal, np.finfo(np.float64).max
    if not mixture.holds(2.0):
        most = np.nextafter(1.0, 0.0)
    elif mixture.holds(-1.0):
        least = -most
    ends = _places(np.array([least, most]))
    found = _first(lambda k: mixture.at(_numbers(k)) >= p, np.full(m, ends[0]), np.full(m, ends[1]), HALVINGS)
    return _numbers(found)


def _first(reached: Callable[[IntArray], Any], low: IntArray, high: IntArray, halvings: int) -> IntArray:
    """Return, by halving, the first whole numbers after `low` at which something is reached, as it is at `high`."""
    for _ in range(halvings):
        middle = (low >> 1) + (high >> 1) + (low & high & 1)
        there = reached(middle) & (middle > low)
        low, high = np.where(there, low, middle), np.where(there, middle, high)
    return high


def _places(numbers: FloatArray) -> IntArray:
    """Return the places of numbers in the order of all floating-point numbers, 0 for zero."""
    return np.where(np.signbit(numbers), -1, 1) * np.abs(numbers).view(np.int64)


def _numbers(places: IntArray) -> FloatArray:
    """Return the numbers at places."""
    return np.where(places < 0, -1.0, 1.0) * np.abs(places).view(np.float64)
