"""What fits of all families have in common: the estimates under the accessor names of the field."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.covariances.matrices import root
from lmmformula.data.table import Library, Table
from lmmformula.design.build import NaAction
from lmmformula.design.design import Design
from lmmformula.design.schema import Schema
from lmmformula.errors import FitError
from lmmformula.fit.glmm import GlmmFit
from lmmformula.fit.lmm import Fit
from lmmformula.ir.model import ModelIR
from lmmformula.results.accessors import Accessors
from lmmformula.results.arguments import check_count, check_group
from lmmformula.results.components import Approximation, between_levels, left_variance
from lmmformula.results.effects import labelled
from lmmformula.results.estimates import Fitted
from lmmformula.results.families import mean_of, own_of_rows
from lmmformula.results.files.kept_numbers import kept_of
from lmmformula.results.frames import glance, in_library
from lmmformula.results.predict.prediction import Interval, Request, Scale, generator, predictions, simulated
from lmmformula.results.predict.rows import NewLevels
from lmmformula.results.predict.uncertainty import JointCovariance
from lmmformula.results.varcorr import VarCorr, varcorr_of

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

ResidualKind = Literal["response", "pearson", "deviance", "working", "scaled"]

SINGULAR_TOLERANCE = 1e-4
"""A diagonal element of theta below this makes a fit singular: the default of lme4's `isSingular`."""


