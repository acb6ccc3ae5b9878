"""Numbers by row, and random effects by level, as pandas holds them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.design import RandomTermDesign
from lmmformula.errors import FitError, meant, printable
from lmmformula.results.estimates import Specified
from lmmformula.results.varcorr import unique_labels

if TYPE_CHECKING:
    import pandas as pd


class UnknownGroupError(FitError, KeyError):
    """A grouping factor that the model doesn't have."""


class ByGroup(dict[str, "pd.DataFrame"]):
    """Grouping factor -> data frame; printed one below the other, each whole."""

    def __missing__(self, group: str) -> "pd.DataFrame":
        raise UnknownGroupError(f"there is no grouping factor '{printable(str(group))}'", hint=meant(str(group), self))

    def __repr__(self) -> str:
        from lmmformula.results.tables.shown import Shown

        return "\n\n".join(f"{printable(group)}:\n{Shown(frame)!r}" for group, frame in self.items()) or "{}"


def labelled(values: FloatArray, names: Sequence[str], name: str) -> "pd.Series[float]":
    """Return numbers by their names, which can't disturb a terminal."""
    import pandas as pd

    from lmmformula.results.tables.shown import harmless

    return harmless(pd.Series(values, index=list(names), name=name))


def between(values: FloatArray, names: Sequence[str]) -> "pd.DataFrame":
    """Return a matrix of numbers by the names of its rows and columns."""
    from lmmformula.results.tables.shown import LegibleFrame

    return LegibleFrame(values, index=list(names), columns=list(names))


def row_index(model: Specified) -> "pd.Index[int]":
    """Return the positions of the rows used in the data that were given, or of all where the others are NaN."""
    import pandas as pd

    design = model.design
    return pd.RangeIndex(design.n_given) if model.na_action == "exclude" else pd.Index(design.kept_rows)


def padded_rows(model: Specified, values: FloatArray) -> FloatArray:
    """Return numbers of the rows used, with NaN for those that were left out where these are excluded."""
    if model.na_action != "exclude":
        return values
    out = np.full(model.design.n_given, np.nan)
    out[model.design.kept_rows] = values
    return out


def modes_by_group(random_terms: Sequence[RandomTermDesign], modes: Sequence[FloatArray]) -> "dict[str, pd.DataFrame]":
    """
    Lay out random effects: grouping factor -> levels x coefficients.

    modes : per random term, (J, k)
    """
    import pandas as pd

    from lmmformula.results.tables.shown import harmless

    frames = ByGroup()
    for group, members in terms_by_group(random_terms).items():
        names = unique_labels([name for i in members for name in random_terms[i].coefficient_names])
        index = pd.Index(random_terms[members[0]].levels, name=group)
        modes_of = np.hstack([modes[i] for i in members])
        frames[group] = harmless(pd.DataFrame(modes_of, index=index, columns=names))
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
