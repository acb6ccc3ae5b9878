"""The families of a response, as a session offers them: their links, what is theirs, and what can be done with them."""

from collections.abc import Iterator

import numpy as np

from lmmformula.api.input.families import named_family
from lmmformula.arrays import FloatArray
from lmmformula.errors import FitError, FormulaError, printable
from lmmformula.families.table import FAMILIES
from lmmformula.fit.likelihood.response import can_fit
from lmmformula.ir.family import GAUSSIAN, Family
from lmmformula.ir.model import ModelIR
from lmmformula.present.formula import formula_text
from lmmformula.results.tables.lines import table_lines
from lmmformula.stan.program.responses import SAMPLED, own_parameters

COUNTS = frozenset(name for name, kind in FAMILIES.items() if kind.support == FAMILIES["poisson"].support)
"""Families of counts."""

MOST_CATEGORIES = 7
"""Of an ordinal response, that are all named."""


def is_fitted(family: Family) -> bool:
    """Tell whether there is a fit of a family."""
    return family == GAUSSIAN or can_fit(family)


def is_sampled(family: Family) -> bool:
    """Tell whether there is a Stan program of a family."""
    return family in SAMPLED


def chosen_family(text: str) -> Family:
    """
    Read a family that can be fitted or sampled.

    >>> chosen_family("binomial(probit)"), chosen_family("Gamma")
    (Family(name='binomial', link='probit'), Family(name='Gamma', link='log'))
    """
    family = named_family(text)
    known = FAMILIES[family.name].links
    if family.link not in known:
        hint = f"its links are: {', '.join(known)}"
        raise FormulaError(f"the family {family.name} has no link '{family.link}' here", hint=hint)
    return family


def family_text(family: Family) -> str:
    """
    Write a family as it is typed.

    >>> family_text(Family("binomial", "probit"))
    'binomial(probit)'
    """
    return f"{family.name}({family.link})"


def model_text(ir: ModelIR) -> str:
    """
    Write a formula with its family, which goes without saying where it is the Gaussian.

    >>> from lmmformula.api.input.parsing import specification
    >>> model_text(specification("y ~ x", "poisson", None)), model_text(specification("y ~ x", "gaussian", None))
    ('y ~ x, poisson(log)', 'y ~ x')
    """
    return formula_text(ir) + (f", {family_text(ir.family)}" if ir.family != GAUSSIAN else "")


def family_code(family: Family) -> str:
    """
    Write a family as an argument of `lf.Model`; nothing for the Gaussian.

    >>> family_code(Family("binomial", "logit")), family_code(Family("Gamma", "log"))
    (", family='binomial'", ", family='Gamma(log)'")
    """
    if family == GAUSSIAN:
        return ""
    kind = FAMILIES[family.name]
    is_default = family.link == kind.links[0] and not kind.usual_link
    return f", family={family.name if is_default else family_text(family)!r}"


def equation(family: Family, predictor: str) -> str:
    """
    Say what the linear predictor is of.

    >>> equation(Family("poisson", "log"), "Xβ + Zb"), equation(Family("cumulative", "probit"), "Xβ")
    ('log(mean) = Xβ + Zb', 'probit(P(<= k)) = cutpoint[k] - (Xβ)')
    """
    if family.ordinal:
        return f"{family.link}(P(<= k)) = cutpoint[k] - ({predictor})"
    centre = FAMILIES[family.name].centre
    return f"{centre if family.link == 'identity' else f'{family.link}({centre})'} = {predictor}"


def response_words(
    family: Family, y: FloatArray, trials: FloatArray | None = None, categories: tuple[str, ...] = ()
) -> str:
    """
    Say what a response is in its family: counts, successes, categories, or numbers.

    y, trials : (n,), as the design has them

    >>> response_words(Family("poisson", "log"), np.array([0.0, 3.0, 0.0, 1.0]))
    'counts from 0 to 3, 50 % are 0'
    >>> response_words(Family("binomial", "logit"), np.array([0.5, 0.2]), np.array([4.0, 10.0]))
    '4 of 14'
    """
    if not len(y):
        return "no complete row"
    match family.name:
        case "cumulative":
            shown = [*categories[:2], "...", categories[-1]] if len(categories) > MOST_CATEGORIES else categories
            return f"{len(categories)} categories, {' < '.join(map(printable, shown))}"
        case "binomial" if trials is None and np.any((y != 0) & (y != 1)):
            return "shares without trials: `:weights COLUMN` gives them"
        case "binomial":
            tried = np.ones(len(y)) if trials is None else trials
            return f"{y @ tried:,.10g} of {tried.sum():,.10g}"
        case name if name in COUNTS:
            zeros = "" if y.min() > 0 else f", {100 * np.mean(y == 0):.0f} % are 0"
            return f"counts from {y.min():,.10g} to {y.max():,.10g}{zeros}"
        case _:
            return f"{y.min():.6g} to {y.max():.6g}"


def family_table(used: Family) -> Iterator[str]:
    """Lay out all families, below the one in use."""
    own = ", ".join(own_parameters(used))
    told = [equation(used, "linear predictor"), f"own parameters {own}" if own else "", f"methods {_methods(used)}"]
    yield f"{family_text(used)}: {'; '.join(filter(None, told))}"
    yield ""
    rows = [
        [name, ", ".join(kind.links), _response(name), _methods(Family(name, kind.links[0]))]
        for name, kind in FAMILIES.items()
    ]
    yield from table_lines(["family", "links", "response", "methods"], rows, left=4)


def _response(name: str) -> str:
    """Say what a response must be."""
    return "0 and 1, two levels, cbind(s, f), s/n" if name == "binomial" else FAMILIES[name].support


def _methods(family: Family) -> str:
    fitted = "REML, ML" if family == GAUSSIAN else "Laplace" if is_fitted(family) else ""
    return ", ".join(filter(None, [fitted, "Stan" if is_sampled(family) else ""]))


def need_fitted(family: Family) -> None:
    """Refuse a family of which there is no fit, and say what there is."""
    if not is_fitted(family):
        hint = "`:sample` samples it, `:optimize` finds the mode of its posterior"
        raise FitError(f"there is no fit of the family {family_text(family)}", hint=hint)


def completions() -> Iterator[tuple[str, str]]:
    """List what may be typed as a family."""
    for name, kind in FAMILIES.items():
        yield name, f"{_response(name)}; link {kind.links[0]}"
        if len(kind.links) > 1:
            yield from ((f"{name}({link})", f"link {link}") for link in kind.links)
