"""A posterior as a user holds it: the numbers of `results`, printed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lmmformula.api.methods.abilities import lacking
from lmmformula.api.methods.marginal import MarginalEffects
from lmmformula.newcomers import answers_newcomers
from lmmformula.present.posterior import posterior_text
from lmmformula.present.report import posterior_report
from lmmformula.results.frames import in_library
from lmmformula.results.posteriors.posterior import PosteriorResult
from lmmformula.results.tables.sheets import Report, Reported

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from lmmformula.data.table import Library
    from lmmformula.inference.intervals.interval_table import Intervals
    from lmmformula.inference.table import ResultTable
    from lmmformula.inference.tests.contrasts import Hypothesis
    from lmmformula.inference.tidy import Effects
    from lmmformula.results.posteriors.intervals import IntervalMethod


@answers_newcomers(made="Model(...).sample()", lacking=lacking)
@dataclass(frozen=True, eq=False, repr=False)
class Posterior(Reported, MarginalEffects, PosteriorResult):
    """
    Draws from the posterior of a linear mixed model.

    The accessors have the names of a fit's and give posterior means; `draws` holds the draws themselves, as arrays,
    and `draws_frame()` as a data frame. `print(posterior)` shows the summary and the sampler's verdict.
    """

    def confint(
        self,
        parameters: "str | Sequence[str] | None" = None,
        *,
        method: "IntervalMethod" = "quantile",
        level: float = 0.95,
    ) -> "Intervals":
        """
        Return posterior means with intervals that hold a share of the draws.

        parameters : labels such as "Days", "sd[Subject, Days]", "sigma", "random[Subject, 308, Days]" or
            "coef[Subject, 308, Days]"; "fixed", "ran_pars", "family", "ran_vals" (random effects) or "coef" (those with
            the fixed effects of the same names added); None for all but the last two
        method : "quantile" (as much probability below as above) or "hdi" (the shortest)
        """
        from lmmformula.inference.intervals.interval_table import Intervals
        from lmmformula.results.posteriors.intervals import METHOD_NAMES, bounds, draws_of

        quantities, draws = draws_of(self, parameters)
        low, high = bounds(draws, method, level)
        labels = tuple(quantity.label for quantity in quantities)
        return Intervals(labels, draws.mean(axis=0), low, high, level, METHOD_NAMES[method])

    def contrast(self, hypothesis: "Hypothesis", *, level: float = 0.95) -> "ResultTable":
        """
        Return the posterior of linear functions of the fixed effects, as a fit's `contrast` estimates them.

        hypothesis : `"f2b - f2a"`, `"x = 1"`, `{"x": 1, "z": -1}`, a list of such, or a matrix
        """
        from lmmformula.inference.tests.contrasts import contrast_draws

        return contrast_draws(self, hypothesis, level=level)

    def summary(self, *, random: bool = False) -> "pd.DataFrame":
        """
        One row per parameter: mean, sd, mcse, q5, q95, ess_bulk, ess_tail, rhat.

        A data frame whose `to_latex()` and `to_markdown()` are rounded and escaped as in print.

        random : include the random effects
        """
        from lmmformula.present.frame import SummaryFrame

        return SummaryFrame(super().summary(random=random))

    def tidy(
        self,
        effects: "Effects | Sequence[Effects]" = ("fixed", "ran_pars"),
        *,
        conf_int: bool = True,
        level: float = 0.95,
        frame: "Library | None" = None,
    ) -> Any:  # noqa: ANN401 (a data frame of the library)
        """
        One row per estimate, in the columns of a fit's `tidy`: posterior means, standard deviations, and quantiles.

        effects : "fixed", "ran_pars", "ran_vals", or several of them
        conf_int : whether to give bounds, between which a parameter lies with probability `level`
        frame : "pandas", "polars" or "pyarrow"; None for the library that the data came in
        """
        from lmmformula.inference.tidy import tidy_draws

        found = tidy_draws(self, effects, conf_int=conf_int, level=level)
        return in_library(self, found, frame)

    def plot(self, kind: str = "densities", **options: Any) -> Any:  # noqa: ANN401 (matplotlib's Axes)
        """
        Draw the posterior; needs matplotlib (`pip install 'lmmformula[plot]'`).

        kind : "densities" (with priors), "traces" (with ranks), "priors" (alone) or "predictions" (means with bands)
        """
        from lmmformula.present.pictures.table import posterior_plot

        return posterior_plot(self, kind, **options)

    def __str__(self) -> str:
        return posterior_text(self)

    def __repr__(self) -> str:
        return posterior_text(self)

    def _report(self) -> Report:
        return posterior_report(self)
