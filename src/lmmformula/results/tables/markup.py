"""Text as LaTeX, as mathematics and as Markdown, where a name can be no command; and names that are too long."""

import re
from collections.abc import Sequence

from lmmformula.ir.written.latex import text as math_text

LATEX = {
    "\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "`": r"\`{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''",
    **{character: "\\" + character for character in "{}$&#_%"},
}  # fmt: skip
"""Characters that mean something to LaTeX, or are others in its oldest fonts -> what prints them."""

MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~$])")
"""Characters that may mean something to Markdown."""

NUMBER = re.compile(r"(<\s?)?(-?\d+(?:\.\d+)?)(?:e([+-]\d+))?")


def latex_text(text: str) -> str:
    r"""
    Escape text for LaTeX.

    >>> latex_text("100% of x_1")
    '100\\% of x\\_1'
    """
    return "".join(LATEX.get(character, character) for character in text).replace("--", "-{}-")


def latex_cell(text: str) -> str:
    r"""
    Write a cell of a `tabular`: numbers as mathematics, text escaped.

    >>> latex_cell("-1.5e-07"), latex_cell("[1, 2)")
    ('$-1.5 \\times 10^{-7}$', '{}[1, 2)')
    """
    number = maths_number(text)
    if number is not None:
        return text if text.replace(".", "").isdigit() else f"${number}$"
    written = latex_text(text)
    return "{}" + written if written.startswith(("[", "*")) else written  # after \\ these would be its arguments


def maths_cell(text: str) -> str:
    r"""
    Write a cell of an `array`.

    >>> maths_cell("my_var"), maths_cell("2.50")
    ('{\\text{my}\\_\\text{var}}', '2.50')
    """
    number = maths_number(text)
    if number is not None:
        return number
    return math_text(text) if text else ""


def maths_number(text: str) -> str | None:
    r"""
    Write a number, or a bound for one, as mathematics; None for other text.

    >>> maths_number("<2e-16"), maths_number("x")
    ('<2 \\times 10^{-16}', None)
    """
    found = NUMBER.fullmatch(text)
    if found is None:
        return None
    below, digits, power = found.groups()
    return f"{'<' if below else ''}{digits}" + (rf" \times 10^{{{int(power)}}}" if power else "")


def markdown_text(text: str) -> str:
    r"""
    Escape text for Markdown.

    >>> markdown_text("a*b | x_1")
    'a\\*b \\| x\\_1'
    """
    return MARKDOWN.sub(r"\\\1", text)


LEAST_ROOM = 12
"""Characters that a name is never cut below."""


def shortened(names: Sequence[str], room: int) -> list[str]:
    """
    Cut names in the middle where they are longer than `room`; all stay as they are if two would become one.

    >>> shortened(["the university hospital of Utrecht", "home"], 20)
    ['the unive... Utrecht', 'home']
    """
    room = max(room, LEAST_ROOM)
    ends = (room - 3) // 2
    short = [name if len(name) <= room else f"{name[: room - 3 - ends]}...{name[len(name) - ends :]}" for name in names]
    return short if len(set(short)) == len(set(names)) else list(names)


def fitted(columns: Sequence[Sequence[str]], room: int) -> list[list[str]]:
    """
    Cut the names of the widest columns until all have room beside one another.

    >>> fitted([["hospital"], ["the university hospital of Utrecht"]], 28)
    [['hospital'], ['the unive... Utrecht']]
    """
    widths = [max(map(len, column), default=0) for column in columns]
    cap = max(widths, default=0)
    while cap > LEAST_ROOM and sum(min(width, cap) for width in widths) > room:
        cap -= 1
    return [shortened(column, cap) for column in columns]
