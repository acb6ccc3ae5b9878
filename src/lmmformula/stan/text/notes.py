"""Comments of a program: names that users gave, and numbers."""

from collections.abc import Iterable

from lmmformula.errors import printable

LONGEST_LABEL = 60
"""Characters of a column's or level's name that a comment shows."""


def label(name: str, longest: int = LONGEST_LABEL) -> str:
    r"""
    Make a user's name fit to stand in a comment.

    >>> label("a\nb */")
    'a\\nb */'
    """
    escaped = printable(name)
    return escaped if len(escaped) <= longest else escaped[: longest - 3] + "..."


def labels(names: Iterable[str]) -> str:
    """List names in a comment."""
    return ", ".join(map(label, names))


def noted(code: str, about: str) -> str:
    """
    Put a comment behind a line.

    >>> noted("vector[N] y;", "yield"), noted("real Intercept;", "")
    ('vector[N] y; // yield', 'real Intercept;')
    """
    return f"{code} // {about}" if about else code


def short(values: tuple[float, ...]) -> str:
    """
    Show numbers in a comment.

    >>> short((36.192456, 2.0))
    '36.19, 2'
    """
    return ", ".join(f"{value:.4g}" for value in values)
