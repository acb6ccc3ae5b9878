"""Whether what JSON gave is what it should be, before anything is made of it."""

import math
from collections.abc import Sequence
from typing import Any

Layout = Any
"""
What a value should be: a type; None; a set of texts; alternatives in a tuple; [layout] for a list of it; {str: layout}
for a mapping with names of any kind; {"name": layout} for a record, where "name?" may be absent.
"""

LARGEST = 2**63
"""Whole numbers stay below it, so that arrays can hold them."""


def conform(value: object, layout: Layout, place: str = "it") -> None:
    """
    Refuse a value that is not as its layout says; what a record has besides is not looked at.

    >>> conform({"n": 3, "names": ["a", 1]}, {"n": int, "names": [str]})
    Traceback (most recent call last):
    ValueError: names[1] is not what it should be
    """
    if isinstance(layout, dict) and isinstance(value, dict):
        parts = dict.fromkeys(value, layout[str]) if str in layout else layout
        _record(value, parts, place)
    elif isinstance(layout, list) and isinstance(value, list | tuple):
        for i, part in enumerate(value):
            conform(part, layout[0], f"{place}[{i}]")
    elif not _is_one_of(value, layout):
        raise ValueError(f"{place} is not what it should be")


def _record(value: dict[str, object], layout: dict[str, Layout], place: str) -> None:
    for name, inner in layout.items():
        key = name if name in value else name.removesuffix("?")
        if key in value:
            conform(value[key], inner, key if place == "it" else f"{place}.{key}")
        elif key == name:
            raise ValueError(f"{place} has no '{key}'")


def _conforms(value: object, layout: Layout) -> bool:
    try:
        conform(value, layout)
    except ValueError:
        return False
    return True


def _is_one_of(value: object, layout: Layout) -> bool:
    """Tell whether a value is what can't be taken apart, or one of several."""
    match layout:
        case tuple():
            return any(_conforms(value, each) for each in layout)
        case set():
            return isinstance(value, str) and value in layout
        case None:
            return value is None
        case type():
            return _is_of(value, layout)
        case _:
            return False


def _is_of(value: object, kind: type) -> bool:
    """Tell whether a value is of a kind; truth values are no numbers, and whole numbers are numbers."""
    if isinstance(value, bool):
        return kind is bool
    if kind is float and isinstance(value, int):
        return abs(value) < LARGEST
    return isinstance(value, kind) and (kind is not int or abs(value) < LARGEST)  # type: ignore[arg-type]


def require(fact: bool, what: str) -> None:  # noqa: FBT001 (a fact)
    """Refuse parts that don't fit each other."""
    if not fact:
        raise ValueError(f"{what} does not fit the rest")


def is_shape(shape: Sequence[int], count: int) -> bool:
    """Tell whether an array of a shape has so many numbers."""
    return all(length >= 0 for length in shape) and math.prod(shape) == count
