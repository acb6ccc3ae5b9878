"""A fitted generalised linear mixed model under the accessor names of the field."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.response import check_support
from lmmformula.fit.glmm import GlmmFit
from lmmformula.results.arguments import check_choice
from lmmformula.results.families import slope_of, trials_of, unit_deviance, variance_of
from lmmformula.results.fitted import FitAccessors, ResidualKind
from lmmformula.results.lmm import LinearMixedResult

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd


@dataclass(frozen=True, eq=False)
class GeneralizedMixedResult(FitAccessors):
    """
    A generalised linear mixed model, fitted by maximum likelihood with Laplace's approximation or by quadrature.

    The response has the family's distribution with a mean that is the inverse link of X beta + offset + Z b,
    b ~ N(0, Lambda Lambda'). Without a random term it is a generalised linear model.
    """

    fit: GlmmFit

    @cached_property
    def vcov(self) -> "pd.DataFrame":
        """(p, p) covariance matrix of the fixed effects; inf, and NaN beside it, where the likelihood is flat."""
        unknown = self.fit.unestimable(np.eye(self.design.n_fixed))
        V = np.where(unknown | unknown[:, None], np.nan, self.fit.vcov)
        np.fill_diagonal(V, np.where(unknown, np.inf, np.diag(V)))
        return self._between_coefficients(V)

    @property
    def family_parameters(self) -> "pd.DataFrame":
        """Parameters that only the family has, shape, phi, nu, zi, sigma: estimate and std_error."""
        import pandas as pd

        rows = [(value, self.fit.parameter_errors[name]) for name, value in self.fit.parameters.items()]
        index = pd.Index(list(self.fit.parameters), name="parameter")
        return pd.DataFrame(rows, index=index, columns=["estimate", "std_error"])

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

    def _refitted(self, y: "npt.ArrayLike") -> Self:
        """
        Fit the same model to another response: one value per row used, or per row of the data that were given.

        y : of a binomial family shares of the trials, as `simulate` gives them
        """
        response = self._response(y)
        check_support(response, self.ir.response, self.family)
        design = self.design.with_rows(y=response)
        return replace(self, design=design, fit=self.fit.again(design))

    @property
    def _mode_covariances(self) -> Sequence[FloatArray]:
        return self.fit.mode_covariances

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


def as_mixed(fit: FitAccessors) -> MixedResult:
    """Return a fit as what it is: there are no others."""
    assert isinstance(fit, LinearMixedResult | GeneralizedMixedResult)
    return fit
