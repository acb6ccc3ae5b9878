"""A fitted generalised linear mixed model under the accessor names of the field."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.covariances.matrices import square_root
from lmmformula.data.table import Table
from lmmformula.design.build import NaAction
from lmmformula.design.matrices import DesignMatrices
from lmmformula.design.response import check_support
from lmmformula.design.schema import Schema
from lmmformula.fit.glmm import GlmmFit
from lmmformula.ir.model import ModelIR
from lmmformula.results.accessors import FitAccessors, ResidualKind
from lmmformula.results.arguments import check_choice
from lmmformula.results.families import draw_from, mean_of, slope_of, trials_of, unit_deviance, variance_of
from lmmformula.results.lmm import LinearMixedResult
from lmmformula.results.predict.rows import random_part
from lmmformula.results.varcorr import VarCorr, varcorr_of

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd


@dataclass(frozen=True, eq=False)
class GeneralizedMixedResult(FitAccessors):
    """
    A generalised linear mixed model, fitted by maximum likelihood with Laplace's approximation or by quadrature.

    The response has the family's distribution with a mean that is the inverse link of X beta + offset + Z b,
    b ~ N(0, Lambda Lambda'). Without a random term it is a generalised linear model.

    ir, schema, design : the model, its variables, its matrices
    fit : the estimates
    table : the data that were given, rows with missing values included
    data_name : what the data are called, for the summary; may be empty
    na_action : "exclude" gives rows that were left out as NaN in fitted values and residuals
    """

    ir: ModelIR
    schema: Schema
    design: DesignMatrices
    fit: GlmmFit
    table: Table
    data_name: str = ""
    na_action: NaAction = "omit"

    @cached_property
    def varcorr(self) -> VarCorr:
        """Standard deviations and correlations of the random effects; a residual's where the family has one."""
        return replace(varcorr_of(self.design.random_terms, self.fit.relative_covariance, 1.0), sigma=self.sigma)

    @cached_property
    def std_errors(self) -> "pd.Series[float]":
        """(p,) standard errors of the fixed effects; infinite where the likelihood is flat (separation)."""
        errors = np.where(self.fit.flat.any(axis=1), np.inf, np.sqrt(np.diag(self.fit.vcov)))
        return self._by_coefficient(errors, "std_error")

    @property
    def sigma(self) -> float:
        """Residual standard deviation; NaN in a family that has none."""
        return self.fit.parameters.get("sigma", math.nan)

    @property
    def family_parameters(self) -> "pd.DataFrame":
        """Parameters that only the family has, shape, phi, nu, zi, sigma: estimate and std_error."""
        import pandas as pd

        rows = [(value, self.fit.parameter_errors[name]) for name, value in self.fit.parameters.items()]
        index = pd.Index(list(self.fit.parameters), name="parameter")
        return pd.DataFrame(rows, index=index, columns=["estimate", "std_error"])

    @property
    def n_parameters(self) -> int:
        """Number of parameters of the likelihood: fixed effects, covariance matrices, and those of the family."""
        return self.design.n_fixed + self.design.n_variance_parameters + len(self.fit.parameters)

    @property
    def df_residual(self) -> int:
        """Number of rows less the number of parameters."""
        return self.nobs - self.n_parameters

    @property
    def is_linear_model(self) -> bool:
        """False: without a random term this is a generalised linear model, not ordinary least squares."""
        return False

    @property
    def reml(self) -> bool:
        """False: the likelihood is not restricted."""
        return False

    @property
    def loglik(self) -> float:
        """Log likelihood, by Laplace's approximation or quadrature, with all constants."""
        return -0.5 * self.fit.criterion

    @property
    def deviance(self) -> float:
        """-2 log likelihood, as lme4's summary prints it; `conditional_deviance` is that of R's `deviance()`."""
        return self.fit.criterion

    def residuals(self, kind: ResidualKind = "response") -> "pd.Series[float]":
        """
        (n,) residuals.

        kind : "response" (y - fitted), "pearson" or "scaled" (over its standard deviation; in Gamma over its mean, as
            R's), "deviance" (signed roots of the rows' deviances), "working" (over the slope of the inverse link)
        """
        check_choice("kind", kind, ("response", "pearson", "scaled", "deviance", "working"))
        return self._by_row(self._residuals(kind), "residual")

    def _drawn(self, rng: np.random.Generator) -> FloatArray:
        modes = [
            rng.standard_normal((term.n_levels, term.n_coefficients)) @ square_root(S)
            for term, S in zip(self.design.random_terms, self.fit.relative_covariance, strict=True)
        ]
        eta = self._population + random_part(self.design.random_terms, modes)
        return draw_from(self.family, eta, self.own_of_rows, rng, trials=trials_of(self.design, self.family))

    def _refitted(self, y: "npt.ArrayLike") -> Self:
        """
        Fit the same model to another response: one value per row used, or per row of the data that were given.

        y : of a binomial family shares of the trials, as `simulate` gives them
        """
        response = self._response(y)
        check_support(response, self.ir.response, self.family)
        design = replace(self.design, y=response)
        return replace(self, design=design, fit=self.fit.again(design))

    @cached_property
    def _means(self) -> FloatArray:
        return mean_of(self.family, self._eta, self.own_of_rows)

    @property
    def _mode_covariances(self) -> Sequence[FloatArray]:
        return self.fit.mode_covariances

    def _responses(self, n: int, rng: np.random.Generator) -> FloatArray:
        return np.column_stack([self._drawn(rng) for _ in range(n)])

    def _residuals(self, kind: ResidualKind) -> FloatArray:
        left = self.design.y - self._means
        factors = self.design.loglik_weights
        roots = np.sqrt(trials_of(self.design, self.family) * (1.0 if factors is None else factors))
        match kind:
            case "response":
                return left
            case "pearson" | "scaled":
                spread = np.sqrt(variance_of(self.family, self._means, self.own_of_rows))
                return roots * np.divide(left, spread, out=np.zeros_like(left), where=left != 0.0)  # 0 / 0: no error
            case "working":
                return left / slope_of(self.family.link, self._eta)
            case "deviance":
                lost = unit_deviance(self.family, self.design.y, self._means, self.fit.parameters)
                return np.sign(left) * roots * np.sqrt(lost)


MixedResult = LinearMixedResult | GeneralizedMixedResult
"""A fit of any family."""
