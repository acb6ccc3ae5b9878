"""What one does with a fit once it is there: intervals, refits, diagnostics, files; each a call to `inference`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmmformula.files import write_text
from lmmformula.results.arguments import check_flag
from lmmformula.results.files.fits import to_json
from lmmformula.results.fitted import FitAccessors
from lmmformula.results.frames import augment, in_library
from lmmformula.results.glmm import as_mixed

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
    from lmmformula.results.components import Approximation

Labels = str | Sequence[str] | None


class AnalysedFit(FitAccessors):
    """A fit of any family with its analyses as methods; `api.methods.abilities` says which are of some alone."""

    def save(self, path: str | Path) -> None:
        """
        Write the fit, without its data, to a JSON file that `load` reads.

        Of the data it holds levels, the mean and range of each numeric variable, and quartiles of the residuals. How
        well the variances are known is worked out before, for the tests of the loaded fit, as `summary()` does.
        """
        from lmmformula.inference.worked_out import keep

        text = to_json(self.ir, self.schema, self.design, self.fit, self.data_name, keep(as_mixed(self)))
        write_text(path, text)

    def r2(self, method: "Approximation | None" = None) -> "RSquared":
        """
        Return marginal and conditional R^2 (Nakagawa, Johnson & Schielzeth 2017).

        method : of families other than the gaussian, where the variance around the linear predictor comes from:
            "theoretical" (of a latent variable) for a binomial family; "lognormal", "delta" or "trigamma" where the
            link is the logarithm; "delta" elsewhere; None for the first of these. Names are MuMIn's

        >>> import lmmformula as lf
        >>> fit = lf.glmer("TICKS ~ cHEIGHT + (1 | BROOD)", lf.datasets.load("grouseticks"), family="poisson")
        >>> fit.r2()
        R2 marginal 0.3071 (fixed effects), conditional 0.9410 (and random effects), lognormal variance
        """
        from lmmformula.inference.quality import r_squared

        return r_squared(as_mixed(self), method)

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
        Return intervals for fixed effects, standard deviations, correlations, sigma and the family's parameters.

        parameters : labels such as "Days", "sd[Subject, Days]", "sigma", "shape", or "fixed" or "ran_pars"; None for
            all
        method : "wald", "profile" (likelihood) or "boot" (percentiles of `n` refits, drawn by `seed`)
        progress, workers : as in `bootstrap`
        """
        from lmmformula.inference.intervals.confint import confint

        return confint(
            as_mixed(self), parameters, method=method, level=level, n=n, seed=seed, progress=progress, workers=workers
        )

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

        return profile(as_mixed(self), parameters, level=level, points=points, progress=progress, workers=workers)

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

        return bootstrap(
            as_mixed(self), statistic, n=n, seed=seed, parameters=parameters, progress=progress, workers=workers
        )

    def power(  # noqa: PLR0913 (each is a question that a plan must answer)
        self,
        effect: str | Mapping[str, float],
        *,
        n_groups: "Sizes" = None,
        assume: Mapping[str, float] | None = None,
        n: int = 500,
        alpha: float = 0.05,
        test: "Test | None" = None,
        seed: int | None = None,
        progress: "Progress" = True,
        workers: int | None = None,
    ) -> "PowerCurve":
        """
        Simulate how often a test would find a fixed effect of a given size; `.plot()` of the result draws that.

        effect : its name, or {name: size}
        n_groups : numbers of levels of the grouping factor to try, or {factor: numbers}
        assume : other assumed parameters, {"sigma": 20, "sd[Subject, Days]": 5}
        n, alpha, test : simulations per size; level; "t" (None), "z" (None in other families than the gaussian), "lrt"
        progress, workers : as in `bootstrap`
        """
        from lmmformula.api.power import PowerCurve
        from lmmformula.inference.refits.power import power

        found = power(
            as_mixed(self),
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

    def leverage(self) -> "FloatArray":
        """Return (n,) diagonal of the matrix that maps responses to fitted values."""
        from lmmformula.inference.influence import leverage

        return leverage(as_mixed(self))

    def cooks_distance(self) -> "FloatArray":
        """Return (n,) Cook's distances of the rows, as lme4 defines them."""
        from lmmformula.inference.influence import cooks_distance

        return cooks_distance(as_mixed(self))

    def influence(self, group: str | None = None) -> "Influence":
        """Say how the fixed effects change when each level of a grouping factor, or each row, is left out."""
        from lmmformula.inference.influence import influence

        return influence(as_mixed(self), group)

    def tidy(
        self,
        effects: "Effects | Sequence[Effects]" = ("fixed", "ran_pars"),
        *,
        conf_int: bool = True,
        level: float = 0.95,
        method: "Method" = "wald",
        ddf: "Ddf | None" = None,
        frame: "Library | None" = None,
    ) -> Any:  # noqa: ANN401 (a data frame of the library)
        """
        One row per estimate: effect, group, term, estimate, std_error, statistic, df, p_value, conf_low, conf_high.

        effects : "fixed", "ran_pars" (with the family's own), "ran_vals", or several of them
        conf_int : whether to give bounds, by `method`
        ddf : denominator degrees of freedom of the tests, "none" for no tests; None for Satterthwaite's, or z tests of
            other families
        frame : "pandas", "polars" or "pyarrow"; None for the library that the data came in
        """
        from lmmformula.inference.tidy import tidy

        found = tidy(as_mixed(self), effects, conf_int=conf_int, level=level, method=method, ddf=ddf)
        return in_library(self, found, frame)

    def augment(self, *, influence: bool = False, frame: "Library | None" = None) -> Any:  # noqa: ANN401 (as above)
        """
        One row per observation: the columns of the data, fitted values, residuals; with `influence` Cook's distance.

        Rows that were left out are there, with missing values beside them, where `na_action` is "exclude".
        """
        check_flag("influence", influence)
        more = {"leverage": self.leverage(), "cooks_distance": self.cooks_distance()} if influence else None
        return augment(as_mixed(self), more, frame)

    def plot(self, kind: str = "fit", **options: Any) -> Any:  # noqa: ANN401 (matplotlib's Axes, or an array of them)
        """
        Draw the fit; needs matplotlib (`pip install 'lmmformula[plot]'`).

        kind : "fit" (data by group with fitted lines), "ranef" (random effects with intervals), "residuals" (against
            fitted values, and QQ), "profile" (zeta of each parameter), "predictions" (means with bands)
        options : of the picture, see `present.pictures`
        """
        from lmmformula.present.pictures.table import fit_plot

        return fit_plot(as_mixed(self), kind, **options)
