"""How much a model explains, and which of several models the information criteria prefer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import FitError
from lmmformula.inference.tests.likelihood_ratio import refuse_unlike_approximations
from lmmformula.results.glmm import GeneralizedMixedResult
from lmmformula.results.lmm import LinearMixedResult
from lmmformula.results.tables.sheets import Framed, Report, sheet_of

if TYPE_CHECKING:
    import pandas as pd


AnyFit = LinearMixedResult | GeneralizedMixedResult

MAKE_ONE = "make one by model.fit()"


@dataclass(frozen=True, slots=True, repr=False)
class RSquared:
    """
    Shares of the variance of the response that a model explains.

    marginal : by the fixed effects
    conditional : by fixed and random effects
    fixed, random, residual : the variances they are made of
    """

    fixed: float
    random: float
    residual: float

    @property
    def marginal(self) -> float:
        """Share of the fixed effects."""
        return self.fixed / self._total

    @property
    def conditional(self) -> float:
        """Share of fixed and random effects."""
        return (self.fixed + self.random) / self._total

    @property
    def _total(self) -> float:
        return self.fixed + self.random + self.residual

    def __str__(self) -> str:
        return (
            f"R2 marginal {self.marginal:.4f} (fixed effects), conditional {self.conditional:.4f} (and random effects)"
        )

    __repr__ = __str__


def r_squared(result: LinearMixedResult) -> RSquared:
    """
    Return R^2 of a mixed model: variances of X beta, of Z b (mean of z'Cov(b)z over the rows) and of the residual.

    Nakagawa & Schielzeth (2013), Methods Ecol. Evol. 4, 133-142; with random slopes Johnson (2014), ibid. 5, 944-946.

    >>> import lmmformula as lf
    >>> fit = lf.Model("Reaction ~ Days + (Days | Subject)", lf.datasets.load("sleepstudy")).fit()
    >>> print(r_squared(fit))
    R2 marginal 0.2787 (fixed effects), conditional 0.7992 (and random effects)
    """
    fixed = result.design.fixed_variance(result.fit.beta)
    random = 0.0
    for t, S in enumerate(result.fit.relative_covariance):
        random += result.sigma**2 * float(np.sum(result.design.mean_square(t) * S))
    return RSquared(fixed, random, result.sigma**2)


@dataclass(frozen=True, eq=False, repr=False)
class Criteria(Framed):
    """
    Information criteria of several fits, in the order they were given.

    labels, formulas : their names and formulas
    n_parameters, loglik, aic, bic : (m,) numbers of each
    """

    labels: tuple[str, ...]
    formulas: tuple[str, ...]
    n_parameters: tuple[int, ...]
    loglik: FloatArray
    aic: FloatArray
    bic: FloatArray

    @property
    def frame(self) -> "pd.DataFrame":
        """One row per fit: n_parameters, loglik, aic, bic, difference from the least aic, and Akaike weight."""
        import pandas as pd

        delta = self.aic - self.aic.min()
        weight = np.exp(-delta / 2)
        columns = {
            "n_parameters": self.n_parameters,
            "loglik": self.loglik,
            "aic": self.aic,
            "bic": self.bic,
            "delta_aic": delta,
            "weight": weight / weight.sum(),
        }
        return pd.DataFrame(columns, index=pd.Index(self.labels, name="model"))

    @property
    def _formulas(self) -> tuple[str, ...]:
        return tuple(f"{label}: {formula}" for label, formula in zip(self.labels, self.formulas, strict=True))

    def __str__(self) -> str:
        return "\n".join([*self._formulas, self.frame.rename_axis(None).to_string(float_format="{:.3f}".format)])

    __repr__ = __str__

    def _report(self) -> Report:
        return Report("", (sheet_of(self.frame, "{:.3f}".format),), self._formulas)


def criteria(fits: Sequence[AnyFit] | Mapping[str, AnyFit]) -> Criteria:
    """
    Put information criteria of several fits to the same response side by side.

    fits : a list, or names and fits

    Raises
    ------
    FitError
        The fits are of different rows, or by REML with different fixed effects: these likelihoods don't compare.
    """
    named = dict(fits) if isinstance(fits, Mapping) else {f"model {i}": fit for i, fit in enumerate(fits, start=1)}
    if not named:
        raise FitError("there is no fit to tabulate")
    for fit in named.values():
        if not isinstance(fit, LinearMixedResult | GeneralizedMixedResult):
            raise FitError(f"only fits can be compared, and one is a {type(fit).__name__}", hint=MAKE_ONE)
    _require_comparable(named)
    found = list(named.values())
    return Criteria(
        tuple(named),
        tuple(fit.ir.formula for fit in found),
        tuple(fit.n_parameters for fit in found),
        np.array([fit.loglik for fit in found]),
        np.array([fit.aic for fit in found]),
        np.array([fit.bic for fit in found]),
    )


def _require_comparable(named: Mapping[str, AnyFit]) -> None:
    (label, first), *others = named.items()
    for name, other in others:
        if not np.array_equal(first.design.sample.y, other.design.sample.y):
            raise FitError(
                "the fits are of different responses or of different rows, so their likelihoods don't compare",
                hint="rows with missing values may differ: leave them out before fitting",
            )
        if isinstance(first, GeneralizedMixedResult) and isinstance(other, GeneralizedMixedResult):
            refuse_unlike_approximations(first, other, f"{label} and {name}")
        if first.reml != other.reml:
            raise FitError("some of the fits are by REML and some by ML", hint="use fit(reml=False) for all of them")
        if first.reml and not _same_columns(first, other):
            raise FitError(
                "REML likelihoods of models with different fixed effects don't compare",
                hint="use fit(reml=False) for all of them",
            )


def _same_columns(a: AnyFit, b: AnyFit) -> bool:
    X, other = a.design.sample.X, b.design.sample.X
    return X.shape == other.shape and bool(np.array_equal(X, other))
