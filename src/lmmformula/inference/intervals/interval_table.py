"""Intervals for parameters: a frozen table that prints itself."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lmmformula.arrays import FloatArray
from lmmformula.errors import FitError
from lmmformula.newcomers import answers_newcomers
from lmmformula.results.tables.sheets import Framed, Report, frame_text, sheet_of
from lmmformula.screen import rounded

if TYPE_CHECKING:
    import pandas as pd


@answers_newcomers()
@dataclass(frozen=True, eq=False, repr=False)
class Intervals(Framed):
    """
    Estimates with lower and upper bounds.

    labels : names of the parameters
    estimate, low, high : their values
    level : probability that an interval covers its parameter
    method : how the bounds were found, in words
    """

    labels: tuple[str, ...]
    estimate: FloatArray
    low: FloatArray
    high: FloatArray
    level: float
    method: str

    def __getitem__(self, label: str) -> tuple[float, float]:
        """Return lower and upper bound of one parameter."""
        if label not in self.labels:
            raise FitError(f"there is no interval for {label!r:.60}", hint=f"they are: {', '.join(self.labels)}")
        place = self.labels.index(label)
        return float(self.low[place]), float(self.high[place])

    @property
    def frame(self) -> "pd.DataFrame":
        """One row per parameter: estimate, conf_low, conf_high."""
        import pandas as pd

        columns = {"estimate": self.estimate, "conf_low": self.low, "conf_high": self.high}
        return pd.DataFrame(columns, index=pd.Index(self.labels, name="parameter"))

    def __str__(self) -> str:
        return f"{self.heading}\n{frame_text(self.frame, rounded)}"

    __repr__ = __str__

    def _report(self) -> Report:
        return Report(self.heading, (sheet_of(self.frame, rounded),))

    @property
    def heading(self) -> str:
        """What these intervals are."""
        return f"{100 * self.level:g} % intervals ({self.method})"
