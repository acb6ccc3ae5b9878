"""A fitted linear mixed model under the accessor names of the field."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import FitError, is_text
from lmmformula.fit.lmm import Fit, conditional_covariances, fit_lmm
from lmmformula.fit.variance import VarianceParameters, variance_parameters
from lmmformula.results.files.kept_numbers import kept_of
from lmmformula.results.fitted import FitAccessors, ResidualKind

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd


@dataclass(frozen=True, eq=False)
class LinearMixedResult(FitAccessors):
    """
    A linear mixed model, fitted by REML or ML; ordinary least squares where it has no random term.

    The model is y = X beta + offset + Z b + e with Cov(b) = sigma^2 Lambda(theta) Lambda(theta)' and
    Var(e_i) = sigma^2 / weights_i.
    """

    fit: Fit

    @cached_property
    def variance_parameters(self) -> VarianceParameters:
        """How well the variance parameters are known, and how the covariance of the fixed effects moves with them."""
        if not self.design.random_terms:
            hint = "sigma and df_residual tell what is known of the residual variance"
            raise FitError("a model without random terms has no parameters of theirs", hint=hint)
        kept = kept_of(self.design).variance
        return variance_parameters(self.design, self.fit) if kept is None else kept

    @property
    def knows_variances(self) -> bool:
        """Whether there are `variance_parameters`; not so in a fit from a file that an older version wrote."""
        return self.design.has_criterion or kept_of(self.design).variance is not None

    @property
    def is_linear_model(self) -> bool:
        """Whether there is no random term, so that this is ordinary least squares."""
        return not self.design.random_terms

    @property
    def reml(self) -> bool:
        """Whether REML's criterion was minimised, rather than the deviance."""
        return self.fit.reml and not self.is_linear_model

    @cached_property
    def deviance(self) -> float:
        """
        -2 log likelihood at the estimates, for REML fits too: 2 log|L| + n (1 + log(2 pi r^2 / n)) - sum(log w).

        lme4 vignette "lmer", equation 35.
        """
        n, log_det = self.nobs, 2 * self.fit.log_det_L
        return log_det + n * (1 + math.log(2 * math.pi * self.fit.pwrss / n)) - self.design.sum_log_weights

    @cached_property
    def reml_criterion(self) -> float:
        """
        REML criterion at the estimates, for ML fits too.

        2 log|L| + 2 log|R_X| + (n - p) (1 + log(2 pi r^2 / (n - p))) - sum(log w); lme4 vignette "lmer", equation 42.
        """
        m = self.nobs - self.design.n_fixed
        log_dets = 2 * (self.fit.log_det_L + self.fit.log_det_RX)
        return log_dets + m * (1 + math.log(2 * math.pi * self.fit.pwrss / m)) - self.design.sum_log_weights

    @property
    def loglik(self) -> float:
        """Log likelihood; the restricted one for REML fits, as in lme4."""
        return -0.5 * (self.reml_criterion if self.reml else self.deviance)

    def residuals(self, kind: ResidualKind = "response") -> "pd.Series[float]":
        """
        (n,) residuals.

        kind : "response" or "working" (y - fitted), "pearson" or "deviance" (times the square roots of the weights),
            "scaled" (these divided by sigma)
        """
        response = self.design.y - self._eta
        match kind if is_text(kind) else repr(kind):
            case "response" | "working":
                values = response
            case "pearson" | "deviance":
                values = response * self._root_weights
            case "scaled":
                values = response * self._root_weights / self.sigma
            case _:
                kinds = "response, pearson, deviance, working, scaled"
                raise FitError(f"there are no residuals of the kind {kind!r}", hint=f"the kinds are: {kinds}")
        return self._by_row(values, "residual")

    def _refitted(self, y: "npt.ArrayLike") -> Self:
        """Fit the same model to another response: one value per row used, or per row of the data that were given."""
        design = self.design.with_rows(y=self._response(y))
        return replace(self, design=design, fit=fit_lmm(design, reml=self.fit.reml, settings=self.fit.settings))

    def explained_variance(self) -> float:
        """Share of the variance components that belongs to the random effects; for a linear model, R^2."""
        return self.r_squared if self.is_linear_model else super().explained_variance()

    @property
    def r_squared(self) -> float:
        """Multiple R^2 of a linear model, around the mean where it has an intercept."""
        if (kept := kept_of(self.design).r_squared) is not None:
            return kept
        sums = self.design.sums
        if sums is not None and sums.total_squares is not None and self.is_linear_model:
            return 1.0 - self.fit.pwrss / sums.total_squares
        roots = self._root_weights
        y = self.design.y if self.design.offset is None else self.design.y - self.design.offset
        centre = np.average(y, weights=roots**2) if self.has_intercept else 0.0
        left, whole = roots * (self.design.y - self._eta), roots * (y - centre)
        return 1.0 - float(left @ left / (whole @ whole))

    @property
    def _mode_covariances(self) -> Sequence[FloatArray]:
        return conditional_covariances(self.design, self.fit)

    @property
    def _root_weights(self) -> FloatArray:
        """(n,) square roots of the weights."""
        return np.ones(self.nobs) if self.design.weights is None else np.sqrt(self.design.weights)
