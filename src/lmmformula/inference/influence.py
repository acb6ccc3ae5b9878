"""
Influence of rows and of whole groups on the fixed effects, without refits.

The variance parameters are held at their estimates. With A = Lambda'Z', V^-1 = I - A'M^-1 A, U = V^-1 X,
F = (X'V^-1X)^-1 and the conditional residuals r = V^-1(y - X beta), rows I being left out change beta by

    beta - beta_(I) = F U_I' K^-1 r_I,    K = (V^-1 - U F U')_II,

everything multiplied by the square roots of the weights. Demidenko & Stukel (2005), Stat. Med. 24, 893-909.

Of other families the same is said of the weighted linear model whose solution is the last Newton step towards the
estimates: with scores s and curvatures w of the rows' log densities its response is eta + s / w, its weights are w. So
the change is the first step towards the estimates without the rows. Pregibon (1981), Ann. Statist. 9, 705-724.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.design.design import Design
from lmmformula.errors import FitError
from lmmformula.families.family import LEAST_WEIGHT
from lmmformula.fit.algebra.blocks import solve
from lmmformula.fit.likelihood.response import scores
from lmmformula.fit.lmm import evaluate_at
from lmmformula.newcomers import answers_newcomers
from lmmformula.results.arguments import check_group
from lmmformula.results.glmm import GeneralizedMixedResult, MixedResult
from lmmformula.results.lmm import LinearMixedResult
from lmmformula.results.predict.prediction import population_means
from lmmformula.results.predict.rows import random_part
from lmmformula.results.predict.uncertainty import JointCovariance
from lmmformula.results.tables.sheets import Framed, Report, frame_text, sheet_of
from lmmformula.screen import rounded

if TYPE_CHECKING:
    import pandas as pd

LARGE_GROUP = 1000
"""Rows of a group beyond which its K is not formed: beta without it comes from the other rows' cross-products."""

LEAST = 1e-9
"""Eigenvalue of K below which the rows determine a fixed effect alone, so that nothing is left without them."""


@answers_newcomers()
@dataclass(frozen=True, eq=False, repr=False)
class Influence(Framed):
    """
    What the fixed effects would be without a row or a group.

    group : grouping factor whose levels were left out, empty for single rows
    labels : levels, or positions of the rows in the data that were given
    names : of the fixed effects
    dfbeta : (m, p) beta - beta without it; NaN where a fixed effect can't be estimated without it
    cooks_distance : (m,) dfbeta' Cov(beta)^-1 dfbeta / p
    """

    group: str
    labels: tuple[object, ...]
    names: tuple[str, ...]
    dfbeta: FloatArray
    cooks_distance: FloatArray

    @property
    def frame(self) -> "pd.DataFrame":
        """One row per level: cooks_distance, and one column of changes per fixed effect."""
        import pandas as pd

        index = pd.Index(self.labels, name=self.group or "row")
        frame = pd.DataFrame(self.dfbeta, index=index, columns=list(self.names))
        frame.insert(0, "cooks_distance", self.cooks_distance)
        return frame

    @property
    def _heading(self) -> str:
        what = f"levels of {self.group}" if self.group else "rows"
        return f"Influence of {what} on the fixed effects, the largest first"

    @property
    def _largest_first(self) -> "pd.DataFrame":
        return self.frame.sort_values("cooks_distance", ascending=False)

    def __str__(self) -> str:
        shown = self._largest_first
        lines = frame_text(shown.head(10), rounded)
        more = f"\n... and {len(shown) - 10} more" if len(shown) > 10 else ""
        return f"{self._heading}\n{lines}{more}"

    __repr__ = __str__

    def _report(self) -> Report:
        return Report(self._heading, (sheet_of(self._largest_first, rounded),))


def leverage(result: MixedResult) -> FloatArray:
    """
    Return (n,) diagonal elements of the matrix that maps responses to fitted values; their sum counts parameters.

    Random effects are shrunk, so that it is less than p + q. Hodges & Sargent (2001), Biometrika 88, 367-379. Of other
    families it is that of the working responses at the modes; NaN where the likelihood is flat (separation).

    >>> import lmmformula as lf
    >>> fit = lf.Model("Reaction ~ Days + (Days | Subject)", lf.datasets.load("sleepstudy")).fit()
    >>> round(float(leverage(fit).sum()), 3)
    29.022
    """
    design, joint = result.design, result.joint_covariance
    columns = [(term.covariates, term.codes) for term in design.random_terms]
    if isinstance(result, GeneralizedMixedResult):
        fit: Any = replace(result.fit, vcov=result.fit.vcov_conditional)
        variances = replace(joint, fit=fit).variances(design.X, columns)
        return np.where(result.fit.unestimable(design.X), np.nan, result.fit.weights * variances)
    weights = 1.0 if design.weights is None else design.weights
    return np.asarray(weights * joint.variances(design.X, columns) / result.sigma**2)


def cooks_distance(result: MixedResult) -> FloatArray:
    """
    Return (n,) Cook's distances of rows as for a linear model: (r / (1 - h))^2 h / (p sigma^2), r Pearson residuals.

    The residuals are conditional on the random effects, as in lme4's `cooks.distance`. Of other families r / sigma is
    the row's score over the root of its curvature: Pearson's residual, where the link is the canonical one; NaN where
    the curvature is negative.
    """
    h, working = leverage(result), _Working.of(result)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: FloatArray = (working.r / (1 - h)) ** 2 * h / (result.design.n_fixed * working.sigma**2)
    return np.where(h < 0, np.nan, found)


