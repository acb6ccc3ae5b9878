"""Prior statements, as data."""

import re
from dataclasses import dataclass, field

from lmmformula.errors import NOWHERE, FormulaError, Span
from lmmformula.ir.labels import number
from lmmformula.ir.names import quote

_PLAIN_SELECTOR = re.compile(r"\(Intercept\)|[A-Za-z][A-Za-z0-9_.]*(?::[A-Za-z][A-Za-z0-9_.]*)*")


@dataclass(frozen=True, slots=True)
class Distribution:
    """
    A distribution that a prior may have.

    parameters : their names, in order; a leading `+` marks one that must be positive
    """

    parameters: tuple[str, ...]


DISTRIBUTIONS: dict[str, Distribution] = {
    "normal": Distribution(("mu", "+sigma")),
    "student_t": Distribution(("+nu", "mu", "+sigma")),
    "cauchy": Distribution(("mu", "+sigma")),
    "logistic": Distribution(("mu", "+sigma")),
    "double_exponential": Distribution(("mu", "+sigma")),
    "lognormal": Distribution(("mu", "+sigma")),
    "exponential": Distribution(("+beta",)),
    "gamma": Distribution(("+alpha", "+beta")),
    "inv_gamma": Distribution(("+alpha", "+beta")),
    "chi_square": Distribution(("+nu",)),
    "weibull": Distribution(("+alpha", "+sigma")),
    "beta": Distribution(("+alpha", "+beta")),
    "uniform": Distribution(("lower", "upper")),
    "lkj": Distribution(("+eta",)),
}
"""Stan name -> parameters."""

TARGETS: dict[str, int] = {
    "Intercept": 0, "b": 1, "sd": 2, "cor": 1, "sigma": 0, "shape": 0, "phi": 0, "nu": 0, "zi": 0, "hu": 0,
}  # fmt: skip
"""What a prior can be for -> the largest number of selectors it may have."""


@dataclass(frozen=True, slots=True)
class PriorTarget:
    """
    What a prior is for: `Intercept`, `b`, `b[x]`, `sd`, `sd[group]`, `sd[group, x]`, `cor`, `cor[group]`, `sigma`.

    parameter : "Intercept", "b", "sd", "cor", "sigma", or a family's parameter
    selectors : coefficient, or group and coefficient, canonical names as printed (`(Intercept)`, `x:z`, `a:b`)
    """

    parameter: str
    selectors: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the target as it is typed, `sd[group, x]`."""
        written = [s if _PLAIN_SELECTOR.fullmatch(s) else quote(s, '"') for s in self.selectors]
        return f"{self.parameter}[{', '.join(written)}]" if written else self.parameter


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

    def __str__(self) -> str:
        """Return the statement in canonical form."""
        return f"{self.target} ~ {self.distribution}({', '.join(map(number, self.arguments))})"


def check(prior: Prior) -> None:
    """Refuse a statement whose target, distribution or numbers can't be right, whatever the model."""
    target = prior.target
    found = DISTRIBUTIONS[prior.distribution]
    if len(target.selectors) > TARGETS[target.parameter]:
        allowed = TARGETS[target.parameter]
        raise FormulaError(
            f"`{target.parameter}` takes {f'at most {allowed}' if allowed else 'no'} selectors in brackets",
            span=prior.span,
        )
    if (prior.distribution == "lkj") != (target.parameter == "cor"):
        raise FormulaError(
            "correlations have an lkj() prior, and nothing else has", span=prior.span, hint="try `cor ~ lkj(2)`"
        )
    if len(prior.arguments) != len(found.parameters):
        names = ", ".join(name.removeprefix("+") for name in found.parameters)
        raise FormulaError(f"{prior.distribution}() takes {len(found.parameters)} numbers: {names}", span=prior.span)
    for name, value in zip(found.parameters, prior.arguments, strict=True):
        if name.startswith("+") and value <= 0:
            raise FormulaError(f"the {name[1:]} of {prior.distribution}() must be positive", span=prior.span)
    if prior.distribution == "uniform" and prior.arguments[0] >= prior.arguments[1]:
        raise FormulaError("the lower bound of uniform() must be below the upper one", span=prior.span)
