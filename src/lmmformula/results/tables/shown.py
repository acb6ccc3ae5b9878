"""Data frames and series that print within the screen, and whose names can't disturb it; imported where pandas is."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import pandas as pd

from lmmformula.errors import legible
from lmmformula.results.tables.markup import shortened
from lmmformula.screen import paged, rounded, screen_width

Labelled = TypeVar("Labelled", bound="pd.DataFrame | pd.Series[Any]")


class LegibleFrame(pd.DataFrame):
    """A pandas data frame; what prints of it, and of what is made of it, can't disturb a terminal, and is whole."""

    @property
    def _constructor(self) -> Callable[..., pd.DataFrame]:
        return LegibleFrame

    @property
    def _constructor_sliced(self) -> Callable[..., "pd.Series[Any]"]:
        return LegibleColumn

    def __repr__(self) -> str:
        room = screen_width()
        if room is None:
            return legible(super().__repr__())
        with pd.option_context("display.max_columns", None, "display.width", room):
            return paged(legible(pd.DataFrame.__repr__(narrowed(self, room))))

    def _repr_html_(self) -> str | None:
        return _legible_html(self)


class LegibleColumn(pd.Series):
    """A pandas series; what prints of it, and of what is made of it, can't disturb a terminal."""

    @property
    def _constructor(self) -> Callable[..., "pd.Series[Any]"]:
        return LegibleColumn

    @property
    def _constructor_expanddim(self) -> Callable[..., pd.DataFrame]:
        return LegibleFrame

    def __repr__(self) -> str:
        return legible(super().__repr__())


class Shown(pd.DataFrame):
    """A pandas data frame whose print leaves no column out; those that the screen has no room for stand below."""

    @property
    def _constructor(self) -> Callable[..., pd.DataFrame]:
        return LegibleFrame if _disturbs(self) else pd.DataFrame

    @property
    def _constructor_sliced(self) -> Callable[..., "pd.Series[Any]"]:
        return LegibleColumn if _disturbs(self) else pd.Series

    def __repr__(self) -> str:
        room = screen_width()
        shown = self if room is None else narrowed(self, room)
        rows = pd.get_option("display.max_rows")
        return paged(legible(shown.to_string(line_width=room, max_rows=rows, float_format=rounded)))

    def _repr_html_(self) -> str | None:
        return _legible_html(self)


def harmless(table: Labelled) -> Labelled:
    r"""
    Return a table as it is, or, where names or texts in it could disturb a terminal, as one whose print can't.

    >>> harmless(pd.Series([1], index=["\x1b[31m"]))
    \x1b[31m    1
    dtype: int64
    """
    if not _disturbs(table):
        return table
    return cast("Labelled", LegibleFrame(table) if isinstance(table, pd.DataFrame) else LegibleColumn(table))


def narrowed(frame: pd.DataFrame, room: int) -> pd.DataFrame:
    """Cut names of rows and columns in the middle that leave no room to one another."""
    made = pd.DataFrame(frame)
    for axis in (0, 1):
        labels = made.axes[axis]
        if labels.nlevels == 1 and not pd.api.types.is_numeric_dtype(labels.dtype):
            short = shortened(list(map(str, labels)), room // 2 - 2)
            made = made.set_axis(pd.Index(short, name=labels.name), axis=axis)
    return made


def _legible_html(frame: pd.DataFrame) -> str | None:
    shown: str | None = pd.DataFrame._repr_html_(frame)  # type: ignore[attr-defined]  # the stubs don't know it
    return None if shown is None else legible(shown)


def _disturbs(table: "pd.DataFrame | pd.Series[Any]") -> bool:
    """Tell whether a name in a table, or a text, has what a terminal obeys."""
    plain = pd.DataFrame(table)
    labels: list[Any] = [axis.get_level_values(i) for axis in plain.axes for i in range(axis.nlevels)]
    columns = [column for _, column in plain.items()]
    texts = [part for part in (*labels, *columns) if not pd.api.types.is_numeric_dtype(part.dtype)]
    names: list[Any] = [name for axis in plain.axes for name in list(axis.names)]
    return any(isinstance(text, str) and not text.isprintable() for part in (names, *texts) for text in part)
