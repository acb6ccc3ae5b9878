"""What an inference returns: a data frame that prints itself, with a title and what must be known to read it."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lmmformula.errors import FitError
from lmmformula.newcomers import answers_newcomers
from lmmformula.results.tables.markup import fitted
from lmmformula.results.tables.sheets import Framed, Report, Sheet
from lmmformula.screen import folded, label_room, screen_width, side_by_side

if TYPE_CHECKING:
    import pandas as pd

SMALLEST_P = 1e-4
"""Probabilities below are shown as such."""

DIGITS = 5
"""Significant digits of a column's largest number."""

LEAST_DIGITS = 3
"""Significant digits of its smallest number."""

ROUNDING = 1e-10
"""A number smaller than this part of the largest is nothing but rounding."""

TIE = 1e-12
"""Part of a number that is added to it before it is cut, so that halves do not go by what rounding left of them."""

FIXED_DECIMALS = {"df": 2, "num_df": 2, "den_df": 2, "statistic": 3, "f": 3, "lrt": 3, "chisq": 3}
"""Columns whose numbers need no more decimals than these."""


@answers_newcomers()
@dataclass(frozen=True, eq=False)
class ResultTable(Framed):
    """
    A table of results.

    title : what it shows
    frame : the numbers; `table["p_value"]` is a column of it
    notes : what must be known to read it

    >>> import pandas as pd
    >>> print(ResultTable("Tests", pd.DataFrame({"t": [2.5], "p_value": [1e-7]}, index=["x"]), ("by hand",)))
    Tests
            t  p_value
    x  2.5000  <0.0001
    by hand
    """

    title: str
    frame: "pd.DataFrame"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        from lmmformula.results.tables.shown import harmless

        object.__setattr__(self, "frame", harmless(self.frame))

    def __getitem__(self, column: str) -> "pd.Series[Any]":
        """Return a column."""
        if column not in self.frame.columns:
            raise FitError(
                f"the table has no column {column!r:.60}", hint=f"they are: {', '.join(map(str, self.frame.columns))}"
            )
        return self.frame[column]

    def __len__(self) -> int:
        return len(self.frame)

    def __str__(self) -> str:
        return "\n".join([folded(self.title, 2), *self._lines(), *(folded(note, 2) for note in self.notes)])

    def __repr__(self) -> str:
        return str(self)

    def _report(self) -> Report:
        left = sum(_is_text(self.frame[name]) for name in self.frame.columns)  # text stands before numbers
        columns, *rows = zip(*self._columns(), strict=True)
        named = len(columns) - self._shown().shape[1]
        return Report(self.title, (Sheet(columns, rows, left=left + named),), self.notes)

    def _shown(self) -> "pd.DataFrame":
        """Return the frame as text; the row numbers of a frame without row names are left out."""
        import pandas as pd

        frame = self.frame.dropna(axis=1, how="all")
        columns = {str(name): format_column(str(name), list(values)) for name, values in frame.items()}
        index = (
            [""] * len(self.frame) if isinstance(self.frame.index, pd.RangeIndex) else list(map(str, self.frame.index))
        )
        return pd.DataFrame(columns, index=pd.Index(index))

    def _lines(self) -> list[str]:
        """Align text to the left and numbers to the right."""
        shown, columns = self._shown(), self._columns()
        left = [True] * (len(columns) - len(shown.columns)) + [_is_text(self.frame[name]) for name in shown.columns]
        left_most = left.index(False) if False in left else len(left)
        if (room := screen_width()) is not None:
            columns[:left_most] = fitted(columns[:left_most], label_room(room))
        aligned = [
            [cell.ljust(width) if to_left else cell.rjust(width) for cell in column]
            for column, to_left in zip(columns, left, strict=True)
            for width in [max(map(len, column))]
        ]
        return side_by_side(aligned, left_most)

    def _columns(self) -> list[list[str]]:
        """Return header and cells, column by column, names of rows first if there are any."""
        shown = self._shown()
        columns = [["", *shown.index]] if any(shown.index) else []
        return columns + [[name, *shown[name]] for name in shown.columns]


def format_column(name: str, values: list[Any]) -> list[str]:
    """
    Format a column: probabilities to four decimals, numbers to common decimals, empty where there is none.

    >>> format_column("df", [16.999999, float("nan"), 3.25]), format_column("p_value", [0.03, 1e-9])
    (['17.00', '', '3.25'], ['0.0300', '<0.0001'])
    """
    if any(isinstance(value, str) for value in values):
        return [str(value) for value in values]
    numbers = [float(value) for value in values]
    if name == "p_value":
        return [_probability(value) for value in numbers]
    known = FIXED_DECIMALS.get(name)
    if known is not None:
        numbers = [round(value, known) if math.isfinite(value) else value for value in numbers]
    sizes = [abs(value) for value in numbers if math.isfinite(value) and value]
    if all(size == round(size) for size in sizes):
        return [_cell(value, ".0f") for value in numbers]
    decimals = _decimals(sizes) if known is None else known
    if decimals > 2 * DIGITS or max(sizes) >= 10 ** (2 * DIGITS):
        return [_cell(value, f".{DIGITS - 1}e") for value in numbers]
    return [_cell(value, f".{decimals}f") for value in numbers]


def _decimals(sizes: list[float]) -> int:
    """Return decimals that show the largest number to `DIGITS` significant digits, the smallest to `LEAST_DIGITS`."""
    largest = max(sizes)
    smallest = min(size for size in sizes if size > ROUNDING * largest)
    wanted = (DIGITS - 1 - math.floor(math.log10(largest)), LEAST_DIGITS - 1 - math.floor(math.log10(smallest)))
    return max(0, *wanted)


def _probability(value: float) -> str:
    if math.isnan(value):
        return ""
    return f"<{SMALLEST_P:.4f}" if value < SMALLEST_P else f"{value:.4f}"


def _cell(value: float, form: str) -> str:
    if math.isnan(value):
        return ""
    return ("Inf" if value > 0 else "-Inf") if math.isinf(value) else format(value * (1 + TIE), form)


def _is_text(values: "pd.Series[Any]") -> bool:
    return any(isinstance(value, str) for value in values)
