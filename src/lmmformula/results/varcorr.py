"""Standard deviations and correlations of the random effects."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.design import RandomTermDesign
from lmmformula.errors import FitError
from lmmformula.newcomers import answers_newcomers
from lmmformula.results.tables.sheets import Framed, Report, Sheet, frame_text
from lmmformula.screen import rounded

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class TermVariation:
    """
    How the coefficients of one random term vary between the levels of its grouping factor.

    label : the grouping factor, made unique where it has several terms: "Subject", "Subject.1"
    group : the grouping factor
    names : (k,) names of the coefficients
    sds : (k,) standard deviations
    correlation : (k, k) correlations, NaN beside a standard deviation of zero
    """

    label: str
    group: str
    names: tuple[str, ...]
    sds: FloatArray
    correlation: FloatArray

    @property
    def covariance(self) -> FloatArray:
        """(k, k) covariance matrix, zero beside a standard deviation of zero."""
        return np.nan_to_num(self.correlation) * np.outer(self.sds, self.sds)


@answers_newcomers()
@dataclass(frozen=True, eq=False, repr=False)
class VarCorr(Framed):
    """
    The variance components of a model: one `TermVariation` per random term, in lme4's order, and the residual.

    sigma : residual standard deviation; NaN, and without a row, in a family that has none
    """

    terms: tuple[TermVariation, ...]
    sigma: float

    def __getitem__(self, label: str) -> TermVariation:
        """Return the term of a grouping factor; the second one of `Subject` is called "Subject.1"."""
        for term in self.terms:
            if term.label == label:
                return term
        known = ", ".join(term.label for term in self.terms) or "there is none"
        raise FitError(f"the model has no grouping factor {label!r:.60}", hint=f"they are: {known}")

    def __iter__(self) -> Iterator[TermVariation]:
        return iter(self.terms)

    def __len__(self) -> int:
        return len(self.terms)

    def __str__(self) -> str:
        return frame_text(self._shown, rounded, left=2)

    @property
    def _shown(self) -> "pd.DataFrame":
        """The frame as text, under lme4's headings."""
        frame = self.frame
        correlations = ["Corr", *[""] * len(frame.columns)][: len(frame.columns) - 4]
        shown = frame.assign(**{c: [f"{v:.6g}" for v in frame[c]] for c in ("variance", "sd")})
        for column in frame.columns[4:]:
            shown[column] = ["" if np.isnan(v) else f"{v:.3f}" for v in frame[column]]
        shown.columns = ["Groups", "Name", "Variance", "Std.Dev.", *correlations]
        return shown

    def __repr__(self) -> str:
        return str(self)

    def _report(self) -> Report:
        shown = self._shown
        return Report("", (Sheet(list(shown.columns), [list(row) for row in shown.itertuples(index=False)], left=2),))

    @property
    def frame(self) -> "pd.DataFrame":
        """
        One row per random coefficient and one for the residual.

        Columns: group, name, variance, sd, and corr_1, corr_2, ...: correlations with the coefficients above it.
        """
        import pandas as pd

        widest = max((len(term.names) for term in self.terms), default=1)
        rows = [
            (term.label, name, term.sds[i] ** 2, term.sds[i], *_padded(term.correlation[i, :i], widest - 1))
            for term in self.terms
            for i, name in enumerate(term.names)
        ]
        if not np.isnan(self.sigma):
            rows.append(("Residual", "", self.sigma**2, self.sigma, *_padded(np.empty(0), widest - 1)))
        columns = ["group", "name", "variance", "sd", *(f"corr_{i + 1}" for i in range(widest - 1))]
        return pd.DataFrame(rows, columns=columns)


def varcorr_of(
    random_terms: Sequence[RandomTermDesign], relative_covariance: Sequence[FloatArray], sigma: float
) -> VarCorr:
    """
    Variance components from the relative covariance matrices: Cov(b) = sigma^2 * relative covariance.

    relative_covariance : per random term, (k, k)
    """
    labels = unique_labels([term.group for term in random_terms])
    terms = (
        variation(label, term, sigma**2 * relative)
        for label, term, relative in zip(labels, random_terms, relative_covariance, strict=True)
    )
    return VarCorr(tuple(terms), sigma)


def variation(label: str, term: RandomTermDesign, covariance: FloatArray) -> TermVariation:
    """Split a covariance matrix (k, k) into standard deviations and correlations."""
    sds = np.sqrt(np.diag(covariance))
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = covariance / np.outer(sds, sds)
    np.fill_diagonal(correlation, 1.0)
    return TermVariation(label, term.group, term.coefficient_names, sds, correlation)


def unique_labels(names: Sequence[str]) -> list[str]:
    """
    Make names distinct by numbering repeats, like R's `make.unique`.

    >>> unique_labels(["g", "g", "h", "g"])
    ['g', 'g.1', 'h', 'g.2']
    """
    labels: list[str] = []
    for name in names:
        label, number = name, 0
        while label in labels:
            number += 1
            label = f"{name}.{number}"
        labels.append(label)
    return labels


def _padded(values: FloatArray, length: int) -> list[float]:
    return [*values, *[float("nan")] * (length - len(values))]
