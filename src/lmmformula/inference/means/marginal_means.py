"""Estimated marginal means and slopes, of a fit or a posterior alike, and their pairwise differences."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from lmmformula.arrays import AnyArray, FloatArray, IntArray
from lmmformula.design.columns.summaries import NumericSummary
from lmmformula.errors import FitError, printable
from lmmformula.inference.means.categories import category_draws
from lmmformula.inference.means.estimators import (
    Bayesian,
    Columns,
    Comparison,
    Estimator,
    all_pairs,
    differences_of,
    estimator_of,
    summarised,
)
from lmmformula.inference.means.reference_grid import (
    Grid,
    Weights,
    estimable,
    reference_grid,
    refuse_uncounted,
    refuse_unknown_variable,
    rows_at,
)
from lmmformula.inference.means.response_scale import ResponseScale, response_scale
from lmmformula.inference.table import ResultTable
from lmmformula.inference.tests.linear_functions import Ddf
from lmmformula.inference.tests.multiplicity import Adjustment, refuse_unknown
from lmmformula.newcomers import answers_newcomers
from lmmformula.results.arguments import check_choice, check_level
from lmmformula.results.glmm import MixedResult
from lmmformula.results.posteriors.posterior import PosteriorResult
from lmmformula.results.predict.grid_values import column_summary, fixed_variables, used_as_levels

Estimated = MixedResult | PosteriorResult
Spec = str | Sequence[str]
Scale = Literal["link", "response", "prob", "mean.class"]

OPERATOR = re.compile(r"[-+*/]")
"""What makes a label need brackets in a difference."""

WEIGHTS = ("equal", "proportional", "outer", "cells", "flat")

STEP = 1e-3
"""Step of the difference quotients of a slope, as a part of its variable's range."""


@answers_newcomers()
@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class MarginalMeans(ResultTable):
    """
    Means or slopes at combinations of some variables, averaged over all others.

    model : the fit or posterior
    estimator : it, with a method for degrees of freedom
    grid : the combinations, and the functions of the fixed effects
    by : the variables within whose values comparisons stay
    scale : the way back to the response, where the means are on its scale
    drawn : (S, r) draws of what is no function of the fixed effects alone: of categories
    """

    model: Estimated
    estimator: Estimator
    grid: Grid
    by: tuple[str, ...] = ()
    scale: ResponseScale | None = None
    drawn: FloatArray | None = None

    @property
    def L(self) -> FloatArray:
        """(r, p) functions of the fixed effects, NaN where they can't be estimated."""
        return estimable(self.model, self.grid.L)

    @property
    def draws(self) -> FloatArray:
        """(S, r) draws, of a posterior."""
        if not isinstance(self.estimator, Bayesian):
            raise FitError("a fit has no draws", hint="`model.sample()` gives a posterior")
        if self.drawn is not None:
            return self.drawn
        drawn = self.estimator.draws(self.L, self.grid.offset)
        return drawn if self.scale is None else self.scale.back(drawn)

    def pairs(self, adjust: Adjustment | None = None, *, level: float | None = None) -> ResultTable:
        """
        Compare all pairs, within each combination of the `by` variables.

        adjust : "tukey" (the default), "holm", "bonferroni" or "none"; a posterior knows none
        level : add intervals that all cover together with this probability (each, for "none")
        """
        import pandas as pd

        if level is not None:
            check_level(level)
        chosen = _adjustment(self.estimator, adjust)
        values = self.grid.columns
        inside = {name: column for name, column in values.items() if name not in self.by}
        outside = list(zip(*(values[name] for name in self.by), strict=True)) or [()] * len(self.frame)
        groups = [[i for i, cell in enumerate(outside) if cell == own] for own in dict.fromkeys(outside)]
        pairs, families = all_pairs(groups)
        ratio = self.scale if self.scale is not None and self.scale.ratio else None
        labels, between = _labels(inside, len(self.frame)), "/" if ratio else "-"
        first, second = pairs.T
        frame = pd.DataFrame(
            {
                "contrast": [f"{labels[i]} {between} {labels[j]}" for i, j in pairs],
                **{name: values[name][first] for name in self.by},
                **self._compared(first, second, Comparison(families, chosen, level, ratio)),
            }
        )
        notes = () if chosen == "none" else (f"p values adjusted by {chosen}",)
        if self.scale is not None and ratio is None:
            notes = (*notes, f"differences on the scale of {self.scale.name}")
        if not len(pairs):
            within = f" for each value of {', '.join(map(printable, self.by))}" if self.by else ""
            notes = (f"there is but one row{within}, and no pair to compare",)
        what = "ratios" if ratio else "differences"
        return ResultTable(f"Pairwise {what}, {self.estimator.description}", frame, notes)

    def _compared(self, first: IntArray, second: IntArray, comparison: Comparison) -> Columns:
        """Return the columns of differences, or ratios, of some means."""
        if self.drawn is not None and isinstance(self.estimator, Bayesian):
            return differences_of(
                self.drawn[:, first] - self.drawn[:, second], comparison.level or self.estimator.level
            )
        L = estimable(self.model, self.grid.L[first] - self.grid.L[second])
        return self.estimator.differences(L, self.grid.offset[first] - self.grid.offset[second], comparison)


