"""What is wrong with files that were made to be wrong."""

import copy
from collections.abc import Iterator
from typing import Any

GONE, TWICE = object(), object()
NESTED: list[Any] = []
for _ in range(100):
    NESTED = [NESTED]
WRONG: list[Any] = [None, True, "x", "", "\0", -1, 0, 3, 1.5, 2**40, 10**400, float("nan"), float("inf"), [], ["a"],
                    [[]], NESTED, {}, {"a": 1}, GONE, TWICE]  # fmt: skip
"""What is put in the place of each part of a file; or the part is left out, or its last element stands there twice."""


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """List the places of a file; of long lists the first and the last."""
    if path:
        yield path
    keys = list(value) if isinstance(value, dict) else sorted({0, len(value) - 1}) if isinstance(value, list) else []
    for key in keys if value else []:
        yield from places(value[key], (*path, key))


def damaged(content: Any, path: tuple[Any, ...], wrong: Any) -> Any:
    """Put something wrong in a place."""
    content = copy.deepcopy(content)
    *way, last = path
    inner = content
    for key in way:
        inner = inner[key]
    if wrong is GONE:
        del inner[last]
    elif wrong is TWICE:
        inner[last] = [*inner[last], inner[last][-1]] if isinstance(inner[last], list) and inner[last] else wrong
    else:
        inner[last] = copy.deepcopy(wrong)
    return content
