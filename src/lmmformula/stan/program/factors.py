"""Random terms of a design -> grouping factors of a program: what multiplies, what is correlated, what is sampled."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from lmmformula.covariances.unstructured import UNSTRUCTURED
from lmmformula.design.design import Design, RandomTermDesign
from lmmformula.design.sums.records import PairProducts
from lmmformula.errors import FitError
from lmmformula.stan.program.names import Identifiers, suffixes
from lmmformula.stan.program.record import Block, Column, Covariate, Cross, DataForm, Factor, Fixed, Form, Treatment
from lmmformula.stan.program.scales import own_parts

if TYPE_CHECKING:
    from lmmformula.arrays import FloatArray

CENTERED_FROM = 3.0
"""Information n_j tau^2 / sigma^2 on a level's effect from which the centred geometry is the easier one to sample."""
CROSS_PER_ROW = 20
"""Products of two factors' columns, for each row of data, up to which the marginal form costs less than row by row."""
DENSE_WIDTH = 40
"""Levels of the smaller factors, in all, up to which their effects are integrated out too, with a dense matrix."""
DENSE_COST = 200_000
"""Levels of the largest factor times the square of that number, up to which this is quick."""
SMALL_CROSS = 100_000
"""Products of columns that cost little whatever the number of rows."""


def fixed_effects(design: Design) -> Fixed:
    """Set the intercept apart from the other columns of X."""
    intercept = design.fixed_assign.index(0) if 0 in design.fixed_assign else -1
    columns = tuple(i for i in range(design.n_fixed) if i != intercept)
    labels = tuple(design.fixed_names[i] for i in columns)
    beside = intercept >= 0 or bool(design.categories)
    own = own_parts(design.sample.X[:, list(columns)], centred=beside)
    return Fixed(intercept >= 0, labels, columns, intercept, design.categories, tuple(own.tolist()))


def choose_form(form: str, design: Design, geometry: Mapping[str, str]) -> Form:
    """
    Return the form that was asked for or, for "auto", the marginal one wherever it applies at a bearable cost.

    geometry : of a factor that the marginal form integrates out, it can only mean the conditional form
    """
    match form:
        case "conditional":
            return "conditional"
        case "marginal" if design.random_terms:
            return "marginal"
        case "marginal":
            message = "the marginal form integrates random effects out, and this model has none"
            raise FitError(message, hint="form='auto' chooses the form that a model can have")
        case "auto":
            bearable = count_products(design) <= max(CROSS_PER_ROW * design.nobs, SMALL_CROSS)
            wanted = bool(design.random_terms) and _integrated_first(design) not in geometry
            return "marginal" if wanted and bearable else "conditional"
        case _:
            raise FitError(f"a Stan program has no form {form!r}", hint="choose 'auto', 'marginal' or 'conditional'")


def _integrated_first(design: Design) -> str:
    """Return the grouping factor with most effects."""
    effects: dict[str, int] = {}
    for term in design.random_terms:
        effects[term.group] = effects.get(term.group, 0) + term.n_levels * len(term.coefficient_names)
    return max(effects, key=lambda group: effects[group])


def choose_data_form(data_form: str, form: Form) -> DataForm:
    """Return the form of the data that was asked for, if there is one."""
    match data_form:
        case "rows":
            return "rows"
        case "crossproducts" if form == "marginal":
            return "crossproducts"
        case "crossproducts":
            message = "only the marginal form of a program reads cross-products"
            raise FitError(message, hint="use data_form='rows', or form='marginal' where there are random effects")
        case _:
            raise FitError(f"the data of a program have no form {data_form!r}", hint="choose 'rows' or 'crossproducts'")


def count_products(design: Design) -> int:
    """Count the products of columns of different factors that the marginal form holds."""
    return sum(
        left.n_levels if is_nested(design, left, right) else _size(left) * _size(right)
        for left, right in combinations(design.random_terms, 2)
        if left.group != right.group
    )


def _size(term: RandomTermDesign) -> int:
    return term.n_levels * term.n_coefficients


def is_nested(design: Design, left: RandomTermDesign, right: RandomTermDesign) -> bool:
    """Whether each level of `left` occurs with one level of `right` only, and both groups have one coefficient each."""
    groups = [term.group for term in design.random_terms for _ in term.coefficient_names]
    if groups.count(left.group) > 1 or groups.count(right.group) > 1:
        return False
    if not design.has_rows:
        return pair_of(design, left.group, right.group).nested
    pairs = left.codes.astype(np.int64) * right.n_levels + right.codes
    return len(np.unique(pairs)) == left.n_levels


def pair_of(design: Design, left: str, right: str) -> PairProducts:
    """Return the products of two grouping factors of a design whose rows are not here."""
    assert design.sums is not None
    products = design.sums.products
    groups = [factor.group for factor in products.factors]
    return products.pair(groups.index(left), groups.index(right))


def random_covariates(design: Design, fixed: Fixed) -> tuple[tuple[Column, ...], tuple[tuple[Covariate, ...], ...]]:
    """
    Find what each random coefficient multiplies: nothing, a column of X, or a vector of its own.

    A vector that several coefficients use is declared once.
    """
    rows = design.sample
    own: list[tuple[FloatArray, Column]] = []
    covariates = []
    labels = suffixes(name for term in design.random_terms for name in term.coefficient_names)
    numbered = iter(labels)
    for t, term in enumerate(rows.random_terms):
        row = []
        for i, (label, values) in enumerate(zip(term.coefficient_names, term.covariates.T, strict=True)):
            suffix = next(numbered)
            same = (j for j, column in enumerate(fixed.columns, 1) if np.array_equal(rows.X[:, column], values))
            if np.all(values == 1):
                row.append(Covariate(label, "", 0 if fixed.intercept else -1))
            elif number := next(same, 0):
                row.append(Covariate(label, f"X[ : , {number}]", number))
            else:
                known = next((column for array, column in own if np.array_equal(array, values)), None)
                if known is None:
                    known = Column(f"x_{suffix}", label, t, i)
                    own.append((values, known))
                row.append(Covariate(label, known.name, -1))
        covariates.append(tuple(row))
    return tuple(column for _, column in own), tuple(covariates)


