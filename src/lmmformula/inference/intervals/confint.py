"""Intervals for parameters, by one of three methods."""

from collections.abc import Sequence
from typing import Literal

from lmmformula.errors import FitError, is_text
from lmmformula.inference.intervals.interval_table import Intervals
from lmmformula.inference.intervals.profile import profile_intervals
from lmmformula.inference.intervals.wald import wald_intervals
from lmmformula.inference.refits.bootstrap import bootstrap
from lmmformula.inference.refits.jobs import Progress
from lmmformula.results.arguments import check_level
from lmmformula.results.glmm import MixedResult

Method = Literal["wald", "profile", "boot"]


def confint(
    result: MixedResult,
    parameters: str | Sequence[str] | None = None,
    *,
    method: Method = "wald",
    level: float = 0.95,
    n: int = 1000,
    seed: int | None = None,
    progress: Progress = True,
    workers: int | None = None,
) -> Intervals:
    """
    Return intervals for fixed effects, standard deviations, correlations, and sigma or the family's parameters.

    parameters : labels such as "Days", "sd[Subject, Days]", "sigma", "shape", or "fixed" or "ran_pars"; None for all
    method : "wald" (normal; logarithms of standard deviations, Fisher's z of correlations), "profile" (likelihood;
        best for standard deviations and correlations) or "boot" (percentiles of a parametric bootstrap)
    n, seed : number of refits, and of what they are drawn, for "boot"
    progress, workers : see `bootstrap` and `profile`

    >>> import lmmformula as lf
    >>> fit = lf.Model("Reaction ~ Days + (Days | Subject)", lf.datasets.load("sleepstudy")).fit()
    >>> print(confint(fit, ["Days", "sigma"], method="profile"))
    95 % intervals (profile likelihood)
           estimate  conf_low  conf_high
    Days      10.47     7.359      13.58
    sigma     25.59      22.9      28.86
    """
    check_level(level)
    match method if is_text(method) else repr(method):
        case "wald":
            return wald_intervals(result, parameters, level=level)
        case "profile":
            return profile_intervals(result, parameters, level=level, progress=progress, workers=workers)
        case "boot":
            found = bootstrap(result, n=n, seed=seed, parameters=parameters, progress=progress, workers=workers)
            return found.confint(level)
    raise FitError(f"there are no intervals by {method!r}", hint="the methods are: wald, profile, boot")
