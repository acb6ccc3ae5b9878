"""Text that shows itself as it is, at a prompt and in a notebook."""

from collections.abc import Callable
from html import escape
from typing import Self

from lmmformula.errors import legible
from lmmformula.results.tables.sheets import Report, Reported
from lmmformula.screen import paged


class Text(str):
    """A string whose `repr` is the string: `fit.summary()` at a prompt shows the summary, not its escapes."""

    __slots__ = ()

    def __new__(cls, text: object) -> Self:
        """Escape what would disturb a terminal."""
        return super().__new__(cls, legible(str(text)))

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self)}</pre>"


class Summary(Reported, Text):
    """
    A summary: text at a prompt, tables in a notebook and in a paper.

    `to_latex()` needs the package booktabs, `to_markdown()` nothing.
    """

    __slots__ = ("_shown",)
    _shown: Report | Callable[[], Report]

    def __new__(cls, text: str, report: Report | Callable[[], Report]) -> Self:
        """Keep the tables beside the text, or what makes them when they are asked for."""
        made = super().__new__(cls, paged(text))
        made._shown = report
        return made

    def __getnewargs__(self) -> tuple[str, Report]:  # type: ignore[override]  # what copies are made of
        return str(self), self._report()

    def _report(self) -> Report:
        if not isinstance(self._shown, Report):
            self._shown = self._shown()
        return self._shown
