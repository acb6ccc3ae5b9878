"""A fit and a posterior side by side, as a user holds them."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from lmmformula.api.fits import GeneralizedMixedFit, LinearMixedFit
from lmmformula.api.posterior import Posterior
from lmmformula.errors import FitError
from lmmformula.newcomers import answering, answers_newcomers
from lmmformula.present.comparison import comparison_text
from lmmformula.present.report import comparison_report
from lmmformula.present.text import Summary
from lmmformula.results.comparison import ComparisonResult
from lmmformula.results.tables.sheets import Report, Reported


@answers_newcomers(made="compare()")
@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Reported, ComparisonResult):
    """
    Estimates beside posterior means.

    `print(comparison)` shows them; `fixed`, `variance` and `random` are data frames, `plot()` a figure.
    """

    def __post_init__(self) -> None:
        _require(self.fit, LinearMixedFit, GeneralizedMixedFit, made="model.fit()")
        _require(self.posterior, Posterior, made="model.sample()")
        super().__post_init__()

    def __str__(self) -> str:
        return comparison_text(self)

    def __repr__(self) -> str:
        return comparison_text(self)

    def _report(self) -> Report:
        return comparison_report(self)

    def summary(self) -> Summary:
        """Return what `print(comparison)` shows; `.to_latex()` and `.to_markdown()` give its tables for a paper."""
        return Summary(comparison_text(self), partial(comparison_report, self))

    def plot(self, kind: str = "all", **options: Any) -> Any:  # noqa: ANN401 (a matplotlib Figure, or Axes)
        """
        Draw the comparison; needs matplotlib (`pip install 'lmmformula[plot]'`).

        kind : "all" (parameters in posterior sds, and random effects: a Figure); "fixed" and "variance" (each parameter
            on its own scale, with 95 % intervals) or "random" (one estimate over the other), which return Axes
        """
        from lmmformula.present.pictures.table import comparison_plot

        return comparison_plot(self, kind, **options)


@answering
def compare(fit: LinearMixedFit | GeneralizedMixedFit, posterior: Posterior) -> Comparison:
    """Put a fit and a posterior of the same model on the same data side by side."""
    if isinstance(fit, Posterior) and isinstance(posterior, LinearMixedFit | GeneralizedMixedFit):
        fit, posterior = posterior, fit
    return Comparison(fit, posterior)


def _require(value: object, *kinds: type, made: str) -> None:
    if not isinstance(value, kinds):
        what = f"compare needs a {kinds[0].__name__}, and was given a {type(value).__name__}"
        raise FitError(what, hint=f"make one by {made}")