def emmeans(  # noqa: PLR0913 (those of R's)
    model: Estimated,
    spec: Spec,
    *,
    by: Spec = (),
    at: Mapping[str, Any] | None = None,
    ddf: Ddf | None = None,
    level: float = 0.95,
    weights: Weights = "equal",
    type: Scale = "link",  # noqa: A002 (its name everywhere)
    offset: float | None = None,
) -> MarginalMeans:
    """
    Estimate marginal means: what the model predicts, averaged over its other factors, each level counting the same.

    spec : variables, `"f"`, `["f", "g"]` or `"~ f * g | h"`
    by : variables within whose values comparisons stay
    at : values at which other variables stand; numeric ones stand at their means else
    ddf : None for Kenward-Roger where it is defined (REML fits) and quick, else Satterthwaite; other families have
        infinite degrees of freedom
    weights : of the combinations that are averaged over: "equal"; "proportional" to their rows in the data; "outer",
        to the product of each variable's; "cells", to those of each cell; "flat", equal but for cells without rows
    type : "link" for the scale on which the model is linear; "response" for that of `y` in `log(y) ~ ...`, or of the
        family's mean. Of an ordinal response "response" or "prob" for the probability of each category, "mean.class"
        for the mean of their numbers, 1 for the first; these are averaged, and not the linear predictor
    offset : what takes the place of the model's offsets, which stand at their means over the rows else, or are
        computed where one of their variables is named

    >>> import lmmformula as lf
    >>> fit = lf.lmer("effort ~ Type + (1 | Subject)", lf.datasets.load("ergoStool"))
    >>> means = emmeans(fit, "Type")
    >>> print(means)
    Marginal means, Kenward-Roger's covariance and degrees of freedom
    Type  emmean  std_error     df  conf_low  conf_high
    T1     8.556    0.57601  15.53     7.331      9.780
    T2    12.444    0.57601  15.53    11.220     13.669
    T3    10.778    0.57601  15.53     9.554     12.002
    T4     9.222    0.57601  15.53     7.998     10.446
    >>> means.pairs().frame["p_value"].round(4).tolist()
    [0.0, 0.0014, 0.5808, 0.0182, 0.0, 0.0296]
    """
    names, within = _variables(model, spec, by)
    check_choice("weights", weights, WEIGHTS)
    refuse_uncounted(model, weights)
    check_choice("type", type, ("link", "response", "prob", "mean.class"))
    grid, _ = reference_grid(model, at, wanted=[*names, *within], offset=offset)
    if isinstance(model, PosteriorResult) and model.ir.family.ordinal and type != "link":
        return _of_categories(model, grid, (names, within), weights, level, ddf, mean=type == "mean.class")
    if type in ("prob", "mean.class"):
        raise FitError(f'type="{type}" is of the categories of an ordinal response', hint='type="response" gives means')
    scale = response_scale(model.ir) if type == "response" else None
    title = f"Marginal means{_averaged(grid, [*names, *within], weights)}"
    averaged = grid.averaged([*names, *within], weights)
    name = "emmean" if scale is None else "response"
    return _table(model, averaged, within, name, title, estimator_of(model, ddf, level), level, scale)


