"""A fit and a posterior, side by side, as text."""

from typing import TYPE_CHECKING

from lmmformula.errors import printable
from lmmformula.present.formula import formula_lines
from lmmformula.present.posterior import data_and_sampler, decimals_for, fixed_cells
from lmmformula.results.comparison import ComparisonResult
from lmmformula.results.lmm import LinearMixedResult
from lmmformula.results.tables.lines import table_lines

if TYPE_CHECKING:
    import pandas as pd

MOST_LEVELS = 5
"""Levels of a grouping factor whose random effects are printed; all are in `Comparison.random`."""


def comparison_text(result: ComparisonResult) -> str:
    """Print fixed effects, standard deviations and correlations, random effects, and the largest difference."""
    sections = [[*formula_lines(title(result), result.fit.ir), *data_and_sampler(result.posterior)]]
    if len(result.fixed):
        sections.append(["Fixed effects", *table_lines(*fixed_table(result))])
    sections.append(["Standard deviations and correlations", *table_lines(*variance_table(result), left=2)])
    if len(result.random):
        header, rows = random_table(result)
        sections.append([random_title(result), *table_lines(header, rows, left=3)])
    sections.append(closing(result))
    return "\n\n".join("\n".join(lines) for lines in sections)


def fixed_table(result: ComparisonResult) -> tuple[list[str], list[list[str]]]:
    """Lay out header and rows of the fixed effects."""
    frame = result.fixed
    columns = _columns(frame, ["estimate", "se", "mean", "sd", "difference"])
    header = ["", "estimate", "se", "posterior mean", "posterior sd", "difference", "in sds"]
    return header, _rows([str(name) for name in frame.index], columns, frame)


def variance_table(result: ComparisonResult) -> tuple[list[str], list[list[str]]]:
    """Lay out header and rows of standard deviations, correlations and sigma."""
    frame = result.variance
    columns = _columns(frame, ["estimate", "mean", "sd", "q5", "q95", "difference"])
    groups, names = ([str(key[i]) for key in frame.index] for i in (0, 1))
    header = ["", "", "estimate", "posterior mean", "posterior sd", "q5", "q95", "difference", "in sds"]
    return header, _rows(groups, [names, *columns], frame)


def random_table(result: ComparisonResult) -> tuple[list[str], list[list[str]]]:
    """Lay out header and rows of the random effects of the first levels of each grouping factor."""
    import pandas as pd

    frame = result.random
    seen = frame.groupby(level="group", sort=False, observed=True)
    first = pd.concat([rows.iloc[: MOST_LEVELS * _width(rows)] for _, rows in seen])
    columns = _columns(first, ["estimate", "se", "mean", "sd", "difference"])
    groups, levels, names = ([str(key[i]) for key in first.index] for i in (0, 1, 2))
    header = ["group", "level", "", "estimate", "se", "posterior mean", "posterior sd", "difference", "in sds"]
    return header, _rows(groups, [levels, names, *columns], first)


def title(result: ComparisonResult) -> str:
    """Say what is compared; the formula follows."""
    fit = result.fit
    if not isinstance(fit, LinearMixedResult):
        method = "Laplace's approximation" if fit.fit.nagq == 1 else "Quadrature"
    else:
        method = "Least squares" if fit.is_linear_model else ("REML" if fit.reml else "Maximum likelihood")
    return f"{method} beside the posterior of "


def random_title(result: ComparisonResult) -> str:
    """Say how many random effects are shown."""
    total = len(result.random)
    shown = len(random_table(result)[1])
    return "Random effects" + (f" (the first {shown} of {total}; all are in .random)" if shown < total else "")


def closing(result: ComparisonResult) -> list[str]:
    """Sum up the comparison, and whether the draws can be trusted."""
    label, size = result.largest()
    lines = []
    if isinstance(result.fit, LinearMixedResult):
        fit, posterior = result.explained
        lines.append(f"Explained variance: {fit:.6f} estimated, {posterior:.6f} posterior mean")
    return [
        *lines,
        f"Largest difference: {size:.2f} posterior sds ({printable(label)})",
        f"Diagnostics: {result.posterior.diagnostics().verdict}",
    ]


def _columns(frame: "pd.DataFrame", names: list[str]) -> list[list[str]]:
    decimals = decimals_for(frame["sd"])
    return [fixed_cells(frame[name], decimals) for name in names]


def _rows(labels: list[str], columns: list[list[str]], frame: "pd.DataFrame") -> list[list[str]]:
    in_sds = fixed_cells(frame["in_sds"], 2)
    return [list(row) for row in zip(labels, *columns, in_sds, strict=True)]


def _width(rows: "pd.DataFrame") -> int:
    """Count the random coefficients of each level."""
    return rows.index.get_level_values("name").nunique()
