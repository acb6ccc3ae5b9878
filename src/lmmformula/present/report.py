"""Results as the tables that a notebook and a paper show."""

import math

from lmmformula.inference.tests.linear_functions import Ddf
from lmmformula.present import linear, summary
from lmmformula.present.comparison import closing, fixed_table, random_table, random_title, title, variance_table
from lmmformula.present.formula import formula_text
from lmmformula.present.generalized import family_lines
from lmmformula.present.numbers import SUMMARY_DIGITS, format_number, format_numbers
from lmmformula.present.posterior import data_and_sampler, parameter_rows
from lmmformula.results.comparison import ComparisonResult
from lmmformula.results.glmm import MixedResult
from lmmformula.results.lmm import LinearMixedResult
from lmmformula.results.posteriors.posterior import SUMMARY_COLUMNS, PosteriorResult
from lmmformula.results.tables.sheets import Report, Sheet
from lmmformula.results.varcorr import VarCorr


def fit_report(result: MixedResult, ddf: Ddf = "none") -> Report:
    """
    Show a fit: random effects, fixed effects, criterion.

    ddf : for other values than "none" with degrees of freedom and probabilities
    """
    if isinstance(result, LinearMixedResult) and result.is_linear_model:
        headings, columns = linear.coefficient_columns(result)
        rows = list(zip(result.fixef.index, *columns, strict=True))
        title = f"Linear model fit by least squares: {formula_text(result.ir)}"
        return Report(title, (Sheet(["", *headings], rows, "Coefficients"),), tuple(linear.goodness(result)))
    sheets = [varcorr_sheet(result.varcorr, "Random effects")] if result.ngroups else []
    if len(result.fixef):
        headings, columns = summary.coefficient_columns(result, ddf)
        sheets.append(Sheet(["", *headings], list(zip(result.fixef.index, *columns, strict=True)), "Fixed effects"))
    criterion, value = "AIC", result.aic
    if isinstance(result, LinearMixedResult) and result.reml:
        criterion, value = "REML criterion", result.reml_criterion
    notes = [*summary.observations(result), *family_lines(result), f"{criterion} {format_number(value)}"]
    notes += [summary.USED[ddf]] if ddf in summary.USED else []
    title = f"{summary.kind_of(result)}: {formula_text(result.ir)}"
    return Report(title, tuple(sheets), (*notes, *summary.remarks(result)))


def posterior_report(result: PosteriorResult) -> Report:
    """Show a posterior: its parameters, and the verdict of the diagnostics."""
    frame = result.summary()
    names = [str(name) for name in frame.index]
    p = result.design.n_fixed
    parts = [("Fixed effects", slice(0, p)), ("Standard deviations and correlations", slice(p, None))]
    sheets = tuple(
        Sheet(["", *SUMMARY_COLUMNS], parameter_rows(names[rows], frame.iloc[rows]), caption)
        for caption, rows in parts
        if names[rows]
    )
    notes = (*(line.strip() for line in data_and_sampler(result)), f"Diagnostics: {result.diagnostics().verdict}")
    return Report(f"Posterior of {formula_text(result.ir)}", sheets, notes)


def comparison_report(result: ComparisonResult) -> Report:
    """Show a fit and a posterior side by side."""
    sheets = [Sheet(*fixed_table(result), "Fixed effects")] if len(result.fixed) else []
    sheets.append(Sheet(*variance_table(result), "Standard deviations and correlations", left=2))
    if len(result.random):
        sheets.append(Sheet(*random_table(result), random_title(result), left=3))
    notes = (*(line.strip() for line in data_and_sampler(result.posterior)), *closing(result))
    return Report(f"{title(result)}{formula_text(result.fit.ir)}", tuple(sheets), notes)


def varcorr_sheet(varcorr: VarCorr, caption: str = "") -> Sheet:
    """Lay out variance components under lme4's headings."""
    frame = varcorr.frame
    numbers = [format_numbers(list(frame[name]), SUMMARY_DIGITS) for name in ("variance", "sd")]
    correlations = [["" if math.isnan(r) else f"{r:.2f}" for r in frame[name]] for name in frame.columns[4:]]
    heading = ["Groups", "Name", "Variance", "Std.Dev.", *["Corr", *[""] * len(correlations)][: len(correlations)]]
    rows = list(zip(frame["group"], frame["name"], *numbers, *correlations, strict=True))
    return Sheet(heading, rows, caption, left=2)
