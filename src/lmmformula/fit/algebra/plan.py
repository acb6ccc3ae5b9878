"""Which elimination fits the grouping factors of a design, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lmmformula.covariances.table import STRUCTURES
from lmmformula.design.design import RandomTermDesign
from lmmformula.design.limits import memory_share
from lmmformula.errors import FitError, printable
from lmmformula.fit.algebra import blocks
from lmmformula.fit.algebra.border import largest
from lmmformula.fit.algebra.crossed import Crossed
from lmmformula.fit.algebra.dense import Dense
from lmmformula.fit.algebra.factorised import Elimination
from lmmformula.fit.algebra.gram import Gram
from lmmformula.fit.algebra.nested import Nested, chain_of
from lmmformula.fit.algebra.single import Single
from lmmformula.fit.algebra.sparse import Sparse

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


def structure_of(gram: Gram, groups: Sequence[str]) -> Structure:
    """
    Choose the elimination that needs the least arithmetic.

    groups : names of the factors

    Raises
    ------
    FitError
        No elimination fits the memory.
    """
    total = sum(k * J for k, J in gram.shapes)
    if len(gram.own) == 1:
        k, J = gram.shapes[0]
        reason = f"one grouping factor, {J} levels of {k} coefficients"
        return Structure("single" if k <= blocks.LARGE else "nested", reason)
    if total <= DENSE_EFFECTS:
        return Structure("dense", f"{len(groups)} grouping factors with only {total} random effects in all")
    if (chain := chain_of(gram)) is not None:
        names = " in ".join(f"'{groups[f]}'" for f in chain)
        return Structure("nested", f"{names}: eliminated from the finest to the coarsest, without fill-in")
    return _crossed(gram, groups, total)


def _crossed(gram: Gram, groups: Sequence[str], total: int) -> Structure:
    """Choose between a dense and a sparse Schur complement; refuse what fits neither way."""
    first = largest(gram)
    k, J = gram.shapes[first]
    rest = total - k * J
    start = f"'{groups[first]}' eliminated level by level, {rest} other random effects"
    filled = complement_elements(gram, first) / rest**2
    needed = DENSE_COPIES * 8.0 * rest**2
    if rest >= SPARSE_EFFECTS and filled <= SPARSE_PAIRS:
        return Structure("sparse", f"{start} sparse: {filled:.2%} of their matrix is filled before elimination")
    if needed > memory_share():
        raise FitError(
            f"the model needs {needed / 1e9:.0f} GB: {rest} random effects besides those of '{groups[first]}' all meet",
            hint="leave out a crossed grouping factor, or merge its rare levels",
        )
    return Structure("crossed", f"{start} dense")


def complement_elements(gram: Gram, first: int) -> float:
    """Return an upper bound of the elements of the Schur complement: pairs of effects that share a level or a row."""
    shapes, others = gram.shapes, [g for g in range(len(gram.own)) if g != first]
    met = np.zeros(1)
    for g in others:
        pair = gram.pairs[min(first, g), max(first, g)]
        levels = pair.rows if first < g else pair.columns
        met = met + shapes[g][0] * np.bincount(levels, minlength=shapes[first][1])
    own = sum(shapes[g][0] ** 2 * shapes[g][1] for g in others)
    cells = [len(gram.pairs[g, h].rows) * shapes[g][0] * shapes[h][0] for g in others for h in others if g < h]
    return float(met @ met) + own + 2 * sum(cells)


def refuse_wide(terms: Sequence[RandomTermDesign]) -> None:
    """Refuse a covariance matrix whose directions and second derivatives would not fit into memory."""
    for term in terms:
        n, k = term.n_parameters, term.n_coefficients
        if (needed := 8.0 * n * (DIRECTION_COPIES * k**2 + n)) > memory_share():
            *others, last = [f"{name}()" for name, other in STRUCTURES.items() if not other.any_matrix]
            raise FitError(
                f"the model needs {needed / 1e9:.0f} GB: the covariance matrix of {k} coefficients of "
                f"'{printable(term.group)}' has {n} parameters",
                hint=f"{', '.join(others)} and {last} have fewer; or merge rare levels",
            )


def elimination_of(gram: Gram, structure: Structure, *, often: bool) -> Elimination:
    """
    Prepare the elimination of a structure.

    often : whether this very gram comes often, as a Gaussian model's does
    """
    match structure.name:
        case "single":
            return Single()
        case "nested":
            return Nested.of(gram, chain_of(gram) or (), often=often)
        case "dense":
            return Dense.of(gram)
        case "sparse":
            return Sparse.of(gram, largest(gram))
        case _:
            return Crossed.of(gram, largest(gram), often=often)
