"""The pictures by name; matplotlib is imported on use."""

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any

from lmmformula.design.design import Design
from lmmformula.errors import FitError, is_text
from lmmformula.inference.intervals.profile import profile
from lmmformula.inference.refits.power import PowerCurve
from lmmformula.present.pictures import comparison as plots_comparison
from lmmformula.present.pictures import fit as plots_fit
from lmmformula.present.pictures import posterior as plots_posterior
from lmmformula.present.pictures import power as plots_power
from lmmformula.present.pictures.canvas import finish
from lmmformula.present.pictures.priors import prior_densities
from lmmformula.results.comparison import ComparisonResult
from lmmformula.results.glmm import MixedResult
from lmmformula.results.posteriors.posterior import PosteriorResult
from lmmformula.stan.program.priors import PriorRow

Picture = Callable[..., Any]


def _profiled(
    result: MixedResult,
    parameters: str | Sequence[str] | None = None,
    *,
    level: float = 0.95,
    figsize: plots_fit.Size = None,
) -> Any:  # noqa: ANN401 (matplotlib's)
    return plots_fit.profile_zeta(profile(result, parameters), level=level, figsize=figsize)


OF_FIT: Mapping[str, Picture] = {
    "fit": plots_fit.fitted_lines,
    "ranef": plots_fit.random_effects,
    "residuals": plots_fit.residuals,
    "profile": _profiled,
    "predictions": plots_fit.predictions,
}
"""Pictures of a fit."""

OF_POSTERIOR: Mapping[str, Picture] = {
    "densities": plots_posterior.densities,
    "traces": plots_posterior.traces,
    "priors": plots_posterior.priors,
    "predictions": plots_fit.predictions,
}
"""Pictures of a posterior."""


OF_COMPARISON: Mapping[str, Picture] = {
    "all": plots_comparison.overview,
    "fixed": plots_comparison.fixed,
    "variance": plots_comparison.variance,
    "random": plots_comparison.random,
}
"""Pictures of a fit beside a posterior."""


def fit_plot(result: plots_fit.FitResult, kind: str, **options: Any) -> Any:  # noqa: ANN401 (matplotlib's Axes)
    """Draw one of the pictures of a fit."""
    return _drawn(OF_FIT, kind, result, options)


def posterior_plot(posterior: PosteriorResult, kind: str, **options: Any) -> Any:  # noqa: ANN401 (matplotlib's Axes)
    """Draw one of the pictures of a posterior."""
    return _drawn(OF_POSTERIOR, kind, posterior, options)


def comparison_plot(result: ComparisonResult, kind: str, **options: Any) -> Any:  # noqa: ANN401 (matplotlib's Axes)
    """Draw one of the pictures of a fit beside a posterior."""
    return _drawn(OF_COMPARISON, kind, result, options)


def power_plot(curve: PowerCurve, **options: Any) -> Any:  # noqa: ANN401 (matplotlib's Axes)
    """Draw a power curve."""
    return _drawn({"power": plots_power.power_curve}, "power", curve, options)


def model_plot(priors: Sequence[PriorRow], design: Design, kind: str, **options: Any) -> Any:  # noqa: ANN401 (matplotlib's Axes)
    """Draw what is known of a model before it has seen a response: its priors."""

    def known(rows: Sequence[PriorRow], *, figsize: plots_fit.Size = None) -> Any:  # noqa: ANN401 (as above)
        return prior_densities(rows, design, figsize=figsize)

    return _drawn({"priors": known}, kind, priors, options)


def _drawn(table: Mapping[str, Picture], kind: str, subject: Any, options: Mapping[str, Any]) -> Any:  # noqa: ANN401 (as above)
    """Draw a picture by its name, with text as small as its figure."""
    if not is_text(kind) or kind not in table:
        raise FitError(f"there is no picture {kind!r:.60}", hint=f"there are: {', '.join(table)}")
    _check_names(kind, table[kind], options)
    _check(options.get("figsize"))
    axes = table[kind](subject, **options)
    finish(axes)
    return axes


def _check_names(kind: str, picture: Picture, options: Mapping[str, Any]) -> None:
    """Refuse options that a picture does not have."""
    known = list(signature(picture).parameters)[1:]
    for name in options:
        if name not in known:
            raise FitError(f"the picture {kind!r} has no option {name!r:.60}", hint=f"it has: {', '.join(known)}")


def _check(figsize: Any) -> None:  # noqa: ANN401 (whatever a user gives)
    """Refuse a size that is no pair of positive numbers."""
    try:
        right = figsize is None or (len(figsize) == 2 and all(0 < float(side) < 1000 for side in figsize))
    except (TypeError, ValueError):
        right = False
    if not right:
        raise FitError(f"figsize={figsize!r:.60} is no size", hint="figsize=(width, height), in inches")
