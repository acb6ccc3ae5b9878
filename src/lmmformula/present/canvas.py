"""Figures and axes by matplotlib, which is imported on use."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lmmformula.errors import FitError

DATA, LINE, SECOND, FAINT = "0.45", "tab:blue", "tab:orange", "0.75"
"""Colours of data, of what is estimated, of what it is compared with, and of guides."""


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

    figsize : inches; None for `panel` inches for each of the axes
    """
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        hint = "pip install 'lmmformula[plot]'"
        raise FitError("plots need matplotlib, which is not installed", hint=hint) from error
    size = figsize or (panel[0] * columns, panel[1] * rows)
    _, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained", **options)
    return axes


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


def shared_legend(axes: Sequence[Any] | Any) -> None:  # noqa: ANN401 (matplotlib's Axes)
    """Put one legend, of the first of the axes, outside above all of them."""
    first = np.atleast_1d(axes).ravel()[0]
    handles, labels = first.get_legend_handles_labels()
    first.figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)


def title_of(label: str) -> str:
    r"""
    Break the label of a correlation in two lines, which are as wide as a panel.

    >>> title_of("cor[Subject, (Intercept), Days]")
    'cor[Subject,\n(Intercept), Days]'
    """
    return label.replace(", ", ",\n", 1) if label.startswith("cor[") else label
