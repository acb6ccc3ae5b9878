"""What the fit of a model maximises: the density of its response, with linear predictors and random effects."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.families.calculus.jets import Jet, Key, up_to, variable, wanted
from lmmformula.families.calculus.links import LINKS
from lmmformula.families.family import Family, Observed
from lmmformula.fit.algebra.effects import Effects, Roots, nothing
from lmmformula.fit.algebra.factorised import Elimination, Factorised
from lmmformula.fit.algebra.rows import Curvatures, RowSums
from lmmformula.fit.search.covariances import Parameters
from lmmformula.fit.search.work import Budget, Costs

CurvatureKind = Literal["observed", "expected"]
"""Of which the criterion's log|M| is made: Laplace's approximation itself, or lme4's."""


@dataclass(frozen=True, slots=True)
class Predictor:
    """
    The fixed part of a linear predictor.

    X : (n, p) columns in inner coordinates; (1, p) where all rows have the same
    offset : (n,) known part, or a number
    """

    X: FloatArray
    offset: FloatArray | float = 0.0

    def at(self, beta: FloatArray) -> FloatArray:
        """Return X beta + offset."""
        return np.asarray(self.X @ beta + self.offset, dtype=np.float64)

    def transposed(self, v: FloatArray, n: int) -> FloatArray:
        """Return X'v; v (n,) or a value that all of the n rows have."""
        if len(self.X) == n:
            return np.asarray(self.X.T @ np.broadcast_to(v, n), dtype=np.float64)
        return np.asarray(self.X[0] * (float(v.sum()) if len(v) == n else n * float(v[0])), dtype=np.float64)


@dataclass(frozen=True)
class Target:
    """
    What is maximised.

    family, observed : the density of the response
    predictors : linear predictors, that of the mean first, then those of the family's parameters
    rows : the random effects
    elimination, strategy : how their M is factorised, and in words
    parameters : of their covariances, factor by factor
    counted : which curvature the criterion counts
    budget, costs : the work that is left, from which each step is paid, and what the steps cost
    """

    family: Family
    observed: Observed
    predictors: tuple[Predictor, ...]
    rows: RowSums
    elimination: Elimination
    strategy: str
    parameters: Parameters
    counted: CurvatureKind = "observed"
    budget: Budget = field(default_factory=Budget)
    costs: Costs = field(default_factory=Costs)

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.observed.y)

    @property
    def blocked(self) -> tuple[int, ...]:
        """The predictors that have random effects; that of the mean if none has."""
        found = {j for factor in self.rows.factors for j in factor.predictors}
        return tuple(sorted(found)) or (0,)

    def density(self, eta: Sequence[FloatArray], *, slopes: bool) -> Jet:
        """Return the rows' log densities with the derivatives that are needed."""
        self.budget.spend(self.costs.density)
        return self.family.at(self.observed, eta, self.keys(slopes=slopes))

    def factorised(self, weights: Curvatures, roots: Roots) -> Factorised:
        """Factorise M at given weights; LinAlgError where it is not positive definite."""
        self.budget.spend(self.costs.factor)
        return self.elimination.factor(self.rows.gram(weights), roots)

    def keys(self, *, slopes: bool) -> frozenset[Key]:
        """Name the derivatives of the log density that are needed: for a step towards a mode, or with the slopes."""
        pairs = [(j, k) for j in self.blocked for k in self.blocked if j <= k]
        if slopes:
            return wanted(pairs, len(self.predictors))
        return frozenset({(), *((j,) for j in self.blocked), *pairs})

    def split(self, x: FloatArray) -> tuple[FloatArray, list[FloatArray]]:
        """Cut all parameters into those of the covariances, and the fixed effects of each predictor."""
        ends = np.cumsum([self.parameters.size, *(p.X.shape[1] for p in self.predictors)]).tolist()
        return x[: ends[0]], [x[a:b] for a, b in pairwise(ends)]

    def fixed(self, betas: Sequence[FloatArray]) -> list[FloatArray]:
        """
        Return the fixed parts of the predictors.

        Parameters of the family that are as good as infinite are moved to where the density is flat.
        """
        limit = self.family.farthest(self.observed)
        mean, *others = (p.at(beta) for p, beta in zip(self.predictors, betas, strict=True))
        return [mean, *(np.clip(eta, o - limit, o + limit) for eta, o in zip(others, self._middles, strict=True))]

    @property
    def _middles(self) -> list[FloatArray | float]:
        return [p.offset for p in self.predictors[1:]]

    def flat(self, betas: Sequence[FloatArray]) -> list[bool]:
        """Tell of each predictor whether it is a constant so far out that the density no longer changes with it."""
        limit = self.family.farthest(self.observed)
        return [
            bool(i and len(p.X) == 1 and self.n > 1 and abs(float(p.at(beta)[0] - p.offset)) > limit)
            for i, (p, beta) in enumerate(zip(self.predictors, betas, strict=True))
        ]

    def weights(self, density: Jet) -> Curvatures:
        """Return the observed weights of the predictors that have random effects."""
        found = {}
        for j in self.blocked:
            for k in self.blocked:
                if j <= k and (j, k) in density.parts:
                    found[j, k] = np.broadcast_to(-density.parts[j, k], self.n)
        return found

    def scores(self, density: Jet) -> dict[int, FloatArray]:
        """Return the score in each predictor that has random effects."""
        return {j: np.broadcast_to(density.at(j), self.n) for j in self.blocked}

    def own_values(self, betas: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
        """Return the family's parameters that are the same in all rows, and their derivatives in the constants."""
        values, slopes = [], []
        for parameter, predictor, beta in zip(self.family.parameters, self.predictors[1:], betas, strict=True):
            found = LINKS[parameter.link].inverse(variable(0, predictor.at(beta), up_to(1, 1)))
            values.append(float(found.value[0]))
            slopes.append(float(found.at(0)[0]))
        return np.array(values), np.array(slopes)

    def limits(self, betas: Sequence[FloatArray]) -> list[tuple[str, str]]:
        """Name the limit that each of them would be at."""
        out = []
        for parameter, predictor, beta in zip(self.family.parameters, self.predictors[1:], betas, strict=True):
            high = "one" if parameter.link == "logit" else "infinite"
            out.append((parameter.name, "zero" if float(predictor.at(beta)[0]) < 0 else high))
        return out

    def nothing(self) -> Effects:
        """Return random effects of zero."""
        return nothing(self.rows.shapes)
