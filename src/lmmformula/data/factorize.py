"""Arrays -> codes and labels of their distinct values: what makes a factor of a column of any kind."""

from collections.abc import Hashable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from lmmformula.arrays import AnyArray, BoolArray, FloatArray, IntArray
from lmmformula.data.dates import DATES, date_label

Levels = tuple[IntArray, tuple[str, ...]]
"""Codes (n,), -1 where missing, and the labels they point to."""

EXACT = 2.0**53
"""Every integer up to here is a float64."""


def number_label(value: float) -> str:
    """
    Write a number as a label: to 15 significant digits, as R's `as.character`.

    >>> number_label(2.0), number_label(0.1 + 0.2)
    ('2', '0.3')
    """
    return f"{value:.15g}"


def value_label(value: object) -> str:
    """
    Write any value as a label.

    >>> value_label(True), value_label(3), value_label("a")
    ('TRUE', '3', 'a')
    """
    if isinstance(value, (bool, np.bool_)):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (float, np.floating)):
        return number_label(float(value))
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, DATES):
        return date_label(value)
    return str(value)


def scatter(codes: IntArray, present: BoolArray) -> IntArray:
    """Return the codes of the present rows among all rows, -1 where a row is missing."""
    everywhere = np.full(len(present), -1, dtype=np.intp)
    everywhere[present] = codes
    return everywhere


def integer_levels(values: AnyArray) -> Levels:
    """
    Return codes and labels of integers, in numeric order; no sorting if they lie close together.

    values : (n,) any integer dtype

    >>> integer_levels(np.array([7, 3, 7]))
    (array([1, 0, 1]), ('3', '7'))
    """
    if not len(values):
        return np.empty(0, dtype=np.intp), ()
    if values.dtype.itemsize < np.dtype(np.int64).itemsize:
        values = values.astype(np.int64)  # so that differences can't overflow
    lowest, highest = values.min(), values.max()
    if int(highest) - int(lowest) <= 4 * len(values) + 1024:
        shifted = (values - lowest).astype(np.intp, copy=False)
        codes, occurring = compress(shifted, int(highest) - int(lowest) + 1)
        return codes, tuple(str(int(lowest) + above) for above in occurring.tolist())
    distinct, codes = np.unique(values, return_inverse=True)
    return codes.astype(np.intp, copy=False), tuple(map(str, distinct.tolist()))


def compress(codes: IntArray, size: int) -> tuple[IntArray, IntArray]:
    """
    Renumber codes so that only those that occur remain, in their order.

    codes : (n,) non-negative, below `size`
    Returns the new codes and, for each new code, the old one.
    """
    occurring = np.flatnonzero(np.bincount(codes, minlength=size))
    if len(occurring) == size:
        return codes, occurring
    renumbered = np.zeros(size, dtype=np.intp)
    renumbered[occurring] = np.arange(len(occurring))
    return renumbered[codes], occurring


def float_levels(values: FloatArray) -> Levels:
    """
    Return codes and labels of numbers, in numeric order; NaN is missing.

    Numbers that agree to 15 digits are one level, as in R.

    >>> float_levels(np.array([2.5, np.nan, 1.0]))
    (array([ 1, -1,  0]), ('1', '2.5'))
    """
    present = ~np.isnan(values)
    if not present.all():
        codes, labels = float_levels(values[present])
        return scatter(codes, present), labels
    if len(values) and np.abs(values).max() < EXACT:
        integers = values.astype(np.int64)
        if (integers == values).all():
            return integer_levels(integers)
    distinct, codes = np.unique(values + 0.0, return_inverse=True)  # + 0.0: there is one zero
    labels = tuple(map(number_label, distinct.tolist()))
    return merge_equal(codes.astype(np.intp, copy=False), labels)


def merge_equal(codes: IntArray, labels: Sequence[str]) -> Levels:
    """Make one level of levels whose labels are equal, at the place of the first."""
    first: dict[str, int] = {}
    renumbered = np.array([first.setdefault(label, len(first)) for label in labels], dtype=np.intp)
    if len(first) == len(labels):
        return codes, tuple(labels)
    return np.where(codes < 0, -1, renumbered[codes]), tuple(first)


def hashable_levels(values: Sequence[Any], present: BoolArray) -> Levels:
    """
    Return codes and labels of the present ones among any hashable values that can be sorted.

    >>> hashable_levels(["b", None, "a", "b"], np.array([True, False, True, True]))
    (array([ 1, -1,  0,  1]), ('a', 'b'))
    """
    seen: dict[Hashable, int] = {}
    kept = values if present.all() else [value for value, is_present in zip(values, present, strict=True) if is_present]
    codes = np.array([seen.setdefault(value, len(seen)) for value in kept], dtype=np.intp)
    return sort_levels(scatter(codes, present), list(seen))


def sort_levels(codes: IntArray, distinct: Sequence[Any]) -> Levels:
    """Put distinct values, to which codes point, into ascending order and make labels of them."""
    order = sorted(range(len(distinct)), key=distinct.__getitem__)
    rank = np.empty(len(order) + 1, dtype=np.intp)
    rank[order] = np.arange(len(order))
    rank[-1] = -1  # the code of a missing value stays
    ordered = [distinct[i] for i in order]
    if set(map(type, ordered)) <= {str}:
        return rank[codes], tuple(ordered)
    return merge_equal(rank[codes], tuple(map(value_label, ordered)))
