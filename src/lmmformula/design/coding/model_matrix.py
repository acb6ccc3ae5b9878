"""R's rule for the columns of a model matrix: which factors of a term are coded by contrasts, and in which order."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.columns.evaluated import Categorical, Numbers
from lmmformula.design.schema import FactorVariable, NumericVariable, TermSchema, VariableSchema
from lmmformula.errors import DataError
from lmmformula.ir.expressions import label
from lmmformula.ir.terms import Term

Values = Mapping[str, Numbers | Categorical]
"""Variables by label, on the rows used."""

INTERCEPT = TermSchema((), (), ("(Intercept)",))


def full_factors(
    terms: Sequence[Sequence[str]], is_factor: Callable[[str], bool], *, intercept: bool
) -> list[tuple[bool, ...]]:
    """
    Tell for each variable of each term whether it is a factor coded by all its levels.

    R's rule (TermCode in its model.c): a factor is coded by contrasts if the rest of its term stands in an earlier
    term, or if there is no rest; without an intercept, the first factor of the first term with any is coded in full.

    >>> full_factors([["f"], ["f", "x"], ["g", "x"]], lambda label: label != "x", intercept=True)
    [(False,), (True, False), (False, False)]
    """
    bits: dict[str, int] = {}
    masks: list[int] = []
    full: list[tuple[bool, ...]] = []
    waiting = not intercept
    for term in terms:
        own = [1 << bits.setdefault(variable, len(bits)) for variable in term]
        mask = sum(own)
        flags = [
            is_factor(variable) and bit != mask and not any((mask & ~bit) & ~earlier == 0 for earlier in masks)
            for variable, bit in zip(term, own, strict=True)
        ]
        first = next((i for i, variable in enumerate(term) if is_factor(variable)), None)
        if waiting and first is not None:
            flags[first], waiting = True, False
        masks.append(mask)
        full.append(tuple(flags))
    return full


def term_schemas(
    terms: Sequence[Term], variables: Mapping[str, VariableSchema], *, intercept: bool, random: bool, limit: int
) -> tuple[TermSchema, ...]:
    """
    Decide the coding of terms and name their columns, without making them.

    limit : number of columns beyond which the model is refused
    """
    labels = [tuple(map(label, term.factors)) for term in terms]
    flags = full_factors(labels, lambda name: isinstance(variables[name], FactorVariable), intercept=intercept)
    schemas = [INTERCEPT] if intercept else []
    n_columns = len(schemas)
    for term, own_labels, full in zip(terms, labels, flags, strict=True):
        names = [
            _names(variables[name], full=is_full, random=random) for name, is_full in zip(own_labels, full, strict=True)
        ]
        width = 1
        for parts in names:
            width *= len(parts)  # whole numbers: no overflow
        n_columns += width
        if n_columns > limit:
            raise DataError(
                f"the model has more than {limit} columns" + (" per level of a group" if random else ""),
                span=term.span,
                hint=f"`{':'.join(own_labels)}` alone has {width}",
            )
        columns = tuple(":".join(reversed(parts)) for parts in product(*reversed(names)))
        schemas.append(TermSchema(own_labels, full, columns))
    return tuple(schemas)


def _names(variable: VariableSchema, *, full: bool, random: bool) -> list[str]:
    match variable:
        case NumericVariable(label=name, suffixes=suffixes):
            return [name + suffix for suffix in suffixes] or [name]
        case FactorVariable(label=name):
            return [name + suffix for suffix in variable.coding(full=full, random=random).names]


def term_columns(
    term: TermSchema, variables: Mapping[str, VariableSchema], values: Values, *, n: int, random: bool
) -> Iterator[FloatArray]:
    """
    Make the columns of a term, each (n,), in the order of its names: the first variable varies fastest.

    values : the variables on n rows
    """
    if not term.variables:
        yield np.ones(n)
        return
    parts = [
        _columns(variables[name], values[name], full=full, random=random)
        for name, full in zip(term.variables, term.full, strict=True)
    ]
    before: list[FloatArray] = []
    for part in parts[:-1]:
        before = [first * column for column in part for first in before] if before else list(part)
    for column in parts[-1]:  # one by one: a factor may have very many
        yield from (first * column for first in before) if before else (column,)


def _columns(
    variable: VariableSchema, value: Numbers | Categorical, *, full: bool, random: bool
) -> Iterator[FloatArray]:
    match variable, value:
        case NumericVariable(), Numbers(values=numbers):
            yield from (numbers,) if numbers.ndim == 1 else numbers.T
        case FactorVariable(), Categorical(codes=codes):
            coding = variable.coding(full=full, random=random)
            yield from (coding.column(j, codes) for j in range(len(coding.names)))
        case _:
            raise DataError(f"`{variable.label}` is no longer of the kind it was when the model was built")


def matrix(
    terms: Sequence[TermSchema], variables: Mapping[str, VariableSchema], values: Values, *, n: int, random: bool
) -> FloatArray:
    """Make the columns of all terms, (n, columns), Fortran order."""
    width = sum(len(term.columns) for term in terms)
    out = np.empty((n, width), order="F")
    position = 0
    for term in terms:
        for column in term_columns(term, variables, values, n=n, random=random):
            out[:, position] = column
            position += 1
    return out
