"""Prior statements, as data."""

from dataclasses import dataclass, field

from lmmformula.errors import NOWHERE, Span


@dataclass(frozen=True, slots=True)
class PriorTarget:
    """
    What a prior is for: `Intercept`, `b`, `b[x]`, `sd`, `sd[group]`, `sd[group, x]`, `cor`, `cor[group]`, `sigma`.

    parameter : "Intercept", "b", "sd", "cor", "sigma", or a family's parameter
    selectors : coefficient, or group and coefficient, canonical names as printed (`(Intercept)`, `x:z`, `a:b`)
    """

    parameter: str
    selectors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prior:
    """
    One statement `target ~ distribution(arguments)`.

    distribution : its Stan name, from a fixed table ("normal", "student_t", "lkj", ...)
    arguments : numbers, already evaluated
    """

    target: PriorTarget
    distribution: str
    arguments: tuple[float, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)
