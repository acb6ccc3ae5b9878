"""How large a text may be: what is refused before any work is spent on it. Terms have limits too, in ir/limits.py."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TextLimits:
    """
    The sizes beyond which a text is refused.

    characters : its length, prior statements included
    symbols : number of names, numbers, operators and brackets in it
    nesting : depth of brackets, and of expressions inside one another
    """

    characters: int = 250_000
    symbols: int = 50_000
    nesting: int = 100


LIMITS = TextLimits()