def slopes(  # noqa: PLR0913 (those of R's)
    model: Estimated,
    variable: str,
    spec: Spec = (),
    *,
    by: Spec = (),
    at: Mapping[str, Any] | None = None,
    ddf: Ddf | None = None,
    level: float = 0.95,
    weights: Weights = "equal",
    offset: float | None = None,
) -> MarginalMeans:
    """
    Estimate the slope of the mean in a numeric variable; the other arguments are those of `emmeans`.

    >>> import lmmformula as lf
    >>> fit = lf.lmer("weight ~ Time * Diet + (Time | Rat)", lf.datasets.load("BodyWeight"))
    >>> print(slopes(fit, "Time", "Diet"))
    Slopes of the mean in Time, Kenward-Roger's covariance and degrees of freedom
    Diet    slope  std_error  df  conf_low  conf_high
    1     0.35964    0.09114  13   0.16274     0.5565
    2     0.96548    0.12889  13   0.68703     1.2439
    3     0.65798    0.12889  13   0.37952     0.9364
    """
    names, within = _variables(model, spec, by)
    check_choice("weights", weights, WEIGHTS)
    refuse_uncounted(model, weights)
    refuse_unknown_variable(str(variable), fixed_variables(model))
    column = column_summary(model, variable)
    if not isinstance(column, NumericSummary) or variable in used_as_levels(model):
        raise FitError(f"'{printable(variable)}' is not numeric, so there is no slope in it")
    step = STEP * (column.high - column.low)
    grid, offsets = reference_grid(model, at, wanted=[variable, *names, *within], offset=offset)
    at_points = {name: values.astype(float) if name == variable else values for name, values in grid.columns.items()}

    def quotient(h: float) -> tuple[FloatArray, FloatArray]:
        """Central difference quotients of rows and offsets."""
        moved = [{**at_points, variable: at_points[variable] + sign * h} for sign in (1, -1)]
        (L, known), (L_below, known_below) = (rows_at(model, columns, len(grid.L), offsets) for columns in moved)
        return (L - L_below) / (2 * h), (known - known_below) / (2 * h)

    near, far = quotient(step / 2), quotient(step)
    L, known = ((4 * fine - coarse) / 3 for fine, coarse in zip(near, far, strict=True))  # no error up to h^4
    averaged = replace(grid, L=L, offset=known).averaged([*names, *within], weights)
    title = f"Slopes of the mean in {variable}{_averaged(grid, [*names, *within], weights)}"
    return _table(model, averaged, within, "slope", title, estimator_of(model, ddf, level), level)


def _averaged(grid: Grid, names: Sequence[str], weights: Weights) -> str:
    """Say over which variables a table averages."""
    others = [name for name, column in grid.columns.items() if name not in names and len(set(column.tolist())) > 1]
    how = "" if weights == "equal" else f" (weights: {weights})"
    return f" averaged over {', '.join(map(printable, others))}{how}" if others else ""


def _table(
    model: Estimated,
    grid: Grid,
    by: Sequence[str],
    name: str,
    title: str,
    estimator: Estimator,
    level: float,
    scale: ResponseScale | None = None,
) -> MarginalMeans:
    import pandas as pd

    L = estimable(model, grid.L)
    columns = estimator.estimates(L, grid.offset, name=name, level=level, scale=scale)
    notes = [] if scale is None else [f"taken back from the scale of {scale.name}, as are the bounds"]
    notes += ["what is empty can't be estimated from these data"] if np.isnan(L).any() else []
    return MarginalMeans(
        f"{title}, {estimator.description}",
        pd.DataFrame({**grid.columns, **columns}, index=pd.RangeIndex(len(L))),
        tuple(notes),
        scale=scale,
        model=model,
        estimator=estimator,
        grid=grid,
        by=tuple(by),
    )


