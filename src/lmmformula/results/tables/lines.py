"""Tables of a terminal: the labels to the left, the numbers to the right, as wide as the screen."""

from collections.abc import Sequence

from lmmformula.errors import printable
from lmmformula.results.tables.markup import fitted
from lmmformula.screen import label_room, side_by_side

LABELS = 56
"""Columns of a line that the labels of a table may take; longer names are cut in the middle."""


def table_lines(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1, gap: int = 2) -> list[str]:
    """
    Lay out a table: the first `left` columns to the left, the others to the right.

    >>> table_lines(["name", "mean"], [["x", "0.5"], ["sigma", "11.0"]])
    ['name   mean', 'x       0.5', 'sigma  11.0']
    """
    columns = [[printable(cell) for cell in column] for column in zip(header, *rows, strict=True)]
    if left < len(columns):
        columns[:left] = fitted(columns[:left], label_room(LABELS))
    widths = [max(map(len, column)) for column in columns]
    aligned = [
        [cell.ljust(width) if i < left else cell.rjust(width) for cell in column]
        for i, (column, width) in enumerate(zip(columns, widths, strict=True))
    ]
    return side_by_side(aligned, left if left < len(aligned) else 1, gap=gap)
