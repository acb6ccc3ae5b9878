"""What has been typed, piece by piece, by the grammar's own terminals; half a formula has pieces too."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from lmmformula.formula.parse import grammar_text

if TYPE_CHECKING:
    from lark import Lark

OPENING, CLOSING = frozenset(("OPEN", "LSQB")), frozenset(("CLOSE", "RSQB"))
OPERATORS = frozenset(
    ("OR", "AND", "NOT", "COMPARE", "SIGN", "TIMES", "SPECIAL", "COLON", "POWER", "TILDE", "COMMA", "EQUAL")
)


@dataclass(frozen=True, slots=True)
class Piece:
    """
    One token.

    kind : its terminal in the grammar, or "BAD" for what no terminal matches
    """

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """Offset just behind the last character."""
        return self.start + len(self.text)


@cache
def _lexer() -> "Lark":
    from lark import Lark

    return Lark(grammar_text(), parser=None, lexer="basic", start=["specification", "priors"])


def tokenize(text: str) -> list[Piece]:
    """
    Split a text into tokens; what can't be one ends the list, as a piece of kind "BAD" to the end of the text.

    Comments are left out, and so are newlines that don't end a statement.

    >>> [piece.kind for piece in tokenize("y ~ log(x  # open")]
    ['NAME', 'TILDE', 'NAME', 'OPEN', 'NAME']
    """
    found: list[Piece] = []
    start: int | None = 0
    while start is not None:
        start = _lex(text, start, found)
    return list(_without_joints(found))


def _lex(text: str, start: int, found: list[Piece]) -> int | None:
    """Append tokens up to a comment, and return where that ends; None at the end of the text."""
    from lark.exceptions import UnexpectedCharacters

    try:
        for token in _lexer().lex(text[start:]):
            found.append(Piece(token.type, str(token), start + (token.start_pos or 0)))  # noqa: PERF401 (what came before an error counts)
    except UnexpectedCharacters as error:
        match error.pos_in_stream:
            case int(offset):
                return _skip(text, start + offset, found)
    return None


def _skip(text: str, position: int, found: list[Piece]) -> int | None:
    """Return where the comment at a position ends; if it is none, what stands there is bad."""
    if text[position] == "#":
        end = text.find("\n", position)
        return None if end < 0 else end
    found.append(Piece("BAD", text[position:], position))
    return None


def _without_joints(found: list[Piece]) -> Iterator[Piece]:
    """Leave out newlines within brackets, and beside operators."""
    depth = 0
    for i, piece in enumerate(found):
        depth += (piece.kind in OPENING) - (piece.kind in CLOSING)
        beside = {other.kind for other in (*found[max(i - 1, 0) : i], *found[i + 1 : i + 2])}
        if piece.kind != "_END" or ";" in piece.text or not (depth or beside & OPERATORS):
            yield piece


def wants_more(text: str) -> bool:
    """
    Tell whether a text can't be all: a bracket or quote is open, or an operator stands at its end.

    >>> wants_more("y ~ x + (1"), wants_more("y ~ x +"), wants_more("y ~ x")
    (True, True, False)
    """
    found = tokenize(text)
    depth = sum((piece.kind in OPENING) - (piece.kind in CLOSING) for piece in found)
    last = next((piece for piece in reversed(found) if piece.kind != "_END"), None)
    return depth > 0 or (
        last is not None and (last.kind in OPERATORS or (last.kind == "BAD" and last.text[0] in "\"'`"))
    )
