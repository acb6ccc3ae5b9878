"""What has been typed, piece by piece, by the grammar's own terminals; half a formula has pieces too."""

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


def pieces(text: str) -> list[Piece]:
    """
    Split a text into tokens; what can't be one ends the list, as a piece of kind "BAD" to the end of the text.

    >>> [piece.kind for piece in pieces("y ~ log(x")]
    ['NAME', 'TILDE', 'NAME', 'OPEN', 'NAME']
    """
    from lark.exceptions import UnexpectedCharacters

    found: list[Piece] = []
    try:
        for token in _lexer().lex(text):
            found.append(Piece(token.type, str(token), token.start_pos or 0))  # noqa: PERF401 (what came before counts)
    except UnexpectedCharacters as error:
        match error.pos_in_stream:
            case int(start):
                found.append(Piece("BAD", text[start:], start))
    return found


def wants_more(text: str) -> bool:
    """
    Tell whether a text can't be all: a bracket or quote is open, or an operator stands at its end.

    >>> wants_more("y ~ x + (1"), wants_more("y ~ x +"), wants_more("y ~ x")
    (True, True, False)
    """
    found = pieces(text)
    depth = sum((piece.kind in OPENING) - (piece.kind in CLOSING) for piece in found)
    last = next((piece for piece in reversed(found) if piece.kind != "_END"), None)
    return depth > 0 or (
        last is not None and (last.kind in OPERATORS or (last.kind == "BAD" and last.text[0] in "\"'`"))
    )
