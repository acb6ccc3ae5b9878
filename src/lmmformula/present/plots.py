"""The pictures by name; matplotlib is imported on use."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lmmformula.errors import FitError
from lmmformula.inference.profile import profile
from lmmformula.present import plots_fit, plots_posterior
from lmmformula.present.canvas import FAINT, LINE, SECOND, subplots
from lmmformula.results.comparison import ComparisonResult
from lmmformula.results.lmm import LinearMixedResult
from lmmformula.results.posterior import PosteriorResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Picture = Callable[..., Any]


def _profiled(result: LinearMixedResult, parameters: Any = None, **options: Any) -> Any:  # noqa: ANN401 (matplotlib's)
    return plots_fit.profile_zeta(profile(result, parameters), **options)


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
    "predictions": plots_fit.predictions,
}
"""Pictures of a posterior."""


def fit_plot(result: LinearMixedResult, kind: str, **options: Any) -> Any:  # noqa: ANN401 (matplotlib's Axes)
    """Draw one of the pictures of a fit."""
    return _picture(OF_FIT, kind)(result, **options)


def posterior_plot(posterior: PosteriorResult, kind: str, **options: Any) -> Any:  # noqa: ANN401 (matplotlib's Axes)
    """Draw one of the pictures of a posterior."""
    return _picture(OF_POSTERIOR, kind)(posterior, **options)


def comparison_plot(result: ComparisonResult, kind: str, **options: Any) -> Any:  # noqa: ANN401 (matplotlib's)
    """Draw all parameters and random effects ("all", a figure), or the fixed effects on their own scales ("fixed")."""
    return _picture({"all": comparison_figure, "fixed": plots_posterior.fixed_effects}, kind)(result, **options)


def _picture(table: Mapping[str, Picture], kind: str) -> Picture:
    if kind not in table:
        raise FitError(f"there is no picture {kind!r}", hint=f"there are: {', '.join(table)}")
    return table[kind]


def comparison_figure(result: ComparisonResult, *, figsize: tuple[float, float] = (10, 4.5)) -> "Figure":
    """Draw parameters as estimate and posterior interval, and random effects as one estimate against the other."""
    places = (1, 2) if figsize[0] > 7 else (2, 1)
    left, right = subplots(*places, figsize=figsize).ravel()
    _draw_parameters(left, result)
    _draw_random_effects(right, result)
    figure: Figure = left.figure
    return figure


def _draw_parameters(axes: Any, result: ComparisonResult) -> None:  # noqa: ANN401 (a matplotlib Axes)
    """Draw distances from the posterior mean in posterior standard deviations, so that all parameters share a scale."""
    frame = result.posterior.summary()
    labels = [*result.fixed.index, *(" ".join(key).strip() for key in result.variance.index)]
    rows = list(range(len(frame), 0, -1))
    ends = [(frame["mean"] - frame["q5"]) / frame["sd"], (frame["q95"] - frame["mean"]) / frame["sd"]]
    axes.errorbar([0.0] * len(frame), rows, xerr=ends, fmt="o", color=LINE, label="posterior mean and 90 %")
    differences = [*result.fixed["in_sds"], *result.variance["in_sds"]]
    axes.plot(
        [-difference for difference in differences],
        rows,
        "x",
        color=SECOND,
        markersize=9,
        label="estimate",
        zorder=3,
    )
    axes.set_yticks(rows, labels)
    axes.set_xlabel("distance from the posterior mean in its sds")
    _legend(axes)


def _draw_random_effects(axes: Any, result: ComparisonResult) -> None:  # noqa: ANN401 (a matplotlib Axes)
    """Draw posterior means over conditional modes, around the line on which they are equal."""
    frame = result.random
    for (group, name), rows in frame.groupby(level=["group", "name"], sort=False):
        axes.plot(rows["estimate"], rows["mean"], ".", label=f"{group}: {name}")
    if len(frame):
        ends = [frame["estimate"].min(), frame["estimate"].max()]
        axes.plot(ends, ends, color=FAINT, linewidth=0.8, zorder=0)
        _legend(axes)
    axes.set_xlabel("conditional mode")
    axes.set_ylabel("posterior mean")


def _legend(axes: Any) -> None:  # noqa: ANN401 (a matplotlib Axes)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
