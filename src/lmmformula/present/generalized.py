"""What a generalised fit has beside a linear one, as text: its kind, its family's parameters, its z tests."""

import math

from lmmformula.inference.tests.linear_functions import fixed_tests
from lmmformula.present.numbers import (
    SUMMARY_DIGITS,
    format_coefficients,
    format_number,
    format_p_values,
    format_statistics,
)
from lmmformula.results.glmm import GeneralizedMixedResult


def kind(result: GeneralizedMixedResult) -> str:
    """Say what kind of model it is, and how it was fitted."""
    if not result.ngroups:
        return "Generalized linear model fit by maximum likelihood"
    nagq = result.fit.nagq
    how = "Laplace Approximation" if nagq == 1 else f"Adaptive Gauss-Hermite Quadrature, nAGQ = {nagq}"
    how += ", expected curvature" if result.fit.curvature == "expected" else ""
    return f"Generalized linear mixed model fit by maximum likelihood ({how})"


def heading(result: GeneralizedMixedResult) -> list[str]:
    """Say the same, and the family."""
    label = " ['glmerMod']" if result.ngroups else ""
    return [f"{kind(result)}{label}", f" Family: {result.family.name}  ( {result.family.link} )"]


def family_lines(result: object) -> list[str]:
    """Say what the family's parameters are, in one line each; sigma of a gaussian model stands elsewhere."""
    if not isinstance(result, GeneralizedMixedResult):
        return []
    rows = result.family_parameters.itertuples()
    return [
        f"{name}: {format_number(value, SUMMARY_DIGITS)} (standard error {format_number(error, SUMMARY_DIGITS)})"
        for name, value, error in rows
    ]


def z_columns(result: GeneralizedMixedResult) -> tuple[list[str], list[list[str]]]:
    """Format estimates, errors, z values and probabilities."""
    tests = fixed_tests(result, "asymptotic")
    columns = [
        *format_coefficients([list(tests.estimate), list(tests.std_error)]),
        format_statistics([value if math.isfinite(value) else math.nan for value in tests.statistic]),
        format_p_values(list(tests.p_value), SUMMARY_DIGITS - 1),
    ]
    return ["Estimate", "Std. Error", "z value", "Pr(>|z|)"], columns
