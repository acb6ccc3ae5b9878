"""The response of a family as its program reads it, and what is known of it beforehand: the default priors."""

from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.design import Design
from lmmformula.design.weights import are_broken
from lmmformula.errors import FitError
from lmmformula.families.calculus.links import LINKS
from lmmformula.families.stan_words import Prior, StanWords
from lmmformula.families.table import FAMILIES
from lmmformula.ir.family import Family
from lmmformula.stan.program.priors import Slot
from lmmformula.stan.program.scales import spread

LEAST_SPREAD = 1.0
"""Of counts and odds on the logarithmic scale, below which a default prior does not go; it has no units there."""


# --- the response as the program reads it ---------------------------------------------------------------------------


def counted(y: FloatArray, weights: FloatArray | None, family: Family) -> tuple[FloatArray, FloatArray | None]:
    """
    Turn shares and weights into counts and trials, of a binomial family; other families have their response as it is.

    Successes that are no whole numbers stay so; shares without weights are of one trial each.
    """
    if family.name != "binomial":
        return y, None
    if weights is None:
        return y, np.ones(len(y)) if are_broken(y).any() else None
    successes = y * weights
    return successes if are_broken(successes).any() else np.rint(successes), np.rint(weights)


def has_broken_counts(design: Design, family: Family) -> bool:
    """Tell whether the successes of a binomial family are no whole numbers, which R takes with a warning."""
    return family.name == "binomial" and bool(are_broken(counted(design.y, design.weights, family)[0]).any())


def words_of(design: Design, family: Family) -> StanWords:
    """
    Say what a program has of a family.

    Raises
    ------
    FitError
        No program is written for the family with that link.
    """
    if family not in SAMPLED:
        links = [own.link for own in SAMPLED if own.name == family.name]
        message = f"a Stan program is not available for the family {family.name} with link {family.link}"
        hint = f'it is with link {", ".join(links)}: family="{family.name}({links[0]})"' if links else ""
        names = ", ".join(dict.fromkeys(own.name for own in SAMPLED))
        raise FitError(message, hint=hint or f"the families are: {names}")
    kind = FAMILIES[family.name](family.link)
    words = kind.stan(trials=design.has_weights, broken=has_broken_counts(design, family))
    assert words is not None
    return words


SAMPLED = tuple(
    Family(name, link) for name, kind in FAMILIES.items() for link in kind.links if kind(link).stan() is not None
)
"""Families with a link for which programs are written."""


def own_parameters(family: Family) -> tuple[str, ...]:
    """Name the parameters of a family beside its mean, in the order of their priors."""
    return tuple(own.name for own in FAMILIES[family.name].parameters) if family.name in FAMILIES else ()


# --- default priors -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scale:
    """Where the linear predictor is expected, and how far it spreads."""

    middle: float
    spread: float


def link_scale(design: Design, family: Family) -> Scale:
    """Place the linear predictor by the data: link(mean y), less the offset, and the spread of link(y)."""
    y, trials = counted(design.y, design.weights, family)
    kind = FAMILIES[family.name](family.link)
    middle, values = kind.expected_at(y, trials, _known(design))
    return Scale(middle, spread(values) if kind.units else max(spread(values), LEAST_SPREAD))


def cutpoint_locations(design: Design, family: Family) -> tuple[float, ...]:
    """Place each cutpoint by the data: link(share of the categories below it), plus the mean of the offset."""
    if not family.ordinal:
        return ()
    link, known = LINKS[family.link], float(_known(design).mean())
    below = (int(np.sum(design.y <= k)) for k in range(1, len(design.categories)))
    return tuple(link.of_share(count, design.nobs) + known for count in below)


def _known(design: Design) -> FloatArray:
    return np.zeros(design.nobs) if design.offset is None else design.offset


def family_slots(family: Family, scale: float) -> tuple[Slot, ...]:
    """
    Give the parameters of a family their default priors.

    scale : of the linear predictor
    """
    return tuple(
        Slot(own.name, (), _scaled(own.prior, scale if own.spread else 1.0), lower=own.lower, upper=own.upper)
        for own in FAMILIES[family.name].parameters
    )


def _scaled(prior: Prior, scale: float) -> Prior:
    """Multiply the last number of a prior, its scale."""
    name, (*numbers, last) = prior
    return name, (*numbers, last * scale)
