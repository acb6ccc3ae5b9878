"""Numbers by row, and random effects by level, as pandas holds them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.build import NaAction
from lmmformula.design.matrices import DesignMatrices, RandomTermDesign
from lmmformula.errors import printable
from lmmformula.results.varcorr import unique_labels

if TYPE_CHECKING:
    import pandas as pd


class ByGroup(dict[str, "pd.DataFrame"]):
    """Grouping factor -> data frame; printed one below the other, each whole."""

    def __repr__(self) -> str:
        from lmmformula.results.shown import Shown

        return "\n\n".join(f"{printable(group)}:\n{Shown(frame)!r}" for group, frame in self.items()) or "{}"


class DesignAccessors:
    """What can be said of a model on its data, whatever was made of it; of a class that has the attributes below."""

    design: DesignMatrices
    na_action: NaAction

    @property
    def nobs(self) -> int:
        """Number n of rows used."""
        return self.design.nobs

    @property
    def ngroups(self) -> dict[str, int]:
        """Grouping factor -> number of its levels."""
        return {term.group: term.n_levels for term in self.design.random_terms}

    @property
    def has_data(self) -> bool:
        """Whether the rows are there; not so where it was loaded from a file, or the data were read in parts."""
        return self.design.has_rows

    def _by_coefficient(self, values: FloatArray, name: str) -> "pd.Series[float]":
        import pandas as pd

        return pd.Series(values, index=list(self.design.fixed_names), name=name)

    def _by_row(self, values: FloatArray, name: str) -> "pd.Series[float]":
        return by_row(self.design, values, name, padded=self.na_action == "exclude")


def by_row(design: DesignMatrices, values: FloatArray, name: str, *, padded: bool) -> "pd.Series[float]":
    """
    Lay out one number per row used, indexed by the row's position in the data that were given.

    values : (n,)
    padded : whether to give the rows that were left out too, as NaN
    """
    import pandas as pd

    if not padded:
        return pd.Series(values, index=design.kept_rows, name=name)
    full = np.full(design.n_given, np.nan)
    full[design.kept_rows] = values
    return pd.Series(full, name=name)


def modes_by_group(random_terms: Sequence[RandomTermDesign], modes: Sequence[FloatArray]) -> "dict[str, pd.DataFrame]":
    """
    Lay out random effects: grouping factor -> levels x coefficients.

    modes : per random term, (J, k)
    """
    import pandas as pd

    frames = ByGroup()
    for group, members in terms_by_group(random_terms).items():
        names = unique_labels([name for i in members for name in random_terms[i].coefficient_names])
        index = pd.Index(random_terms[members[0]].levels, name=group)
        frames[group] = pd.DataFrame(np.hstack([modes[i] for i in members]), index=index, columns=names)
    return frames


def conditional_variances(
    random_terms: Sequence[RandomTermDesign], covariances: Sequence[FloatArray]
) -> dict[str, FloatArray]:
    """
    Lay out covariance matrices as `modes_by_group` lays out modes: grouping factor -> (J, k, k).

    covariances : per random term, (J, k, k)
    """
    blocks: dict[str, FloatArray] = {}
    for group, members in terms_by_group(random_terms).items():
        sizes = [random_terms[i].n_coefficients for i in members]
        block = np.full((random_terms[members[0]].n_levels, sum(sizes), sum(sizes)), np.nan)
        start = 0
        for i, size in zip(members, sizes, strict=True):
            block[:, start : start + size, start : start + size] = covariances[i]
            start += size
        blocks[group] = block
    return blocks


def coefficients_by_group(fixef: "pd.Series[float]", ranef: "dict[str, pd.DataFrame]") -> "dict[str, pd.DataFrame]":
    """Add to the random effects of each level the fixed effects of the same names, 0 where there is none."""
    frames = ByGroup()
    for group, modes in ranef.items():
        names = [*fixef.index, *(name for name in modes.columns if name not in fixef.index)]
        spread = modes.reindex(columns=names, fill_value=0.0)
        frames[group] = spread + fixef.reindex(names, fill_value=0.0)
    return frames


def terms_by_group(random_terms: Sequence[RandomTermDesign]) -> dict[str, list[int]]:
    """Collect, by grouping factor, the positions of its random terms, in their order."""
    groups: dict[str, list[int]] = {}
    for i, term in enumerate(random_terms):
        groups.setdefault(term.group, []).append(i)
    return groups
