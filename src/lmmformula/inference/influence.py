"""
Influence of rows and of whole groups on the fixed effects, without refits.

The variance parameters are held at their estimates. With A = Lambda'Z', V^-1 = I - A'M^-1 A, U = V^-1 X,
F = (X'V^-1X)^-1 and the conditional residuals r = V^-1(y - X beta), rows I being left out change beta by

    beta - beta_(I) = F U_I' K^-1 r_I,    K = (V^-1 - U F U')_II,

everything multiplied by the square roots of the weights. Demidenko & Stukel (2005), Stat. Med. 24, 893-909.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.errors import FitError
from lmmformula.fit.algebra.blocks import solve
from lmmformula.fit.lmm import evaluate_at
from lmmformula.newcomers import answers_newcomers
from lmmformula.results.arguments import check_group
from lmmformula.results.lmm import LinearMixedResult
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


def leverage(result: LinearMixedResult) -> FloatArray:
    """
    Return (n,) diagonal elements of the matrix that maps responses to fitted values; their sum counts parameters.

    Random effects are shrunk, so that it is less than p + q. Hodges & Sargent (2001), Biometrika 88, 367-379.

    >>> import lmmformula as lf
    >>> fit = lf.Model("Reaction ~ Days + (Days | Subject)", lf.datasets.load("sleepstudy")).fit()
    >>> round(float(leverage(fit).sum()), 3)
    29.022
    """
    design = result.design
    columns = [(term.covariates, term.codes) for term in design.random_terms]
    variances = result.joint_covariance.variances(design.X, columns)
    weights = 1.0 if design.weights is None else design.weights
    return np.asarray(weights * variances / result.sigma**2)


def cooks_distance(result: LinearMixedResult) -> FloatArray:
    """
    Return (n,) Cook's distances of rows as for a linear model: (r / (1 - h))^2 h / (p sigma^2), r Pearson residuals.

    The residuals are conditional on the random effects, as in lme4's `cooks.distance`.
    """
    h = leverage(result)
    roots = 1.0 if result.design.weights is None else np.sqrt(result.design.weights)
    r = roots * (result.design.y - _means(result))
    with np.errstate(divide="ignore", invalid="ignore"):
        found: FloatArray = (r / (1 - h)) ** 2 * h / (result.design.n_fixed * result.sigma**2)
    return found


def influence(result: LinearMixedResult, group: str | None = None) -> Influence:
    """
    Leave out each level of a grouping factor, or each row, and say how the fixed effects change.

    group : a grouping factor of the model; None for single rows
    """
    design = result.design
    if not design.n_fixed:
        raise FitError("the model has no fixed effects to be influenced")
    parts = _Parts.of(result)
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
    return Influence(group or "", labels, design.fixed_names, dfbeta, distance / design.n_fixed)


def _means(result: LinearMixedResult) -> FloatArray:
    """Return (n,) fitted values of the rows used."""
    return np.asarray(result.fitted, dtype=np.float64)[~np.isnan(result.fitted)]


@dataclass(frozen=True, eq=False)
class _Parts:
    """
    What all deletions share.

    A : (q, n) sparse Lambda'Z', None without random terms
    joint : which solves with M = AA' + I
    U, r : (n, p) V^-1 X and (n,) V^-1 (y - X beta)
    """

    result: LinearMixedResult
    A: Any
    joint: JointCovariance | None
    U: FloatArray
    r: FloatArray

    @classmethod
    def of(cls, result: LinearMixedResult) -> "_Parts":
        design = result.design
        roots = np.ones(design.nobs) if design.weights is None else np.sqrt(design.weights)
        X = design.X * roots[:, None]
        r = roots * (design.y - _means(result))
        if not design.random_terms:
            return cls(result, None, None, X, r)
        joint = result.joint_covariance
        A = (joint.Lambdat @ (design.Zt * roots)).tocsc()
        return cls(result, A, joint, X - A.T @ joint.solve(A @ X), r)

    @cached_property
    def F(self) -> FloatArray:
        """(p, p) (X'V^-1X)^-1."""
        return self.result.fit.vcov / self.result.sigma**2

    def change(self, rows: IntArray) -> FloatArray:
        """Return (p,) beta less beta without some rows."""
        if len(rows) > LARGE_GROUP:
            return self._by_the_others(rows)
        U = self.U[rows]
        K = np.eye(len(rows)) - U @ self.F @ U.T
        if self.joint is not None:
            A = self.A[:, rows].toarray()
            K -= A.T @ self.joint.solve(A)
        values, vectors = np.linalg.eigh(K)
        if values[0] < LEAST * max(values[-1], LEAST):
            return np.full(len(self.F), np.nan)
        solved = vectors @ ((vectors.T @ self.r[rows]) / values)
        return np.asarray(self.F @ (U.T @ solved))

    def _by_the_others(self, rows: IntArray) -> FloatArray:
        keep = np.ones(self.result.nobs, dtype=bool)
        keep[rows] = False
        try:
            left = evaluate_at(self.result.design.take(keep), self.result.fit.theta, reml=self.result.fit.reml)
        except FitError:
            return np.full(len(self.F), np.nan)
        return self.result.fit.beta - left.beta
