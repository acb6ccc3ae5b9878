"""The mode of a posterior under the accessor names of a fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.covariances.matrices import square_root
from lmmformula.design.design import Design
from lmmformula.results.effects import coefficients_by_group, modes_by_group
from lmmformula.results.posteriors.posterior import PosteriorResult
from lmmformula.results.varcorr import VarCorr

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class ModeResult:
    """
    The parameters at which the posterior density of a model is largest.

    point : the posterior as if the mode were its only draw
    """

    point: PosteriorResult

    @property
    def log_density(self) -> float:
        """Logarithm of the posterior density there, up to a constant, on the scale on which it was maximised."""
        return float(self.point.raw.statistics["lp"][0, 0])

    @cached_property
    def fixef(self) -> "pd.Series[float]":
        """(p,) fixed effects."""
        return self.point.fixef.rename("mode")

    @property
    def varcorr(self) -> VarCorr:
        """Standard deviations and correlations."""
        return self.point.varcorr

    @property
    def sigma(self) -> float:
        """Residual standard deviation; NaN in a family that has none."""
        return self.point.sigma

    def ranef(self) -> "dict[str, pd.DataFrame]":
        """
        Random effects: grouping factor -> levels x coefficients.

        Where the program samples them they are part of the mode; where it integrates them out, which draws them at
        random, they are replaced by their means given the other parameters.
        """
        return modes_by_group(self.point.design.random_terms, self._effects)

    def coef(self) -> "dict[str, pd.DataFrame]":
        """Add fixed effects and random effects: grouping factor -> levels x coefficients."""
        return coefficients_by_group(self.fixef, self.ranef())

    @property
    def nobs(self) -> int:
        """Number n of rows used."""
        return self.point.nobs

    @property
    def ngroups(self) -> dict[str, int]:
        """Grouping factor -> number of its levels."""
        return self.point.ngroups

    @cached_property
    def _effects(self) -> Sequence[FloatArray]:
        """Random effects per term, each (J, k)."""
        program, draws = self.point.program.program, self.point.draws
        if not any(factor.integrated for factor in program.factors):
            return [values[0, 0] for values in draws.modes]
        covariances = [term.covariance for term in self.varcorr]
        return conditional_means(self.point.design, draws.beta[0, 0], covariances, self.sigma)


def conditional_means(
    design: Design, beta: FloatArray, covariances: Sequence[FloatArray], sigma: float
) -> tuple[FloatArray, ...]:
    """
    Means of the random effects of a gaussian model given all else: b = Λ (Λ'Z'WZΛ + I)⁻¹ Λ'Z'W (y - o - Xβ).

    covariances : per random term the (k, k) covariance matrix of its coefficients; Λ holds their roots over sigma
    Returns per random term (J, k). Bates et al. (2015), equation 18, with beta given.
    """
    from scipy.sparse import block_diag, csc_array, eye_array, kron
    from scipy.sparse.linalg import spsolve

    design.need_rows("the mode of random effects")
    terms = design.random_terms
    roots = [kron(eye_array(t.n_levels), square_root(c) / sigma) for t, c in zip(terms, covariances, strict=True)]
    Lambda = csc_array(block_diag(roots))
    weights = np.ones(design.nobs) if design.weights is None else design.weights
    residual = design.y - design.X @ beta - (0.0 if design.offset is None else design.offset)
    LtZt = csc_array(Lambda.T @ design.Zt)
    system = csc_array((LtZt * weights) @ LtZt.T + eye_array(LtZt.shape[0]))
    b = Lambda @ np.atleast_1d(spsolve(system, LtZt @ (weights * residual)))
    ends = np.cumsum([t.n_levels * t.n_coefficients for t in terms])[:-1]
    parts = zip(np.split(b, ends), terms, strict=True)
    return tuple(part.reshape(t.n_levels, t.n_coefficients) for part, t in parts)