def _of_categories(
    posterior: PosteriorResult,
    grid: Grid,
    variables: tuple[list[str], list[str]],
    weights: Weights,
    level: float,
    ddf: Ddf | None,
    *,
    mean: bool,
) -> MarginalMeans:
    """
    Return the probabilities of categories, a row for each within each combination, or the means of their numbers.

    variables : of the rows, and those within whose values comparisons stay
    """
    import pandas as pd

    names, by = variables
    kept, categories = [*names, *by], posterior.design.categories
    drawn, averaged = category_draws(posterior, grid, kept, weights), grid.averaged(kept, weights)
    if mean:
        drawn = drawn @ np.arange(1.0, len(categories) + 1)
    else:
        cell = np.repeat(np.arange(drawn.shape[1]), len(categories))
        response = posterior.design.response_name
        columns = {name: values[cell] for name, values in averaged.columns.items()}
        columns[response] = np.tile(np.array(categories, dtype=object), drawn.shape[1])
        averaged = Grid(columns, averaged.L[cell], averaged.offset[cell], averaged.rows[cell])
        drawn, by = drawn.reshape(len(drawn), -1), [*by, response]
    estimator = estimator_of(posterior, ddf, level)
    title = "Mean categories" if mean else "Probabilities of categories"
    return MarginalMeans(
        f"{title}{_averaged(grid, kept, weights)}, {estimator.description}",
        pd.DataFrame({**averaged.columns, **summarised(drawn, level)}),
        ("what is empty can't be estimated from these data",) if np.isnan(drawn).any() else (),
        model=posterior,
        estimator=estimator,
        grid=averaged,
        by=tuple(by),
        drawn=drawn,
    )


def _variables(model: Estimated, spec: Spec, by: Spec) -> tuple[list[str], list[str]]:
    """Return the variables of the rows, and those within whose values comparisons stay."""
    known = fixed_variables(model)
    names, within = _listed(spec, known)
    within = list(dict.fromkeys([*within, *_listed(by, known)[0]]))
    names = [name for name in names if name not in within]
    for name in (*names, *within):
        refuse_unknown_variable(name, known)
    return names, within


def _listed(spec: Spec, known: Sequence[str]) -> tuple[list[str], list[str]]:
    """
    Read a list of names, or a text such as `~ f * g | h`.

    >>> _listed("~ f * g | h", ["f", "g", "h"])
    (['f', 'g'], ['h'])
    """
    if isinstance(spec, (list, tuple)):
        return list(dict.fromkeys(map(str, spec))), []
    if not isinstance(spec, str):
        raise FitError(f"variables are named by a text or a list of texts, not by a {spec.__class__.__name__}")
    if spec in known:
        return [spec], []
    left, _, right = spec.strip().removeprefix("~").partition("|")
    found = ([part.strip("`") for part in re.findall(r"`[^`]*`|[^\s*+:|~`]+", text)] for text in (left, right))
    names, within = (list(dict.fromkeys(part)) for part in found)
    return [name for name in names if name != "1"], within


def _adjustment(estimator: Estimator, adjust: Adjustment | None) -> Adjustment:
    if isinstance(estimator, Bayesian):
        if not (adjust is None or str(adjust) == "none"):
            raise FitError("a posterior has no p values to adjust", hint="leave `adjust` out")
        return "none"
    chosen = "tukey" if adjust is None else adjust
    refuse_unknown(chosen, ("tukey", "holm", "bonferroni", "none"))
    return chosen


def _labels(values: Mapping[str, AnyArray], n: int) -> list[str]:
    """
    Name combinations by their levels, and by the variable too where levels look like numbers.

    >>> _labels({"k": np.array([1.0, -2.5]), "f": np.array(["a", "b+c"])}, 2)
    ['k1 a', '(k-2.5 b+c)']
    """
    parts = [
        [f"{name}{value}" if _numeric(column) else value for value in _shown(column)] for name, column in values.items()
    ]
    labels = [" ".join(cell) for cell in zip(*parts, strict=True)] if parts else ["mean"] * n
    return [f"({label})" if OPERATOR.search(label) else label for label in labels]


def _shown(column: AnyArray) -> list[str]:
    return [f"{value:.6g}" if isinstance(value, float) else str(value) for value in column.tolist()]


def _numeric(column: AnyArray) -> bool:
    try:
        column.astype(float)
    except ValueError:
        return False
    return True
