"""What can be told of a text before it is parsed: brackets, quotes, comments, and which newlines end a statement."""

import re

from lmmformula.errors import FormulaError, Span
from lmmformula.formula.limits import LIMITS
from lmmformula.formula.quoting import SURROGATE

_LANDMARK = re.compile(
    r"""(?P<quoted>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`)
      | (?P<comment>\#[^\n]*)
      | (?P<open>[(\[])
      | (?P<close>[)\]])
      | (?P<newline>\n)
      | (?P<unclosed>["'`])""",
    re.DOTALL | re.VERBOSE,
)
_SYMBOL = re.compile(r"[\w.]+|[^\w\s]")
_CONTINUES = frozenset("+-*/:^|&~,=<>!%")
"""A line that ends or begins with one of these isn't over, or isn't new; no statement begins or ends with them."""
_PARTNER = {")": "(", "]": "["}


def scan(text: str) -> str:
    r"""
    Blank out comments and the newlines that don't end a statement, so that every character keeps its place.

    Refuses texts that are empty, too long or too deep, and brackets and quotes that don't match.

    >>> scan("y ~ x +  # slopes\n (x\n| g)\nb ~ normal(0, 1)")
    'y ~ x +            (x | g)\nb ~ normal(0, 1)'
    """
    if len(text) > LIMITS.characters:
        raise FormulaError(f"a formula of {len(text):,} characters: the limit is {LIMITS.characters:,}")
    blank: list[tuple[int, int]] = []
    newlines: list[int] = []
    opened: list[int] = []
    for found in _LANDMARK.finditer(text):
        match found.lastgroup:
            case "comment":
                blank.append(found.span())
            case "open":
                opened.append(found.start())
                _check_depth(text, opened)
            case "close":
                _close(text, opened, found)
            case "newline" if opened:
                blank.append(found.span())
            case "newline":
                newlines.append(found.start())
            case "unclosed":
                raise _unclosed_quote(text, found)
    if opened:
        raise _unclosed_bracket(text, opened[-1])
    return _join_lines(_checked(_blanked(text, blank)), newlines)


def _checked(text: str) -> str:
    """Refuse a text that holds nothing, or too much."""
    half = None if text.isascii() else SURROGATE.search(text)
    if half is not None:
        raise FormulaError("half of a character", text=text, span=Span(*half.span()), hint="type it again")
    if not text.strip(" \t\r\n;"):
        raise FormulaError("the formula is empty", hint="a formula looks like y ~ x + (x | group)")
    if len(text) > LIMITS.symbols and sum(1 for _ in _SYMBOL.finditer(text)) > LIMITS.symbols:
        raise FormulaError(f"a formula of more than {LIMITS.symbols:,} names and operators")
    return text


def _check_depth(text: str, opened: list[int]) -> None:
    if len(opened) > LIMITS.nesting:
        place = Span(opened[-1], opened[-1] + 1)
        raise FormulaError(f"brackets more than {LIMITS.nesting} deep", text=text, span=place)


def _close(text: str, opened: list[int], found: re.Match[str]) -> None:
    """Take the partner of a closing bracket off the stack."""
    place = Span(*found.span())
    if not opened:
        raise FormulaError(
            f"`{found[0]}` closes a bracket that was never opened", text=text, span=place,
            hint=f"remove it, or add a `{_PARTNER[found[0]]}` before it",
        )  # fmt: skip
    start = opened.pop()
    if text[start] != _PARTNER[found[0]]:
        raise FormulaError(f"`{found[0]}` can't close `{text[start]}`", text=text, span=place)


def _unclosed_quote(text: str, found: re.Match[str]) -> FormulaError:
    kind = "backtick" if found[0] == "`" else "quote"
    return FormulaError(
        f"a {kind} is opened and never closed", text=text, span=Span(found.start(), len(text)),
        hint=f"add a closing {found[0]}",
    )  # fmt: skip


def _unclosed_bracket(text: str, start: int) -> FormulaError:
    closing = ")" if text[start] == "(" else "]"
    return FormulaError(
        f"`{text[start]}` is opened and never closed", text=text, span=Span(start, start + 1),
        hint=f"add a `{closing}`",
    )  # fmt: skip


def _blanked(text: str, stretches: list[tuple[int, int]]) -> str:
    """Replace stretches by as many blanks."""
    pieces: list[str] = []
    done = 0
    for start, end in stretches:
        pieces += [text[done:start], " " * (end - start)]
        done = end
    return "".join([*pieces, text[done:]])


def _join_lines(text: str, newlines: list[int]) -> str:
    """Blank the newlines beside which an operator stands."""
    joined: list[tuple[int, int]] = []
    previous = 0
    before = ""
    for position, newline in enumerate(newlines):
        before = text[previous:newline].rstrip()[-1:] or before
        following = newlines[position + 1] if position + 1 < len(newlines) else len(text)
        after = text[newline:following].lstrip()[:1]
        if before in _CONTINUES or after in _CONTINUES:
            joined.append((newline, newline + 1))
        previous = newline
    return _blanked(text, joined)
