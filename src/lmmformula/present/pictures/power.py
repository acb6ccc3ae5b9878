"""The picture of a power curve."""

from typing import Any

import numpy as np

from lmmformula.errors import FitError
from lmmformula.inference.refits.power import PowerCurve
from lmmformula.present.pictures.canvas import FAINT, LINE, shown, subplots
from lmmformula.screen import rounded

MOST_TICKS = 8
"""Sizes that have their own tick."""


def power_curve(
    curve: PowerCurve,
    *,
    target: float | None = 0.8,
    ax: Any = None,  # noqa: ANN401 (matplotlib's Axes, which is not always installed)
    figsize: tuple[float, float] | None = None,
) -> Any:  # noqa: ANN401 (as above)
    """
    Draw power over the number of levels, with 95 % intervals for what so many simulations can tell.

    target : power at which a line stands; None for no line
    """
    given: object = target
    if given is not None and not (isinstance(given, (int, float)) and 0 < given < 1):
        raise FitError(f"target={target!r:.60} is no power", hint="target=0.8, or None for no line")
    axes = subplots(figsize=figsize, panel=(4.8, 3.4))[0, 0] if ax is None else ax
    sizes = np.array(curve.sizes if curve.along else curve.rows)
    order = np.argsort(sizes, kind="stable")
    sizes, frame = sizes[order], curve.frame.iloc[order]
    for height in (curve.alpha, target):
        if height is not None:
            axes.axhline(height, color=FAINT, linewidth=0.8, linestyle="--" if height == target else ":", zorder=0)
    ends = [frame["power"] - frame["conf_low"], frame["conf_high"] - frame["power"]]
    axes.errorbar(sizes, frame["power"], yerr=ends, fmt="o-", color=LINE, capsize=3, linewidth=1.2, markersize=4)
    if len(sizes) <= MOST_TICKS:
        axes.set_xticks(np.unique(sizes))
    axes.set_ylim(-0.02, 1.02)
    axes.set(xlabel=shown(f"levels of {curve.along}" if curve.along else "rows", 4.0), ylabel="power")
    axes.set_title(shown(f"{curve.effect} = {rounded(curve.value)}", 4.0), fontsize="medium")
    return axes
