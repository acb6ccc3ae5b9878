"""Text as LaTeX, as mathematics and as Markdown: what a user called a thing can be no command."""

import re

from lmmformula.ir.latex import text as math_text

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
