"""Pictures of a fit: data with fitted lines, random effects, residuals, profiles, predictions."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.data.columns import NumericColumn
from lmmformula.design.columns.summaries import FactorSummary, NumericSummary
from lmmformula.errors import FitError
from lmmformula.fit.lmm import conditional_covariances
from lmmformula.inference.intervals.parameters import normal_quantile
from lmmformula.inference.intervals.profile import Profile
from lmmformula.ir.expressions import variables
from lmmformula.present.pictures.canvas import (
    DATA,
    FAINT,
    LEAST_SIZE,
    LINE,
    SECOND,
    grid,
    legend_above,
    panels,
    shared_legend,
    shown,
    subplots,
    title_of,
)
from lmmformula.results.arguments import check_mapping
from lmmformula.results.glmm import GeneralizedMixedResult
from lmmformula.results.lmm import LinearMixedResult
from lmmformula.results.predict.grid_values import column_summary, predictors
from lmmformula.results.varcorr import unique_labels

if TYPE_CHECKING:
    from lmmformula.results.fitted import ResidualKind

MOST_GROUPS, MOST_COLUMNS = 30, 6
"""Levels that are drawn, each in its own panel, unless they are named; and how many of them beside one another."""

FACET, LEAST_FACET = (2.0, 1.8), (0.95, 0.8)
"""Inches of such a panel, and inches without which it is better left out."""

MOST_NAMES = 60
"""Levels that are named beside their random effects."""

Size = tuple[float, float] | None
Axes = Any  # matplotlib's, which is not always installed
FitResult = LinearMixedResult | GeneralizedMixedResult


def fitted_lines(
    result: FitResult,
    x: str | None = None,
    *,
    group: str | None = None,
    levels: Sequence[str] | None = None,
    figsize: Size = None,
) -> Axes:
    """
    Draw the data of each level in a panel, with the fitted values of the level and of the population.

    x : variable on the horizontal axis; by default the first numeric one
    group : grouping factor; by default that of the first random term
    levels : which levels; by default the first 30, or as many as a small figure has room for
    """
    name = x or first_numeric(result)
    values = _numbers(result, name)
    term = _term(result, group)
    columns, most = MOST_COLUMNS, MOST_GROUPS
    if figsize is not None:
        columns = min(MOST_COLUMNS, max(1, int(figsize[0] / LEAST_FACET[0])))
        most = min(MOST_GROUPS, columns * max(1, int((figsize[1] - 0.5) / LEAST_FACET[1])))
    wanted = list(levels) if levels is not None else list(term.levels[:most])
    unknown = [level for level in wanted if level not in term.levels]
    if unknown or not wanted:
        raise FitError(f"'{term.group}' has no level {', '.join(map(repr, unknown)) or 'at all'}")
    fitted = _rows(result, result.fitted)
    population = _rows(result, result.predict(random="population"))
    axes = panels(len(wanted), most_columns=columns, figsize=figsize, panel=FACET, sharex=True, sharey=True)
    for ax, level in zip(axes, wanted, strict=True):
        rows = np.flatnonzero(term.codes == term.levels.index(level))
        rows = rows[np.argsort(values[rows], kind="stable")]
        ax.plot(values[rows], result.design.y[rows], ".", color=DATA, label="data")
        ax.plot(values[rows], population[rows], "--", color=FAINT, label="population")
        ax.plot(values[rows], fitted[rows], color=LINE, label=f"with {shown(term.group, 1.5)}")
        ax.set_title(shown(level, 0.7 * FACET[0]), fontsize="small")
        ax.locator_params(nbins=4)
    across, down = grid(len(wanted), most_columns=columns)[::-1]
    shared_legend(axes, inches=max(LEAST_SIZE[0], across * FACET[0]))
    few = "" if len(wanted) == term.n_levels else f"   ({len(wanted)} of {term.n_levels} levels)"
    axes[0].figure.supxlabel(shown(name, across * FACET[0] - 1) + few, fontsize="medium")
    axes[0].figure.supylabel(
        shown(result.design.response_name, max(LEAST_SIZE[1], down * FACET[1]) - 1), fontsize="medium"
    )
    return axes


def random_effects(result: FitResult, *, group: str | None = None, level: float = 0.95, figsize: Size = None) -> Axes:
    """Draw the random effects of a grouping factor, sorted, with their conditional intervals: a caterpillar."""
    z = normal_quantile(level)
    _term(result, group)
    labels = unique_labels([term.group for term in result.design.random_terms])
    wanted = group or result.design.random_terms[0].group
    covariances: Sequence[FloatArray]
    if isinstance(result, GeneralizedMixedResult):
        covariances = result.fit.mode_covariances
    else:
        covariances = conditional_covariances(result.design, result.fit)
    found = [
        ((label, name), term.levels, modes[:, c], np.sqrt(covariance[:, c, c]))
        for label, term, modes, covariance in zip(
            labels, result.design.random_terms, result.fit.modes, covariances, strict=True
        )
        if term.group == wanted
        for c, name in enumerate(term.coefficient_names)
    ]
    height = min(max(0.22 * len(found[0][1]), 2.5), 12.0)
    named = any(len(str(level)) > 6 for level in found[0][1]) and len(found[0][1]) <= MOST_NAMES
    axes = panels(len(found), figsize=figsize, panel=(4.4 if named else 3.6, height))
    for ax, (title, names, modes, errors) in zip(axes, found, strict=True):
        order = np.argsort(modes)
        places = np.arange(len(order))
        ax.axvline(0.0, color=FAINT, linewidth=0.8)
        ax.errorbar(modes[order], places, xerr=z * errors[order], fmt="o", color=LINE, markersize=3, linewidth=1)
        ax.set_yticks([])
        if len(order) <= MOST_NAMES:
            ax.set_yticks(places, [shown(names[i], 1.2) for i in order], fontsize="small")
        ax.set_ylim(-1, len(order))
        ax.set_title("\n".join(shown(part, 2.5) for part in title), fontsize="medium")
        ax.set_xlabel(f"conditional mode, {100 * level:g} %")
    return axes


def residuals(result: FitResult, *, figsize: Size = None) -> Axes:
    """
    Draw scaled residuals over fitted values, and their quantiles over those of a normal distribution.

    Of other families than the gaussian one Pearson's residuals, which need not be normal.
    """
    from scipy.special import ndtri

    kind: ResidualKind = "pearson" if isinstance(result, GeneralizedMixedResult) else "scaled"
    values = _rows(result, result.residuals(kind))
    fitted = _rows(result, result.fitted)
    axes = subplots(1, 2, figsize=figsize, panel=(4.2, 3.6)).ravel()
    axes[0].axhline(0.0, color=FAINT, linewidth=0.8)
    axes[0].plot(fitted, values, ".", color=DATA)
    axes[0].set(xlabel="fitted", ylabel=f"{kind} residual")
    n = len(values)
    normal = ndtri((np.arange(1, n + 1) - 0.5) / n)
    axes[1].axline((0.0, 0.0), slope=1.0, color=FAINT, linewidth=0.8)
    axes[1].plot(normal, np.sort(values), ".", color=DATA)
    axes[1].set(xlabel="normal quantile", ylabel=f"{kind} residual")
    return axes


def profile_zeta(profile: Profile, *, level: float = 0.95, figsize: Size = None) -> Axes:
    """Draw zeta of each parameter: straight where the Wald interval is right; it crosses the lines at the bounds."""
    z = normal_quantile(level)
    axes = panels(len(profile.curves), most_columns=3, figsize=figsize, panel=(3.2, 2.6), sharey=True)
    for ax, curve in zip(axes, profile.curves, strict=True):
        for height in (-z, 0.0, z):
            ax.axhline(height, color=FAINT, linewidth=0.8)
        ax.plot(curve.values, curve.zeta, color=LINE)
        ax.plot([curve.estimate], [0.0], "o", color=LINE, markersize=4)
        bounds = [float(np.interp(side, curve.zeta, curve.values)) for side in (-z, z)]
        inside = [b for b, side in zip(bounds, (-z, z), strict=True) if curve.zeta[0] <= side <= curve.zeta[-1]]
        ax.vlines(inside, -z, z, color=SECOND, linewidth=0.8, linestyle="--")
        ax.set_title(title_of(curve.parameter.label), fontsize="small")
        ax.locator_params(axis="x", nbins=5)
    axes[0].figure.supylabel("zeta", fontsize="medium")
    return axes


def predictions(
    result: Any,  # noqa: ANN401 (a fit or a posterior: both predict)
    x: str | None = None,
    *,
    level: float = 0.95,
    at: Mapping[str, object] | None = None,
    ax: Axes = None,
    figsize: Size = None,
) -> Axes:
    """
    Draw the population's mean over a variable, with bands for the mean and for a new response of a new level.

    Where the rows are gone, for the fit was loaded from a file, there are no data in it.

    x : variable on the horizontal axis; by default the first numeric one
    at : values of the other variables; by default means, and the most frequent levels
    """
    name = x or first_numeric(result)
    points = np.linspace(*_range(result, name), 60)
    rows = _typical(result, len(points)) | _moved(result, at or {}, len(points))
    rows[name] = points
    mean = result.predict(rows, random="population", interval="confidence", level=level)
    if "prediction" not in mean or mean.columns.nlevels > 1:
        raise FitError("an ordinal response has a probability for each category, and no mean to draw")
    bands = [(mean, 0.35, "mean")]
    with suppress(FitError):  # some families draw new responses of known levels only
        response = result.predict(rows, random="population", interval="prediction", level=level)
        bands.insert(0, (response, 0.15, "new response"))
    axes = subplots(figsize=figsize, panel=(5.2, 3.8))[0, 0] if ax is None else ax
    if result.has_data:
        axes.plot(_numbers(result, name), result.design.y, ".", color=DATA, markersize=3, label="data")
    for found, alpha, label in bands:
        band = f"{label}, {100 * level:g} %"
        axes.fill_between(points, found.conf_low, found.conf_high, color=LINE, alpha=alpha, linewidth=0, label=band)
    axes.plot(points, mean.prediction, color=LINE)
    others = _held(result, rows, name)
    axes.set(
        xlabel=shown(name, 4.0) + (f"\n{others}" if others else ""), ylabel=shown(result.design.response_name, 3.0)
    )
    legend_above(axes)
    return axes


def first_numeric(result: Any) -> str:  # noqa: ANN401 (a fit or a posterior)
    """Return the first numeric variable of the model that is not its response."""
    for name in _drawable(result):
        if isinstance(column_summary(result, name), NumericSummary):
            return name
    raise FitError("the model has no numeric variable to draw over", hint="name one that is in the data: x=...")


def _drawable(result: Any) -> list[str]:  # noqa: ANN401 (a fit or a posterior)
    """List the columns of the terms that are not part of the response."""
    passed = {v.name for expression in result.ir.response.expressions for v in variables(expression)}
    return [name for name in predictors(result) if name not in passed]


def _range(result: Any, name: str) -> tuple[float, float]:  # noqa: ANN401 (a fit or a posterior)
    """Return the smallest and the largest value of a numeric variable."""
    if name in _drawable(result) and isinstance(summary := column_summary(result, name), NumericSummary):
        return summary.low, summary.high
    values = _numbers(result, name)
    return float(values.min()), float(values.max())


def _numbers(result: Any, name: str) -> FloatArray:  # noqa: ANN401 (a fit or a posterior)
    """Return a numeric variable of the rows used."""
    if name not in result.table or not isinstance(column := result.table[name], NumericColumn):
        raise FitError(f"{name!r} is not a numeric column of the data")
    return np.asarray(column.values[result.design.kept_rows], dtype=np.float64)


def _typical(result: Any, n: int) -> dict[str, Any]:  # noqa: ANN401 (a fit or a posterior)
    """Return n equal rows: means of numbers, the most frequent levels of factors; grouping factors are not needed."""
    rows: dict[str, Any] = {}
    for name in _drawable(result):
        match column_summary(result, name):
            case NumericSummary(mean=mean):
                rows[name] = [mean] * n
            case FactorSummary(usual=usual):
                rows[name] = [usual] * n
    return rows


def _moved(result: Any, at: Mapping[str, object], n: int) -> dict[str, Any]:  # noqa: ANN401 (a fit or a posterior)
    """Return n equal values of the variables that a user moved."""
    check_mapping("at", at, '{"Diet": "3"}')
    known = _drawable(result)
    for name in at:
        if name not in known:
            raise FitError(f"{name!r:.60} is no variable of the model", hint=f"they are: {', '.join(known)}")
    return {name: [value] * n for name, value in at.items()}


def _held(result: Any, rows: dict[str, Any], name: str) -> str:  # noqa: ANN401 (a fit or a posterior)
    """Say at which values the other variables of the fixed effects stand."""
    known = {v.name for term in result.ir.fixed.terms for factor in term.factors for v in variables(factor)}
    values = {key: column[0] for key, column in rows.items() if key != name and key in known}
    texts = [
        f"{key} = {value:.4g}" if isinstance(value, float) else f"{key} = {value}" for key, value in values.items()
    ]
    return shown(", ".join(texts), 4.0)


def _term(result: FitResult, group: str | None) -> Any:  # noqa: ANN401 (RandomTermDesign)
    """Return the first term of a grouping factor."""
    terms = [term for term in result.design.random_terms if group in (None, term.group)]
    if not terms:
        if not result.ngroups:
            raise FitError("the model has no random effects to draw")
        known = ", ".join(result.ngroups)
        raise FitError(f"{group!r} is not a grouping factor of the model", hint=f"they are: {known}")
    return terms[0]


def _rows(result: FitResult, values: Any) -> FloatArray:  # noqa: ANN401 (a series by rows)
    """Return the numbers of the rows used, without the NaN that stand for rows left out."""
    numbers = np.asarray(values, dtype=np.float64)
    return numbers if len(numbers) == result.nobs else numbers[result.design.kept_rows]
