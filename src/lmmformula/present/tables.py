"""Aligned text, laid out as R prints vectors and matrices. Names can't disturb a terminal."""

from collections.abc import Sequence

from lmmformula.errors import printable
from lmmformula.results.tables.markup import shortened
from lmmformula.screen import line_width


def vector_lines(names: Sequence[str], cells: Sequence[str], *, gap: int = 1, width: int | None = None) -> list[str]:
    """
    Lay out a named vector: names above values, both to the right, as many per line as fit.

    width : columns of a line; None for those of the screen

    >>> vector_lines(["(Intercept)", "Days"], ["251.41", "10.47"], gap=2)
    ['(Intercept)         Days  ', '     251.41        10.47  ']
    """
    if not cells:
        return []
    width = width or line_width()
    names = shortened([printable(name) for name in names], width - gap)
    field = max(map(len, (*names, *cells)))
    per_line = max(1, width // (field + gap))
    space = " " * gap
    return [
        "".join(text.rjust(field) + space for text in row[start : start + per_line])
        for start in range(0, len(cells), per_line)
        for row in (names, cells)
    ]


def matrix_lines(
    row_names: Sequence[str],
    column_names: Sequence[str],
    columns: Sequence[Sequence[str]],
    *,
    right: bool = False,
    width: int | None = None,
) -> list[str]:
    """
    Lay out a matrix of text: row names to the left, columns aligned, columns that don't fit below.

    columns : the cells, column by column
    right : whether cells and headings stand to the right
    width : columns of a line; None for those of the screen

    >>> matrix_lines(["a", "b"], ["one", "two"], [["1", "10"], ["x", ""]], right=True)
    ['  one two', 'a   1   x', 'b  10    ']
    """
    width = width or line_width()
    row_names, column_names = ([printable(name) for name in texts] for texts in (row_names, column_names))
    columns = [[printable(cell) for cell in column] for column in columns]
    widths = [max(map(len, (name, *column))) for name, column in zip(column_names, columns, strict=True)]
    row_names = shortened(row_names, max(width // 2, width - 1 - sum(widths) - len(widths)))
    label_width = max(map(len, row_names), default=0)
    lines: list[str] = []
    start = 0
    while start < len(columns):
        stop = start + 1
        used = label_width + widths[start] + 1
        while stop < len(columns) and used + widths[stop] + 1 < width:
            used += widths[stop] + 1
            stop += 1
        table: list[tuple[str, Sequence[str]]] = [(" " * label_width, column_names[start:stop])]
        rows = zip(*columns[start:stop], strict=True)
        table += [(name.ljust(label_width), row) for name, row in zip(row_names, rows, strict=True)]
        for label, row in table:
            cells = (c.rjust(w) if right else c.ljust(w) for c, w in zip(row, widths[start:stop], strict=True))
            lines.append(" ".join((label, *cells)))
        start = stop
    return lines
