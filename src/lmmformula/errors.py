"""What can go wrong, said so that a user can mend it: what, where (a caret under the formula) and what to try."""

import os
import re
import sysconfig
import unicodedata
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from inspect import currentframe
from pathlib import Path
from types import FrameType

CONTEXT = 70
"""Characters of a long line that are shown to either side of the caret."""

SHOWN_OF_WORD = 100
"""Characters of an endless word that a message shows."""

LONGEST_MESSAGE = 2_000
_ENDLESS = re.compile(r"\S{200,}")

OURS = str(Path(__file__).parent) + os.sep
STANDARD = (*(sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib")), "<frozen ")
"""How the names of files begin whose code is Python's own."""
_INSTALLED = re.compile(r"[\\/](site|dist)-packages[\\/]")


LOOK_ALIKES = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0455\u0458\u04bb\u0501\u051b\u051d\u0410\u0412"
    "\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406\u0405\u0408\u03bf\u03b1\u03c1"
    "\u03bd\u03c4\u03c5\u03b9\u03ba\u03c7\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f"
    "\u03a1\u03a4\u03a5\u03a7",
    "aeopcyxisjhdqwABEKMHOPCTYXISJoapvtuikxABEZHIKMNOPTYX",
)
"""Cyrillic and Greek letters -> the Latin ones that they look like."""


@dataclass(frozen=True, slots=True)
class Span:
    """
    A stretch of the text that a user typed, `text[start:end]`.

    start : offset of the first character
    end : offset just behind the last character
    """

    start: int
    end: int

    def __or__(self, other: "Span") -> "Span":
        """Return the smallest span that holds both; `NOWHERE` holds nothing."""
        if NOWHERE in (self, other):
            return self if other == NOWHERE else other
        return Span(min(self.start, other.start), max(self.end, other.end))


NOWHERE = Span(-1, -1)
"""The place of something that no user typed."""


class LmmFormulaError(Exception):
    """
    Any error that a user of the package can mend.

    message : one sentence that says what is wrong
    text, span : the text the user typed and the stretch of it that is at fault; drawn with a caret
    hint : what to try
    """

    def __init__(self, message: str, *, text: str = "", span: Span = NOWHERE, hint: str = "") -> None:
        message, hint = brief(message), brief(hint)
        super().__init__(message)
        self.message = message
        self.text = text
        self.span = span
        self.hint = hint

    def __str__(self) -> str:
        """Return message, marked text and hint, one below the other."""
        return "\n".join(part for part in (self.message, mark(self.text, self.span), self.hint) if part)

    def located(self, text: str) -> "LmmFormulaError":
        """Fill in the text that the span points into, where whoever raised the error did not have it."""
        self.text = self.text or text
        return self


class FormulaError(LmmFormulaError):
    """The text of a formula or of a prior statement can't be read, or can't mean a model."""


class DataError(LmmFormulaError):
    """The data don't fit the formula: a column is missing, of the wrong kind, or holds what no model can use."""


class FitError(LmmFormulaError):
    """The model can't be fitted to these data, or a fit can't do what was asked of it."""


class EngineError(LmmFormulaError):
    """A Stan engine is missing, or has failed to compile or to sample."""


class FitWarning(UserWarning):
    """A fit or a design that stands, but that its reader must know something about."""

    def __str__(self) -> str:
        """Return the message, whatever names are in it."""
        return legible(super().__str__())


class SamplingWarning(FitWarning):
    """Draws that are not to be trusted: what the sampler's diagnostics say of them."""


class PriorWarning(FitWarning):
    """A default prior that lies elsewhere than the estimate."""


def warn(
    message: str, *, text: str = "", span: Span = NOWHERE, hint: str = "", category: type[FitWarning] = FitWarning
) -> None:
    """
    Warn at the line of the user's that led here, as deep as it may be in this package and in others.

    text, span, hint : as in `LmmFormulaError`
    """
    told = "\n".join(part for part in (brief(message), mark(text, span), brief(hint)) if part)
    frame = _line_of_user(currentframe())
    names = frame.f_globals
    registry = names.setdefault("__warningregistry__", {})
    file, module = frame.f_code.co_filename, names.get("__name__", "<string>")
    warnings.warn_explicit(told, category, file, frame.f_lineno, module=module, registry=registry)


def _line_of_user(frame: FrameType | None) -> FrameType:
    """Return the innermost frame that is in no package; where there is none, the innermost outside of this one."""
    assert frame is not None
    outside = None
    while True:
        file = frame.f_code.co_filename
        if not file.startswith(OURS):
            if not (file.startswith(STANDARD) or _INSTALLED.search(file)):
                return frame
            outside = outside or frame
        if frame.f_back is None:
            return outside or frame
        frame = frame.f_back


def printable(text: str) -> str:
    r"""
    Escape what would disturb a terminal or end a comment: control, format and surrogate characters.

    >>> printable("a\nb\u202ec")
    'a\\nb\\u202ec'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def legible(text: str) -> str:
    r"""
    Escape what would disturb a terminal; lines stay lines, and tabs tabs.

    >>> legible("a\x1b[31m\nb")
    'a\\x1b[31m\nb'
    """
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))


def is_text(value: object) -> bool:
    """Tell whether a user gave a text, whatever a signature asks for."""
    return isinstance(value, str)


def brief(text: str) -> str:
    """
    Make a message fit to be read, whatever names are in it: no control characters, no endless words.

    >>> brief("no column named " + "x" * 500) == "no column named " + "x" * SHOWN_OF_WORD + "..."
    True
    """
    shown = _ENDLESS.sub(lambda word: word[0][:SHOWN_OF_WORD] + "...", text[:LONGEST_MESSAGE])
    return legible(shown)


def mark(text: str, span: Span) -> str:
    """
    Draw a caret below each character of a span.

    Only the line of the span's first character is shown, and of a long line only the neighbourhood of its beginning.

    >>> print(mark("y ~ dayz + x", Span(4, 8)))
        y ~ dayz + x
            ^^^^
    """
    if not text or span == NOWHERE:
        return ""
    start = min(max(span.start, 0), len(text))
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", start)
    last = len(text) if last < 0 else last
    end = min(max(span.end, start + 1), max(last, start + 1), start + CONTEXT)
    left, right = max(first, start - CONTEXT), min(last, max(end, start + 1) + CONTEXT)
    end = min(end, right) if end > right else end
    before = ("..." if left > first else "") + printable(text[left:start])
    marked = printable(text[start : min(end, right)])
    after = printable(text[min(end, right) : right]) + ("..." if right < last else "")
    return f"    {before}{marked}{after}\n    {' ' * len(before)}{'^' * max(len(marked), 1)}"


def meant(name: str, known: Iterable[str], otherwise: str = "") -> str:
    r"""
    Guess which of the known names was meant, and say which character differs where the two look alike.

    otherwise : the hint where none is near

    >>> meant("dayz", ["days", "x"]), meant("q", ["days"], "there are days")
    ("did you mean 'days'?", 'there are days')
    >>> print(meant("e\u0301", ["\u00e9"]))
    did you mean 'é'? it has U+00E9 where this has U+0065 U+0301
    """
    names = list(known)
    if hint := look_alike(name, names):
        return hint
    folded = {other.casefold(): other for other in reversed(names)}
    near = get_close_matches(name.casefold(), folded, n=1, cutoff=0.7)
    return f"did you mean '{printable(folded[near[0]])}'?" if near else otherwise


def look_alike(name: str, known: Iterable[str]) -> str:
    """Guess which of the known names looks like one that is not among them, and say which character differs."""
    shape = skeleton(name)
    other = next((other for other in known if other != name and shape and skeleton(other) == shape), None)
    return "" if other is None else f"did you mean '{printable(other)}'?{difference(other, name)}"


def skeleton(text: str) -> str:
    """Return what a text looks like: in Latin letters if it can be, without case, accents and what is invisible."""
    plain = unicodedata.normalize("NFKD", text.translate(LOOK_ALIKES)).casefold()
    return "".join(c for c in plain if unicodedata.category(c)[0] in "LNPS")


def difference(one: str, other: str) -> str:
    """Say in which characters two texts differ that are hard to tell apart; nothing of capitals, which one can see."""
    if one.casefold() == other.casefold():
        return ""
    start = _alike(one, other)
    end = _alike(one[start:][::-1], other[start:][::-1])
    parts = [text[start : len(text) - end] for text in (one, other)]
    codes = [" ".join(f"U+{ord(c):04X}" for c in part) or "nothing" for part in parts]
    return f" it has {codes[0]} where this has {codes[1]}"


def _alike(one: str, other: str) -> int:
    """Count the characters with which both texts begin."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
