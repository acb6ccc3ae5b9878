"""A fitted mixed model of any family as text, in the layout that lme4's users know."""

import math

import numpy as np
import numpy.typing as npt

from lmmformula.errors import printable
from lmmformula.inference.tests.linear_functions import Ddf, coefficient_tests
from lmmformula.present import generalized
from lmmformula.present.formula import formula_lines
from lmmformula.present.generalized import family_lines
from lmmformula.present.numbers import (
    SUMMARY_DIGITS,
    abbreviate,
    format_coefficients,
    format_number,
    format_numbers,
    format_p_values,
    format_statistics,
    round_to,
    zap_small,
)
from lmmformula.present.tables import matrix_lines, vector_lines
from lmmformula.results.fitted import FitAccessors
from lmmformula.results.glmm import GeneralizedMixedResult, MixedResult
from lmmformula.results.lmm import LinearMixedResult
from lmmformula.results.tables.markup import fitted
from lmmformula.results.varcorr import VarCorr
from lmmformula.screen import line_width

MOST_CORRELATIONS = 12
"""More fixed effects than these, and their correlations are not shown: lme4's `lme4.summary.cor.max`."""


USED = {
    "satterthwaite": "t-tests use Satterthwaite's method",
    "kenward-roger": "t-tests use Kenward-Roger's method",
    "asymptotic": "z-tests, as if the variances were known",
}
"""What the heading says of the tests."""


