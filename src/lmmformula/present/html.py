"""Results as HTML, for notebooks."""

from html import escape

from lmmformula.present.formula import formula_text
from lmmformula.present.numbers import format_coefficients, format_number, format_numbers, format_statistics
from lmmformula.present.tables import html_table
from lmmformula.results.lmm import LinearMixedResult


def fit_html(result: LinearMixedResult) -> str:
    """Show a fit: heading, random effects, fixed effects."""
    method = "least squares" if result.is_linear_model else ("REML" if result.reml else "maximum likelihood")
    groups = "".join(f", {count} levels of {name}" for name, count in result.ngroups.items())
    criterion = (
        f"REML criterion {format_number(result.reml_criterion)}" if result.reml else f"AIC {format_number(result.aic)}"
    )
    lines = [
        f"<p><b>{escape(formula_text(result.ir))}</b><br>",
        escape(f"fit by {method}; {result.nobs} observations{groups}; {criterion}") + "</p>",
        _random(result),
        _fixed(result),
    ]
    if result.fit.message:
        lines.append(f"<p>{escape(result.fit.message)}</p>")
    return "".join(lines)


def _random(result: LinearMixedResult) -> str:
    frame = result.varcorr.frame
    numbers = [format_numbers(list(frame[name]), 4) for name in ("variance", "sd")]
    correlations = [
        ["" if r != r else f"{r:.2f}" for r in frame[name]]  # noqa: PLR0124 (NaN)
        for name in frame.columns[4:]
    ]
    rows = list(zip(frame["group"], frame["name"], *numbers, *correlations, strict=True))
    heading = ["group", "name", "variance", "sd", *(["corr"] + [""] * (len(correlations) - 1) if correlations else [])]
    return html_table(heading, rows, "Random effects")


def _fixed(result: LinearMixedResult) -> str:
    estimates, errors = list(result.fixef), list(result.std_errors)
    t_values = [e / s if s else float("nan") for e, s in zip(estimates, errors, strict=True)]
    columns = [*format_coefficients([estimates, errors]), format_statistics(t_values)]
    rows = list(zip(result.fixef.index, *columns, strict=True))
    return html_table(["", "estimate", "std. error", "t value"], rows, "Fixed effects")
