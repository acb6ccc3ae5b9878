"""What predictions, frames and files read: what a fit and a posterior both are, and what each of them is alone."""
# ruff: noqa: D102 (the classes that have these say what they are)

from typing import TYPE_CHECKING, Any, Protocol

from lmmformula.data.table import Table
from lmmformula.design.build import NaAction
from lmmformula.design.design import Design
from lmmformula.design.schema import Schema
from lmmformula.fit.glmm import GlmmFit
from lmmformula.fit.lmm import Fit
from lmmformula.ir.model import ModelIR
from lmmformula.results.posteriors.draws import ParameterDraws
from lmmformula.results.predict.uncertainty import JointCovariance
from lmmformula.results.varcorr import VarCorr
from lmmformula.stan.draws import Draws
from lmmformula.stan.generate import StanProgram

if TYPE_CHECKING:
    import pandas as pd


class Specified(Protocol):
    """A model on its data."""

    @property
    def ir(self) -> ModelIR: ...
    @property
    def schema(self) -> Schema: ...
    @property
    def design(self) -> Design: ...
    @property
    def table(self) -> Table: ...
    @property
    def data_name(self) -> str: ...
    @property
    def na_action(self) -> NaAction: ...


class Estimates(Specified, Protocol):
    """A fit or a posterior: a model on its data, and what is known of its parameters."""

    @property
    def nobs(self) -> int: ...
    @property
    def sigma(self) -> float: ...


class Fitted(Estimates, Protocol):
    """A fit of any family."""

    @property
    def fit(self) -> Fit | GlmmFit: ...
    @property
    def fitted(self) -> "pd.Series[float]": ...
    @property
    def is_linear_model(self) -> bool: ...
    @property
    def reml(self) -> bool: ...
    @property
    def deviance(self) -> float: ...
    @property
    def loglik(self) -> float: ...
    @property
    def aic(self) -> float: ...
    @property
    def bic(self) -> float: ...
    @property
    def n_parameters(self) -> int: ...
    @property
    def is_singular(self) -> bool: ...
    @property
    def converged(self) -> bool: ...
    @property
    def df_residual(self) -> int: ...
    @property
    def joint_covariance(self) -> JointCovariance: ...
    @property
    def varcorr(self) -> VarCorr: ...
    @property
    def own(self) -> dict[str, float]: ...
    @property
    def own_of_rows(self) -> dict[str, Any]: ...
    def predict(self, newdata: object = None, *, random: str = "conditional") -> Any: ...  # noqa: ANN401 (a series)
    def residuals(self, kind: Any = "response") -> "pd.Series[float]": ...  # noqa: ANN401 (a kind)


class Sampled(Estimates, Protocol):
    """A posterior."""

    @property
    def program(self) -> StanProgram: ...
    @property
    def raw(self) -> Draws: ...
    @property
    def draws(self) -> ParameterDraws: ...
