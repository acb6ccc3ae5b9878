"""A posterior as text."""

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from lmmformula.errors import printable
from lmmformula.present.formula import formula_lines
from lmmformula.results.posteriors.posterior import SUMMARY_COLUMNS, PosteriorResult
from lmmformula.results.tables.lines import table_lines

if TYPE_CHECKING:
    import pandas as pd


def posterior_text(result: PosteriorResult) -> str:
    """Print heading, fixed effects, standard deviations and correlations, and the verdict of the diagnostics."""
    frame = result.summary()
    p = result.design.n_fixed
    names = [str(name) for name in frame.index]
    others = "; cutpoints" if result.design.categories else "; family" if result.draws.family else ""
    heading = f"Standard deviations and correlations{others}"
    kind = "Prior" if result.program.prior_only else "Posterior"
    sections = [
        [*formula_lines(f"{kind} of ", result.ir), *data_and_sampler(result)],
        ["Fixed effects:", *_table(names[:p], frame.iloc[:p])] if p else [],
        [f"{heading}:", *_table(names[p:], frame.iloc[p:])] if len(names) > p else [],
        [f"Diagnostics: {result.diagnostics().verdict}"],
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def data_and_sampler(result: PosteriorResult) -> list[str]:
    """Say in two lines what the data are and how the draws were made."""
    groups = "".join(f"; {name}, {count} levels" for name, count in result.ngroups.items())
    name = f"{result.data_name}: " if result.data_name else ""
    draws, raw = result.draws, result.raw
    chains = f"{draws.n_chains} chains of {draws.n_draws} draws"
    made = f"{draws.n_draws} draws by {raw.approximation}" if raw.approximation else chains
    run = f"{made}, seed {raw.seed}, {raw.seconds:.1f} s"
    return [
        printable(f"   Data: {name}{result.nobs} rows{groups}"),
        f"Sampler: {raw.engine}, {result.program.form} form{', edited' if result.program.edited else ''}, {run}",
    ]


def decimals_for(sds: Iterable[float], digits: int = 3) -> int:
    """
    Find the decimals that show the smallest standard deviation with `digits` significant digits, 6 at most.

    >>> decimals_for([9.02, 0.895])
    3
    """
    sizes = [sd for sd in sds if math.isfinite(sd) and sd > 0]
    return min(6, max(0, digits - 1 - math.floor(math.log10(min(sizes))))) if sizes else digits


def fixed_cells(values: Iterable[float], decimals: int) -> list[str]:
    """Write numbers with so many decimals; nothing for NaN."""
    return ["" if math.isnan(value) else f"{value:.{decimals}f}" for value in values]


def _table(names: Sequence[str], frame: "pd.DataFrame") -> list[str]:
    return table_lines(["", *SUMMARY_COLUMNS], parameter_rows(names, frame))


def parameter_rows(names: Sequence[str], frame: "pd.DataFrame") -> list[list[str]]:
    """Format the rows of a summary, to as many decimals as the smallest standard deviation deserves."""
    decimals = decimals_for(frame["sd"])
    columns = [fixed_cells(frame[name], decimals) for name in ("mean", "sd")]
    columns.append(fixed_cells(frame["mcse"], min(6, decimals + 1)))
    columns += [fixed_cells(frame[name], decimals) for name in ("q5", "q95")]
    columns += [fixed_cells(frame[name], 0) for name in ("ess_bulk", "ess_tail")]
    columns.append(fixed_cells(frame["rhat"], 3))
    return [list(row) for row in zip(names, *columns, strict=True)]
