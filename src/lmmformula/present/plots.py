"""Pictures, by matplotlib, which is imported on use."""

from typing import TYPE_CHECKING, Any

from lmmformula.errors import FitError
from lmmformula.results.comparison import ComparisonResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def comparison_figure(result: ComparisonResult) -> "Figure":
    """Draw parameters as estimate and posterior interval, and random effects as one estimate against the other."""
    figure_class = _figure_class()
    figure: Figure = figure_class(figsize=(10, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_parameters(left, result)
    _draw_random_effects(right, result)
    return figure


def _figure_class() -> Any:  # noqa: ANN401 (matplotlib is not always installed)
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise FitError(
            "plots need matplotlib, which is not installed", hint="pip install 'lmmformula[plot]'"
        ) from error
    return Figure


def _draw_parameters(axes: Any, result: ComparisonResult) -> None:  # noqa: ANN401 (a matplotlib Axes)
    """Draw distances from the posterior mean in posterior standard deviations, so that all parameters share a scale."""
    frame = result.posterior.summary()
    labels = [*result.fixed.index, *(" ".join(key).strip() for key in result.variance.index)]
    rows = list(range(len(frame), 0, -1))
    ends = [(frame["mean"] - frame["q5"]) / frame["sd"], (frame["q95"] - frame["mean"]) / frame["sd"]]
    axes.errorbar([0.0] * len(frame), rows, xerr=ends, fmt="o", color="tab:blue", label="posterior mean and 90 %")
    differences = [*result.fixed["in_sds"], *result.variance["in_sds"]]
    axes.plot(
        [-difference for difference in differences],
        rows,
        "x",
        color="tab:orange",
        markersize=9,
        label="estimate",
        zorder=3,
    )
    axes.set_yticks(rows, labels)
    axes.set_xlabel("distance from the posterior mean, in posterior sds")
    _legend(axes)


def _draw_random_effects(axes: Any, result: ComparisonResult) -> None:  # noqa: ANN401 (a matplotlib Axes)
    """Draw posterior means over conditional modes, around the line on which they are equal."""
    frame = result.random
    for (group, name), rows in frame.groupby(level=["group", "name"], sort=False):
        axes.plot(rows["estimate"], rows["mean"], ".", label=f"{group}: {name}")
    if len(frame):
        ends = [frame["estimate"].min(), frame["estimate"].max()]
        axes.plot(ends, ends, color="grey", linewidth=0.8, zorder=0)
        _legend(axes)
    axes.set_xlabel("conditional mode")
    axes.set_ylabel("posterior mean")


def _legend(axes: Any) -> None:  # noqa: ANN401 (a matplotlib Axes)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
