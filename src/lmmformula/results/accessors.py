"""What fits of linear and of generalised mixed models have in common: the accessors that read the estimates."""

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.build import NaAction
from lmmformula.design.matrices import DesignMatrices
from lmmformula.fit.blocks import root
from lmmformula.fit.glmm import GlmmFit
from lmmformula.fit.lmm import Fit
from lmmformula.ir.model import ModelIR
from lmmformula.results.effects import by_row, coefficients_by_group, modes_by_group

if TYPE_CHECKING:
    import pandas as pd

SINGULAR_TOLERANCE = 1e-4
"""A diagonal element of theta below this makes a fit singular: the default of lme4's `isSingular`."""


class FitAccessors:
    """Estimates under the names of the field; of a class that has the attributes below."""

    ir: ModelIR
    design: DesignMatrices
    fit: Fit | GlmmFit
    na_action: NaAction

    @cached_property
    def fixef(self) -> "pd.Series[float]":
        """(p,) fixed effects beta."""
        return self._by_coefficient(self.fit.beta, "estimate")

    @cached_property
    def vcov(self) -> "pd.DataFrame":
        """(p, p) covariance matrix of the fixed effects."""
        import pandas as pd

        names = list(self.design.fixed_names)
        return pd.DataFrame(self.fit.vcov, index=names, columns=names)

    @cached_property
    def std_errors(self) -> "pd.Series[float]":
        """(p,) standard errors of the fixed effects."""
        return self._by_coefficient(np.sqrt(np.diag(self.fit.vcov)), "std_error")

    def coef(self) -> "dict[str, pd.DataFrame]":
        """Add fixed effects and random effects: grouping factor -> levels x coefficients."""
        return coefficients_by_group(self.fixef, modes_by_group(self.design.random_terms, self.fit.modes))

    @cached_property
    def theta(self) -> "pd.Series[float]":
        """(n_theta,) relative covariance parameters, named and ordered as in lme4."""
        import pandas as pd

        return pd.Series(self.fit.theta, index=list(self.design.theta_names), name="theta")

    @property
    def has_data(self) -> bool:
        """Whether the rows of the fit are there; not so when it was loaded from a file, or read in parts."""
        return self.design.has_rows

    @property
    def has_intercept(self) -> bool:
        """Whether X has a column of ones of its own."""
        return self.ir.fixed.intercept

    @property
    def nobs(self) -> int:
        """Number n of rows used."""
        return self.design.nobs

    @property
    def ngroups(self) -> dict[str, int]:
        """Grouping factor -> number of its levels."""
        return {term.group: term.n_levels for term in self.design.random_terms}

    @cached_property
    def is_singular(self) -> bool:
        """Whether a relative covariance factor has a (nearly) zero on its diagonal, as lme4's `isSingular`."""
        roots = [root(relative) for relative in self.fit.relative_covariance]
        return any(bool(np.any(np.diag(L) < SINGULAR_TOLERANCE)) for L in roots)

    @property
    def converged(self) -> bool:
        """Whether the optimum was reached, be it singular."""
        return self.fit.verdict != "failed"

    def _by_coefficient(self, values: FloatArray, name: str) -> "pd.Series[float]":
        import pandas as pd

        return pd.Series(values, index=list(self.design.fixed_names), name=name)

    def _by_row(self, values: FloatArray, name: str) -> "pd.Series[float]":
        return by_row(self.design, values, name, padded=self.na_action == "exclude")
