"""Fits and posteriors as tidy data frames with what is known of each estimate, under the names of R's broom.mixed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import FitError
from lmmformula.fit.lmm import conditional_covariances
from lmmformula.inference.intervals.confint import Method, confint
from lmmformula.inference.intervals.parameters import normal_quantile, parameters_of, tail
from lmmformula.inference.intervals.wald import standard_errors
from lmmformula.inference.tests.linear_functions import Ddf, chosen_ddf, fixed_tests
from lmmformula.results.arguments import check_choice, check_flag
from lmmformula.results.glmm import MixedResult
from lmmformula.results.lmm import LinearMixedResult
from lmmformula.results.posteriors.draws import parameters_of as posterior_parameters
from lmmformula.results.posteriors.draws import random_effects_of
from lmmformula.results.posteriors.posterior import PosteriorResult
from lmmformula.results.varcorr import unique_labels

if TYPE_CHECKING:
    import pandas as pd

    from lmmformula.design.design import Design

Effects = Literal["fixed", "ran_pars", "ran_vals"]
NUMBERS = ("estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high")
Part = tuple[dict[str, Any], FloatArray]
"""The columns group, level and term of some estimates, and their (m, 7) numbers."""


def tidy(
    result: MixedResult,
    effects: Effects | Sequence[Effects] = ("fixed", "ran_pars"),
    *,
    conf_int: bool = True,
    level: float = 0.95,
    method: Method = "wald",
    ddf: Ddf | None = None,
) -> "pd.DataFrame":
    """
    One row per estimate: effect, group, term, estimate, std_error, statistic, df, p_value, conf_low, conf_high.

    effects : "fixed", "ran_pars" (standard deviations `sd__x`, correlations `cor__x.z`, and the residual's, or
        parameters of the family under their own names) and "ran_vals" (conditional modes, with a column for the level)
    conf_int : whether to give bounds
    method : "wald" (with `ddf`, for fixed effects), "profile" or "boot"; conditional modes have normal intervals
    ddf : denominator degrees of freedom, "none" for no tests; None for Satterthwaite's, of other families for z tests

    >>> import lmmformula as lf
    >>> fit = lf.Model("Yield ~ 1 + (1 | Batch)", lf.datasets.load("Dyestuff")).fit()
    >>> tidy(fit, "ran_pars")[["group", "term", "estimate"]].round(2).values.tolist()
    [['Batch', 'sd__(Intercept)', 42.0], ['Residual', 'sd__Observation', 49.51]]
    """
    check_choice("method", method, get_args(Method))
    check_flag("conf_int", conf_int)
    ddf = chosen_ddf(result, ddf)
    makers = {"fixed": _fixed, "ran_pars": _ran_pars, "ran_vals": _ran_vals}
    options: dict[str, Any] = {"conf_int": conf_int, "level": level, "method": method, "ddf": ddf}
    return stacked({name: makers[name](result, **options) for name in wanted_effects(effects)}, conf_int=conf_int)


def tidy_draws(
    posterior: PosteriorResult,
    effects: Effects | Sequence[Effects] = ("fixed", "ran_pars"),
    *,
    conf_int: bool = True,
    level: float = 0.95,
) -> "pd.DataFrame":
    """
    Tidy a posterior as `tidy` does a fit: means, standard deviations, and quantiles for bounds; it knows no tests.

    Parameters that only the family has are among the "ran_pars", under their own names.
    """
    quantities, draws = posterior_parameters(posterior.design, posterior.draws)
    numbers = _moments(draws, level)
    p = posterior.design.n_fixed
    labels = {
        "group": [q.group for q in quantities],
        "level": [""] * len(quantities),
        "term": [q.name if q.part in ("fixed", "family") else broom_name(q.part, q.name) for q in quantities],
    }
    parts: dict[Effects, Part] = {}
    for name in wanted_effects(effects):
        if name == "ran_vals":
            parts[name] = (
                levels_of(posterior.design),
                _moments(random_effects_of(posterior.design, posterior.draws)[1], level),
            )
        else:
            chosen = slice(0, p) if name == "fixed" else slice(p, None)
            parts[name] = {key: values[chosen] for key, values in labels.items()}, numbers[chosen]
    return stacked(parts, conf_int=conf_int)


def broom_name(part: str, name: str) -> str:
    """
    Return what broom.mixed calls a standard deviation or a correlation.

    >>> broom_name("cor", "(Intercept), Days"), broom_name("sigma", "")
    ('cor__(Intercept).Days', 'sd__Observation')
    """
    return "sd__Observation" if part == "sigma" else f"{part}__{name.replace(', ', '.')}"


def wanted_effects(effects: Effects | Sequence[Effects]) -> list[Effects]:
    """Return the parts that are asked for, each once."""
    known = ("fixed", "ran_pars", "ran_vals")
    given: Any = effects
    wanted = list(given) if isinstance(given, (list, tuple)) else [given]
    for name in wanted:
        if not isinstance(name, str) or name not in known:
            raise FitError(f"there are no effects {name!r:.60}", hint=f"the choices are: {', '.join(known)}")
    return list(dict.fromkeys(wanted))


def stacked(parts: dict[Effects, Part], *, conf_int: bool) -> "pd.DataFrame":
    """Put parts below one another; the level is a column only where there are levels."""
    import pandas as pd

    check_flag("conf_int", conf_int)
    keys = ("group", "level", "term") if "ran_vals" in parts else ("group", "term")
    columns: dict[str, Any] = {"effect": [name for name, (_, numbers) in parts.items() for _ in numbers]}
    columns |= {key: [text for labels, _ in parts.values() for text in labels[key]] for key in keys}
    numbers = np.concatenate([np.empty((0, len(NUMBERS))), *(numbers for _, numbers in parts.values())])
    columns |= dict(zip(NUMBERS if conf_int else NUMBERS[:-2], numbers.T, strict=False))
    return pd.DataFrame(columns)


def _fixed(result: MixedResult, *, conf_int: bool, level: float, method: Method, ddf: Ddf) -> Part:
    names = result.design.fixed_names
    ddf = ddf if _knows_errors(result) else "none"
    tests = fixed_tests(result, ddf)
    low = high = np.full(len(names), np.nan)
    if conf_int and method == "wald" and ddf != "none" and isinstance(result, LinearMixedResult):
        low, high = tests.interval(level)
    elif conf_int and names:
        found = confint(result, "fixed", method=method, level=level)
        low, high = found.low, found.high
    labels = {"group": [""] * len(names), "level": [""] * len(names), "term": names}
    return labels, numbers_of(tests.estimate, tests.std_error, low, high, (tests.statistic, tests.df, tests.p_value))


def _ran_pars(result: MixedResult, *, conf_int: bool, level: float, method: Method, ddf: Ddf) -> Part:  # noqa: ARG001 (one signature for all)
    wanted = [p for p in parameters_of(result) if p.part != "fixed"]
    errors = low = high = np.full(len(wanted), np.nan)
    if _knows_errors(result):
        errors = standard_errors(result, wanted)
    if conf_int and wanted and (_knows_errors(result) or method != "wald"):
        found = confint(result, "ran_pars", method=method, level=level)
        low, high = found.low, found.high
    labels = {
        "group": [p.group for p in wanted],
        "level": [""] * len(wanted),
        "term": [p.name if p.part == "family" else broom_name(p.part, p.name) for p in wanted],
    }
    return labels, numbers_of(np.array([p.of(result) for p in wanted]), errors, low, high)


def _knows_errors(result: MixedResult) -> bool:
    """Tell whether there are errors of variance parameters; not so in a file that an older version wrote."""
    return not isinstance(result, LinearMixedResult) or result.knows_variances or result.is_linear_model


def _ran_vals(result: MixedResult, *, conf_int: bool, level: float, method: Method, ddf: Ddf) -> Part:  # noqa: ARG001 (one signature for all)
    if isinstance(result, LinearMixedResult):
        covariances = conditional_covariances(result.design, result.fit)
    else:
        covariances = result.fit.mode_covariances
    diagonals = [np.sqrt(np.diagonal(c, axis1=1, axis2=2)).ravel() for c in covariances]
    b, se = (np.concatenate([np.empty(0), *parts]) for parts in ([m.ravel() for m in result.fit.modes], diagonals))
    z = normal_quantile(level) if conf_int else np.nan
    return levels_of(result.design), numbers_of(b, se, b - z * se, b + z * se)


def levels_of(design: "Design") -> dict[str, list[str]]:
    """Name the random effects: term by term, level by level, coefficient by coefficient."""
    labels = unique_labels([term.group for term in design.random_terms])
    keys = [
        (label, level, name)
        for label, term in zip(labels, design.random_terms, strict=True)
        for level in term.levels
        for name in term.coefficient_names
    ]
    return {key: [names[i] for names in keys] for i, key in enumerate(("group", "level", "term"))}


def _moments(draws: FloatArray, level: float) -> FloatArray:
    """
    Return the numbers of quantities.

    draws : (C, D, m)
    """
    chains, length, m = draws.shape
    low, high = np.quantile(draws.reshape(chains * length, m), [tail(level), 1 - tail(level)], axis=0)
    return numbers_of(draws.mean(axis=(0, 1)), draws.std(axis=(0, 1), ddof=1), low, high)


def numbers_of(
    estimate: FloatArray,
    std_error: FloatArray,
    low: FloatArray,
    high: FloatArray,
    test: tuple[FloatArray, FloatArray, FloatArray] | None = None,
) -> FloatArray:
    """Put numbers side by side, in the order of `NUMBERS`; without a test, three of them are NaN."""
    none = np.full(len(estimate), np.nan)
    return np.column_stack([estimate, std_error, *(test or (none, none, none)), low, high])
