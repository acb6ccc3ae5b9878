"""The levels of a column, as parts of the data know them, put together by the rules by which one table finds them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from lmmformula.data.columns import Column, FactorColumn, Kind, NumericColumn
from lmmformula.data.dates import date_key
from lmmformula.errors import DataError, printable

Nature = Literal["nothing", "numbers", "factor", "string", "logical", "date"]
"""What a column holds; "nothing" where all is missing, "factor" if its categories are declared."""

WORDS = {
    "numbers": "numbers", "factor": "categories", "string": "text", "logical": "logical values", "date": "dates",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Levels:
    """
    What a part knows of a column.

    nature : what it holds
    labels : its levels in order; of numbers only where they are used as levels
    ordered : whether it is an ordered factor
    """

    nature: Nature
    labels: tuple[str, ...] = ()
    ordered: bool = False

    @property
    def kind(self) -> Kind:
        """The kind of a factor with these levels; numbers as levels are a factor without more ado."""
        return "factor" if self.nature in {"numbers", "nothing"} else self.nature  # type: ignore[return-value]

    def __add__(self, other: "Levels") -> "Levels":
        """Return the levels of both; DataError where they can't be levels of one column."""
        if self == other or other.nature == "nothing":
            return self
        if self.nature == "nothing":
            return other
        if self.nature != other.nature:
            raise DataError(
                f"it holds {WORDS[self.nature]} in one part of the data and {WORDS[other.nature]} in another",
                hint="make its values all of one kind",
            )
        if self.ordered != other.ordered:
            raise DataError("it is an ordered factor in one part of the data only", hint="declare it everywhere")
        return Levels(self.nature, self._united(other), self.ordered)

    def _united(self, other: "Levels") -> tuple[str, ...]:
        if self.labels == other.labels:
            return self.labels
        match self.nature:
            case "numbers":
                return tuple(sorted({*self.labels, *other.labels}, key=number_key))
            case "factor" if self.ordered:
                return _common_order(self.labels, other.labels)
            case "date":
                return tuple(sorted({*self.labels, *other.labels}, key=date_key))
            case _:  # text is sorted; so are categories that are not declared alike, as no order of theirs is common
                return tuple(sorted({*self.labels, *other.labels}))


def number_key(label: str) -> float | int:
    """
    Return the number that a label stands for, an integer exactly.

    >>> sorted(["10", "9", "2.5"], key=number_key)
    ['2.5', '9', '10']
    """
    try:
        return int(label)
    except ValueError:
        return float(label)


def column_levels(column: Column, labels: tuple[str, ...] = ()) -> Levels:
    """
    Say what a part knows of a column.

    labels : the levels of numbers that are used as levels
    """
    match column:
        case FactorColumn(levels=levels, kind=kind, ordered=ordered):
            return Levels(kind, levels, ordered)
        case NumericColumn(values=values):
            some = len(values) > 0 and bool((values == values).any())  # noqa: PLR0124 (NaN)
            return Levels("numbers", labels) if some else Levels("nothing")


def united(name: str, parts: Iterable[Levels]) -> Levels:
    """Put together what parts know of a column; errors name it."""
    found = Levels("nothing")
    for part in parts:
        try:
            found = found + part
        except DataError as error:
            raise DataError(f"column '{printable(name)}': {error.message}", hint=error.hint) from None
    return found


def _common_order(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...]:
    """Return the longer of two orders if the shorter one is part of it."""
    longer, shorter = (a, b) if len(a) >= len(b) else (b, a)
    remaining = iter(longer)
    if all(label in remaining for label in shorter):  # each search goes on where the last one ended
        return longer
    raise DataError("its ordered categories differ between parts of the data", hint="declare the same ones everywhere")
