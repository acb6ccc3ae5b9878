"""How much a model explains, and which of several models the information criteria prefer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import FitError
from lmmformula.inference.tests.likelihood_ratio import refuse_unlike_approximations
from lmmformula.ir.family import GAUSSIAN
from lmmformula.newcomers import answers_newcomers
from lmmformula.results.components import Approximation, between_levels, left_variance, methods_of
from lmmformula.results.glmm import GeneralizedMixedResult, MixedResult
from lmmformula.results.lmm import LinearMixedResult
from lmmformula.results.tables.sheets import Framed, Report, frame_text, sheet_of
from lmmformula.screen import paged

if TYPE_CHECKING:
    import pandas as pd


MAKE_ONE = "make one by model.fit()"


@dataclass(frozen=True, slots=True, repr=False)
class RSquared:
    """
    Shares of the variance of the response that a model explains.

    marginal : by the fixed effects
    conditional : by fixed and random effects
    fixed, random, residual : the variances they are made of
    method : by which the residual's was found on the scale of the linear predictor; empty for a gaussian model
    """

    fixed: float
    random: float
    residual: float
    method: str = ""

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
        parts = f"marginal {self.marginal:.4f} (fixed effects), conditional {self.conditional:.4f} (and random effects)"
        return paged(f"R2 {parts}, {self.method} variance" if self.method else f"R2 {parts}")

    __repr__ = __str__


def r_squared(result: MixedResult, method: Approximation | None = None) -> RSquared:
    """
    Return R^2 of a mixed model: variances of X beta, of Z b (mean of z'Cov(b)z over the rows) and of what is left.

    Nakagawa & Schielzeth (2013), Methods Ecol. Evol. 4, 133-142; with random slopes Johnson (2014), ibid. 5, 944-946;
    in other families, on the scale of the linear predictor, Nakagawa, Johnson & Schielzeth (2017).

    method : of what is left, see `lmmformula.results.components`; None for the family's default

    >>> import lmmformula as lf
    >>> fit = lf.Model("Reaction ~ Days + (Days | Subject)", lf.datasets.load("sleepstudy")).fit()
    >>> print(r_squared(fit))
    R2 marginal 0.2787 (fixed effects), conditional 0.7992 (and random effects)
    """
    family = result.ir.family
    left = left_variance(result, method)
    fixed = result.design.fixed_variance(result.fit.beta)
    random = sum(between_levels(result.design, result.fit).values())
    return RSquared(fixed, random, left, "" if family == GAUSSIAN else method or methods_of(family)[0])


@answers_newcomers()
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
        return "\n".join([*self._formulas, frame_text(self.frame, "{:.3f}".format)])

    __repr__ = __str__

    def _report(self) -> Report:
        return Report("", (sheet_of(self.frame, "{:.3f}".format),), self._formulas)


def criteria(fits: Sequence[MixedResult] | Mapping[str, MixedResult]) -> Criteria:
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


def _require_comparable(named: Mapping[str, MixedResult]) -> None:
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


def _same_columns(a: MixedResult, b: MixedResult) -> bool:
    X, other = a.design.sample.X, b.design.sample.X
    return X.shape == other.shape and bool(np.array_equal(X, other))
