"""Places in a program that an engine's message names, and errors that show them."""

import re
from bisect import bisect_right

from lmmformula.errors import NOWHERE, EngineError, Span
from lmmformula.stan.program.edited import declarations


def compile_error(engine: str, code: str, message: str) -> EngineError:
    """
    Make an error of what a compiler said, with a caret under the place in our program.

    message : ends with the reason, which stanc gives below an excerpt of the program between two rules
    """
    *_, reason = re.split(r"-{20,}\n", message)
    text = " ".join(line.strip() for line in reason.splitlines() if line.strip())
    span = place_in(code, message)
    place = line_of(code, span)
    return EngineError(f"{engine} does not accept the Stan program{place}: {text}", text=code, span=span)


def data_error(engine: str, code: str, message: str) -> EngineError:
    """
    Make an error of what an engine said of the data, with a caret under the variable's declaration.

    message : names the variable as Stan does: "variable name=y" or "y is -1, but must be"
    """
    text = re.sub(r"^stanli [\w ]+: ", "", message)
    named = re.search(r"variable name=(\w+)|data variable (\w+)|^(\w+)(?:\[[\d, ]*\])? is ", text)
    declared = declarations(code).get("data", {}).get(next(filter(None, named.groups())) if named else "")
    span = declared.span if declared else NOWHERE
    return EngineError(f"{engine} does not accept the data{line_of(code, span)}: {text}", text=code, span=span)


def line_of(code: str, span: Span) -> str:
    """Say in brackets which line of a program a place is in; nothing for nowhere."""
    return "" if span == NOWHERE else f" (line {code.count(chr(10), 0, span.start) + 1})"


def same_place(code: str, span: Span, other: str) -> Span:
    r"""
    Find a place of one program in another that differs from it in comments and blanks only.

    >>> same_place("data { int N; }", Span(11, 12), "// title\ndata {\n  int N; // rows\n}")
    Span(start=22, end=23)
    """
    if span == NOWHERE or code == other:
        return span
    words, others = ([word.start() for word in re.finditer(r"\S+", _without_comments(text))] for text in (code, other))
    number = bisect_right(words, span.start) - 1
    if len(words) != len(others) or number < 0:
        return NOWHERE
    moved = others[number] - words[number]
    return Span(span.start + moved, span.end + moved)


def _without_comments(code: str) -> str:
    return re.sub(r"//[^\n]*", lambda comment: " " * len(comment[0]), code)


def place_in(code: str, message: str) -> Span:
    r"""
    Find the place in a program that a message names.

    >>> place_in("data {\n  int n;\n}", "not a name (in 'model.stan', line 2, column 6 to column 7)")
    Span(start=13, end=14)
    """
    found = re.search(r"line (\d+), column (\d+)(?: to column (\d+))?", message)
    if found is None:
        return NOWHERE
    before = sum(map(len, code.splitlines(keepends=True)[: int(found[1]) - 1]))
    start = before + int(found[2])
    return Span(start, max(before + int(found[3] or 0), start + 1))
