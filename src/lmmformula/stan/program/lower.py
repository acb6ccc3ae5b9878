"""A model on its design -> a Stan program as data: parameters, priors and factors in their places."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.design import Design
from lmmformula.design.weights import WITH_SIGMA
from lmmformula.errors import FitError
from lmmformula.ir.family import GAUSSIAN, Family
from lmmformula.ir.model import ModelIR
from lmmformula.stan.program import factors as f
from lmmformula.stan.program.names import Identifiers
from lmmformula.stan.program.priors import Choice, PriorRow, Slot, bounds_of, of_cutpoints, prior_statements, resolve
from lmmformula.stan.program.record import Block, Factor, Fixed, Form, Program, Section
from lmmformula.stan.program.responses import (
    Scale,
    cutpoint_locations,
    family_slots,
    link_scale,
    own_parameters,
    words_of,
)
from lmmformula.stan.program.scales import size, spread
from lmmformula.stan.program.words import Declaration, Statement

DEFAULT_SCALE = 2.5
"""Scale of the default priors, in units of the spread of the response (over that of the predictor)."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter and the numbers or matrix in it that have priors; none for those the model itself describes."""

    declaration: Declaration
    slots: tuple[Slot, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """The parameters that share a heading: the population level, one grouping factor, or the residual."""

    title: str
    parameters: tuple[Parameter, ...]
    factor: Factor | None = None


def lower_program(
    ir: ModelIR,
    design: Design,
    *,
    form: str = "auto",
    data_form: str = "rows",
    information: Mapping[str, float] | None = None,
    geometry: Mapping[str, str] | None = None,
    flat: bool = False,
) -> tuple[Program, tuple[PriorRow, ...]]:
    """
    Lower a model on its design to a Stan program and the table of its priors.

    form : "marginal", "conditional", or "auto" for marginal wherever it applies
    data_form : "rows" or, in the marginal form, "crossproducts"
    information : n_j tau^2 / sigma^2 of a typical level, by grouping factor; where it is not known, non-centred
    geometry : "centered" or "noncentered" by grouping factor; wins over `information`
    flat : leave out all priors, so that a test sees the likelihood alone

    Raises
    ------
    FitError
        The form can't express the model.
    FormulaError
        A prior statement fits no parameter.
    """
    likelihood = words_of(design, ir.family)
    fixed = f.fixed_effects(design)
    columns, covariates = f.random_covariates(design, fixed)
    exact = ir.family == GAUSSIAN and not design.has_loglik_weights
    chosen = f.choose_form(form, design, geometry or {}) if exact else _conditional(form, design, ir.family)
    factors = f.grouping_factors(design, covariates, chosen, information=information or {}, geometry=geometry or {})
    crosses = f.crossed_pairs(factors, design) if chosen == "marginal" else ()
    named = [term.group_name for term in ir.random]
    factors = tuple(sorted(factors, key=lambda factor: named.index(factor.label)))
    expected = expected_scale(design, fixed, ir.family)
    parts = [
        _population(design, fixed, expected, cutpoint_locations(design, ir.family)),
        *(_group(design, factor, expected.spread) for factor in factors),
        *_family(ir.family, expected.spread),
    ]
    slots = [slot for part in parts for parameter in part.parameters for slot in parameter.slots]
    choices = resolve(slots, of_cutpoints(ir.priors, fixed.cutpoints), ir.source)
    names = Identifiers()
    written = [_write(part, choices, names, flat=flat) for part in parts]
    sections = tuple(section for section, _, _ in written)
    declarations = tuple(declaration for _, own, _ in written for declaration in own)
    numbers = [number for section in sections for s in section.statements for number in s.arguments]
    numbers += [bound for d in declarations for bound in (*d.lower, *d.upper) if bound is not None]
    program = Program(
        formula=(ir.source or str(ir)).split("\n")[0].strip(),
        form=chosen,
        n_rows=design.nobs,
        response=design.response_name,
        fixed=fixed,
        weights=design.has_weights and ir.family.name in WITH_SIGMA,
        loglik_weights=design.has_loglik_weights,
        offset=design.has_offset,
        columns=columns,
        factors=factors,
        crosses=crosses,
        data_form=f.choose_data_form(data_form, chosen),
        sections=sections,
        numbers=tuple(dict.fromkeys(number for number in numbers if number.name)),
        parameters=declarations,
        family=ir.family.name,
        link=ir.family.link,
        likelihood=likelihood,
    )
    return program, tuple(row for _, _, rows in written for row in rows)


def _conditional(form: str, design: Design, family: Family) -> Form:
    """Refuse to integrate random effects out where that can't be done exactly."""
    if form == "marginal":
        why = "loglik_weights do" if design.has_loglik_weights else f"the family {family.name} does"
        message = f"the marginal form integrates random effects out, which {why} not allow"
        raise FitError(message, hint="form='auto' chooses the form that a model can have")
    if form not in ("auto", "conditional"):
        raise FitError(f"a Stan program has no form {form!r}", hint="choose 'auto', 'marginal' or 'conditional'")
    return "conditional"


def _write(
    part: Part, choices: Mapping[Slot, Choice], names: Identifiers, *, flat: bool
) -> tuple[Section, tuple[Declaration, ...], tuple[PriorRow, ...]]:
    """Write the prior statements of a part, and bound its parameters as these ask for."""
    statements: list[Statement] = []
    declarations = []
    rows = []
    for parameter in part.parameters:
        declaration = parameter.declaration
        if parameter.slots:
            chosen = [choices[slot] for slot in parameter.slots]
            own = prior_statements(declaration.name, chosen, names)
            lower, upper = bounds_of(chosen, own)
            declaration = replace(declaration, lower=lower, upper=upper)
            statements += own
            stan = [own[index if len(own) > 1 else 0] for index in range(len(chosen))]
            rows += [PriorRow(str(c.slot), str(c), not c.given, s.text()) for c, s in zip(chosen, stan, strict=True)]
        declarations.append(declaration)
    return Section(part.title, () if flat else tuple(statements), part.factor), tuple(declarations), tuple(rows)


# --- what each part declares, and the default priors ----------------------------------------------------------------


def expected_scale(design: Design, fixed: Fixed, family: Family) -> Scale:
    """Say where the linear predictor is expected, and how far it spreads."""
    if family == GAUSSIAN:
        return Scale(float(np.median(response(design))), response_spread(design, fixed))
    return link_scale(design, family)


def response_spread(design: Design, fixed: Fixed) -> float:
    """Spread of y less its offset: around its centre or, where there is no intercept, around zero."""
    y = response(design)
    return spread(y) if fixed.intercept else (size(y) or 1.0)


def response(design: Design) -> FloatArray:
    """(n,) y less its offset, of the rows that are here."""
    rows = design.sample
    return rows.y if rows.offset is None else rows.y - rows.offset


def _population(design: Design, fixed: Fixed, expected: Scale, cutpoints: Sequence[float]) -> Part:
    """
    Declare the fixed effects: intercept or cutpoints at the predictors' means, and the other coefficients.

    cutpoints : where each is expected
    """
    scale = DEFAULT_SCALE * expected.spread
    parameters = []
    at_means = " at the predictors' means" if fixed.K else ""
    if fixed.categories:
        slots = tuple(
            Slot("cutpoint", (label,), ("student_t", (3.0, location, scale)), ordered=True)
            for label, location in zip(fixed.cutpoints, cutpoints, strict=True)
        )
        comment = ", ".join(fixed.cutpoints) + at_means
        parameters.append(Parameter(Declaration("ordered", str(len(slots)), fixed.cutpoint_name, comment), slots))
    if fixed.intercept:
        comment = f"intercept{at_means}" if fixed.K else ""
        slot = Slot("Intercept", (), ("student_t", (3.0, expected.middle, scale)))
        parameters.append(
            Parameter(Declaration("real", "", "Intercept_c" if fixed.K else "Intercept", comment), (slot,))
        )
    if fixed.K:
        slots = tuple(
            Slot("b", (label,), ("normal", (0.0, scale / (spread(design.sample.X[:, column]) * own))))
            for label, column, own in zip(fixed.labels, fixed.columns, fixed.own, strict=True)
        )
        parameters.append(Parameter(Declaration("vector", str(fixed.K), "b", ", ".join(fixed.labels)), slots))
    return Part("population level", tuple(parameters))


def _group(design: Design, factor: Factor, expected: float) -> Part:
    """Declare a factor's standard deviations, correlations and, unless integrated out, what its effects are made of."""
    scale = DEFAULT_SCALE * expected
    slots = tuple(
        Slot("sd", (factor.label, covariate.label), ("student_t", (3.0, 0.0, scale / spread(values))), lower=0.0)
        for covariate, values in zip(factor.covariates, _columns(design, factor), strict=True)
    )
    parameters = []
    if factor.sd_from_blocks:
        parameters += [_block_sd(factor, block, slots[block.start - 1 : block.stop]) for block in factor.blocks]
    else:
        comment = ", ".join(covariate.label for covariate in factor.covariates) if factor.k > 1 else ""
        parameters.append(Parameter(_vector(factor.name("sd"), factor.k, comment), slots))
    parameters += [_correlation(factor, block) for block in factor.blocks if block.correlation]
    count, k = factor.name("N"), factor.k
    match factor.treatment:
        case "integrated":
            pass
        case "noncentered":
            shape = ("vector", count) if k == 1 else ("matrix", f"{count}, {k}")
            parameters.append(Parameter(Declaration(*shape, factor.name("z"), "standardised effects")))
        case "sum_to_zero":
            array = "" if k == 1 else str(k)
            parameters.append(Parameter(_vector(factor.name("mean"), k, "means of the coefficients")))
            deviations = Declaration("sum_to_zero_vector", count, factor.name("dev"), "their deviations", array=array)
            parameters.append(Parameter(deviations))
        case "centered":
            name = factor.name("u" if factor.simple else "coef")
            declaration = Declaration("vector", count if k == 1 else str(k), name, array="" if k == 1 else count)
            parameters.append(Parameter(declaration))
    return Part(factor.label, tuple(parameters), factor)


def _columns(design: Design, factor: Factor) -> Iterator[FloatArray]:
    """List the columns of Z of one level, for all terms of a factor."""
    for block in factor.blocks:
        yield from design.sample.random_terms[block.term].covariates.T


def _vector(name: str, k: int, comment: str) -> Declaration:
    """Declare a vector, but a plain number if it would have one element."""
    return Declaration("real", "", name, comment) if k == 1 else Declaration("vector", str(k), name, comment)


def _block_sd(factor: Factor, block: Block, slots: tuple[Slot, ...]) -> Parameter:
    """Declare the standard deviations of one block: one for each coefficient, or one for all."""
    labels = ", ".join(covariate.label for covariate in factor.covariates[block.start - 1 : block.stop])
    if not block.covariance.homogeneous:
        return Parameter(_vector(block.sd, block.size, labels), slots)
    widest = max(slots, key=lambda slot: slot.default[1])
    slot = Slot("sd", (factor.label,), widest.default, lower=0.0)
    return Parameter(Declaration("real", "", block.sd, f"of each of {labels}"), (slot,))


def _correlation(factor: Factor, block: Block) -> Parameter:
    """Declare what the correlations of one block are made of."""
    made = block.covariance.stan_correlations(block.size)
    lower, upper = made.bounds
    slot = Slot("cor", (factor.label,), made.prior, lower=lower, upper=upper, matrix=made.matrix)
    return Parameter(Declaration(made.base, made.size, block.correlation, made.comment), (slot,))


def _family(family: Family, expected: float) -> Iterator[Part]:
    """Declare what a family has beside its mean: the residual standard deviation, shapes."""
    slots = family_slots(family, expected)
    declared = tuple(Parameter(Declaration("real", "", slot.parameter), (slot,)) for slot in slots)
    if declared:
        yield Part("residual" if "sigma" in own_parameters(family) else "family", declared)
