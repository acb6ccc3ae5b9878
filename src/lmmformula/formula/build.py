"""The parser's actions: each rule of the grammar makes one node of the syntax tree."""

from typing import TYPE_CHECKING, Any

from lark import Token, Transformer

from lmmformula.errors import FormulaError, Span
from lmmformula.formula.ast import (
    Argument,
    Call,
    Chain,
    Expr,
    Formula,
    Name,
    Number,
    Parenthesis,
    Prefix,
    PriorStatement,
    String,
)
from lmmformula.formula.hints import unusable_character
from lmmformula.formula.quoting import unquote

if TYPE_CHECKING:
    Base = Transformer[Token, Any]
else:
    Base = Transformer


def place(token: Token) -> Span:
    """Where a token stands in the text."""
    return Span(token.start_pos or 0, token.end_pos or 0)


def checked_name(token: Token) -> str:
    """Refuse a name that holds what is neither letter nor digit of any alphabet."""
    for offset, character in enumerate(str(token)):
        if not f"_{character.replace('.', '_')}".isidentifier():
            raise unusable_character(character, place(token).start + offset)
    return str(token)


class Builder(Base):
    """One method for each rule; it gets what the rule matched and returns a node."""

    def specification(self, parts: list[Any]) -> tuple[Formula, tuple[PriorStatement, ...]]:
        """Make the formula, and the priors behind it."""
        return parts[0], tuple(parts[1:])

    def priors(self, parts: list[PriorStatement | None]) -> tuple[PriorStatement, ...]:
        """Make prior statements alone."""
        return tuple(part for part in parts if part is not None)

    def formula(self, parts: list[Any]) -> Formula:
        """Match `[lhs] ~ rhs`."""
        lhs, rhs = parts
        return Formula(lhs, rhs, lhs.span | rhs.span if lhs else rhs.span)

    def prior(self, parts: list[Any]) -> PriorStatement:
        """Match `target ~ distribution`."""
        (name, selectors), distribution = parts
        target = place(name)
        for selector in selectors:
            target |= selector.span
        return PriorStatement(str(name), selectors, distribution, target | distribution.span, target)

    def target(self, parts: list[Any]) -> tuple[Token, tuple[Expr, ...]]:
        """Match `NAME[selector, selector]`."""
        name, *selectors = parts
        checked_name(name)
        return name, tuple(selector for selector in selectors if selector is not None)

    def chain(self, parts: list[Any]) -> Chain:
        """Match `operand operator operand ...`."""
        operators = tuple("^" if operator == "**" else str(operator) for operator in parts[1::2])
        return Chain(operators, tuple(parts[::2]), parts[0].span | parts[-1].span)

    def prefix(self, parts: list[Any]) -> Prefix:
        """Match `operator operand`."""
        operator, operand = parts
        return Prefix(str(operator), operand, place(operator) | operand.span)

    def parenthesis(self, parts: list[Any]) -> Parenthesis:
        """Match `(inner)`."""
        opening, inner, closing = parts
        return Parenthesis(inner, place(opening) | place(closing))

    def callee(self, parts: list[Token | None]) -> tuple[str, str, Span]:
        """Match `NAME` or `NAME::NAME`; return package, function and place."""
        first, second = parts
        assert first is not None
        span = place(first) | place(second) if second else place(first)
        return (checked_name(first), checked_name(second), span) if second else ("", checked_name(first), span)

    def call(self, parts: list[Any]) -> Call:
        """Match `callee(argument, ...)`."""
        (package, function, name_span), _, *arguments, closing = parts
        given = tuple(argument for argument in arguments if argument is not None)
        return Call(function, given, package, name_span | place(closing), name_span)

    def argument(self, parts: list[Any]) -> Argument:
        """Match `[name =] value`."""
        name, value = parts
        if name is None:
            return Argument(value, None, value.span)
        text = str(name) if name.type == "NAME" else unquote(str(name), place(name).start)
        return Argument(value, text, place(name) | value.span)

    def name(self, parts: list[Token]) -> Name:
        """Match `NAME`."""
        return Name(checked_name(parts[0]), quoted=False, span=place(parts[0]))

    def quoted_name(self, parts: list[Token]) -> Name:
        """Match `QUOTED`."""
        name = unquote(str(parts[0]), place(parts[0]).start)
        if not name:
            raise FormulaError("an empty name", span=place(parts[0]))
        return Name(name, quoted=True, span=place(parts[0]))

    def number(self, parts: list[Token]) -> Number:
        """Match `NUMBER`."""
        text = str(parts[0])
        value = float(text.removesuffix("L"))
        return Number(int(value) if text.endswith("L") and value.is_integer() else value, place(parts[0]))

    def string(self, parts: list[Token]) -> String:
        """Match `STRING`."""
        return String(unquote(str(parts[0]), place(parts[0]).start), place(parts[0]))
