"""A frequentist fit as a user holds it: the numbers of `results`, printed."""

from dataclasses import dataclass
from pathlib import Path

from lmmformula.api.after import AnalysedFit
from lmmformula.api.engine import ExaminedFit
from lmmformula.api.hypotheses import HypothesisTests
from lmmformula.data.table import Table
from lmmformula.inference.tests import Ddf
from lmmformula.present import html, linear, summary
from lmmformula.present.text import Text
from lmmformula.results.saved import from_json, read_text, to_json


@dataclass(frozen=True, eq=False, repr=False)
class LinearMixedFit(AnalysedFit, HypothesisTests, ExaminedFit):
    """
    A linear mixed model fitted by REML or ML; ordinary least squares where it has no random term.

    `print(fit)` shows the summary that lme4's users know; all numbers are attributes under lme4's names.

    >>> import lmmformula as lf
    >>> fit = lf.Model("Yield ~ 1 + (1 | Batch)", lf.datasets.load("Dyestuff")).fit()
    >>> round(fit.sigma, 3), fit.ngroups, fit.is_singular
    (49.51, {'Batch': 6}, False)
    """

    def summary(self, ddf: Ddf = "satterthwaite") -> Text:
        """
        Summarise like lmerTest's `summary`; like lm's, where there is no random term.

        ddf : "satterthwaite", "kenward-roger" or "asymptotic"; "none" for lme4's summary, which `print(fit)` shows,
            and which is all that a fit without its data can give
        """
        if self.is_linear_model:
            return Text(linear.linear_summary(self))
        return Text(summary.summary(self, ddf=ddf if self.has_data else "none"))

    def save(self, path: str | Path) -> None:
        """Write the fit, without its data, to a JSON file that `load` reads."""
        Path(path).write_text(to_json(self.ir, self.schema, self.design, self.fit, self.data_name), encoding="utf-8")

    def __str__(self) -> str:
        return self.summary(ddf="none")

    def __repr__(self) -> str:
        return linear.linear_brief(self) if self.is_linear_model else summary.brief(self)

    def _repr_html_(self) -> str:
        return html.fit_html(self)


def load(path: str | Path) -> LinearMixedFit:
    """
    Read a fit that `fit.save(path)` wrote; it predicts new rows, and says so of what needs the rows of the fit.

    >>> import lmmformula as lf
    >>> from tempfile import TemporaryDirectory
    >>> fit = lf.Model("Yield ~ 1 + (1 | Batch)", lf.datasets.load("Dyestuff")).fit()
    >>> with TemporaryDirectory() as folder:
    ...     fit.save(f"{folder}/dyestuff.json")
    ...     again = lf.load(f"{folder}/dyestuff.json")
    >>> again.predict({"Batch": ["A", "F"]}).round(1).tolist()
    [1509.9, 1482.5]
    """
    ir, schema, design, fit, name = from_json(read_text(path), str(path))
    return LinearMixedFit(ir, schema, design, fit, Table(0, (), {}), name)
