"""Which elimination strategy fits the grouping factors of a design, and why."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lmmformula.covariances.table import STRUCTURES
from lmmformula.design.matrices import RandomTermDesign
from lmmformula.design.products import CrossProducts
from lmmformula.errors import FitError, printable
from lmmformula.fit import blocks
from lmmformula.fit.crossed import Crossed
from lmmformula.fit.dense import Dense
from lmmformula.fit.nested import Nested, chain_of
from lmmformula.fit.objective import Objective
from lmmformula.fit.single import SingleFactor
from lmmformula.fit.sparse import Sparse

DENSE_EFFECTS = 150
"""Number of random effects up to which several factors are treated as one dense matrix."""

SPARSE_EFFECTS = 1000
"""Number of effects of the Schur complement from which it is worth asking whether it is sparse."""

SPARSE_PAIRS = 0.05
"""Part of the Schur complement that its elements may fill, before elimination, for it to be treated as sparse."""

DENSE_COPIES = 6
"""Matrices of the Schur complement's size that the dense way needs at once."""

DIRECTION_COPIES = 4
"""Arrays of the size of all directions of a covariance matrix that a fit needs at once."""

ASSUMED_MEMORY = 8e9
"""Bytes of memory where the system does not tell."""


@dataclass(frozen=True, slots=True)
class Structure:
    """
    A choice of strategy.

    name : "single", "dense", "nested", "crossed" or "sparse"
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
        reason = f"one grouping factor, {factors[0].n_levels} levels of {factors[0].k} coefficients"
        return Structure("single" if factors[0].k <= blocks.LARGE else "nested", reason)
    if total <= DENSE_EFFECTS:
        return Structure("dense", f"{len(factors)} grouping factors with only {total} random effects in all")
    if (chain := chain_of(products)) is not None:
        names = " in ".join(f"'{factors[f].group}'" for f in chain)
        return Structure("nested", f"{names}: eliminated from the finest to the coarsest, without fill-in")
    return _crossed(products, total)


def _crossed(products: CrossProducts, total: int) -> Structure:
    """Choose between a dense and a sparse Schur complement; refuse what fits neither way."""
    first = products.factors[largest(products)]
    rest = total - first.k * first.n_levels
    start = f"'{first.group}' eliminated level by level, {rest} other random effects"
    filled = complement_elements(products, largest(products)) / rest**2
    needed = DENSE_COPIES * 8.0 * rest**2
    if rest >= SPARSE_EFFECTS and filled <= SPARSE_PAIRS:
        return Structure("sparse", f"{start} sparse: {filled:.2%} of their matrix is filled before elimination")
    if needed > memory():
        raise FitError(
            f"the model needs {needed / 1e9:.0f} GB: {rest} random effects besides those of '{first.group}' all meet",
            hint="leave out a crossed grouping factor, or merge its rare levels",
        )
    return Structure("crossed", f"{start} dense")


def refuse_wide(terms: Sequence[RandomTermDesign]) -> None:
    """Refuse a covariance matrix whose directions and second derivatives would not fit into memory."""
    for term in terms:
        n, k = term.n_parameters, term.n_coefficients
        if (needed := 8.0 * n * (DIRECTION_COPIES * k**2 + n)) > memory():
            *others, last = [f"{name}()" for name, other in STRUCTURES.items() if not other.any_matrix]
            raise FitError(
                f"the model needs {needed / 1e9:.0f} GB: the covariance matrix of {k} coefficients of "
                f"'{printable(term.group)}' has {n} parameters",
                hint=f"{', '.join(others)} and {last} have fewer; or merge rare levels",
            )


def complement_elements(products: CrossProducts, first: int) -> float:
    """Return an upper bound of the elements of the Schur complement: pairs of effects that share a level or a row."""
    others = [g for g in range(len(products.factors)) if g != first]
    met = sum((products.factors[g].k * products.level_counts(first, g) for g in others), np.zeros(1))
    own = sum(products.factors[g].k ** 2 * products.factors[g].n_levels for g in others)
    rows = sum(
        products.pairs[g, h].n_cells * products.factors[g].k * products.factors[h].k
        for g in others
        for h in others
        if g < h
    )
    return float(met @ met) + own + 2 * rows


def memory() -> float:
    """Return the bytes of memory that a matrix may take: half of the machine's."""
    try:
        return 0.5 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not every system tells
        return 0.5 * ASSUMED_MEMORY


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
        case "sparse":
            return Sparse.of(products, largest(products), reml=reml)
        case _:
            return Crossed.of(products, largest(products), reml=reml)