def grouping_factors(
    design: Design,
    covariates: Sequence[tuple[Covariate, ...]],
    form: Form,
    *,
    information: Mapping[str, float],
    geometry: Mapping[str, str],
) -> tuple[Factor, ...]:
    """
    Collect the terms of each grouping factor, and say how each is treated.

    In the marginal form the factor with most effects is integrated out; others too if they have one coefficient and few
    levels, since those few tell so little of their standard deviation that sampling them is a funnel.
    """
    merged: dict[str, list[int]] = {}
    for position, term in enumerate(design.random_terms):
        merged.setdefault(term.group, []).append(position)
    wholes = {g: tuple(c for t in terms for c in covariates[t]) for g, terms in merged.items()}
    levels = {g: design.random_terms[terms[0]].n_levels for g, terms in merged.items()}
    treatments = _treatments(wholes, information, geometry)
    if len(merged) > 1:
        treatments = {g: "sum_to_zero" if t == "centered" else t for g, t in treatments.items()}
    if form == "marginal":
        largest = _integrated_first(design)
        rest = [g for g in merged if g != largest]
        alike = all(len(row) == 1 for row in wholes.values()) and not any(g in geometry for g in rest)
        width = sum(levels[g] for g in rest)
        together = alike and len(rest) <= 2 and width <= DENSE_WIDTH and levels[largest] * width**2 <= DENSE_COST
        treatments |= dict.fromkeys([largest, *(rest if together else [])], "integrated")
        for group in (g for g in geometry if treatments[g] == "integrated"):
            message = f"the effects of '{group}' are integrated out, so there is no geometry to choose for them"
            raise FitError(message, hint="form='conditional' samples them")
    carried = _carried(wholes, treatments)
    return tuple(
        Factor(
            label=group,
            suffix=suffix,
            n_levels=levels[group],
            covariates=wholes[group],
            blocks=_blocks([(t, design.random_terms[t]) for t in terms], suffix),
            treatment=treatments[group],
            carried=carried[group],
        )
        for (group, terms), suffix in zip(merged.items(), suffixes(merged), strict=True)
    )


def _treatments(
    groups: Mapping[str, object], information: Mapping[str, float], geometry: Mapping[str, str]
) -> dict[str, Treatment]:
    """Choose the geometry of each factor, as if it were sampled: as asked for, else by information."""
    for group, wanted in geometry.items():
        if group not in groups:
            raise FitError(f"no grouping factor '{group}' to choose a geometry for", hint=f"it has {', '.join(groups)}")
        if wanted not in ("centered", "noncentered"):
            raise FitError(f"there is no geometry {wanted!r}", hint="choose 'centered' or 'noncentered'")
    return {
        group: "centered"
        if geometry.get(group, "centered" if information.get(group, 0.0) >= CENTERED_FROM else "") == "centered"
        else "noncentered"
        for group in groups
    }


def _carried(
    covariates: Mapping[str, tuple[Covariate, ...]], treatments: Mapping[str, Treatment]
) -> dict[str, tuple[int, ...]]:
    """Let each fixed effect be the mean of the first centred coefficient of the same column, and of no other."""
    claimed = {-1}
    result = {}
    for group, row in covariates.items():
        carried = []
        for covariate in row:
            free = treatments[group] in ("centered", "sum_to_zero") and covariate.fixed not in claimed
            carried.append(covariate.fixed if free else -1)
            claimed.add(carried[-1])
        result[group] = tuple(carried)
    return result


def _blocks(terms: Sequence[tuple[int, RandomTermDesign]], suffix: str) -> tuple[Block, ...]:
    """Lay the terms of one factor out, one behind the other."""
    blocks = []
    start = 1
    for number, (position, term) in enumerate(terms, start=1):
        k = term.n_coefficients
        mark = str(number) if len(terms) > 1 else ""
        letter = term.covariance.stan_letter
        blocks.append(
            Block(
                term=position,
                start=start,
                stop=start + k - 1,
                covariance=term.covariance if k > 1 else UNSTRUCTURED,
                sd=f"sd{number}_{suffix}",
                correlation=f"{letter}{mark}_{suffix}" if letter and k > 1 else "",
            )
        )
        start += k
    return tuple(blocks)


def crossed_pairs(factors: Sequence[Factor], design: Design) -> tuple[Cross, ...]:
    """Name the products between the columns of every two factors, the integrated one first."""
    names = Identifiers()
    crosses = []
    ordered = sorted(factors, key=lambda f: (not f.integrated, -f.n_levels * f.k if f.integrated else 0))
    for left, right in combinations(ordered, 2):
        terms = (design.random_terms[factor.blocks[0].term] for factor in (left, right))
        suffix = f"{left.suffix}_{right.suffix}"
        nested = is_nested(design, *terms) and not right.integrated
        parent = names.new(f"parent_{suffix}") if nested else ""
        crosses.append(Cross(left, right, names.new(f"cross_{suffix}"), parent))
    return tuple(crosses)
