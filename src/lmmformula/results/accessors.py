"""What fits of all families, and posteriors, have in common: the accessors that read the estimates."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.data.table import Table
from lmmformula.design.build import NaAction
from lmmformula.design.design import Design
from lmmformula.design.schema import Schema
from lmmformula.ir.family import Family
from lmmformula.ir.model import ModelIR
from lmmformula.results.arguments import check_flag
from lmmformula.results.effects import (
    between,
    coefficients_by_group,
    conditional_variances,
    labelled,
    modes_by_group,
    padded_rows,
    row_index,
)
from lmmformula.results.predict.prediction import population_means
from lmmformula.results.predict.rows import random_part

if TYPE_CHECKING:
    import pandas as pd


class Accessors(ABC):
    """What can be said of a model with estimates of its effects; of a class that has the attributes below."""

    ir: ModelIR
    schema: Schema
    design: Design
    table: Table
    data_name: str
    na_action: NaAction

    @property
    @abstractmethod
    def _beta(self) -> FloatArray: ...

    @property
    @abstractmethod
    def _modes(self) -> Sequence[FloatArray]: ...

    @property
    @abstractmethod
    def _mode_covariances(self) -> Sequence[FloatArray]: ...

    @property
    def family(self) -> Family:
        """The response's distribution, and the link."""
        return self.ir.family

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

    @cached_property
    def fixef(self) -> "pd.Series[float]":
        """(p,) fixed effects beta."""
        return self._by_coefficient(self._beta, "estimate")

    def coef(self) -> "dict[str, pd.DataFrame]":
        """Add fixed effects and random effects: grouping factor -> levels x coefficients."""
        return coefficients_by_group(self.fixef, modes_by_group(self.design.random_terms, self._modes))

    @overload
    def ranef(self, *, condvar: Literal[False] = False) -> "dict[str, pd.DataFrame]": ...
    @overload
    def ranef(self, *, condvar: Literal[True]) -> "tuple[dict[str, pd.DataFrame], dict[str, FloatArray]]": ...
    def ranef(self, *, condvar: bool = False) -> Any:
        """
        Conditional modes of the random effects, or posterior means: grouping factor -> levels x coefficients.

        condvar : return also their conditional covariance matrices (of a posterior those of the draws), grouping
            factor -> (J, k, k); NaN between coefficients of different terms, for which there is none
        """
        check_flag("condvar", condvar)
        modes = modes_by_group(self.design.random_terms, self._modes)
        if not condvar:
            return modes
        return modes, conditional_variances(self.design.random_terms, self._mode_covariances)

    @cached_property
    def _population(self) -> FloatArray:
        """(n,) X beta + offset."""
        return population_means(self.design, self._beta)

    @cached_property
    def _eta(self) -> FloatArray:
        """(n,) X beta + offset + Z b."""
        return np.asarray(self._population + random_part(self.design.random_terms, self._modes), dtype=np.float64)

    def _by_coefficient(self, values: FloatArray, name: str) -> "pd.Series[float]":
        return labelled(values, self.design.fixed_names, name)

    def _between_coefficients(self, values: FloatArray) -> "pd.DataFrame":
        return between(values, self.design.fixed_names)

    def _by_row(self, values: FloatArray, name: str) -> "pd.Series[float]":
        import pandas as pd

        return pd.Series(padded_rows(self, values), index=row_index(self), name=name)
