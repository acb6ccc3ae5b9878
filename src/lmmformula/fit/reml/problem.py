"""A design made ready for the optimiser: cross-products, covariance parameters and a strategy of elimination."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.covariances.matrices import square_root
from lmmformula.design.design import Design, RandomTermDesign
from lmmformula.design.sums.coordinates import block_diagonal
from lmmformula.design.sums.crossproducts import cross_products
from lmmformula.design.sums.records import CrossProducts
from lmmformula.fit.algebra.gram import gram_of
from lmmformula.fit.algebra.plan import Structure, refuse_wide, structure_of
from lmmformula.fit.reml.objective import Objective, Point
from lmmformula.fit.reml.profiled import objective_for
from lmmformula.fit.reml.single import SingleFactor
from lmmformula.fit.reml.within import WithinFactor, exact_enough
from lmmformula.fit.search.covariances import Parameters
from lmmformula.fit.search.start import starting_point
from lmmformula.fit.search.theta import split_theta
from lmmformula.fit.search.work import Budget, Costs

EXACT_FIT = 1e-13
"""Ratio of residual to total sum of squares that is nothing but rounding of their difference."""

DIFFERENCE_STEP = 1e-4
"""Step of the differences of the gradient that exact second derivatives are made of."""


@dataclass(slots=True)
class Evaluation:
    """
    The criterion at parameters, differentiated when asked.

    exact : whether the Hessian must be exact, where average information is what the strategy has
    """

    problem: "Problem"
    parameters: FloatArray
    point: Point
    exact: bool = False

    @property
    def value(self) -> float:
        """The criterion, in inner coordinates."""
        return self.point.profile.value

    def derivatives(self) -> tuple[FloatArray, FloatArray]:
        """Return gradient and Hessian with respect to the parameters."""
        self.problem.budget.spend(self.problem.costs.gradient)
        parameters, G = self.problem.parameters, self.point.gradients()
        directions = parameters.directions(self.parameters)
        if self.exact and not self.problem.structure.exact:
            return parameters.gradient(directions, G), self._differences()
        return parameters.derivatives(self.parameters, directions, G, self.point.curvature(directions))

    def _differences(self) -> FloatArray:
        """Return the Hessian from differences of the gradient."""
        h = DIFFERENCE_STEP
        steps = h * np.eye(len(self.parameters))
        hessian = np.array([(self._gradient_at(step) - self._gradient_at(-step)) / (2 * h) for step in steps])
        out: FloatArray = (hessian + hessian.T) / 2
        return out

    def _gradient_at(self, step: FloatArray) -> FloatArray:
        x, parameters = self.parameters + step, self.problem.parameters
        self.problem.budget.spend(self.problem.costs.gradient)
        return parameters.gradient(parameters.directions(x), self.problem.evaluate(x).point.gradients())


@dataclass(frozen=True, slots=True)
class Problem:
    """
    All that a fit needs of a design.

    terms : the random terms
    products : cross-products in inner coordinates
    parameters : the covariance parameters of the factors
    objective : the criterion of these products
    structure : how it is computed, and why
    reml : whether the criterion is REML's
    budget, costs : the work that is left, from which each step is paid, and what the steps cost
    """

    terms: tuple[RandomTermDesign, ...]
    products: CrossProducts
    parameters: Parameters
    objective: Objective
    structure: Structure
    reml: bool
    budget: Budget = field(default_factory=Budget)
    costs: Costs = field(default_factory=Costs)

    def start(self) -> FloatArray:
        """Return parameters to start the optimiser at."""
        return starting_point(self.products, self.parameters, self._value)

    def _value(self, parameters: FloatArray) -> float:
        try:
            return self.evaluate(parameters).value
        except np.linalg.LinAlgError:
            return math.inf

    def evaluate(self, parameters: FloatArray, *, exact: bool = False) -> Evaluation:
        """Evaluate the criterion; LinAlgError where it can't be."""
        self.budget.spend(self.costs.factor)
        return Evaluation(self, parameters, self.objective.at(self.parameters.roots(parameters)), exact)

    def at(self, inner: Sequence[FloatArray]) -> Point:
        """Evaluate the criterion at relative covariances in inner coordinates, per term."""
        roots = [square_root(block_diagonal([inner[t] for t in f.terms])) for f in self.products.factors]
        return self.objective.at(roots)

    def inner(self, covariances: Sequence[FloatArray]) -> list[FloatArray]:
        """Return relative covariances in inner coordinates, per term."""
        return [self.products.coordinates.sigma_inner(t, S) for t, S in enumerate(covariances)]

    def from_theta(self, theta: FloatArray) -> list[FloatArray]:
        """Return the relative covariances of lme4's theta in inner coordinates, per term."""
        shapes = [(term.covariance, term.n_coefficients) for term in self.terms]
        parts = split_theta(shapes, theta)
        return self.inner([covariance.sigma_of(own, k) for (covariance, k), own in zip(shapes, parts, strict=True)])

    @property
    def exact(self) -> bool:
        """Whether no residual above the rounding of the response is too small."""
        return isinstance(self.objective, WithinFactor)

    def fits_exactly(self, pwrss: float) -> bool:
        """Tell whether the penalised residual sum of squares is nothing but rounding."""
        return pwrss <= (EXACT_FIT**2 if self.exact else EXACT_FIT) * float(self.products.A[-1, -1])

    @property
    def by_factor(self) -> list[tuple[int, ...]]:
        """Numbers of the terms of each factor."""
        return [factor.terms for factor in self.products.factors]

    def nearest(self, inner: Sequence[FloatArray]) -> FloatArray:
        """Return the parameters nearest to relative covariances in inner coordinates, per term."""
        return self.parameters.nearest([[inner[t] for t in own] for own in self.by_factor])

    def covariances(self, parameters: FloatArray) -> list[FloatArray]:
        """Return the relative covariances in inner coordinates, per term."""
        return self.own_blocks([T @ T.T for T in self.parameters.roots(parameters)])

    def own_rows(self, per_factor: Sequence[FloatArray]) -> list[FloatArray]:
        """Cut (k, ..) arrays of the factors into those of the terms, in the order of the terms."""
        out: dict[int, FloatArray] = {}
        for factor, array in zip(self.products.factors, per_factor, strict=True):
            out |= {term: array[place] for term, place in zip(factor.terms, factor.slices(), strict=True)}
        return [out[t] for t in range(len(self.terms))]

    def own_blocks(self, per_factor: Sequence[FloatArray]) -> list[FloatArray]:
        """Cut (k, k, ..) arrays of the factors into the diagonal blocks of the terms."""
        out: dict[int, FloatArray] = {}
        for factor, array in zip(self.products.factors, per_factor, strict=True):
            out |= {term: array[place, place] for term, place in zip(factor.terms, factor.slices(), strict=True)}
        return [out[t] for t in range(len(self.terms))]


def prepare(design: Design, *, reml: bool, most_work: float = math.inf) -> Problem:
    """Form cross-products and choose the strategy; OutOfWork where that takes more than `most_work`."""
    terms, budget = design.random_terms, Budget(most_work)
    refuse_wide(terms)
    products = cross_products(design)
    gram = gram_of(products)
    structure = structure_of(gram, [factor.group for factor in products.factors])
    maps = tuple(
        tuple(terms[t].covariance.free_map(terms[t].n_coefficients) for t in factor.terms)
        for factor in products.factors
    )
    parameters = Parameters(maps)
    costs = Costs.of_sums(gram, structure.name, fixed=design.n_fixed, parameters=parameters.size)
    budget.spend(costs.first)
    objective = objective_for(products, structure, reml=reml)
    if isinstance(objective, SingleFactor):
        objective = exact_enough(objective, design)
        products = objective.products
    return Problem(terms, products, parameters, objective, structure, reml, budget, costs)
