r"""Names and texts between quotes or backticks: what their escapes stand for."""

import re

from lmmformula.errors import FormulaError, Span, printable

_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|(.))", re.DOTALL)
_NAMED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_END_OF_UNICODE = 0x110000
SURROGATE = re.compile("[\ud800-\udfff]")
"""Halves of characters, which no file and no terminal can hold alone."""


def unquote(text: str, start: int) -> str:
    r"""
    Take off the quotes and resolve the escapes; `start` is the place of the text, for messages.

    >>> unquote(r"'a\tb'", 0)
    'a\tb'
    """

    def resolve(match: re.Match[str]) -> str:
        digits = match[1] or match[2] or match[3]
        if digits and int(digits, 16) < _END_OF_UNICODE and not SURROGATE.match(chr(int(digits, 16))):
            return chr(int(digits, 16))
        if match[4] and (match[4] in _NAMED or not match[4].isalnum()):
            return _NAMED.get(match[4], match[4])
        place = Span(start + 1 + match.start(), start + 1 + match.end())
        raise FormulaError(
            f"`{printable(match[0])}` is not an escape", span=place, hint="a backslash itself is typed as two"
        )

    return _ESCAPE.sub(resolve, text[1:-1])
