"""
Functions of several variables with their partial derivatives: forward differentiation to third order.

A log density is written once, in the operations of this module. Called with arrays it gives its value; called with
`Jet` variables it gives value, score, curvature and the slopes of the curvature at one go, exactly.

Griewank & Walther (2008), Evaluating Derivatives, 2nd edition, chapter 13.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from itertools import combinations_with_replacement
from typing import Any, ClassVar

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray, IntArray

Key = tuple[int, ...]
"""Variables of a partial derivative, in increasing order; () is the value itself."""

Real = Any
"""An array or a number, or a `Jet` of such."""

Derivatives = Callable[[FloatArray, int], Sequence[FloatArray]]
"""A function of one variable: values and an order -> itself and its derivatives up to that order."""


def wanted(pairs: Iterable[Key], n_variables: int) -> frozenset[Key]:
    """
    Name the partial derivatives that a criterion needs: of the given ones, in each further variable, and all below.

    pairs : second derivatives whose slopes are asked for

    >>> sorted(wanted([(0, 0)], 2))
    [(), (0,), (0, 0), (0, 0, 0), (0, 0, 1), (0, 1), (1,)]
    """
    thirds = [tuple(sorted((*pair, variable))) for pair in pairs for variable in range(n_variables)]
    firsts = [(variable,) for variable in range(n_variables)]
    return frozenset(part for key in (*thirds, *firsts) for part, _ in _splits(key))


VALUE = frozenset({()})
"""The value alone."""


@cache
def up_to(order: int, n_variables: int) -> frozenset[Key]:
    """Name all partial derivatives up to an order."""
    return frozenset(
        key for size in range(order + 1) for key in combinations_with_replacement(range(n_variables), size)
    )


@dataclass(frozen=True, slots=True)
class Jet:
    """
    The value of a function and its partial derivatives.

    parts : key -> (n,) derivative, or one that broadcasts; those that are missing are zero
    wanted : keys that are worked out
    """

    parts: Mapping[Key, FloatArray]
    wanted: frozenset[Key]
    __array_ufunc__: ClassVar[None] = None  # numpy's arrays leave arithmetic with a jet to the jet

    @property
    def value(self) -> FloatArray:
        """The value."""
        return self.parts[()]

    def at(self, *key: int) -> FloatArray | float:
        """Return the partial derivative in some variables, 0 where there is none."""
        return self.parts.get(tuple(sorted(key)), 0.0)

    @property
    def order(self) -> int:
        """Highest order of a derivative that is wanted in the variables that this one depends on."""
        return _order(frozenset(self.parts), self.wanted)

    def __neg__(self) -> "Jet":
        return Jet({key: -part for key, part in self.parts.items()}, self.wanted)

    def __add__(self, other: Real) -> "Jet":
        if not isinstance(other, Jet):
            return Jet({**self.parts, (): self.parts[()] + other}, self.wanted)
        out = dict(self.parts)
        for key, part in other.parts.items():
            out[key] = out[key] + part if key in out else part
        return Jet(out, self.wanted)

    __radd__ = __add__

    def __sub__(self, other: Real) -> "Jet":
        out: Jet = self + (-other)
        return out

    def __rsub__(self, other: Real) -> "Jet":
        out: Jet = -self + other
        return out

    def __mul__(self, other: Real) -> "Jet":
        if not isinstance(other, Jet):
            return Jet({key: part * other for key, part in self.parts.items()}, self.wanted)
        out = {}
        for key, terms in _products(frozenset(self.parts), frozenset(other.parts), self.wanted):
            out[key] = _sum(terms, lambda left, right: self.parts[left] * other.parts[right])
        return Jet(out, self.wanted)

    __rmul__ = __mul__

    def __truediv__(self, other: Real) -> "Jet":
        out: Jet = self * (1 / other)
        return out

    def __rtruediv__(self, other: Real) -> "Jet":
        out: Jet = applied(_reciprocal, self) * other
        return out


def variable(number: int, values: FloatArray, wanted: frozenset[Key]) -> Jet:
    """Return a variable itself."""
    return Jet({(): values, (number,): np.ones_like(values)}, wanted)


def applied(function: Derivatives, x: Real) -> Real:
    """
    Return a function of a jet, by Faà di Bruno's formula, or of an array.

    >>> x = variable(0, np.array([2.0]), up_to(2, 1))
    >>> [float(exp(x * x).at(*key)[0] / np.exp(4)) for key in ((), (0,), (0, 0))]
    [1.0, 4.0, 18.0]
    """
    if not isinstance(x, Jet):
        return function(np.asarray(x, dtype=np.float64), 0)[0]
    orders = function(x.value, x.order)
    out: dict[Key, FloatArray] = {(): orders[0]}
    for key, terms in _chains(frozenset(x.parts), x.wanted):
        out[key] = _sum(terms, lambda *blocks: reduce(np.multiply, [x.parts[b] for b in blocks], orders[len(blocks)]))
    return Jet(out, x.wanted)


def chosen(where: BoolArray, this: Real, other: Real) -> Real:
    """Return one of two jets (or arrays) row by row, as `numpy.where` does."""
    if not isinstance(this, Jet) and not isinstance(other, Jet):
        return np.where(where, this, other)
    one, two = ({**x.parts} if isinstance(x, Jet) else dict[Key, FloatArray]({(): x}) for x in (this, other))
    parts = {key: np.where(where, one.get(key, 0.0), two.get(key, 0.0)) for key in one.keys() | two.keys()}
    return Jet(parts, (this if isinstance(this, Jet) else other).wanted)


def taken(x: Real, which: IntArray) -> Real:
    """Return some elements of the last axis of a jet, or of an array."""
    if not isinstance(x, Jet):
        return x[..., which]
    return Jet({key: part[..., which] for key, part in x.parts.items()}, x.wanted)


def value_of(x: Real) -> FloatArray:
    """Return the value of a jet, or an array itself."""
    return x.value if isinstance(x, Jet) else np.asarray(x, dtype=np.float64)


@cache
def _splits(key: Key) -> tuple[tuple[Key, Key], ...]:
    """Return all ways to deal the variables of a key to two functions."""
    n = len(key)
    sides = [[bits >> i & 1 for i in range(n)] for bits in range(2**n)]
    dealt = [list(zip(key, side, strict=True)) for side in sides]
    return tuple((tuple(k for k, s in one if s), tuple(k for k, s in one if not s)) for one in dealt)


@cache
def _splits_of_two(key: Key) -> tuple[tuple[tuple[Key, Key], int], ...]:
    return tuple(Counter(_splits(key)).items())


@cache
def _partitions(key: Key) -> tuple[tuple[tuple[Key, ...], int], ...]:
    """Return all partitions of a key of at most three variables into blocks, with how often each comes."""
    match key:
        case ():
            found: list[tuple[Key, ...]] = []
        case (_,):
            found = [(key,)]
        case (i, j):
            found = [(key,), ((i,), (j,))]
        case _:
            i, j, k = key
            found = [(key,), ((i,), (j, k)), ((j,), (i, k)), ((k,), (i, j)), ((i,), (j,), (k,))]
    return tuple(Counter(found).items())


Terms = tuple[tuple[tuple[Key, ...], int], ...]
"""Keys of parts that are multiplied, and how often each product comes."""


def _sum(terms: Terms, product: Callable[..., FloatArray]) -> FloatArray:
    total: FloatArray | None = None
    for keys, times in terms:
        term = product(*keys) if times == 1 else times * product(*keys)
        total = term if total is None else total + term
    assert total is not None
    return total


@cache
def _products(one: frozenset[Key], two: frozenset[Key], wanted: frozenset[Key]) -> tuple[tuple[Key, Terms], ...]:
    """Plan a product of two jets that have these parts."""
    found = []
    for key in wanted:
        terms = tuple(term for term in _splits_of_two(key) if term[0][0] in one and term[0][1] in two)
        if terms:
            found.append((key, terms))
    return tuple(found)


@cache
def _chains(own: frozenset[Key], wanted: frozenset[Key]) -> tuple[tuple[Key, Terms], ...]:
    """Plan a function of a jet that has these parts."""
    found = []
    for key in wanted:
        terms = tuple(term for term in _partitions(key) if own.issuperset(term[0]))
        if key and terms:
            found.append((key, terms))
    return tuple(found)


@cache
def _order(own: frozenset[Key], wanted: frozenset[Key]) -> int:
    variables = {variable for key in own for variable in key}
    return max(len(key) for key in wanted if variables.issuperset(key))


# --- functions of one variable --------------------------------------------------------------------------------------


def _reciprocal(x: FloatArray, order: int) -> list[FloatArray]:
    inverse = 1 / x
    return [inverse, -(inverse**2), 2 * inverse**3, -6 * inverse**4][: order + 1]


def _exp(x: FloatArray, order: int) -> list[FloatArray]:
    return [np.exp(x)] * (order + 1)


def _log(x: FloatArray, order: int) -> list[FloatArray]:
    return [np.log(x), *_reciprocal(x, max(order - 1, 0))][: order + 1]


def _log1p(x: FloatArray, order: int) -> list[FloatArray]:
    return [np.log1p(x), *_reciprocal(1 + x, max(order - 1, 0))][: order + 1]


def exp(x: Real) -> Real:
    """Return exp(x)."""
    return applied(_exp, x)


def log(x: Real) -> Real:
    """Return log(x)."""
    return applied(_log, x)


def log1p(x: Real) -> Real:
    """Return log(1 + x)."""
    return applied(_log1p, x)
