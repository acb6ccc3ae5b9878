"""Prior statements and defaults -> the distribution of every parameter: targets resolved, numbers checked."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import Literal

from lmmformula.errors import FormulaError, look_alike
from lmmformula.ir.names import backticked
from lmmformula.ir.priors import Prior, PriorTarget
from lmmformula.stan.program.names import Identifiers
from lmmformula.stan.program.words import Bounds, Number, Statement, number_text

ArgumentKind = Literal["location", "positive", "shape", "lower", "upper"]
"""What an argument must be; a "shape" must be positive and is always written into the program's text."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """
    A distribution of the prior language.

    arguments : name -> kind, in Stan's order
    support : "real", "positive", or "correlation" for a correlation matrix
    """

    arguments: dict[str, ArgumentKind]
    support: Literal["real", "positive", "correlation"] = "real"


_LOCATION_SCALE: dict[str, ArgumentKind] = {"location": "location", "scale": "positive"}
DISTRIBUTIONS: dict[str, Distribution] = {
    "normal": Distribution(_LOCATION_SCALE),
    "student_t": Distribution({"df": "shape", **_LOCATION_SCALE}),
    "cauchy": Distribution(_LOCATION_SCALE),
    "logistic": Distribution(_LOCATION_SCALE),
    "double_exponential": Distribution(_LOCATION_SCALE),
    "uniform": Distribution({"lower": "lower", "upper": "upper"}),
    "exponential": Distribution({"rate": "positive"}, "positive"),
    "gamma": Distribution({"shape": "positive", "rate": "positive"}, "positive"),
    "inv_gamma": Distribution({"shape": "positive", "scale": "positive"}, "positive"),
    "lognormal": Distribution(_LOCATION_SCALE, "positive"),
    "weibull": Distribution({"shape": "positive", "scale": "positive"}, "positive"),
    "chi_square": Distribution({"df": "shape"}, "positive"),
    "lkj": Distribution({"eta": "shape"}, "correlation"),
}
ALIASES = {
    "laplace": "double_exponential",
    "half_normal": "normal",
    "half_student_t": "student_t",
    "half_cauchy": "cauchy",
    "lkj_corr": "lkj",
    "lkj_corr_cholesky": "lkj",
}
"""Other names; a half distribution is the whole one, cut off at 0 by its parameter's bound."""
AT_MEANS = {"Intercept_c": "Intercept", "cutpoint_c": "cutpoint"}
"""Parameters at the predictors' means -> what their priors are called after."""
POSITIVE_ONLY = ("half_normal", "half_student_t", "half_cauchy")


@dataclass(frozen=True, slots=True)
class Slot:
    """
    One number (or correlation matrix) that has a prior.

    parameter, selectors : its target in full, `sd[group, x]`
    default : distribution and arguments it has if no statement says otherwise
    lower, upper : its range
    matrix : whether it is a correlation matrix
    ordered : whether it is one of several in rising order, which have no bounds of their own
    """

    parameter: str
    selectors: tuple[str, ...]
    default: tuple[str, tuple[float, ...]]
    lower: float = -inf
    upper: float = inf
    matrix: bool = False
    ordered: bool = False

    def __str__(self) -> str:
        return self.parameter + (f"[{', '.join(self.selectors)}]" if self.selectors else "")


@dataclass(frozen=True, slots=True)
class Choice:
    """
    The prior of one slot.

    given : whether a statement gave it
    """

    slot: Slot
    distribution: str
    arguments: tuple[float, ...]
    given: bool

    def __str__(self) -> str:
        return f"{self.distribution}({', '.join(number_text(a) for a in self.arguments)})"


@dataclass(frozen=True, slots=True)
class PriorRow:
    """
    One line of the table of priors.

    target : as it would be written, `sd[group, x]`
    distribution : with its numbers, `student_t(3, 0, 36.2)`
    default : whether no statement gave it
    stan : the statement of the program it became
    """

    target: str
    distribution: str
    default: bool
    stan: str


