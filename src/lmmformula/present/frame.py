"""The summary of a posterior as a data frame that can show itself in a paper; imported where pandas already is."""

from typing import Any

from lmmformula.errors import legible
from lmmformula.present.posterior import parameter_rows
from lmmformula.results.posteriors.posterior import SUMMARY_COLUMNS
from lmmformula.results.tables.sheets import Sheet
from lmmformula.results.tables.shown import Shown


class SummaryFrame(Shown):
    """A pandas data frame; `to_latex()` and `to_markdown()` round as the printed posterior does, and escape names."""

    def to_latex(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 (pandas')
        """Return a LaTeX table, which needs the package booktabs; pandas' own, if it is given pandas' options."""
        if arguments or options or list(self.columns) != SUMMARY_COLUMNS:
            return super().to_latex(*arguments, **options)
        return self._sheet.latex()

    def to_markdown(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 (pandas')
        """Return a Markdown table; pandas' own, if it is given pandas' options."""
        if arguments or options or list(self.columns) != SUMMARY_COLUMNS:
            return super().to_markdown(*arguments, **options)
        return self._sheet.markdown()

    def __repr__(self) -> str:
        """Return pandas' text, whatever names are in it."""
        return legible(super().__repr__())

    __str__ = __repr__

    @property
    def _sheet(self) -> Sheet:
        names = [str(name) for name in self.index]
        return Sheet(["", *SUMMARY_COLUMNS], parameter_rows(names, self))
