"""What one does with a fit once it is there: intervals, refits, diagnostics, power; each a call to `inference`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lmmformula.results.arguments import check_flag
from lmmformula.results.frames import in_library
from lmmformula.results.lmm import LinearMixedResult

if TYPE_CHECKING:
    from lmmformula.api.power import PowerCurve
    from lmmformula.arrays import FloatArray
    from lmmformula.data.table import Library
    from lmmformula.inference.influence import Influence
    from lmmformula.inference.intervals.confint import Method
    from lmmformula.inference.intervals.interval_table import Intervals
    from lmmformula.inference.intervals.profile import Profile
    from lmmformula.inference.quality import RSquared
    from lmmformula.inference.refits.bootstrap import Bootstrap, Statistic
    from lmmformula.inference.refits.jobs import Progress
    from lmmformula.inference.refits.power import Sizes, Test
    from lmmformula.inference.tests.linear_functions import Ddf
    from lmmformula.inference.tidy import Effects

Labels = str | Sequence[str] | None


@dataclass(frozen=True, eq=False, repr=False)
class AnalysedFit(LinearMixedResult):
    """A fit with its analyses as methods."""

    def confint(
        self,
        parameters: Labels = None,
        *,
        method: "Method" = "wald",
        level: float = 0.95,
        n: int = 1000,
        seed: int | None = None,
        progress: "Progress" = True,
        workers: int | None = None,
    ) -> "Intervals":
        """
        Return intervals for fixed effects, standard deviations, correlations and sigma.

        parameters : labels such as "Days", "sd[Subject, Days]", "sigma", or "fixed" or "ran_pars"; None for all
        method : "wald", "profile" (likelihood) or "boot" (percentiles of `n` refits, drawn by `seed`)
        progress, workers : as in `bootstrap`
        """
        from lmmformula.inference.intervals.confint import confint

        return confint(self, parameters, method=method, level=level, n=n, seed=seed, progress=progress, workers=workers)

    def profile(
        self,
        parameters: Labels = None,
        *,
        level: float = 0.99,
        points: int = 12,
        progress: "Progress" = True,
        workers: int | None = None,
    ) -> "Profile":
        """
        Trace the deviance as one parameter after the other moves, out to the bounds of a `level` interval.

        progress, workers : as in `bootstrap`
        """
        from lmmformula.inference.intervals.profile import profile

        return profile(self, parameters, level=level, points=points, progress=progress, workers=workers)

    def bootstrap(
        self,
        statistic: "Statistic | None" = None,
        *,
        n: int = 1000,
        seed: int | None = None,
        parameters: Labels = None,
        progress: "Progress" = True,
        workers: int | None = None,
    ) -> "Bootstrap":
        """
        Refit `n` simulated responses, and keep the parameters or any statistic of each refit.

        statistic : a function of a fit that returns a number or a mapping, `lambda fit: fit.icc()`
        progress : whether to draw a bar on a terminal; or a function of the numbers of refits done and of all
        workers : number of processes; None for as many as pay, 1 for this one alone: the numbers are the same
        """
        from lmmformula.inference.refits.bootstrap import bootstrap

        return bootstrap(self, statistic, n=n, seed=seed, parameters=parameters, progress=progress, workers=workers)

    def power(  # noqa: PLR0913 (each is a question that a plan must answer)
        self,
        effect: str | Mapping[str, float],
        *,
        n_groups: "Sizes" = None,
        assume: Mapping[str, float] | None = None,
        n: int = 500,
        alpha: float = 0.05,
        test: "Test" = "t",
        seed: int | None = None,
        progress: "Progress" = True,
        workers: int | None = None,
    ) -> "PowerCurve":
        """
        Simulate how often a test would find a fixed effect of a given size; `.plot()` of the result draws that.

        effect : its name, or {name: size}
        n_groups : numbers of levels of the grouping factor to try, or {factor: numbers}
        assume : other assumed parameters, {"sigma": 20, "sd[Subject, Days]": 5}
        n, alpha, test : simulations per size; level; "t", "z" or "lrt"
        progress, workers : as in `bootstrap`
        """
        from lmmformula.api.power import PowerCurve
        from lmmformula.inference.refits.power import power

        found = power(
            self,
            effect,
            n_groups=n_groups,
            assume=assume,
            n=n,
            alpha=alpha,
            test=test,
            seed=seed,
            progress=progress,
            workers=workers,
        )
        return PowerCurve.of(found)

    def r2(self) -> "RSquared":
        """Return marginal and conditional R^2 (Nakagawa & Schielzeth)."""
        from lmmformula.inference.quality import r_squared

        return r_squared(self)

    def leverage(self) -> "FloatArray":
        """Return (n,) diagonal of the matrix that maps responses to fitted values."""
        from lmmformula.inference.influence import leverage

        return leverage(self)

    def cooks_distance(self) -> "FloatArray":
        """Return (n,) Cook's distances of the rows, as lme4 defines them."""
        from lmmformula.inference.influence import cooks_distance

        return cooks_distance(self)

    def influence(self, group: str | None = None) -> "Influence":
        """Say how the fixed effects change when each level of a grouping factor, or each row, is left out."""
        from lmmformula.inference.influence import influence

        return influence(self, group)

    def tidy(
        self,
        effects: "Effects | Sequence[Effects]" = ("fixed", "ran_pars"),
        *,
        conf_int: bool = True,
        level: float = 0.95,
        method: "Method" = "wald",
        ddf: "Ddf" = "satterthwaite",
        frame: "Library | None" = None,
    ) -> Any:  # noqa: ANN401 (a data frame of the library)
        """
        One row per estimate: effect, group, term, estimate, std_error, statistic, df, p_value, conf_low, conf_high.

        effects : "fixed", "ran_pars", "ran_vals", or several of them
        conf_int : whether to give bounds, by `method`
        ddf : denominator degrees of freedom of the tests, "none" for no tests
        frame : "pandas", "polars" or "pyarrow"; None for the library that the data came in
        """
        from lmmformula.inference.tidy import tidy

        found = tidy(self, effects, conf_int=conf_int, level=level, method=method, ddf=ddf)
        return in_library(self, found, frame)

    def augment(self, *, influence: bool = False, frame: "Library | None" = None) -> Any:  # noqa: ANN401 (as above)
        """
        One row per observation: the columns of the data, fitted values, residuals; with `influence` Cook's distance.

        Rows that were left out are there, with missing values beside them, where `na_action` is "exclude".
        """
        from lmmformula.inference.tidy import augment

        check_flag("influence", influence)
        return augment(self, influence=influence, library=frame)

    def plot(self, kind: str = "fit", **options: Any) -> Any:  # noqa: ANN401 (matplotlib's Axes, or an array of them)
        """
        Draw the fit; needs matplotlib (`pip install 'lmmformula[plot]'`).

        kind : "fit" (data by group with fitted lines), "ranef" (random effects with intervals), "residuals" (against
            fitted values, and QQ), "profile" (zeta of each parameter), "predictions" (means with bands)
        options : of the picture, see `present.pictures`
        """
        from lmmformula.present.pictures.table import fit_plot

        return fit_plot(self, kind, **options)
