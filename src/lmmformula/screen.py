"""Numbers in few digits, the width of the terminal, and text and tables that fit it."""

import os
import shutil
import sys
from collections.abc import Sequence
from textwrap import fill

LINE = 80
"""`getOption("width")`: columns of a line."""

LEAST_WORDS = 20
"""Columns that text is never squeezed below."""

NUMBERS = 24
"""Columns of a line that names leave to numbers."""


def screen_width() -> int | None:
    """Return the columns of the terminal that is printed to, or as many as COLUMNS asks for; None where neither is."""
    asked = os.environ.get("COLUMNS", "")
    if asked.isdecimal() and int(asked):
        return int(asked)
    return shutil.get_terminal_size().columns if sys.stdout is not None and sys.stdout.isatty() else None


def line_width() -> int:
    """Return the columns of a line of text: as many as R's, or fewer where the screen has no room for them."""
    return min(LINE, screen_width() or LINE)


def label_room(most: int) -> int:
    """Return the columns that the names before the numbers of a table may take; longer ones are cut in the middle."""
    room = screen_width()
    return most if room is None else max(LEAST_WORDS, min(most, room - NUMBERS))


def folded(line: str, indent: int) -> str:
    """
    Break a line that the screen has no room for between words; what follows is indented.

    >>> folded("help  this list", 6)
    'help  this list'
    """
    room = screen_width()
    if room is None or len(line) <= room:
        return line
    if len(words := line.strip()) <= room:
        return words.rjust(room)  # a heading at the right of a column that is folded itself
    room, hanging = max(room, indent + LEAST_WORDS), " " * indent
    return fill(line, room, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False)


def paged(text: str) -> str:
    r"""
    Break the lines of a text that the screen has no room for, indented a little more than they began.

    >>> paged("one\n  two")
    'one\n  two'
    """
    return "\n".join(folded(line, 2 + len(line) - len(line.lstrip())) for line in text.split("\n"))


def told_of(message: str) -> str:
    r"""
    Break the lines of a message that the screen has no room for, but not the formula above a caret.

    >>> told_of("error: no\n    y ~ x\n        ^")
    'error: no\n    y ~ x\n        ^'
    """
    return "\n".join(line if line.startswith("    ") else paged(line) for line in message.split("\n"))


def filled(text: str) -> str:
    r"""
    Break a text between words where a line ends.

    >>> len(filled("word " * 20).split("\n"))
    2
    """
    return fill(text, line_width(), break_long_words=False, break_on_hyphens=False)


def side_by_side(columns: Sequence[Sequence[str]], repeated: int, *, gap: int = 2) -> list[str]:
    """
    Write columns of cells of one width each beside one another; what the screen has no room for stands below.

    repeated : number of columns, from the first, that stand before each piece

    >>> side_by_side([["  ", "x "], ["mean", " 0.5"]], 1)
    ['    mean', 'x    0.5']
    """
    first, rest = list(columns[:repeated]), list(columns[repeated:])
    room = screen_width()
    pieces: list[list[Sequence[str]]] = [[]]
    for column in rest:
        widths = [len(cells[0]) + gap for cells in (*first, *pieces[-1], column) if cells]
        if room is not None and pieces[-1] and sum(widths) - gap > room:
            pieces.append([])
        pieces[-1].append(column)
    return [(" " * gap).join(row).rstrip() for piece in pieces for row in zip(*first, *piece, strict=True)]


def rounded(value: float) -> str:
    """
    Write a number for a table.

    >>> rounded(251.40510), rounded(0.00001234), rounded(-1.5)
    ('251.4', '1.234e-05', '-1.5')
    """
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.1f}"
