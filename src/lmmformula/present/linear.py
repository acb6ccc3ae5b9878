"""A linear model (no random term) as text, in the layout of R's lm."""

import math

from lmmformula.errors import printable
from lmmformula.present.formula import formula_lines
from lmmformula.present.numbers import (
    SUMMARY_DIGITS,
    format_coefficients,
    format_number,
    format_numbers,
    format_p_values,
    format_statistics,
)
from lmmformula.present.summary import missing_lines, quantile_lines
from lmmformula.present.tables import matrix_lines, vector_lines
from lmmformula.results.files.kept_numbers import kept_of
from lmmformula.results.lmm import LinearMixedResult


def linear_summary(result: LinearMixedResult, *, width: int | None = None) -> str:
    """Print like R's `summary.lm`: residuals, coefficients with t tests, residual standard error, R^2, F."""
    sections = [
        _heading(result),
        [] if result.residual_quantiles is None else ["Residuals:", *quantile_lines(result.residual_quantiles)],
        _coefficients(result, width),
        goodness(result),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def linear_brief(result: LinearMixedResult, *, width: int | None = None) -> str:
    """Print like R's `print.lm`: coefficients."""
    cells = format_numbers(list(result.fixef), SUMMARY_DIGITS)
    lines = vector_lines(list(result.fixef.index), cells, gap=2, width=width)
    return "\n".join([*_heading(result), "", "Coefficients:", *lines])


def _heading(result: LinearMixedResult) -> list[str]:
    lines = ["Linear model fit by least squares", *formula_lines("Formula: ", result.ir)]
    return [*lines, f"   Data: {printable(result.data_name)}"] if result.data_name else lines


def _coefficients(result: LinearMixedResult, width: int | None) -> list[str]:
    if not len(result.fixef):
        return ["No Coefficients"]
    headings, columns = coefficient_columns(result)
    return ["Coefficients:", *matrix_lines(list(result.fixef.index), headings, columns, right=True, width=width)]


def coefficient_columns(result: LinearMixedResult) -> tuple[list[str], list[list[str]]]:
    """Format estimates, errors, t values and probabilities."""
    from scipy.special import stdtr

    estimates, errors = list(result.fixef), list(result.std_errors)
    t_values = [e / s if s else math.nan for e, s in zip(estimates, errors, strict=True)]
    p_values = [2 * float(stdtr(result.df_residual, -abs(t))) for t in t_values]
    columns = [
        *format_coefficients([estimates, errors]),
        format_statistics(t_values),
        format_p_values(p_values, SUMMARY_DIGITS - 1),
    ]
    return ["Estimate", "Std. Error", "t value", "Pr(>|t|)"], columns


def goodness(result: LinearMixedResult) -> list[str]:
    """Say how much is explained: residual standard error, R^2 and F."""
    from scipy.special import fdtrc

    df = result.df_residual
    lines = [f"Residual standard error: {format_number(result.sigma, SUMMARY_DIGITS)} on {df} degrees of freedom"]
    lines += missing_lines(result)
    model_df = result.design.n_fixed - result.has_intercept
    if model_df < 1 or not _knows_r_squared(result):
        return lines
    r2 = result.r_squared
    adjusted = 1 - (1 - r2) * (result.nobs - result.has_intercept) / df
    f = (r2 / model_df) / ((1 - r2) / df) if r2 < 1 else math.inf
    p = format_p_values([float(fdtrc(model_df, df, f))], SUMMARY_DIGITS)[0]
    r2_text, adjusted_text, f_text = (format_number(value, SUMMARY_DIGITS) for value in (r2, adjusted, f))
    return [
        *lines,
        f"Multiple R-squared:  {r2_text},\tAdjusted R-squared:  {adjusted_text} ",
        f"F-statistic: {f_text} on {model_df} and {df} DF,  p-value: {p}",
    ]


def _knows_r_squared(result: LinearMixedResult) -> bool:
    """Tell whether R^2 can be said; not so of rows that have passed by and had weights, or were not kept."""
    design = result.design
    summed = design.has_criterion and not design.has_weights
    return result.has_data or summed or kept_of(design).r_squared is not None
