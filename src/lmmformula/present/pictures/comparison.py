"""Pictures of a fit beside a posterior of the same model."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from lmmformula.inference.tidy import tidy, tidy_draws
from lmmformula.present.pictures.canvas import FAINT, LINE, SECOND, legend_above, panels, shared_legend, shown, subplots
from lmmformula.results.comparison import ComparisonResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Size = tuple[float, float] | None
Axes = Any  # matplotlib's, which is not always installed
BOUNDS = ("estimate", "conf_low", "conf_high")


def overview(result: ComparisonResult, *, figsize: Size = None) -> "Figure":
    """Draw parameters as estimate and posterior interval, and random effects as one estimate against the other."""
    places = (1, 2) if figsize is None or figsize[0] > figsize[1] else (2, 1)
    left, right = subplots(*places, figsize=figsize, panel=(5.0, 4.5)).ravel()
    narrow = figsize is not None and figsize[0] < 3.5 * places[1]
    _draw_parameters(left, result, narrow=narrow)
    _draw_all_random_effects(right, result, narrow=narrow)
    figure: Figure = left.figure
    return figure


def fixed(result: ComparisonResult, *, figsize: Size = None) -> Axes:
    """Draw each fixed effect on its own scale: estimate and posterior mean, each with its 95 % interval."""
    return _intervals(result, "fixed", figsize)


def variance(result: ComparisonResult, *, figsize: Size = None) -> Axes:
    """Draw standard deviations, correlations and sigma in the same way; a fit on the boundary has no interval."""
    return _intervals(result, "ran_pars", figsize)


def random(result: ComparisonResult, *, figsize: Size = None) -> Axes:
    """Draw, for each coefficient, posterior means over conditional modes, around the line on which they are equal."""
    groups = list(result.random.groupby(level=["group", "name"], sort=False, observed=True))
    axes = panels(max(1, len(groups)), most_columns=3, figsize=figsize, panel=(3.6, 3.4))
    for ax, ((group, name), rows) in zip(axes, groups, strict=False):
        ax.axline((rows["estimate"].iloc[0],) * 2, slope=1.0, color=FAINT, linewidth=0.8, zorder=0)
        ax.errorbar(rows["estimate"], rows["mean"], yerr=rows["sd"], fmt=".", color=LINE, elinewidth=0.6, markersize=4)
        ax.set_title(f"{shown(group, 3.0)}\n{shown(name, 3.0)}", fontsize="medium")
        ax.set_xlabel("conditional mode")
    axes[0].set_ylabel("posterior mean ± sd")
    return axes


def _intervals(result: ComparisonResult, effects: Any, figsize: Size) -> Axes:  # noqa: ANN401 (one of `Effects`)
    """Draw one panel per parameter, in which the fit stands above the posterior."""
    pairs = list(_pairs(result, effects))
    axes = subplots(len(pairs), 1, figsize=figsize, panel=(6.4, 0.9)).ravel()
    for ax, (label, *both) in zip(axes, pairs, strict=True):
        for name, place, color, (middle, low, high) in zip(
            ("fit", "posterior"), (1, 0), (SECOND, LINE), both, strict=True
        ):
            ends = np.nan_to_num([[middle - low], [high - middle]])
            ax.errorbar([middle], [place], xerr=ends, fmt="o", color=color, capsize=3, label=name)
        ax.set_ylim(-0.7, 1.7)
        ax.set_yticks([])
        ax.locator_params(axis="x", nbins=6)
        ax.set_ylabel(shown(label, 3.0), rotation=0, ha="right", va="center")
    shared_legend(axes)
    return axes


def _pairs(result: ComparisonResult, effects: Any) -> Iterator[tuple[str, list[float], list[float]]]:  # noqa: ANN401 (as above)
    """Give each parameter's name, and its numbers in the fit and in the posterior, where both have it."""
    first, second = (
        dict(zip(zip(frame["group"], frame["term"], strict=True), frame[list(BOUNDS)].to_numpy().tolist(), strict=True))
        for frame in (tidy(result.fit, effects, ddf="none"), tidy_draws(result.posterior, effects))
    )
    for group, term in first:
        if (group, term) in second:
            label = term if effects == "fixed" else f"{group}: {term.replace('__', ' ')}"
            yield label, first[group, term], second[group, term]


def _draw_parameters(axes: Any, result: ComparisonResult, *, narrow: bool) -> None:  # noqa: ANN401 (a matplotlib Axes)
    """Draw distances from the posterior mean in posterior standard deviations, so that all parameters share a scale."""
    frame = result.posterior.summary()
    labels = [*result.fixed.index, *(" ".join(key).strip() for key in result.variance.index)]
    rows = list(range(len(labels), 0, -1))
    frame = frame.iloc[: len(labels)]
    ends = [(frame["mean"] - frame["q5"]) / frame["sd"], (frame["q95"] - frame["mean"]) / frame["sd"]]
    axes.errorbar([0.0] * len(frame), rows, xerr=ends, fmt="o", color=LINE, label="posterior mean, 90 %")
    differences = [-difference for difference in (*result.fixed["in_sds"], *result.variance["in_sds"])]
    axes.plot(differences, rows, "x", color=SECOND, markersize=9, label="estimate", zorder=3)
    axes.set_yticks(rows, [shown(label, 1.2 if narrow else 2.8) for label in labels], fontsize="small")
    axes.set_xlabel("distance in posterior sds")
    legend_above(axes, columns=1 if narrow else 2)


def _draw_all_random_effects(axes: Any, result: ComparisonResult, *, narrow: bool) -> None:  # noqa: ANN401 (a matplotlib Axes)
    """Draw posterior means over conditional modes, around the line on which they are equal."""
    frame = result.random
    for (group, name), rows in frame.groupby(level=["group", "name"], sort=False, observed=True):
        axes.plot(rows["estimate"], rows["mean"], ".", label=shown(f" {group}: {name}", 2.0))
    if len(frame):
        axes.axline((0.0, 0.0), slope=1.0, color=FAINT, linewidth=0.8, zorder=0)
        legend_above(axes, columns=1 if narrow else 2)
    axes.set_xlabel("conditional mode")
    axes.set_ylabel("posterior mean")
