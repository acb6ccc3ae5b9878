"""Figures and axes by matplotlib, which is imported on use; text that fits, and fonts that fit small figures."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lmmformula.errors import FitError, printable
from lmmformula.files import path_of, write_files

DATA, LINE, SECOND, FAINT = "0.45", "tab:blue", "tab:orange", "0.75"
"""Colours of data, of what is estimated, of what it is compared with, and of guides: seen on white and on black."""

LEAST_SIZE = (4.2, 3.0)
"""Inches of a figure of few panels: a legend has room in it."""

LEAST_SCALE, SHRINKAGE = 0.55, 0.6
"""Fonts don't get smaller than this share of their size, and shrink by this power of the figure's share."""

PER_INCH = 13.0
"""Characters of text of the default size in an inch."""


def subplots(
    rows: int = 1,
    columns: int = 1,
    *,
    figsize: tuple[float, float] | None = None,
    panel: tuple[float, float] = (4.0, 3.2),
    **options: Any,  # noqa: ANN401 (matplotlib's own)
) -> Any:  # noqa: ANN401 (an array of matplotlib's Axes; matplotlib is not always installed)
    """
    Return a (rows, columns) array of axes on a new figure.

    figsize : inches; None for `panel` inches for each of the axes. `finish` shrinks the text of smaller figures
    """
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        hint = "pip install 'lmmformula[plot]'"
        raise FitError("plots need matplotlib, which is not installed", hint=hint) from error
    natural = max(panel[0] * columns, LEAST_SIZE[0]), max(panel[1] * rows, LEAST_SIZE[1])
    figure, axes = plt.subplots(
        rows, columns, figsize=figsize or natural, squeeze=False, layout="constrained", **options
    )
    figure.lmmformula_scale = min(1.0, *np.divide(figsize or natural, natural)) ** SHRINKAGE
    return axes


def finish(axes: Any) -> None:  # noqa: ANN401 (matplotlib's Axes, an array of them, or a Figure)
    """Shrink text, lines and marks of a figure as much as it is smaller than what its panels would like to have."""
    first = np.atleast_1d(axes).ravel()[0]
    figure = getattr(first, "figure", None) or first
    scale = max(LEAST_SCALE, getattr(figure, "lmmformula_scale", 1.0))
    if scale >= 1.0:
        return
    from matplotlib import rcParams
    from matplotlib.font_manager import font_scalings
    from matplotlib.lines import Line2D
    from matplotlib.text import Text

    sizes = [(text, text.get_fontsize()) for text in figure.findobj(Text)]
    for ax in figure.axes:
        for name in ("x", "y"):
            size = rcParams[f"{name}tick.labelsize"]
            points = rcParams["font.size"] * font_scalings[size] if isinstance(size, str) else size
            ax.tick_params(axis=name, labelsize=scale * points, length=scale * 3.5, pad=scale * 3.5)
    for text, size in sizes:
        text.set_fontsize(scale * size)
    for line in figure.findobj(Line2D):
        line.set_markersize(math.sqrt(scale) * line.get_markersize())
        line.set_linewidth(math.sqrt(scale) * line.get_linewidth())


def save_figure(figure: Any, path: str) -> None:  # noqa: ANN401 (matplotlib's Figure)
    """Write a figure to a file of the kind that its name ends in."""
    kinds = figure.canvas.get_supported_filetypes()
    kind = Path(path).suffix.removeprefix(".").lower()
    if kind not in kinds:
        raise FitError(f"no picture is written to '{printable(path)}'", hint=f"a name can end in .{', .'.join(kinds)}")
    write_files({path_of(path): lambda stream: figure.savefig(stream, format=kind)})


def grid(n: int, *, most_columns: int = 4) -> tuple[int, int]:
    """
    Return rows and columns of a grid for n panels.

    >>> grid(1), grid(6), grid(18, most_columns=6)
    ((1, 1), (2, 3), (3, 6))
    """
    columns = min(n, most_columns)
    rows = -(-n // columns)
    return rows, -(-n // rows)


def panels(n: int, *, most_columns: int = 4, **options: Any) -> Any:  # noqa: ANN401 (matplotlib's Axes)
    """Return n axes in a grid; places left over stay empty."""
    axes = subplots(*grid(n, most_columns=most_columns), **options).ravel()
    for rest in axes[n:]:
        rest.set_visible(False)
    return axes[:n]


def shared_legend(axes: Sequence[Any] | Any, *, inches: float = LEAST_SIZE[0]) -> None:  # noqa: ANN401 (matplotlib's)
    """
    Put one legend, of the first of the axes, outside above all of them.

    inches : that are wide enough for it; what is longer stands below
    """
    first = np.atleast_1d(axes).ravel()[0]
    handles, labels = first.get_legend_handles_labels()
    needed = sum(len(label) / PER_INCH + 0.65 for label in labels)
    columns = len(labels) if needed <= inches else max(1, int(inches * len(labels) / needed))
    first.figure.legend(handles, labels, loc="outside upper center", ncols=columns, frameon=False)


def legend_above(axes: Any, *, columns: int = 3) -> None:  # noqa: ANN401 (a matplotlib Axes)
    """Put a legend above the axes."""
    axes.legend(
        loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns, frameon=False, fontsize="small", columnspacing=1.2
    )


def shown(name: object, inches: float = 10.0) -> str:
    r"""
    Make a label of a user's name: no quotes, no commands of matplotlib's, and not longer than there is room for.

    >>> shown("`dose (mg)`"), shown("$x_1$"), shown("the university hospital of Utrecht", 1.5)
    ('dose (mg)', '\\$x_1\\$', 'the unive…f Utrecht')
    """
    text = printable(str(name)).replace("`", "")
    room = max(8, int(inches * PER_INCH))
    if len(text) > room:
        text = f"{text[: room // 2].rstrip()}…{text[len(text) - (room - 1) // 2 :].lstrip()}"
    return text.replace("$", r"\$")


def title_of(label: str, inches: float = 3.2) -> str:
    r"""
    Break the label of a correlation in two lines, which are as wide as a panel.

    >>> title_of("cor[Subject, (Intercept), Days]")
    'cor[Subject,\n(Intercept), Days]'
    """
    lines = label.split(", ", 1) if label.startswith("cor[") else [label]
    return ",\n".join(shown(line, 1.2 * inches) for line in lines)
