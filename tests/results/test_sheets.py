"""What a notebook and a paper show, with names that a paper could trip over."""

import copy
import pickle
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest

import fits
import lmmformula as lf
from corpus import dataset
from lmmformula.results.tables.sheets import Report, Reported, Sheet

HOSTILE = "50% of [a_1] & b|c $x^2$ <i> {y} #~`\\n"
"""A name made of what means something to LaTeX, HTML or Markdown."""


def hostile_fit() -> lf.LinearMixedFit:
    """A model whose columns, groups and levels have such names."""
    data = dataset("Dyestuff").rename(columns={"Yield": "y_1 & y^2", "Batch": "50% [b] | $c"})
    data["50% [b] | $c"] = [f"[{level}_*" for level in data["50% [b] | $c"]]
    data["#x~{1}"] = np.arange(30) % 5.0
    return lf.Model("`y_1 & y^2` ~ `#x~{1}` + (1 | `50% [b] | $c`)", data).fit()


def everything(fit: lf.LinearMixedFit, posterior: lf.Posterior) -> dict[str, Reported]:
    """List everything that shows itself."""
    return {
        "fit": fit,
        "summary": fit.summary(),
        "linear model": lf.Model("Reaction ~ Days", dataset("sleepstudy")).fit(),
        "posterior": posterior,
        "comparison": lf.compare(fit, posterior),
        "summary of a comparison": lf.compare(fit, posterior).summary(),
        "varcorr": fit.varcorr,
        "confint": fit.confint(),
        "anova": fit.anova(),
        "emmeans": fit.emmeans("Days", at={"Days": [0, 9]}),
        "influence": fit.influence("Subject"),
        "bootstrap": fit.bootstrap(n=3, seed=1),
        "criteria": lf.criteria(fit),
        "power": fit.power("Days", n=3, seed=1),
    }


@pytest.fixture(scope="module")
def shown() -> dict[str, Reported]:
    """All of them, of sleepstudy."""
    return everything(fits.fit_of("lmm-003r"), fits.posterior_of("lmm-003r"))


def test_everything_shows_itself(shown: dict[str, Reported]) -> None:
    """HTML and Markdown, `tabular` with booktabs for a paper, `array` for what knows mathematics only."""
    for name, result in shown.items():
        assert "<table>" in result._repr_html_(), name
        assert result.to_markdown() == result._repr_markdown_()
        assert "| :---" in result.to_markdown() or "| ---:" in result.to_markdown(), name
        latex = result.to_latex()
        assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == latex.count(r"\toprule") > 0
        assert "tabular" not in result._repr_latex_(), "MathJax knows no tabular"
        assert result._repr_latex_().count("$$") == 2 * result._repr_latex_().count(r"\begin{array}")


def test_every_row_has_as_many_cells_as_the_table_has_columns(shown: dict[str, Reported]) -> None:
    """As LaTeX and Markdown demand."""
    for name, result in shown.items():
        for sheet in result._report().sheets:
            assert {len(row) for row in sheet.rows} == {len(sheet.header)}, name


FIT = r"""
\noindent Linear mixed model fit by REML: Yield \textasciitilde{} 1 + (1 \textbar{} Batch)

\medskip
\noindent \textbf{Random effects}\\[2pt]
\begin{tabular}{llrr}
\toprule
Groups & Name & Variance & Std.Dev. \\
\midrule
Batch & (Intercept) & 1764 & 42.00 \\
Residual &  & 2451 & 49.51 \\
\bottomrule
\end{tabular}

\medskip
\noindent \textbf{Fixed effects}\\[2pt]
\begin{tabular}{lrrrrr}
\toprule
 & Estimate & Std. Error & df & t value & Pr(\textgreater{}\textbar{}t\textbar{}) \\
\midrule
(Intercept) & 1527.50 & 19.38 & 5.00 & 78.8 & $6.23 \times 10^{-9}$ \\
\bottomrule
\end{tabular}

\medskip
\noindent {\footnotesize Number of obs: 30, groups:  Batch, 6\\
REML criterion 319.6543\\
t-tests use Satterthwaite's method\par}
"""


