"""Models with one random term less, or with one slope less in it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from lmmformula.design.coding.model_matrix import matrix, term_schemas
from lmmformula.design.design import RandomTermDesign
from lmmformula.design.limits import LIMITS
from lmmformula.design.rows import TermRows
from lmmformula.inference.means.model_columns import used_rows, variables_on
from lmmformula.inference.tests.anova import droppable
from lmmformula.ir.records import RandomTerm
from lmmformula.ir.terms import Term
from lmmformula.ir.written.text import random_text
from lmmformula.results.glmm import MixedResult


@dataclass(frozen=True, slots=True)
class Reduction:
    """
    A smaller random part.

    label : what is left out, `(1 | g)` or `x in (x | g)`
    random_terms : what is left
    """

    label: str
    random_terms: tuple[RandomTermDesign, ...]


def reductions(result: MixedResult) -> Iterator[Reduction]:
    """
    Leave out each random term without slopes, and each slope of the others that no other slope contains.

    A term whose only slope is left out becomes `(1 | g)`, also if it had no intercept, and is dropped where the model
    has that term already: lmerTest's rules.
    """
    for number, random in enumerate(result.ir.random):
        position = result.schema.order.index(number)
        whole = result.design.random_terms
        before, own, after = whole[:position], whole[position], whole[position + 1 :]
        slopes = droppable(random.terms)
        text = random_text(random)
        if not slopes:
            yield Reduction(text, (*before, *after))
        for slope in slopes:
            left = tuple(term for term in random.terms if term != slope)
            smaller = _rebuilt(result, random, own, left)
            others = (*before, *after)
            repeats = any(_alike(smaller, other) for other in others)
            terms = others if repeats else (*before, smaller, *after)
            yield Reduction(f"{slope.label} in {text}", terms)


def _rebuilt(
    result: MixedResult, random: RandomTerm, own: RandomTermDesign, left: tuple[Term, ...]
) -> RandomTermDesign:
    """Return a random term's design with the slopes that are left, coded anew."""
    intercept = random.intercept or not left
    schemas = term_schemas(left, result.schema.variables, intercept=intercept, random=True, limit=LIMITS.coefficients)
    values = variables_on(result, used_rows(result), left)
    names = tuple(name for schema in schemas for name in schema.columns)
    columns = matrix(schemas, result.schema.variables, values, n=result.nobs, random=True)
    return replace(own, coefficient_names=names, rows=TermRows(own.codes, columns))


def _alike(left: RandomTermDesign, right: RandomTermDesign) -> bool:
    return (left.group, left.coefficient_names) == (right.group, right.coefficient_names)
