"""What predictions, frames and files read: what a fit and a posterior both are, and what each of them is alone."""

from typing import TYPE_CHECKING, Any, Protocol

from lmmformula.data.table import Table
from lmmformula.design.build import NaAction
from lmmformula.design.matrices import DesignMatrices
from lmmformula.design.schema import Schema
from lmmformula.fit.glmm import GlmmFit
from lmmformula.fit.lmm import Fit
from lmmformula.ir.family import Family
from lmmformula.ir.model import ModelIR
from lmmformula.results.draws import ParameterDraws
from lmmformula.results.uncertainty import JointCovariance
from lmmformula.stan.draws import Draws
from lmmformula.stan.generate import StanProgram

if TYPE_CHECKING:
    import pandas as pd


class Specified(Protocol):
    """A model on its data."""

    @property
    def ir(self) -> ModelIR:
        """The model."""

    @property
    def schema(self) -> Schema:
        """Its variables."""

    @property
    def design(self) -> DesignMatrices:
        """Its matrices."""

    @property
    def table(self) -> Table:
        """The data that were given, rows with missing values included."""

    @property
    def data_name(self) -> str:
        """What the data are called; may be empty."""

    @property
    def na_action(self) -> NaAction:
        """Whether rows that were left out are given as NaN: "exclude"."""


class Estimates(Specified, Protocol):
    """A fit or a posterior: a model on its data, and what is known of its parameters."""

    @property
    def nobs(self) -> int:
        """Number n of rows used."""

    @property
    def sigma(self) -> float:
        """Residual standard deviation; NaN in a family that has none."""


class Fitted(Estimates, Protocol):
    """A fit of any family."""

    @property
    def fit(self) -> Fit | GlmmFit:
        """The estimates."""

    @property
    def fitted(self) -> "pd.Series[float]":
        """Mean responses, by the positions of the rows."""

    @property
    def is_linear_model(self) -> bool:
        """Whether this is ordinary least squares."""

    @property
    def reml(self) -> bool:
        """Whether REML's criterion was minimised."""

    @property
    def deviance(self) -> float:
        """-2 log likelihood."""

    @property
    def reml_criterion(self) -> float:
        """The criterion of REML."""

    @property
    def loglik(self) -> float:
        """Log likelihood."""

    @property
    def aic(self) -> float:
        """Akaike's criterion."""

    @property
    def bic(self) -> float:
        """Schwarz's criterion."""

    @property
    def n_parameters(self) -> int:
        """Number of parameters of the likelihood."""

    @property
    def is_singular(self) -> bool:
        """Whether a covariance matrix is singular."""

    @property
    def converged(self) -> bool:
        """Whether the optimum was reached."""

    @property
    def df_residual(self) -> int:
        """Degrees of freedom that are left."""

    @property
    def joint_covariance(self) -> JointCovariance:
        """How well linear predictors are known."""

    def predict(self, newdata: object = None, *, random: str = "conditional") -> Any:  # noqa: ANN401 (a series)
        """Predict the response's mean."""

    def residuals(self, kind: Any = "response") -> "pd.Series[float]":  # noqa: ANN401 (a kind)
        """(n,) residuals."""


class Generalized(Fitted, Protocol):
    """A fit by Laplace's method."""

    @property
    def fit(self) -> GlmmFit:
        """The estimates."""

    @property
    def family(self) -> Family:
        """The response's distribution."""

    @property
    def own_of_rows(self) -> dict[str, Any]:
        """Parameters of the family for the rows of the fit."""


class Sampled(Estimates, Protocol):
    """A posterior."""

    @property
    def program(self) -> StanProgram:
        """The Stan program that was run."""

    @property
    def raw(self) -> Draws:
        """What the engine gave, under the names of the Stan program."""

    @property
    def draws(self) -> ParameterDraws:
        """Draws under the model's own names, as arrays."""
