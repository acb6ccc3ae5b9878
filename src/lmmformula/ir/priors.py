"""Prior statements, as data."""

import re
from dataclasses import dataclass, field

from lmmformula.errors import NOWHERE, FormulaError, Span
from lmmformula.ir.expressions import number
from lmmformula.ir.names import quote

_PLAIN_SELECTOR = re.compile(r"\(Intercept\)|(?!Intercept$)[A-Za-z][A-Za-z0-9_.]*(?::[A-Za-z][A-Za-z0-9_.]*)*")


DISTRIBUTIONS: dict[str, tuple[str, ...]] = {
    "normal": ("location", "scale"),
    "student_t": ("df", "location", "scale"),
    "exponential": ("rate",),
    "gamma": ("shape", "rate"),
    "uniform": ("lower", "upper"),
    "lkj": ("eta",),
    **dict.fromkeys(("cauchy", "logistic", "double_exponential", "laplace", "lognormal"), ("location", "scale")),
    **dict.fromkeys(("half_normal", "half_cauchy"), ("location", "scale")),
    "half_student_t": ("df", "location", "scale"),
    **dict.fromkeys(("inv_gamma", "weibull"), ("shape", "scale")),
    "chi_square": ("df",),
    **dict.fromkeys(("lkj_corr", "lkj_corr_cholesky"), ("eta",)),
}
"""Distributions that a prior may have, by Stan's names and a few others -> the numbers they take."""

TARGETS: dict[str, int] = {
    "Intercept": 0, "b": 1, "sd": 2, "cor": 1, "sigma": 0, "shape": 0, "phi": 0, "nu": 0, "zi": 0, "hu": 0,
    "cutpoint": 1,
}  # fmt: skip
"""What a prior can be for -> the largest number of selectors it may have."""


@dataclass(frozen=True, slots=True)
class PriorTarget:
    """
    What a prior is for: `Intercept`, `b`, `b[x]`, `sd`, `sd[group]`, `sd[group, x]`, `cor`, `cor[group]`, `sigma`.

    Of an ordinal response also `cutpoint` and `cutpoint[1]`.

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
    """Refuse what can't be right whatever the model: too many selectors, too few numbers."""
    allowed = TARGETS[prior.target.parameter]
    if len(prior.target.selectors) > allowed:
        many = ("no name", "at most one name", "at most two names")[allowed]
        raise FormulaError(f"`{prior.target.parameter}` takes {many} in brackets", span=prior.span)
    wanted = DISTRIBUTIONS[prior.distribution]
    if len(prior.arguments) != len(wanted):
        raise FormulaError(
            f"{prior.distribution}({', '.join(wanted)}) takes {len(wanted)} numbers, not {len(prior.arguments)}",
            span=prior.span,
        )
