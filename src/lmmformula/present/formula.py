"""The formula of a model, as it stands in a heading."""

from collections.abc import Iterator

from lmmformula.errors import NOWHERE, printable
from lmmformula.ir.model import ModelIR
from lmmformula.results.tables.markup import shortened
from lmmformula.screen import line_width

INDENT = "    "
"""Of the lines of a formula after its first."""

MOST_LINES = 12
"""Lines of a formula; what is longer is in `ir.formula`."""

OPERATORS = "~+-*/:|&^,<>=%"
"""What a line of a formula may end with, where a blank follows; behind the first two a line may end anyway."""


def formula_text(ir: ModelIR) -> str:
    """Return the formula as it was typed, without priors; the canonical one where that is more than a line."""
    ends = [prior.span.start for prior in ir.priors if prior.span != NOWHERE]
    typed = ir.source[: min(ends, default=len(ir.source))].strip().rstrip(";").rstrip()
    return ir.formula if not typed or "\n" in typed or "#" in typed else printable(typed)


def formula_lines(heading: str, ir: ModelIR, *, indent: str = INDENT, width: int | None = None) -> list[str]:
    """
    Write a formula behind a heading, in as many lines as it needs: between its terms, where that is enough.

    >>> import lmmformula as lf
    >>> formula_lines("Formula: ", lf.parse("score ~ treatment + baseline + (1 + treatment | site)"), width=40)
    ['Formula: score ~ treatment + baseline +', '    (1 + treatment | site)']
    """
    return wrapped(heading, formula_text(ir), indent=indent, width=width)


def wrapped(heading: str, formula: str, *, indent: str = INDENT, width: int | None = None) -> list[str]:
    """Break a text that is a formula; names that are wider than a line are cut in the middle."""
    width = width or line_width()
    if len(heading) + len(formula) <= width:
        return [heading + formula]
    room = width - len(indent)
    outer = _pieces(formula, deepest=0)
    parts = (part for piece in outer for part in ([piece] if len(piece) <= room else _pieces(piece)))
    lines, line = [], heading
    for part in parts:
        piece = part if len(part) <= room else shortened([part], room)[0]
        if len(line) + len(piece.rstrip()) > width:
            lines.append(line.rstrip())
            line = indent
        line += piece
    lines.append(line.rstrip())
    return lines if len(lines) <= MOST_LINES else [*lines[: MOST_LINES - 1], f"{indent}..."]


def _pieces(formula: str, deepest: int | None = None) -> Iterator[str]:
    """
    Cut a formula behind its operators, but not in quotes.

    deepest : number of brackets around an operator at which it is not cut; None for any

    >>> list(_pieces("y ~ a + (1 | `g + h`)", deepest=0)), list(_pieces("f(x, 2)"))
    (['y ~ ', 'a + ', '(1 | `g + h`)'], ['f(x, ', '2)'])
    """
    start = depth = 0
    quote = ""
    for i, character in enumerate(formula):
        if quote:
            quote = "" if character == quote else quote
        elif character in "`'\"":
            quote = character
        elif character in "()":
            depth += 1 if character == "(" else -1
        elif deepest is None or depth <= deepest:
            behind = character == " " and formula[i - 1] in OPERATORS
            if behind or (character in OPERATORS[:2] and formula[i + 1 : i + 2] != " "):
                yield formula[start : i + 1]
                start = i + 1
    yield formula[start:]
