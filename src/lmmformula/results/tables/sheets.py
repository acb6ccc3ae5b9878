"""Tables of text as HTML, Markdown and LaTeX: how results show themselves in a notebook and in a paper."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from html import escape
from typing import TYPE_CHECKING, Any

from lmmformula.errors import legible, printable
from lmmformula.results.tables.lines import table_lines
from lmmformula.results.tables.markup import latex_cell, latex_text, markdown_text, maths_cell, shortened
from lmmformula.results.tables.native import to_native
from lmmformula.screen import label_room, paged, screen_width

if TYPE_CHECKING:
    import pandas as pd

    from lmmformula.data.table import Library


MOST_CHARACTERS = 50
"""Of the label of a row in print; longer ones are cut in the middle."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """
    A table of text.

    header, rows : c cells each
    caption : what the table shows; may be empty
    left : how many of the first columns are labels, to the left; the others are numbers, to the right
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    left: int = 1

    @property
    def cells(self) -> list[list[str]]:
        """Header and rows, without the blanks that align them and without what would disturb a terminal."""
        return [[printable(cell.strip()) for cell in row] for row in (self.header, *self.rows)]

    def html(self) -> str:
        """
        Make an HTML table; every text is escaped.

        >>> Sheet(["a"], [["<b>"]], left=0).html()
        '<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>&lt;b&gt;</td></tr></tbody></table>'
        """
        title = f"<caption>{escape(self.caption)}</caption>" if self.caption else ""
        sides = [' style="text-align:left"' if i < self.left else "" for i in range(len(self.header))]
        head, *body = (
            "".join(f"<{kind}{side}>{escape(cell)}</{kind}>" for side, cell in zip(sides, row, strict=True))
            for kind, row in zip(["th"] + ["td"] * len(self.rows), self.cells, strict=True)
        )
        rows = "".join(f"<tr>{row}</tr>" for row in body)
        return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"

    def markdown(self) -> str:
        r"""
        Make a pipe table.

        >>> print(Sheet(["", "t"], [["x_1", "2.5"]]).markdown())
        |  | t |
        | :--- | ---: |
        | x\_1 | 2.5 |
        """
        sides = [":---" if i < self.left else "---:" for i in range(len(self.header))]
        head, *body = ([markdown_text(cell) for cell in row] for row in self.cells)
        lines = [f"| {' | '.join(row)} |" for row in (head, sides, *body)]
        return "\n".join([*([f"**{markdown_text(self.caption)}**", ""] if self.caption else []), *lines])

    def latex(self) -> str:
        r"""
        Make a `tabular` with the rules of the package booktabs; every text is escaped.

        >>> print(Sheet(["", "t"], [["x_1", "-2.5"]]).latex())
        \begin{tabular}{lr}
        \toprule
         & t \\
        \midrule
        x\_1 & $-2.5$ \\
        \bottomrule
        \end{tabular}
        """
        head, *body = (" & ".join(map(latex_cell, row)) + r" \\" for row in self.cells)
        lines = [rf"\begin{{tabular}}{{{self._sides}}}", r"\toprule", head, r"\midrule", *body, r"\bottomrule"]
        title = [rf"\textbf{{{latex_text(self.caption)}}}\\[2pt]"] if self.caption else []
        return "\n".join([*title, *lines, r"\end{tabular}"])

    def maths(self) -> str:
        r"""
        Make an `array`, which notebooks can typeset as well as LaTeX can.

        >>> Sheet(["", "t"], [["x", "1"]]).maths()
        '\\begin{array}{lr}\n & \\text{t} \\\\ \\hline\n\\text{x} & 1\n\\end{array}'
        """
        head, *body = (" & ".join(map(maths_cell, row)) for row in self.cells)
        rows = " \\\\\n".join(body)
        return f"\\begin{{array}}{{{self._sides}}}\n{head} \\\\ \\hline\n{rows}\n\\end{{array}}"

    @property
    def _sides(self) -> str:
        return "l" * self.left + "r" * (len(self.header) - self.left)


