"""Texts to models: a formula, and an edit of a model as R's update() writes it, `. ~ . - x`."""

from dataclasses import replace

from lmmformula.errors import FormulaError
from lmmformula.formula.ast import Expr, Name, Specification, walk
from lmmformula.formula.parse import parse_text
from lmmformula.ir.lower.formula import lower_formula
from lmmformula.ir.model import ModelIR
from lmmformula.ir.written.text import right_text


def lower(specification: Specification) -> ModelIR:
    """
    Give a formula its meaning.

    >>> from lmmformula.formula.parse import parse_text
    >>> print(lower(parse_text("y ~ a*x + (x || g/h)")))
    y ~ a + x + a:x + (1 | h:g) + (1 | g) + (0 + x | h:g) + (0 + x | g)
    """
    return ModelIR.of(lower_formula(specification))


def update(ir: ModelIR, text: str) -> ModelIR:
    """
    Make a new model of an old one; each `.` stands for what the old one has on that side.

    Priors stay, and prior statements behind the new formula are added to them. As R's update.formula().

    >>> from lmmformula.formula.parse import parse_text
    >>> ir = lower(parse_text("y ~ x + z + (x | g)"))
    >>> print(update(ir, "log(.) ~ . - z - (x | g) + (1 | g)"))
    log(y) ~ x + (1 | g)
    """
    specification = parse_text(text)
    spliced = _spliced(specification, ir)
    try:
        updated = lower(parse_text(spliced))
    except FormulaError as error:
        error.hint = error.hint or f"the new formula: {spliced}"
        raise
    return replace(updated, family=ir.family, priors=(*ir.priors, *updated.priors))


def _spliced(specification: Specification, ir: ModelIR) -> str:
    """Put the old sides in the places of the dots."""
    formula, text = specification.formula, specification.text
    dots = [(place, f"({right_text(ir)})") for place in _dots(formula.rhs)]
    if formula.lhs is not None:
        dots += [(place, ir.response.label) for place in _dots(formula.lhs)]
    for (start, end), old in sorted(dots, reverse=True):
        text = text[:start] + old + text[end:]
    return text if formula.lhs is not None else f"{ir.response.label} {text}"


def _dots(expr: Expr) -> list[tuple[int, int]]:
    return [
        (found.span.start, found.span.end)
        for found, _ in walk(expr)
        if isinstance(found, Name) and found.name == "." and not found.quoted
    ]
