"""Fits as tidy data frames with everything that is known of each estimate, under the names of R's broom.mixed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import FitError
from lmmformula.fit.lmm import conditional_covariances
from lmmformula.inference.confint import Method, confint
from lmmformula.inference.influence import cooks_distance, leverage
from lmmformula.inference.parameters import Parameter, normal_quantile, parameters_of
from lmmformula.inference.tests import Ddf, method_of, t_tests
from lmmformula.inference.wald import standard_errors
from lmmformula.results import frames
from lmmformula.results.effects import by_row
from lmmformula.results.lmm import LinearMixedResult
from lmmformula.results.varcorr import unique_labels

if TYPE_CHECKING:
    import pandas as pd

Effects = Literal["fixed", "ran_pars", "ran_vals"]
COLUMNS = ["effect", "group", "level", "term", "estimate", "std_error", "statistic", "df", "p_value"]
BOUNDS = ["conf_low", "conf_high"]


def tidy(
    result: LinearMixedResult,
    effects: Effects | Sequence[Effects] = ("fixed", "ran_pars"),
    *,
    conf_int: bool = False,
    level: float = 0.95,
    method: Method = "wald",
    ddf: Ddf = "satterthwaite",
) -> "pd.DataFrame":
    """
    One row per estimate: effect, group, term, estimate, std_error, statistic, df, p_value, conf_low, conf_high.

    effects : "fixed", "ran_pars" (standard deviations `sd__x`, correlations `cor__x.z`, and the residual's) and
        "ran_vals" (conditional modes, with their level in a column of its own)
    conf_int : whether to add bounds
    method : "wald" (with `ddf`, for fixed effects), "profile" or "boot"; conditional modes have normal intervals
    ddf : denominator degrees of freedom, "none" for no tests; a fit loaded from a file has none

    >>> import lmmformula as lf
    >>> fit = lf.Model("Yield ~ 1 + (1 | Batch)", lf.datasets.load("Dyestuff")).fit()
    >>> tidy(fit, "ran_pars")[["group", "term", "estimate"]].round(2).values.tolist()
    [['Batch', 'sd__(Intercept)', 42.0], ['Residual', 'sd__Observation', 49.51]]
    """
    import pandas as pd

    wanted = [effects] if isinstance(effects, str) else list(effects)
    for name in wanted:
        if name not in ("fixed", "ran_pars", "ran_vals"):
            raise FitError(f"there are no effects {name!r}", hint="the choices are: fixed, ran_pars, ran_vals")
    makers = {"fixed": _fixed, "ran_pars": _ran_pars, "ran_vals": _ran_vals}
    parts = [makers[name](result, conf_int=conf_int, level=level, method=method, ddf=ddf) for name in wanted]
    columns = [*COLUMNS, *(BOUNDS if conf_int else [])]
    if "ran_vals" not in wanted:
        columns.remove("level")
    rows = [row for part in parts for row in part]
    return pd.DataFrame(rows, columns=[*COLUMNS, *BOUNDS])[columns]


def augment(result: LinearMixedResult, *, influence: bool = False) -> "pd.DataFrame":
    """
    One row per observation: variables, fitted values, residuals, and with `influence` leverage and Cook's distance.

    >>> import lmmformula as lf
    >>> fit = lf.Model("Yield ~ 1 + (1 | Batch)", lf.datasets.load("Dyestuff")).fit()
    >>> augment(fit, influence=True).columns.tolist()
    ['Yield', 'Batch', 'fitted', 'population', 'residual', 'scaled', 'leverage', 'cooks_distance']
    """
    frame = frames.augment(result)
    if influence:
        padded = len(frame) > result.nobs
        for name, values in (("leverage", leverage(result)), ("cooks_distance", cooks_distance(result))):
            frame[name] = by_row(result.design, values, name, padded=padded)
    return frame


Row = tuple[str, str, str, str, float, float, float, float, float, float, float]


def _fixed(result: LinearMixedResult, *, conf_int: bool, level: float, method: Method, ddf: Ddf) -> list[Row]:
    names = result.design.fixed_names
    ddf = ddf if result.design.has_criterion or result.is_linear_model else "none"
    tests = t_tests(method_of(result, ddf), np.eye(len(names)), result.fit.beta)
    low = high = np.full(len(names), np.nan)
    if conf_int and method == "wald" and ddf != "none":
        low, high = tests.interval(level)
    elif conf_int:
        found = confint(result, "fixed", method=method, level=level)
        low, high = found.low, found.high
    numbers = np.column_stack([tests.estimate, tests.std_error, tests.statistic, tests.df, tests.p_value, low, high])
    return [_row("fixed", "", "", name, row) for name, row in zip(names, numbers, strict=True)]


def _ran_pars(result: LinearMixedResult, *, conf_int: bool, level: float, method: Method, ddf: Ddf) -> list[Row]:  # noqa: ARG001 (one signature for all)
    wanted = [p for p in parameters_of(result) if p.part != "fixed"]
    errors = standard_errors(result, wanted) if result.design.has_criterion else np.full(len(wanted), np.nan)
    low = high = np.full(len(wanted), np.nan)
    if conf_int:
        found = confint(result, "ran_pars", method=method, level=level)
        low, high = found.low, found.high
    nan = np.full(len(wanted), np.nan)
    values = np.array([p.of(result) for p in wanted])
    numbers = np.column_stack([values, errors, nan, nan, nan, low, high])
    return [_row("ran_pars", p.group, "", _broom_name(p), row) for p, row in zip(wanted, numbers, strict=True)]


def _ran_vals(result: LinearMixedResult, *, conf_int: bool, level: float, method: Method, ddf: Ddf) -> list[Row]:  # noqa: ARG001 (one signature for all)
    z = normal_quantile(level) if conf_int else np.nan
    terms = result.design.random_terms
    labels = unique_labels([term.group for term in terms])
    covariances = conditional_covariances(result.design, result.fit)
    rows: list[Row] = []
    for label, term, modes, covariance in zip(labels, terms, result.fit.modes, covariances, strict=True):
        errors = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
        for name_, b, se in zip(term.levels, modes, errors, strict=True):
            numbers = np.column_stack([b, se, *np.full((3, len(b)), np.nan), b - z * se, b + z * se])
            pairs = zip(term.coefficient_names, numbers, strict=True)
            rows += [_row("ran_vals", label, name_, name, row) for name, row in pairs]
    return rows


def _broom_name(parameter: Parameter) -> str:
    """Return `sd__x`, `cor__x.z` or `sd__Observation`."""
    match parameter.part:
        case "sigma":
            return "sd__Observation"
        case part:
            return f"{part}__{parameter.name.replace(', ', '.')}"


def _row(effect: str, group: str, level: str, term: str, numbers: FloatArray) -> Row:
    estimate, error, statistic, df, p, low, high = numbers.tolist()
    return effect, group, level, term, estimate, error, statistic, df, p, low, high
