"""A model as canonical text: what `str(ir)` prints, and what parses back to an equal IR with equal labels."""

from collections.abc import Sequence
from graphlib import TopologicalSorter
from itertools import pairwise

from lmmformula.ir.expressions import ATOM, Expression, label, within
from lmmformula.ir.names import backticked
from lmmformula.ir.records import ModelRecord, RandomTerm
from lmmformula.ir.terms import Term

MANY = 100_000
"""Trials that are not worth it for a shorter text."""


def canonical_text(ir: ModelRecord) -> str:
    """Write the formula, and below it the prior statements."""
    return "\n".join([formula_text(ir), *map(str, ir.priors)])


def formula_text(ir: ModelRecord) -> str:
    """Write the formula, without prior statements."""
    return f"{ir.response.label} ~ {right_text(ir)}"


def right_text(ir: ModelRecord) -> str:
    """Write fixed terms, offsets and random terms, in this order."""
    if ir.fixed.pending is not None:
        fixed = label(ir.fixed.pending)
    else:
        fixed = terms_text(
            ir.fixed.intercept,
            in_writing_order(ir.fixed.terms, ir.response.named),
            [f"offset({label(offset)})" for offset in ir.offsets],
        )
    return " + ".join([fixed, *map(random_text, ir.random)])


def random_text(random: RandomTerm) -> str:
    """Write one random term, `(0 + x | g)` or `cs(x | g, hom = TRUE)`."""
    group = random.name or ":".join(backticked(variable.name) for variable in random.group)
    inside = f"{terms_text(random.intercept, in_writing_order(random.terms))} | {group}"
    return random.covariance.text(inside)


def terms_text(intercept: bool, written: Sequence[str], more: Sequence[str] = ()) -> str:  # noqa: FBT001 (data)
    """Write a sum of terms; the intercept is written only where nothing else implies it."""
    if not intercept:
        return " + ".join(["0", *written, *more])
    return " + ".join([*written, *more] if written else ["1", *more])


def in_writing_order(terms: Sequence[Term], named: Sequence[Expression] = ()) -> list[str]:
    """
    Write terms in an order that gives the same terms, in the same order and with the same labels, when it is read.

    R numbers variables as they first appear, writes `a:b` or `b:a` by their numbers, and then sorts terms by order.
    So `~ a:b + b` has the terms b and a:b; written as `b + a:b`, they would be read as b and b:a.

    named : what is numbered before, the response
    """
    main = [term for term in terms if term.order <= 1]
    interactions = [term for term in terms if term.order > 1]
    by_size = sorted(interactions, key=lambda term: -term.order)
    for candidate in (list(terms), interactions + main, by_size + main):
        if _reads_back(candidate, named):
            return [term_text(term) for term in candidate]
    first = _shortest_prefix(terms, named)
    return [*(f"{name} - {name}" for name in map(factor_text, first)), *map(term_text, terms)]


def term_text(term: Term) -> str:
    """Write a term; unlike its label, `x > 0` is in brackets here."""
    return ":".join(map(factor_text, term.factors))


def factor_text(factor: Expression) -> str:
    """Write one variable of a term."""
    return within(factor, ATOM)


def _reads_back(terms: Sequence[Term], first: Sequence[Expression]) -> bool:
    """Tell whether each term's factors stand in the order in which `first` and the terms, so written, name them."""
    numbers: dict[Expression, int] = {factor: number for number, factor in enumerate(first)}
    for term in terms:
        for factor in term.factors:
            numbers.setdefault(factor, len(numbers))
    return all(list(term.factors) == sorted(term.factors, key=numbers.__getitem__) for term in terms)


def _shortest_prefix(terms: Sequence[Term], named: Sequence[Expression]) -> list[Expression]:
    """Find variables that, named before the terms, make the terms read back; `(a + b):x` needs b, named before x."""
    before: dict[Expression, set[Expression]] = {}
    for term in terms:
        for earlier, later in pairwise(term.factors):
            before.setdefault(earlier, set())
            before.setdefault(later, set()).add(earlier)
    needed = list(TopologicalSorter(before).static_order())
    if len(needed) * len(terms) > MANY:
        return needed
    for factor in reversed(list(needed)):
        fewer = [other for other in needed if other != factor]
        if _reads_back(terms, [*named, *fewer]):
            needed = fewer
    return needed
