"""The response of a family as its program reads it, and what is known of it beforehand: the default priors."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.design import Design
from lmmformula.design.weights import are_broken
from lmmformula.ir.family import Family
from lmmformula.stan.program.distributions import Likelihood
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


# --- default priors -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scale:
    """Where the linear predictor is expected, and how far it spreads."""

    middle: float
    spread: float


def link_scale(y: FloatArray, trials: FloatArray | None, offset: FloatArray | None, family: Family) -> Scale:
    """
    Place the linear predictor by the data: link(mean y), less the offset, and the spread of link(y) where it has one.

    y, trials : as `counted` gives them
    """
    known = np.zeros(len(y)) if offset is None else offset
    match family.name:
        case "binomial" | "beta":
            total = float(len(y)) if trials is None else float(trials.sum())
            share = (float(y.sum()) + 0.5) / (total + 1.0)
            return Scale(float(_LINKS[family.link](share) - known.mean()), LEAST_SPREAD)
        case "cumulative":
            return Scale(0.0, LEAST_SPREAD)
        case "student":
            left = y - known
            return Scale(float(np.median(left)), spread(left))
        case "lognormal":
            left = np.log(y) - known
            return Scale(float(np.median(left)), spread(left))
        case "Gamma":
            return Scale(float(np.log(np.mean(y * np.exp(-known)))), max(spread(np.log(y) - known), LEAST_SPREAD))
        case _:
            middle = np.log((y.sum() + 0.5) / np.sum(np.exp(known)))
            return Scale(float(middle), max(spread(np.log(y + 0.5) - known), LEAST_SPREAD))


def cutpoint_locations(design: Design, family: Family) -> tuple[float, ...]:
    """Place each cutpoint by the data: link(share of the categories below it), plus the mean of the offset."""
    if not family.ordinal:
        return ()
    known = 0.0 if design.offset is None else float(design.offset.mean())
    below = (int(np.sum(design.y <= k)) for k in range(1, len(design.categories)))
    return tuple(_LINKS[family.link]((count + 0.5) / (design.nobs + 1.0)) + known for count in below)


def _probit(share: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(share)


_LINKS: dict[str, Callable[[float], float]] = {
    "logit": lambda p: float(np.log(p) - np.log1p(-p)),
    "probit": _probit,
    "cloglog": lambda p: float(np.log(-np.log1p(-p))),
}


def family_slots(likelihood: Likelihood, scale: float) -> tuple[Slot, ...]:
    """
    Give the parameters of a family their default priors.

    scale : of the residual standard deviation
    """
    slots = {
        "sigma": Slot("sigma", (), ("student_t", (3.0, 0.0, scale)), lower=0.0),
        "nu": Slot("nu", (), ("gamma", (2.0, 0.1)), lower=1.0),
        "shape": Slot("shape", (), ("inv_gamma", (0.4, 0.3)), lower=0.0),
        "phi": Slot("phi", (), ("inv_gamma", (0.4, 0.3)), lower=0.0),
        "zi": Slot("zi", (), ("uniform", (0.0, 1.0)), lower=0.0, upper=1.0),
    }
    return tuple(slots[name] for name in likelihood.parameters)
