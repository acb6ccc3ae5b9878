"""A fitted generalised linear mixed model as text, in the layout that lme4's users know."""

import math

from lmmformula.errors import printable
from lmmformula.inference.tests.linear_functions import fixed_tests
from lmmformula.present.formula import formula_lines, formula_text
from lmmformula.present.numbers import (
    SUMMARY_DIGITS,
    format_coefficients,
    format_number,
    format_numbers,
    format_p_values,
    format_statistics,
)
from lmmformula.present.report import varcorr_sheet
from lmmformula.present.summary import (
    correlation_lines,
    criteria_lines,
    observations,
    remarks,
    residual_lines,
    varcorr_lines,
)
from lmmformula.present.tables import matrix_lines, vector_lines
from lmmformula.results.glmm import GeneralizedMixedResult
from lmmformula.results.tables.sheets import Report, Sheet


def summary(result: GeneralizedMixedResult, *, width: int | None = None) -> str:
    """Print like lme4's `summary`: criteria, scaled residuals, random effects, z tests of the fixed effects."""
    random = [*observations(result)] if not result.ngroups else []
    if result.ngroups:
        random = ["Random effects:", *varcorr_lines(result.varcorr, variance=True, width=width), *observations(result)]
    sections = [
        _heading(result),
        criteria_lines(result, decimals=1, width=width),
        residual_lines(result),
        random,
        family_lines(result),
        _coefficients(result),
        correlation_lines(result, width),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + _ending(result)


def brief(result: GeneralizedMixedResult, *, width: int | None = None) -> str:
    """Print like lme4's `print`: criteria, standard deviations, fixed effects."""
    cells = format_numbers(list(result.fixef), SUMMARY_DIGITS)
    random = ["Random effects:", *varcorr_lines(result.varcorr, width=width)] if result.ngroups else []
    lines = [
        *_heading(result),
        *criteria_lines(result, decimals=4, width=width),
        *random,
        *observations(result),
        *family_lines(result),
        "Fixed Effects:" if cells else "No fixed effect coefficients",
        *vector_lines(list(result.fixef.index), cells, gap=2, width=width),
    ]
    return "\n".join(lines) + _ending(result)


def report(result: GeneralizedMixedResult) -> Report:
    """Show a fit as tables: random effects, fixed effects, parameters of the family."""
    sheets = [varcorr_sheet(result.varcorr, "Random effects")] if result.ngroups else []
    if len(result.fixef):
        headings, columns = coefficient_columns(result)
        sheets.append(Sheet(["", *headings], list(zip(result.fixef.index, *columns, strict=True)), "Fixed effects"))
    notes = (*observations(result), *family_lines(result), f"AIC {format_number(result.aic)}", *remarks(result))
    return Report(f"{_kind(result)}: {formula_text(result.ir)}", tuple(sheets), notes)


def family_lines(result: GeneralizedMixedResult) -> list[str]:
    """Say what the family's parameters are, in one line each."""
    rows = result.family_parameters.itertuples()
    return [
        f"{name}: {format_number(value, SUMMARY_DIGITS)} (standard error {format_number(error, SUMMARY_DIGITS)})"
        for name, value, error in rows
    ]


def coefficient_columns(result: GeneralizedMixedResult) -> tuple[list[str], list[list[str]]]:
    """Format estimates, errors, z values and probabilities."""
    tests = fixed_tests(result, "asymptotic")
    columns = [
        *format_coefficients([list(tests.estimate), list(tests.std_error)]),
        format_statistics([value if math.isfinite(value) else math.nan for value in tests.statistic]),
        format_p_values(list(tests.p_value), SUMMARY_DIGITS - 1),
    ]
    return ["Estimate", "Std. Error", "z value", "Pr(>|z|)"], columns


def _kind(result: GeneralizedMixedResult) -> str:
    if not result.ngroups:
        return "Generalized linear model fit by maximum likelihood"
    nagq = result.fit.nagq
    how = "Laplace Approximation" if nagq == 1 else f"Adaptive Gauss-Hermite Quadrature, nAGQ = {nagq}"
    how += ", expected curvature" if result.fit.curvature == "expected" else ""
    return f"Generalized linear mixed model fit by maximum likelihood ({how})"


def _heading(result: GeneralizedMixedResult) -> list[str]:
    family = result.family
    label = " ['glmerMod']" if result.ngroups else ""
    lines = [f"{_kind(result)}{label}", f" Family: {family.name}  ( {family.link} )"]
    lines += formula_lines("Formula: ", result.ir)
    return [*lines, f"   Data: {printable(result.data_name)}"] if result.data_name else lines


def _coefficients(result: GeneralizedMixedResult) -> list[str]:
    if not len(result.fixef):
        return ["No fixed effect coefficients"]
    headings, columns = coefficient_columns(result)
    return ["Fixed effects:", *matrix_lines(list(result.fixef.index), headings, columns, right=True)]


def _ending(result: GeneralizedMixedResult) -> str:
    return "".join(f"\n{line}" for line in remarks(result))
