"""Generalised linear mixed models: fits by Laplace's method as a user holds them, and as a sampler needs them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from lmmformula.design.matrices import DesignMatrices
from lmmformula.errors import FitError
from lmmformula.fit.families import can_fit
from lmmformula.fit.glmm import GlmmFit, fit_glmm
from lmmformula.ir.family import Family
from lmmformula.present.text import Summary, Text
from lmmformula.results.glmm import GeneralizedMixedResult
from lmmformula.results.sheets import Report, Reported

if TYPE_CHECKING:
    from lmmformula.data.table import Library
    from lmmformula.inference.intervals import Intervals
    from lmmformula.inference.table import ResultTable
    from lmmformula.inference.tidy import Effects


@dataclass(frozen=True, eq=False, repr=False)
class GeneralizedMixedFit(Reported, GeneralizedMixedResult):
    """
    A generalised linear mixed model, fitted by maximum likelihood with Laplace's approximation.

    `print(fit)` shows the summary that lme4's users know; the accessors have the names of a linear mixed model's.

    >>> import lmmformula as lf
    >>> fit = lf.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", lf.datasets.load("cbpp"),
    ...                family="binomial")
    >>> round(fit.loglik, 3), fit.varcorr["herd"].sds.round(4).tolist()
    (-92.026, [0.6423])
    """

    def summary(self) -> Summary:
        """
        Summarise like lme4's `summary`, with z tests.

        The result is a text; `.to_latex()` and `.to_markdown()` give its tables for a paper.
        """
        from lmmformula.present.generalized import report, summary

        return Summary(summary(self), partial(report, self))

    def confint(
        self, parameters: str | Sequence[str] | None = None, *, method: str = "wald", level: float = 0.95
    ) -> "Intervals":
        """
        Return Wald intervals for fixed effects, standard deviations, correlations and the family's parameters.

        parameters : labels such as "period2", "sd[herd, (Intercept)]", "shape", or "fixed" or "ran_pars"; None for all
        method : "wald"; the others of a linear mixed model are not there
        """
        from lmmformula.inference.generalized import wald_intervals

        if method != "wald":
            raise FitError(
                f"there are no intervals by {method!r:.60} for the family {self.family.name}",
                hint='method="wald"; for standard deviations far from normal, .sample() has quantiles',
            )
        return wald_intervals(self, parameters, level=level)

    def anova(self, *others: GeneralizedMixedResult) -> "ResultTable":
        """Compare this fit with others, each with the next smaller one, by likelihood ratios."""
        from lmmformula.inference.generalized import compare_fits

        if not others:
            raise FitError(
                f"tests of single terms by F are of gaussian models, not of the family {self.family.name}",
                hint="compare with a fit without the term, fit.anova(smaller); summary() has z tests",
            )
        return compare_fits([self, *others])

    def tidy(
        self,
        effects: "Effects | Sequence[Effects]" = ("fixed", "ran_pars"),
        *,
        conf_int: bool = True,
        level: float = 0.95,
        frame: "Library | None" = None,
    ) -> Any:  # noqa: ANN401 (a data frame of the library)
        """
        One row per estimate: effect, group, term, estimate, std_error, statistic, df, p_value, conf_low, conf_high.

        effects : "fixed", "ran_pars" (with the family's own), "ran_vals", or several of them
        conf_int : whether to give Wald bounds
        frame : "pandas", "polars" or "pyarrow"; None for the library that the data came in
        """
        from lmmformula.inference.generalized import tidy
        from lmmformula.results.frames import to_native

        return to_native(
            tidy(self, effects, conf_int=conf_int, level=level), self.table.library if frame is None else frame
        )

    def glance(self, *, frame: "Library | None" = None) -> Any:  # noqa: ANN401 (a data frame of the library)
        """One row: nobs, sigma, loglik, aic, bic, deviance, df_residual, is_singular, converged."""
        from lmmformula.results.frames import glance, to_native

        return to_native(glance(self), self.table.library if frame is None else frame)

    def augment(self, *, frame: "Library | None" = None) -> Any:  # noqa: ANN401 (a data frame of the library)
        """
        One row per observation: the columns of the data, fitted values, residuals.

        Rows that were left out are there, with missing values beside them, where `na_action` is "exclude".
        """
        from lmmformula.results.frames import augment

        return augment(self, library=frame)

    def plot(self, kind: str = "fit", **options: Any) -> Any:  # noqa: ANN401 (matplotlib's Axes, or an array of them)
        """
        Draw the fit; needs matplotlib (`pip install 'lmmformula[plot]'`).

        kind : "fit" (data by group with fitted means), "ranef" (random effects with intervals) or "residuals"
        """
        from lmmformula.present.plots import fit_plot

        return fit_plot(self, kind, **options)

    @property
    def trace(self) -> Text:
        """What the optimiser did: each evaluation of the criterion, and why it stopped."""
        return Text(str(self.fit.log))

    def save(self, path: str | Path) -> NoReturn:  # noqa: ARG002 (a linear mixed model's)
        """Refuse: there is no file format for these fits."""
        raise FitError(
            f"fits of the family {self.family.name} are not saved to files",
            hint="keep the model's text and data: fitting again takes milliseconds; tidy() is a table to keep",
        )

    def power(self, *_: Any, **__: Any) -> NoReturn:  # noqa: ANN401 (a linear mixed model's)
        """Refuse: power is simulated for gaussian models."""
        raise FitError(
            f"power is simulated for gaussian models, not for the family {self.family.name}",
            hint="fit.refit(fit.simulate(...)) in a loop does it for others",
        )

    def icc(self, group: str | None = None) -> NoReturn:  # noqa: ARG002 (a linear mixed model's)
        """Refuse: on which scale a level's share of the variance is meant depends on the family."""
        self._undefined("the intraclass correlation")

    def r2(self) -> NoReturn:
        """Refuse: as `icc`."""
        self._undefined("R^2")

    def explained_variance(self) -> NoReturn:
        """Refuse: as `icc`."""
        self._undefined("the share of explained variance")

    def _undefined(self, what: str) -> NoReturn:
        raise FitError(
            f"{what} is not defined here for the family {self.family.name}",
            hint="varcorr has the variances on the scale of the linear predictor",
        )

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        from lmmformula.present.generalized import brief

        return brief(self)

    def _report(self) -> Report:
        from lmmformula.present.generalized import report

        return report(self)


def laplace_pilot(design: DesignMatrices, family: Family) -> GlmmFit | None:
    """Fit to start a sampler from; None where there is no fit, or none to be trusted: then it starts by itself."""
    if not can_fit(family) or not design.has_rows:
        return None
    try:
        fit = fit_glmm(design, family)
    except FitError:
        return None
    return None if fit.verdict == "failed" else fit
