"""Standard input, output and error, whatever they are connected to: closed, full, a pipe that ends, or no Unicode."""

import codecs
import io
import os
import sys
from pathlib import Path

SPELLED: dict[str, str | int | None] = {
    "\N{GREEK SMALL LETTER BETA}": "beta",
    "\N{GREEK SMALL LETTER EPSILON}": "epsilon",
    "\N{GREEK SMALL LETTER SIGMA}": "sigma",
    "\N{GREEK SMALL LETTER TAU}": "tau",
    "\N{GREEK CAPITAL LETTER SIGMA}": "Sigma",
    "\N{GREEK CAPITAL LETTER LAMDA}": "Lambda",
    "\N{SUPERSCRIPT TWO}": "^2",
    "\N{LESS-THAN OR EQUAL TO}": "<=",
    "\N{MIDDLE DOT}": "*",
    "\N{PLUS-MINUS SIGN}": "+/-",
    "\N{HORIZONTAL ELLIPSIS}": "...",
}
"""What is printed in an encoding that lacks one of these characters of ours."""

HANDLER = "lmmformula.escaped"


class Spelling(io.TextIOWrapper):
    """A stream of text in which our mathematics is spelled in letters."""

    def write(self, text: str, /) -> int:
        """Write a text."""
        super().write(text.translate(str.maketrans(SPELLED)))
        return len(text)


def prepare_streams() -> None:
    """
    Make the standard streams fit for any text.

    One that is closed leads nowhere; left alone, the next file that is opened would take its place.
    """
    codecs.register_error(HANDLER, _escaped)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            nowhere = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 (for as long as the program runs)
            setattr(sys, name, nowhere)
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            setattr(sys, name, _fit_for_text(stream))


def _fit_for_text(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    try:
        "".join(SPELLED).encode(stream.encoding)
    except UnicodeEncodeError:
        encoding, lines = stream.encoding, stream.line_buffering
        return Spelling(stream.detach(), encoding=encoding, errors=HANDLER, line_buffering=lines)
    stream.reconfigure(errors=HANDLER)
    return stream


def silence_stdout() -> None:
    """Let what could not be written go nowhere: Python would complain once more while it closes standard output."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """Escape the characters that an encoding lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return error.object[error.start : error.end].encode("unicode_escape").decode("ascii"), error.end
