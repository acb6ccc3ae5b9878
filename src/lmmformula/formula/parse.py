"""Text to syntax tree, by the grammar in grammar/lme4.lark."""

from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmmformula.errors import FormulaError, Span
from lmmformula.formula.ast import Expr, PriorStatement, Specification, walk
from lmmformula.formula.limits import LIMITS
from lmmformula.formula.scan import scan

if TYPE_CHECKING:
    from lark import Lark, Token


def grammar_text() -> str:
    """Read the grammar: inside the installed package, or beside src/ in a checkout."""
    shipped = files("lmmformula") / "grammar" / "lme4.lark"
    checkout = Path(__file__).parents[3] / "grammar" / "lme4.lark"
    return (shipped if shipped.is_file() else checkout).read_text(encoding="utf-8")


@cache
def parser() -> "Lark":
    """Build the parser; once, because that takes longer than all the formulas of a session."""
    from lark import Lark

    from lmmformula.formula.build import Builder

    return Lark(
        grammar_text(),
        parser="lalr",
        start=["specification", "priors"],
        transformer=Builder(),
        maybe_placeholders=True,
    )


def parse_text(text: str) -> Specification:
    """
    Parse a formula and the prior statements behind it.

    >>> parse_text("y ~ x").formula.rhs
    Name(name='x', quoted=False)
    """
    formula, priors = _parse(text, "specification")
    _check_depth(text, [formula.rhs, *([formula.lhs] if formula.lhs else []), *_expressions(priors)])
    return Specification(formula, priors, text)


def parse_priors(text: str) -> tuple[PriorStatement, ...]:
    """
    Parse prior statements alone.

    >>> [statement.parameter for statement in parse_priors("b ~ normal(0, 1); sigma ~ exponential(1)")]
    ['b', 'sigma']
    """
    if not text.strip():
        return ()
    priors: tuple[PriorStatement, ...] = _parse(text, "priors")
    _check_depth(text, _expressions(priors))
    return priors


def _parse(text: str, start: str) -> Any:  # noqa: ANN401 (what the builder's method of that name returns)
    from lark.exceptions import UnexpectedInput

    from lmmformula.formula.hints import explain

    try:
        scanned = scan(text)
        return parser().parse(scanned, start=start)
    except UnexpectedInput as error:
        raise explain(error, text, _tokens(scanned)) from None
    except FormulaError as error:
        raise error.located(text) from None


def _tokens(text: str) -> Iterator["Token"]:
    """Yield the tokens of a text, up to what is none: without the parser's context `::` may end before that."""
    from lark.exceptions import UnexpectedCharacters

    with suppress(UnexpectedCharacters):
        yield from parser().lex(text)


def _expressions(priors: tuple[PriorStatement, ...]) -> list[Expr]:
    return [expr for prior in priors for expr in (*prior.selectors, prior.distribution)]


def _check_depth(text: str, expressions: list[Expr]) -> None:
    """Refuse what later stages, which recurse, could not walk."""
    for expression in expressions:
        for expr, depth in walk(expression):
            if depth > LIMITS.nesting:
                place = Span(expr.span.start, expr.span.start + 1)
                raise FormulaError(f"expressions nested more than {LIMITS.nesting} deep", text=text, span=place)