@dataclass(frozen=True, eq=False)
class FitAccessors(Accessors):
    """
    A fit of any family.

    ir, schema, design : the model, its variables, its matrices
    fit : the estimates
    table : the data that were given, rows with missing values included
    data_name : what the data are called, for the summary; may be empty
    na_action : "exclude" gives rows that were left out as NaN in fitted values and residuals
    """

    ir: ModelIR
    schema: Schema
    design: Design
    fit: Fit | GlmmFit
    table: Table
    data_name: str = ""
    na_action: NaAction = "omit"

    @abstractmethod
    def residuals(self, kind: ResidualKind = "response") -> "pd.Series[float]":
        """(n,) residuals of a kind."""

    @abstractmethod
    def _refitted(self, y: "npt.ArrayLike") -> Any: ...  # noqa: ANN401 (a fit of the same kind)

    @property
    def _beta(self) -> FloatArray:
        return self.fit.beta

    @property
    def _modes(self) -> Sequence[FloatArray]:
        return self.fit.modes

    @cached_property
    def _means(self) -> FloatArray:
        return mean_of(self.family, self._eta, self.own_of_rows)

    def _responses(self, n: int, rng: np.random.Generator) -> FloatArray:
        return simulated(self.design, self.fit, self._population, n, rng)

    @property
    def own(self) -> dict[str, float]:
        """Parameters of the response's distribution beside its mean, by name: shape, phi, nu, zi, sigma."""
        return {"sigma": self.fit.sigma} if isinstance(self.fit, Fit) else self.fit.parameters

    @property
    def own_of_rows(self) -> dict[str, Any]:
        """The same for the rows of the fit: precision weights divide sigma."""
        return own_of_rows(self.design, self.own)

    @overload
    def predict(
        self, newdata: object = None, *, random: str = "conditional", new_levels: NewLevels = "error"
    ) -> "pd.Series[float]": ...
    @overload
    def predict(
        self,
        newdata: object = None,
        *,
        random: str = "conditional",
        new_levels: NewLevels = "error",
        se_fit: bool = False,
        interval: Interval | None = None,
        level: float = 0.95,
        scale: Scale = "response",
    ) -> "pd.Series[float] | pd.DataFrame": ...
    def predict(
        self,
        newdata: object = None,
        *,
        random: str = "conditional",
        new_levels: NewLevels = "error",
        se_fit: bool = False,
        interval: Interval | None = None,
        level: float = 0.95,
        scale: Scale = "response",
    ) -> Any:
        """
        Predict the response's mean; NaN where a variable is missing.

        newdata : any data frame with the columns of the formula; None for the rows of the fit
        random : "conditional" adds the random effects of each row's levels, "population" leaves them at zero, a
            formula of random terms such as "~ (1 | Subject)" adds these alone
        new_levels : what to do with a level that the fit has not seen: "error", or "population" (no effect)
        se_fit : give standard errors, too: a data frame with the columns prediction and std_error. They count beta
            and the random effects as estimated, variances and the family's parameters as known; a new level has all of
            its variance
        interval : give bounds conf_low and conf_high of the mean ("confidence") or of a new response ("prediction");
            the latter of a new level where random effects are left at zero. A new response is normal, or has the
            family's distribution: the bounds are its quantiles over all that is not known of the linear predictor, of
            a binomial family shares of the row's trials
        level : probability that an interval covers; of whole numbers, at least
        scale : "response", or "link" for the linear predictor

        Raises
        ------
        FitError
            There is no such prediction, or a new row's number of trials is not known.
        """
        one: Any = self
        return predictions(one, newdata, Request(random, new_levels, se_fit, interval, level, scale))

    def explained_variance(self: Fitted) -> float:
        """
        Share of the variance components that belongs to the random effects: sum(sd^2) / (sum(sd^2) + sigma^2).

        `icc` weighs slopes with the values of their variables; this doesn't. In other families the variance around the
        linear predictor, as `r2` takes it, stands in the place of sigma^2.
        """
        explained = sum(float(np.sum(term.sds**2)) for term in self.varcorr)
        return explained / (explained + left_variance(self))

    def icc(self: Fitted, group: str | None = None, *, method: Approximation | None = None) -> float:
        """
        Intraclass correlation: share of the variance, given the fixed effects, that lies between levels.

        mean_i(z_i' Cov(b) z_i) / (the same + sigma^2), "adjusted" in Nakagawa, Johnson & Schielzeth (2017).

        group : the grouping factor whose share is asked for; None for all of them together
        method : what stands in the place of sigma^2 in other families, as in `r2`
        """
        if group is not None:
            check_group(group, [term.group for term in self.design.random_terms])
        shares = between_levels(self.design, self.fit)
        total = sum(shares.values()) + left_variance(self, method)
        return (sum(shares.values()) if group is None else shares[group]) / total

    def __getstate__(self) -> dict[str, object]:
        """Copy all but the sparse factor, which can't be copied and is made again where it is needed."""
        return {name: value for name, value in vars(self).items() if name != "joint_covariance"}

    @cached_property
    def joint_covariance(self) -> JointCovariance:
        """How well linear predictors are known: the covariance of fixed effects and random effects."""
        return JointCovariance.of(self.design, self.fit)

    @cached_property
    def residual_quantiles(self) -> FloatArray | None:
        """(5,) minimum, quartiles and maximum of the residuals in a summary; None where there are no rows."""
        if not self.design.has_rows:
            return kept_of(self.design).residuals
        values = self.residuals("pearson" if self.is_linear_model else "scaled")
        return np.quantile(values.dropna(), [0, 0.25, 0.5, 0.75, 1])

    @cached_property
    def vcov(self) -> "pd.DataFrame":
        """(p, p) covariance matrix of the fixed effects."""
        return self._between_coefficients(self.fit.vcov)

    @cached_property
    def std_errors(self) -> "pd.Series[float]":
        """(p,) standard errors of the fixed effects; infinite where the likelihood is flat (separation)."""
        return self._by_coefficient(np.sqrt(np.diag(self.vcov)), "std_error")

    @cached_property
    def varcorr(self) -> VarCorr:
        """Standard deviations and correlations of the random effects; a residual's where the family has one."""
        found = varcorr_of(self.design.random_terms, self.fit.relative_covariance, self.fit.sigma)
        return replace(found, sigma=self.sigma)

    @property
    def sigma(self) -> float:
        """Residual standard deviation; NaN in a family that has none."""
        return self.own.get("sigma", math.nan)

    @property
    def n_parameters(self) -> int:
        """Number of parameters of the likelihood: fixed effects, covariance matrices, and those of the family."""
        return self.design.n_fixed + self.design.n_variance_parameters + len(self.own)

    @property
    def df_residual(self) -> int:
        """As in lme4, n - n_parameters; for a linear model as in lm, n - p."""
        return self.nobs - (self.design.n_fixed if self.is_linear_model else self.n_parameters)

    @property
    def is_linear_model(self) -> bool:
        """Whether this is ordinary least squares; not so of other families, with or without random terms."""
        return False

    @property
    def reml(self) -> bool:
        """Whether REML's criterion was minimised, rather than the deviance."""
        return False

    @cached_property
    def theta(self) -> "pd.Series[float]":
        """(n_theta,) relative covariance parameters, named and ordered as in lme4."""
        return labelled(self.fit.theta, self.design.theta_names, "theta")

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
    def knows_variances(self) -> bool:
        """Whether there are `variance_parameters`."""
        return False

    @property
    def converged(self) -> bool:
        """Whether the optimum was reached, be it singular."""
        return self.fit.verdict != "failed"

    @property
    def aic(self: Fitted) -> float:
        """Akaike's criterion, -2 loglik + 2 n_parameters."""
        return -2 * self.loglik + 2 * self.n_parameters

    @property
    def bic(self: Fitted) -> float:
        """Schwarz's criterion, -2 loglik + log(n) n_parameters."""
        return -2 * self.loglik + math.log(self.nobs) * self.n_parameters

    @cached_property
    def fitted(self) -> "pd.Series[float]":
        """(n,) mean responses given the random effects, of a binomial family shares; by the rows' positions."""
        return self._by_row(self._means, "fitted")

    @property
    def conditional_deviance(self) -> float:
        """Sum of squares of the deviance residuals, given the random effects."""
        return float(np.square(self.residuals("deviance")).sum())

    def draw(self, rng: np.random.Generator) -> FloatArray:
        """(nobs,) a response drawn from the fitted model."""
        given: object = rng
        if not isinstance(given, np.random.Generator):
            raise FitError(f"rng makes random numbers, and is not {rng!r:.60}", hint="np.random.default_rng(1)")
        return self._responses(1, rng)[:, 0]

    def simulate(self, n: int = 1, seed: int | None = None) -> "pd.DataFrame":
        """
        (nobs, n) responses drawn from the fitted model, random effects drawn anew each time.

        Those of a binomial family are shares of its trials, as `design.y` is.
        """
        import pandas as pd

        check_count("n", n)
        draws = self._responses(n, generator(seed))
        return pd.DataFrame(draws, index=self.design.kept_rows, columns=[f"sim_{i + 1}" for i in range(n)])

    def glance(self: Fitted, *, frame: Library | None = None) -> Any:  # noqa: ANN401 (a data frame of the library)
        """One row: nobs, sigma, loglik, aic, bic, the criterion, df_residual, is_singular, converged."""
        return in_library(self, glance(self), frame)

    def _response(self, y: "npt.ArrayLike") -> FloatArray:
        """Read a new response: one value per row used, or per row of the data that were given."""
        try:
            response = np.asarray(y, dtype=np.float64).squeeze()
        except (TypeError, ValueError, OverflowError):
            raise FitError("the new response must be numbers, one per row") from None
        if response.shape == (self.design.n_given,):
            response = response[self.design.kept_rows]
        if response.shape != (self.nobs,):
            raise FitError(f"refit needs {self.nobs} values, one per row used, and was given {response.size}")
        if not np.all(np.isfinite(response)):
            raise FitError("refit can't use a response with missing or infinite values")
        return response