def summary(result: MixedResult, *, ddf: Ddf = "none", width: int | None = None) -> str:
    """
    Print like lme4's `summary`: criteria, scaled residuals, random effects, fixed effects, their correlations.

    ddf : for other values than "none" like lmerTest's, with degrees of freedom and probabilities; families other than
        the gaussian have z tests
    """
    sections = [
        _heading(result, USED.get(ddf, "")),
        criteria_lines(result, decimals=1, width=width),
        residual_lines(result),
        [*_random(result, variance=True, width=width), *observations(result)],
        family_lines(result),
        _coefficients(result, ddf),
        correlation_lines(result, width),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + _ending(result)


def brief(result: MixedResult, *, width: int | None = None) -> str:
    """Print like lme4's `print`: criteria, standard deviations, fixed effects."""
    cells = format_numbers(list(result.fixef), SUMMARY_DIGITS)
    lines = [
        *_heading(result),
        *criteria_lines(result, decimals=4, width=width),
        *_random(result, width=width),
        *observations(result),
        *family_lines(result),
        "Fixed Effects:" if cells else "No fixed effect coefficients",
        *vector_lines(list(result.fixef.index), cells, gap=2, width=width),
    ]
    return "\n".join(lines) + _ending(result)


def kind_of(result: MixedResult) -> str:
    """Say what kind of model it is, and how it was fitted."""
    if isinstance(result, GeneralizedMixedResult):
        return generalized.kind(result)
    return f"Linear mixed model fit by {'REML' if result.reml else 'maximum likelihood'}"


def _heading(result: MixedResult, tests: str = "") -> list[str]:
    if isinstance(result, GeneralizedMixedResult):
        lines = generalized.heading(result)
    else:
        kind = kind_of(result) if result.reml else f"{kind_of(result)} "
        lines = [f"{kind}. {tests} ['lmerModLmerTest']" if tests else f"{kind} ['lmerMod']"]
    lines += formula_lines("Formula: ", result.ir)
    return [*lines, f"   Data: {printable(result.data_name)}"] if result.data_name else lines


def _random(result: MixedResult, *, variance: bool = False, width: int | None = None) -> list[str]:
    if not result.ngroups:
        return []
    return ["Random effects:", *varcorr_lines(result.varcorr, variance=variance, width=width)]


def varcorr_lines(
    varcorr: VarCorr, *, digits: int = SUMMARY_DIGITS, variance: bool = False, width: int | None = None
) -> list[str]:
    """Lay out variance components as a matrix of group, name, (variance,) standard deviation and correlations."""
    width = width or line_width()
    labels: list[str] = []
    names: list[str] = []
    sds: list[float] = []
    for term in varcorr:
        labels += [term.label, *[""] * (len(term.names) - 1)]
        names += term.names
        sds += list(term.sds)
    if not math.isnan(varcorr.sigma):
        labels, names, sds = [*labels, "Residual"], [*names, ""], [*sds, varcorr.sigma]
    headings, columns = ["Groups", "Name"], [labels, names]
    if variance:
        headings, columns = [*headings, "Variance"], [*columns, format_numbers([sd**2 for sd in sds], digits)]
    headings, columns = [*headings, "Std.Dev."], [*columns, format_numbers(sds, digits)]
    correlations = _correlation_columns(varcorr, max(2, digits - 2))
    headings += ["Corr", *[""] * (len(correlations) - 1)] if correlations else []
    columns += correlations
    used = sum(max(map(len, (name, *cells))) + 1 for name, cells in zip(headings[2:], columns[2:], strict=True))
    columns[:2] = fitted(columns[:2], max(width - used - 4, width // 2))
    return matrix_lines([""] * len(labels), headings, columns, width=width)


def _correlation_columns(varcorr: VarCorr, decimals: int) -> list[list[str]]:
    """Lower triangles of the terms' correlations, one below the other; as many columns as the widest term needs."""
    count = max((len(term.names) for term in varcorr), default=1) - 1
    columns: list[list[str]] = [[] for _ in range(count)]
    for term in varcorr:
        k = len(term.names)
        values = [round_to(float(r), decimals) for r in term.correlation.ravel()]
        cells = format_numbers(values, least_decimals=decimals)
        for j, column in enumerate(columns):
            column += [cells[i * k + j] if j < i else "" for i in range(k)]
    if not math.isnan(varcorr.sigma):
        for column in columns:
            column.append("")
    return columns


def criteria_lines(result: MixedResult, *, decimals: int, width: int | None) -> list[str]:
    """Lay out the criteria of a fit by maximum likelihood, or REML's."""
    if isinstance(result, LinearMixedResult) and result.reml:
        return [f"REML criterion at convergence: {format_number(round_to(result.reml_criterion, decimals))}"]
    values = [result.aic, result.bic, result.loglik, result.deviance, result.df_residual]
    cells = format_numbers([round_to(value, decimals) for value in values])
    cells[-1] = str(result.df_residual)
    return vector_lines(["AIC", "BIC", "logLik", "deviance", "df.resid"], cells, width=width)


def residual_lines(result: FitAccessors) -> list[str]:
    """Lay out the quartiles of the scaled residuals; nothing where nobody knows them."""
    quantiles = result.residual_quantiles
    return [] if quantiles is None else ["Scaled residuals: ", *quantile_lines(quantiles)]


def quantile_lines(values: npt.ArrayLike) -> list[str]:
    """Lay out minimum, quartiles and maximum of values, or of these five themselves, under R's names."""
    quantiles = zap_small(
        [float(q) for q in np.quantile(np.asarray(values), [0, 0.25, 0.5, 0.75, 1])], SUMMARY_DIGITS + 1
    )
    return vector_lines(["Min", "1Q", "Median", "3Q", "Max"], format_numbers(quantiles, SUMMARY_DIGITS))


def observations(result: FitAccessors) -> list[str]:
    """Count rows and levels, and rows that were left out."""
    groups = "; ".join(f"{printable(name)}, {count}" for name, count in result.ngroups.items())
    return [f"Number of obs: {result.nobs}, groups:  {groups}", *missing_lines(result)]


def missing_lines(result: FitAccessors) -> list[str]:
    """Say how many rows were left out, where some were."""
    dropped = result.design.n_given - result.nobs
    plural = "s" if dropped != 1 else ""
    return [f"  ({dropped} observation{plural} deleted due to missingness)"] if dropped else []


def _coefficients(result: MixedResult, ddf: Ddf) -> list[str]:
    if not len(result.fixef):
        return ["No fixed effect coefficients"]
    headings, columns = coefficient_columns(result, ddf)
    return ["Fixed effects:", *matrix_lines(list(result.fixef.index), headings, columns, right=True)]


def coefficient_columns(result: MixedResult, ddf: Ddf) -> tuple[list[str], list[list[str]]]:
    """Format estimates, errors and t values; with degrees of freedom and probabilities, as lmerTest, if wanted."""
    if isinstance(result, GeneralizedMixedResult):
        return generalized.z_columns(result)
    if ddf == "none":
        estimates, errors = list(result.fixef), list(result.std_errors)
        t_values = [e / s if s else math.nan for e, s in zip(estimates, errors, strict=True)]
        columns = [*format_coefficients([estimates, errors]), format_statistics(t_values)]
        return ["Estimate", "Std. Error", "t value"], columns
    tests = coefficient_tests(result, ddf)
    columns = [
        *format_coefficients([list(tests[name]) for name in ("estimate", "std_error", "df")]),
        format_statistics(list(tests["statistic"])),
        format_p_values(list(tests["p_value"]), SUMMARY_DIGITS - 1),
    ]
    return ["Estimate", "Std. Error", "df", "t value", "Pr(>|t|)"], columns


def correlation_lines(result: FitAccessors, width: int | None) -> list[str]:
    """Lay out the lower triangle of the fixed effects' correlations, where there are few enough."""
    names = list(result.fixef.index)
    p = len(names)
    if not 1 < p <= MOST_CORRELATIONS:
        return []
    errors = result.std_errors.to_numpy()
    with np.errstate(invalid="ignore"):  # infinite ones have none
        correlations = result.vcov.to_numpy() / np.outer(errors, errors)
    cells = format_numbers([round_to(float(r), 3) for r in correlations.ravel()], least_decimals=3)
    columns = [[cells[i * p + j] if j < i else "" for i in range(1, p)] for j in range(p - 1)]
    rows, headings = abbreviate(names, 11)[1:], abbreviate(names, 6)[:-1]
    return ["Correlation of Fixed Effects:", *matrix_lines(rows, headings, columns, width=width)]


def remarks(result: FitAccessors) -> list[str]:
    """Say which columns were dropped, and what the optimiser has to say."""
    lines = []
    dropped = len(result.design.dropped_names)
    if dropped:
        things = "column / coefficient" if dropped == 1 else "columns / coefficients"
        lines += ["fit warnings:", f"fixed-effect model matrix is rank deficient so dropping {dropped} {things}"]
    if result.fit.message:
        lines.append(printable(result.fit.message))
    return lines


def _ending(result: MixedResult) -> str:
    return "".join(f"\n{line}" for line in remarks(result))