def influence(result: MixedResult, group: str | None = None) -> Influence:
    """
    Leave out each level of a grouping factor, or each row, and say how the fixed effects change.

    group : a grouping factor of the model; None for single rows

    >>> import lmmformula as lf
    >>> formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    >>> fit = lf.glmer(formula, lf.datasets.load("cbpp"), family="binomial")
    >>> influence(fit, "herd").frame["cooks_distance"].idxmax()
    '11'
    """
    design = result.design
    if not design.n_fixed:
        raise FitError("the model has no fixed effects to be influenced")
    parts = _Parts.of(_Working.of(result))
    labels: tuple[object, ...]
    if group is None:
        labels, members = tuple(design.kept_rows.tolist()), [np.array([i]) for i in range(design.nobs)]
    else:
        check_group(group, list(result.ngroups))
        term = next(t for t in design.random_terms if t.group == group)
        order = np.argsort(term.codes, kind="stable")
        members = np.split(order, np.cumsum(np.bincount(term.codes, minlength=term.n_levels))[:-1])
        labels = term.levels
    dfbeta = np.array([parts.change(rows) for rows in members])
    with np.errstate(invalid="ignore"):
        distance = np.einsum("mp,pq,mq->m", dfbeta, solve(result.fit.vcov, np.eye(design.n_fixed)), dfbeta)
    if isinstance(result, GeneralizedMixedResult):
        dfbeta[:, result.fit.flat.any(axis=1)] = np.nan  # what has no finite estimate has no change
    return Influence(group or "", labels, design.fixed_names, dfbeta, distance / design.n_fixed)


@dataclass(frozen=True, eq=False)
class _Working:
    """
    The weighted linear mixed model that a fit solves.

    design : of another family with working responses and weights
    means : (n,) its fitted values
    sigma, reml : of the fit; 1 and no for other families
    """

    result: MixedResult
    design: Design
    means: FloatArray
    sigma: float
    reml: bool

    @classmethod
    def of(cls, result: MixedResult) -> "_Working":
        """Return it; a row's curvature counts as next to nothing where it is not positive."""
        design, fit = result.design, result.fit
        eta = population_means(design, fit.beta) + random_part(design.random_terms, fit.modes)
        if isinstance(result, LinearMixedResult):
            return cls(result, design, eta, result.sigma, result.fit.reml)
        weights = np.maximum(result.fit.weights, LEAST_WEIGHT)
        left = scores(design, result.family, eta, result.fit.parameters) / weights
        return cls(result, design.with_rows(y=eta + left, weights=weights), eta, 1.0, reml=False)

    @cached_property
    def r(self) -> FloatArray:
        """(n,) residuals times the roots of the weights."""
        return np.asarray(self.roots * (self.design.y - self.means), dtype=np.float64)

    @cached_property
    def roots(self) -> FloatArray:
        """(n,) square roots of the weights."""
        return np.ones(self.design.nobs) if self.design.weights is None else np.sqrt(self.design.weights)

    @cached_property
    def joint(self) -> JointCovariance:
        """What solves with M."""
        if isinstance(self.result, LinearMixedResult):
            return self.result.joint_covariance
        fit: Any = self.result.fit
        return JointCovariance.of(self.design, fit)


@dataclass(frozen=True, eq=False)
class _Parts:
    """
    What all deletions share.

    A : (q, n) sparse Lambda'Z', None without random terms
    U, r : (n, p) V^-1 X and (n,) V^-1 (y - X beta)
    F : (p, p) (X'V^-1X)^-1
    """

    working: _Working
    A: Any
    U: FloatArray
    r: FloatArray
    F: FloatArray

    @classmethod
    def of(cls, working: _Working) -> "_Parts":
        """Work them out; the conditional residuals are V^-1 (y - X beta)."""
        design, result = working.design, working.result
        U = X = design.X * working.roots[:, None]
        A = None
        if design.random_terms:
            joint = working.joint
            A = (joint.Lambdat @ (design.Zt * working.roots)).tocsc()
            U = X - A.T @ joint.solve(A @ X)
        if isinstance(result, LinearMixedResult):
            F = result.fit.vcov / result.sigma**2
        else:
            F = np.asarray(np.linalg.pinv(X.T @ U, hermitian=True), dtype=np.float64)
        return cls(working, A, U, working.r, F)

    def change(self, rows: IntArray) -> FloatArray:
        """Return (p,) beta less beta without some rows."""
        if len(rows) > LARGE_GROUP:
            return self._by_the_others(rows)
        U = self.U[rows]
        K = np.eye(len(rows)) - U @ self.F @ U.T
        if self.A is not None:
            A = self.A[:, rows].toarray()
            K -= A.T @ self.working.joint.solve(A)
        values, vectors = np.linalg.eigh(K)
        if values[0] < LEAST * max(values[-1], LEAST):
            return np.full(len(self.F), np.nan)
        solved = vectors @ ((vectors.T @ self.r[rows]) / values)
        return np.asarray(self.F @ (U.T @ solved))

    def _by_the_others(self, rows: IntArray) -> FloatArray:
        working = self.working
        keep = np.ones(working.design.nobs, dtype=bool)
        keep[rows] = False
        try:
            left = evaluate_at(working.design.take(keep), working.result.fit.theta, reml=working.reml)
        except FitError:
            return np.full(len(self.F), np.nan)
        unbalanced = working.design.X.T @ (working.roots * working.r)  # zero but for Laplace's determinant
        return working.result.fit.beta - left.beta + left.vcov @ unbalanced / left.sigma**2