def resolve(slots: Sequence[Slot], statements: Iterable[Prior], source: str = "") -> dict[Slot, Choice]:
    """
    Find the prior of each slot: the most specific statement that matches it, of equals the last; else its default.

    Raises
    ------
    FormulaError
        A statement matches nothing, names an unknown distribution, or has numbers that the distribution can't have.
    """
    chosen = {slot: Choice(slot, *slot.default, given=False) for slot in slots}
    for statement in sorted(statements, key=lambda s: len(s.target.selectors)):
        matched = [slot for slot in slots if _matches(statement, slot)]
        if not matched:
            raise _no_target(statement, slots, source)
        problems = {slot: _check(statement, slot) for slot in matched}
        fitting = [slot for slot, problem in problems.items() if problem is None]
        if not fitting or (statement.target.selectors and len(fitting) < len(matched)):
            problem = next(problem for problem in problems.values() if problem is not None)
            raise FormulaError(problem.message, text=source, span=statement.span, hint=problem.hint)
        name = ALIASES.get(statement.distribution, statement.distribution)
        chosen |= {slot: Choice(slot, name, statement.arguments, given=True) for slot in fitting}
    return chosen


def of_cutpoints(statements: Iterable[Prior], cutpoints: Sequence[str]) -> Iterator[Prior]:
    """
    Read `Intercept` as the cutpoints that stand in its place, and the number of a cutpoint as its name.

    cutpoints : their names, `low|mid`; empty in a model that has none
    """
    names = {str(number): name for number, name in enumerate(cutpoints, start=1)}
    names |= {name.replace("|", " | "): name for name in cutpoints}  # as `low|mid` reads without quotes
    for statement in statements:
        target = statement.target
        if cutpoints and target.parameter in ("Intercept", "cutpoint"):
            selectors = tuple(names.get(selector, selector) for selector in target.selectors)
            yield replace(statement, target=PriorTarget("cutpoint", selectors))
        else:
            yield statement


def _matches(statement: Prior, slot: Slot) -> bool:
    """Whether a target names a slot, in full or by leaving out the last selectors."""
    typed = statement.target.selectors
    if typed and slot.parameter in ("sd", "cor") and typed[0] == backticked(slot.selectors[0]):
        typed = (slot.selectors[0], *typed[1:])  # a grouping factor is called by its bare name
    return statement.target.parameter == slot.parameter and slot.selectors[: len(typed)] == typed


def _no_target(statement: Prior, slots: Sequence[Slot], source: str) -> FormulaError:
    target = statement.target
    typed = target.parameter + (f"[{', '.join(target.selectors)}]" if target.selectors else "")
    known = list(dict.fromkeys(str(slot) for slot in slots))
    hint = look_alike(typed, known) or f"it has {', '.join(known)}"
    message = f"the model has no parameter '{typed}' for a prior"
    return FormulaError(message, text=source, span=statement.span, hint=hint)


def _check(statement: Prior, slot: Slot) -> FormulaError | None:
    """Return what is wrong with a distribution as the prior of a slot, if anything is."""
    if message := _number_problem(statement):
        return FormulaError(message)
    if message := _support_problem(statement, slot):
        return FormulaError(message, hint=_hint(slot))
    return None


def _number_problem(statement: Prior) -> str:
    """Say what is wrong with the numbers of a distribution, "" if nothing is."""
    typed, values = statement.distribution, statement.arguments
    distribution = DISTRIBUTIONS.get(ALIASES.get(typed, typed))
    if distribution is None:
        return ""
    if len(values) != len(distribution.arguments):
        wanted = ", ".join(distribution.arguments)
        return f"{typed}({wanted}) takes {len(distribution.arguments)} numbers, not {len(values)}"
    for (name, kind), value in zip(distribution.arguments.items(), values, strict=True):
        if not isfinite(value):
            return f"the {name} of {typed} must be a finite number"
        if kind in ("positive", "shape") and value <= 0:
            return f"the {name} of {typed} must be positive, not {number_text(value)}"
    if typed == "uniform" and values[0] >= values[1]:
        return f"uniform({number_text(values[0])}, {number_text(values[1])}) is empty: the lower bound comes first"
    return ""


