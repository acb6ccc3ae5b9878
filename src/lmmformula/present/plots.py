"""Pictures, by matplotlib, which is imported on use."""

from typing import TYPE_CHECKING, Any

from lmmformula.errors import FitError
from lmmformula.results.comparison import ComparisonResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BAR = 1.645
"""Half length of the posterior's bars in standard deviations: 90 % of a normal distribution."""


def comparison_figure(result: ComparisonResult) -> "Figure":
    """Draw parameters as estimate and posterior interval, and random effects as one estimate against the other."""
    figure_class = _figure_class()
    figure = figure_class(figsize=(10, 4.5), layout="constrained")
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
    """Draw differences in posterior standard deviations, so that all parameters share a scale."""
    labels = [*result.fixed.index, *(" ".join(key).strip() for key in result.variance.index)]
    differences = [*result.fixed["in_sds"], *result.variance["in_sds"]]
    rows = range(len(labels), 0, -1)
    axes.errorbar([0.0] * len(labels), list(rows), xerr=BAR, fmt="o", color="tab:blue", label="posterior, 90 %")
    axes.plot([-d for d in differences], list(rows), "x", color="tab:orange", label="estimate")
    axes.set_yticks(list(rows), labels)
    axes.set_xlabel("distance from the posterior mean, in posterior sds")
    axes.legend()


def _draw_random_effects(axes: Any, result: ComparisonResult) -> None:  # noqa: ANN401 (a matplotlib Axes)
    frame = result.random
    for (group, name), rows in frame.groupby(level=["group", "name"], sort=False):
        axes.plot(rows["estimate"], rows["mean"], ".", label=f"{group}: {name}")
    if len(frame):
        ends = [frame["estimate"].min(), frame["estimate"].max()]
        axes.plot(ends, ends, color="grey", linewidth=0.8, zorder=0)
        axes.legend()
    axes.set_xlabel("conditional mode")
    axes.set_ylabel("posterior mean")