def test_a_summary_in_a_paper() -> None:
    """Whole, as it is pasted."""
    fit = lf.Model("Yield ~ 1 + (1 | Batch)", dataset("Dyestuff")).fit()
    assert fit.summary().to_latex() == FIT.strip()
    assert "Pr(" not in fit.to_latex()


def test_a_table_in_markdown() -> None:
    """Title, table, notes; names are escaped."""
    lines = hostile_fit().summary("none").to_markdown().split("\n")
    assert r"| 50% \[b\] \| \$c | (Intercept) | 1745 | 41.77 |" in lines
    assert r"| \`\#x\~\{1\}\` | 2.000 | 6.516 | 0.307 |" in lines
    assert "REML criterion 313.9912" in lines


def test_hostile_names_can_do_nothing() -> None:
    """Every special character is escaped, in titles, headings, cells and notes, in each of the languages."""
    report = Report(HOSTILE, (Sheet(["", HOSTILE], [[HOSTILE, "-1.5"], ["[x", "*"]], HOSTILE),), (HOSTILE,))
    escaped = (
        r"50\% of [a\_1] \& b\textbar{}c \$x\textasciicircum{}2\$ \textless{}i\textgreater{} \{y\} "
        r"\#\textasciitilde{}\`{}\textbackslash{}n"
    )
    assert report.latex().count(escaped) == 5
    assert "\n{}[x & {}* \\\\" in report.latex()
    assert report.html().count("&lt;i&gt;") == 5
    assert "<i>" not in report.html()
    escaped = r"50% of \[a\_1\] & b\|c \$x^2\$ \<i\> \{y\} \#\~\`\\n"
    assert report.markdown().count(escaped) == 5
    assert r"{\text{50}\%\text{ of [a}\_\text{1] }\&\text{ b}\vert \text{c }\$" in report.maths()


def test_numbers_have_a_minus_sign() -> None:
    """A hyphen is none, and an exponent is written as one."""
    sheet = Sheet(["", "x"], [["a", "-0.5"], ["b", "1e-05"], ["c", "< 2e-16"], ["d", ""], ["e", "NaN"]])
    cells = re.findall(r"^\w & (.*) \\\\$", sheet.latex(), flags=re.MULTILINE)
    assert cells == ["$-0.5$", r"$1 \times 10^{-5}$", r"$<2 \times 10^{-16}$", "", "NaN"]


def test_the_summary_of_a_posterior_is_a_data_frame_that_shows_itself() -> None:
    """Its numbers are as in print; what pandas' methods take they take as well."""
    posterior = fits.posterior_of("lmm-003r")
    summary = posterior.summary()
    assert isinstance(summary, pd.DataFrame)
    assert summary.to_latex().count(r" \\") == 1 + len(summary)
    assert r"| sd\[Subject, Days\] |" in summary.to_markdown()
    assert "tabular" in summary.to_latex(float_format="%.1f")
    assert "mean" in summary[["mean"]].to_latex()


def test_summaries_are_copied() -> None:
    """As any text is, with their tables."""
    summary = fits.fit_of("lmm-003r").summary()
    for again in (copy.copy(summary), copy.deepcopy(summary), pickle.loads(pickle.dumps(summary))):  # noqa: S301
        assert again == summary
        assert again.to_latex() == summary.to_latex()


def test_a_table_is_given_as_a_frame_of_any_library() -> None:
    """Names of rows are a column of their own."""
    fit = fits.fit_of("lmm-003r")
    assert fit.confint().to_native("polars").columns == ["parameter", "estimate", "conf_low", "conf_high"]
    assert isinstance(fit.anova().to_native("polars"), pl.DataFrame)
    assert fit.varcorr.to_native("pyarrow").num_rows == 3
    with pytest.raises(lf.FitError, match="no data frames of 'R'"):
        fit.varcorr.to_native("R")


def test_a_model_is_its_mathematics() -> None:
    """A formula that was only parsed, too; a model on its data says in words what it is."""
    model = lf.Model("Reaction ~ Days + (Days | Subject)", dataset("sleepstudy"))
    for shown in (model, model.ir):
        assert shown._repr_latex_().startswith("$$\n\\begin{aligned}")
    assert "180 rows" in model._repr_html_()
    assert "$$" in model._repr_markdown_()