def _support_problem(statement: Prior, slot: Slot) -> str:
    """Say why a distribution is not one of such a parameter, "" if it is."""
    typed = statement.distribution
    distribution = DISTRIBUTIONS.get(ALIASES.get(typed, typed))
    if distribution is None:
        return f"there is no prior distribution '{typed}'"
    if slot.matrix != (distribution.support == "correlation"):
        return f"{slot} is " + ("a correlation matrix" if slot.matrix else f"a number, {typed} is for matrices")
    if typed == "uniform" and slot.ordered:
        return f"{slot} lies between its neighbours, so uniform can't bound it"
    if slot.lower < 0 and (distribution.support == "positive" or typed in POSITIVE_ONLY):
        return f"{slot} can be negative, but {typed} is a distribution of positive numbers"
    if typed == "uniform" and not slot.lower <= statement.arguments[0] < statement.arguments[1] <= slot.upper:
        low, high = (number_text(bound) if isfinite(bound) else "infinity" for bound in (slot.lower, slot.upper))
        return f"{slot} lies between {low} and {high}: uniform must stay within"
    return ""


def _hint(slot: Slot) -> str:
    if slot.matrix:
        return "write for example lkj(2)"
    fitting = [
        name
        for name, distribution in DISTRIBUTIONS.items()
        if (distribution.support == "real" and not (slot.ordered and name == "uniform"))
        or (distribution.support == "positive" and slot.lower >= 0)
    ]
    return "distributions that fit: " + ", ".join(fitting)


def bounds_of(choices: Sequence[Choice], statements: Sequence[Statement]) -> tuple[Bounds, Bounds]:
    """
    Find the bounds that the parameter of some choices must have: its own, or those of a uniform prior.

    Returns lower and upper bounds, one for all elements or one for each.
    """
    lower: list[Number | None] = []
    upper: list[Number | None] = []
    for index, choice in enumerate(choices):
        low, high = (_bound(bound) for bound in (choice.slot.lower, choice.slot.upper))
        if choice.distribution == "uniform":
            low, high = statements[index if len(statements) > 1 else 0].arguments
        lower.append(low)
        upper.append(high)
    return _shared(lower), _shared(upper)


def _bound(value: float) -> Number | None:
    """Make a bound of what a parameter's range is by nature."""
    return Number("", (value,)) if isfinite(value) else None


def _shared(bounds: list[Number | None]) -> Bounds:
    """Keep one bound if it is the same for all elements."""
    return (bounds[0],) if all(bound == bounds[0] for bound in bounds) else tuple(bounds)


def prior_statements(variable: str, choices: Sequence[Choice], names: Identifiers) -> tuple[Statement, ...]:
    """
    Write the statements for a parameter: one for all elements where they share a distribution, else one each.

    variable : the parameter; its elements are those of `choices`
    names : of the numbers of the program's priors
    """
    stem = AT_MEANS.get(variable, variable)
    if len({_pattern(choice) for choice in choices}) == 1:
        return (_statement(variable, stem, choices, names),)
    numbered = enumerate(choices, start=1)
    return tuple(_statement(f"{variable}[{i}]", f"{stem}_{i}", [choice], names) for i, choice in numbered)


def _pattern(choice: Choice) -> tuple[object, ...]:
    """Return what must be equal for two elements to share a statement: distribution, figures in place, and bounds."""
    arguments = zip(choice.arguments, _in_place(choice), strict=True)
    return (choice.distribution, *(a if own or choice.distribution == "uniform" else None for a, own in arguments))


def _in_place(choice: Choice) -> list[bool]:
    """Say which numbers of a prior are written in place: 0, shapes, and the bounds that a parameter has by nature."""
    kinds = DISTRIBUTIONS[choice.distribution].arguments.values()
    natural = (choice.slot.lower, choice.slot.upper)
    return [
        a == 0 or kind == "shape" or (kind in ("lower", "upper") and a in natural)
        for a, kind in zip(choice.arguments, kinds, strict=True)
    ]


def _statement(left: str, stem: str, choices: Sequence[Choice], names: Identifiers) -> Statement:
    distribution = choices[0].distribution
    arguments = []
    columns = zip(*(choice.arguments for choice in choices), strict=True)
    about = zip(DISTRIBUTIONS[distribution].arguments.items(), columns, _in_place(choices[0]), strict=True)
    for (name, kind), values, in_place in about:
        one = values[:1] if len(set(values)) == 1 else values
        named = "" if in_place else names.new(f"prior_{stem}_{name}")
        arguments.append(Number(named, one, kind == "positive"))
    stan_name = "lkj_corr_cholesky" if distribution == "lkj" else distribution
    return Statement(left, stan_name, tuple(arguments))
