"""What fits of linear and of generalised mixed models have in common: the accessors that read the estimates."""

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from lmmformula.covariances.matrices import root
from lmmformula.fit.glmm import GlmmFit
from lmmformula.fit.lmm import Fit
from lmmformula.ir.model import ModelIR
from lmmformula.results.effects import DesignAccessors, coefficients_by_group, modes_by_group

if TYPE_CHECKING:
    import pandas as pd

SINGULAR_TOLERANCE = 1e-4
"""A diagonal element of theta below this makes a fit singular: the default of lme4's `isSingular`."""


class FitAccessors(DesignAccessors):
    """Estimates under the names of the field; of a class that has the attributes below."""

    ir: ModelIR
    fit: Fit | GlmmFit

    def __getstate__(self) -> dict[str, object]:
        """Copy all but the sparse factor, which can't be copied and is made again where it is needed."""
        return {name: value for name, value in vars(self).items() if name != "joint_covariance"}

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
    def has_intercept(self) -> bool:
        """Whether X has a column of ones of its own."""
        return self.ir.fixed.intercept

    @cached_property
    def is_singular(self) -> bool:
        """Whether a relative covariance factor has a (nearly) zero on its diagonal, as lme4's `isSingular`."""
        roots = [root(relative) for relative in self.fit.relative_covariance]
        return any(bool(np.any(np.diag(L) < SINGULAR_TOLERANCE)) for L in roots)

    @property
    def converged(self) -> bool:
        """Whether the optimum was reached, be it singular."""
        return self.fit.verdict != "failed"
