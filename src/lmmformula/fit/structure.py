"""Which elimination strategy fits the grouping factors of a design, and why."""

from dataclasses import dataclass

from lmmformula.design.crossproducts import CrossProducts
from lmmformula.fit.crossed import Crossed
from lmmformula.fit.dense import Dense
from lmmformula.fit.nested import Nested, chain_of
from lmmformula.fit.objective import Objective
from lmmformula.fit.single import SingleFactor

DENSE_EFFECTS = 150
"""Number of random effects up to which several factors are treated as one dense matrix."""


@dataclass(frozen=True, slots=True)
class Structure:
    """
    A choice of strategy.

    name : "single", "nested", "crossed" or "dense"
    reason : one sentence
    """

    name: str
    reason: str

    @property
    def exact(self) -> bool:
        """Whether its second derivatives are exact, rather than average information."""
        return self.name in {"single", "dense"}

    def __str__(self) -> str:
        """Return name and reason."""
        return f"{self.name}: {self.reason}"


def structure_of(products: CrossProducts) -> Structure:
    """Choose the strategy that needs the least arithmetic."""
    factors = products.factors
    total = sum(f.k * f.n_levels for f in factors)
    if len(factors) == 1:
        return Structure("single", f"one grouping factor, {factors[0].n_levels} levels of {factors[0].k} coefficients")
    if total <= DENSE_EFFECTS:
        return Structure("dense", f"{len(factors)} grouping factors with only {total} random effects in all")
    if (chain := chain_of(products)) is not None:
        names = " in ".join(f"'{factors[f].group}'" for f in chain)
        return Structure("nested", f"{names}: eliminated from the finest to the coarsest, without fill-in")
    first = factors[largest(products)]
    rest = total - first.k * first.n_levels
    return Structure("crossed", f"'{first.group}' eliminated level by level, {rest} other random effects dense")


def largest(products: CrossProducts) -> int:
    """Return the position of the factor with most random effects."""
    return max(range(len(products.factors)), key=lambda f: products.factors[f].k * products.factors[f].n_levels)


def objective_for(products: CrossProducts, structure: Structure, *, reml: bool) -> Objective:
    """Build the objective of a structure."""
    match structure.name:
        case "single":
            return SingleFactor.of(products, reml=reml)
        case "nested":
            return Nested.of(products, chain_of(products) or (), reml=reml)
        case "dense":
            return Dense.of(products, reml=reml)
        case _:
            return Crossed.of(products, largest(products), reml=reml)