@dataclass(frozen=True, slots=True)
class Report:
    """
    What a result shows of itself.

    title : what it is; may be empty
    sheets : its tables
    notes : what must be known to read them
    """

    title: str
    sheets: tuple[Sheet, ...]
    notes: tuple[str, ...] = ()

    def html(self) -> str:
        """For a notebook."""
        title = f"<p><b>{escape(printable(self.title))}</b></p>" if self.title else ""
        notes = "<br>".join(escape(printable(note)) for note in self.notes)
        return "".join([title, *(sheet.html() for sheet in self.sheets), f"<p>{notes}</p>" if notes else ""])

    def markdown(self) -> str:
        """For a text that is typeset later."""
        parts = [markdown_text(printable(self.title)), *(sheet.markdown() for sheet in self.sheets)]
        parts.append("  \n".join(markdown_text(printable(note)) for note in self.notes))
        return "\n\n".join(part for part in parts if part)

    def latex(self) -> str:
        """For a paper: needs `\\usepackage{booktabs}`."""  # noqa: D301 (one backslash)
        parts = [rf"\noindent {latex_text(printable(self.title))}"] if self.title else []
        parts += [rf"\noindent {sheet.latex()}" for sheet in self.sheets]
        notes = "\\\\\n".join(latex_text(printable(note)) for note in self.notes)
        return "\n\n\\medskip\n".join([*parts, *([f"\\noindent {{\\footnotesize {notes}\\par}}"] if notes else [])])

    def maths(self) -> str:
        """For what typesets mathematics only."""
        return "\n".join(f"$$\n{sheet.maths()}\n$$" for sheet in self.sheets)


class Reported:
    """A result that can show itself in a notebook and in a paper; its text fits the screen, and no name disturbs it."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        for name in {"__str__", "__repr__"} & cls.__dict__.keys():
            setattr(cls, name, _legible(cls.__dict__[name]))

    def _report(self) -> Report:
        """Return what is to be shown."""
        raise NotImplementedError

    def to_latex(self) -> str:
        r"""Return LaTeX tables for a paper; they need the package booktabs: `\usepackage{booktabs}`."""
        return self._report().latex()

    def to_markdown(self) -> str:
        """Return Markdown tables."""
        return self._report().markdown()

    def _repr_html_(self) -> str:
        return self._report().html()

    def _repr_markdown_(self) -> str:
        return self._report().markdown()

    def _repr_latex_(self) -> str:
        return self._report().maths()


def _legible(shown: Callable[[Any], str]) -> Callable[[Any], str]:
    @wraps(shown)
    def text(self: Any) -> str:  # noqa: ANN401 (any result)
        return paged(legible(shown(self)))

    return text


def _harmless(made: Callable[[Any], "pd.DataFrame"]) -> Callable[[Any], "pd.DataFrame"]:
    @wraps(made)
    def frame(self: Any) -> "pd.DataFrame":  # noqa: ANN401 (any result)
        from lmmformula.results.tables.shown import harmless

        return harmless(made(self))

    return frame


class Framed(Reported):
    """A result that is a data frame; names in it can't disturb a terminal."""

    __slots__ = ()

    frame: Any

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if isinstance(frame := cls.__dict__.get("frame"), property) and frame.fget is not None:
            cls.frame = property(_harmless(frame.fget), doc=frame.__doc__)

    def to_native(self, library: "Library" = "pandas") -> Any:  # noqa: ANN401 (a data frame of the library)
        """
        Return the numbers as a data frame of a library, names of rows in a column.

        library : "pandas", "polars" or "pyarrow"
        """
        return to_native(self.frame, library)


def frame_text(frame: "pd.DataFrame", form: Callable[[float], str], left: int = 1) -> str:
    """
    Print a data frame as pandas does where the screen has room, else its columns below one another.

    The index is not printed if it only counts.

    left : how many of the first columns are labels, where the index only counts
    """
    import pandas as pd

    counted = isinstance(frame.index, pd.RangeIndex)
    labels = frame.index if counted else shortened(list(map(str, frame.index)), label_room(MOST_CHARACTERS))
    whole = frame.set_axis(labels, axis=0).to_string(index=not counted, float_format=form)
    if whole.index("\n") <= (screen_width() or len(whole)):
        return whole
    sheet = sheet_of(frame, form)
    return "\n".join(table_lines(sheet.header, sheet.rows, left=left if counted else 1))


def sheet_of(frame: "pd.DataFrame", form: Callable[[float], str], caption: str = "") -> Sheet:
    """
    Lay out a data frame; its index is the first column, unless it only counts.

    form : writes a number; whole numbers are written as they are
    """
    import pandas as pd

    columns = [[_cell(value, form) for value in frame[name]] for name in frame.columns]
    header, left = [str(name) for name in frame.columns], 0
    if not isinstance(frame.index, pd.RangeIndex):
        columns, header, left = [[str(name) for name in frame.index], *columns], ["", *header], 1
    return Sheet(header, list(zip(*columns, strict=True)), caption, left)


def _cell(value: Any, form: Callable[[float], str]) -> str:  # noqa: ANN401 (a cell)
    if isinstance(value, float):
        return "" if value != value else form(value)  # noqa: PLR0124 (NaN)
    return str(value)
