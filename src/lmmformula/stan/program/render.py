"""A Stan program as data -> its text. All layout is in templates/; here lines are broken and labels escaped."""

import re
from functools import cache
from itertools import pairwise
from textwrap import wrap
from typing import TYPE_CHECKING

from lmmformula.errors import printable
from lmmformula.stan.program.record import Program

if TYPE_CHECKING:
    from jinja2 import Template

WIDTH = 78
"""Longest line."""
LONGEST_LABEL = 60
"""Characters of a column's or level's name that a comment shows."""


def render(program: Program, *, literals: bool = False, version: str = "") -> str:
    """
    Write the program's text.

    literals : write the numbers of the priors in place, instead of by their names in the data block
    version : of this package, for the header
    """
    text = _template(f"{program.form}.stan.jinja").render(
        program=program, fixed=program.fixed, literals=literals, version=version
    )
    return "\n".join(map(filled, text.split("\n")))


@cache
def _template(name: str) -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(  # noqa: S701 (the text is Stan, and labels are escaped by `label`)
        loader=PackageLoader("lmmformula.stan"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "comment": comment,
        "label": label,
        "declare": declare,
        "folded": folded,
        "broken": broken,
        "short": short,
    }
    return environment.get_template(name)


def label(name: str, longest: int = LONGEST_LABEL) -> str:
    r"""
    Make a user's name fit to stand in a comment.

    >>> label("a\nb */")
    'a\\nb */'
    """
    escaped = printable(name)
    return escaped if len(escaped) <= longest else escaped[: longest - 3] + "..."


def comment(text: str, indent: int = 0) -> str:
    """
    Write text as comment lines that fit the width.

    >>> comment("levels of batch", indent=2)
    '  // levels of batch'
    """
    start = " " * indent + "// "
    return "\n".join(start + line for line in wrap(text, WIDTH - len(start), break_on_hyphens=False) or [""])


def declare(text: str, about: str = "", indent: int = 2) -> str:
    """
    Write a declaration and what it is: behind it if the line is long enough, else above.

    >>> declare("vector[N] y;", "yield")
    '  vector[N] y; // yield'
    """
    line = " " * indent + text
    if not about:
        return line
    return f"{line} // {about}" if len(line) + 4 + len(about) <= WIDTH else f"{comment(about, indent)}\n{line}"


def folded(statement: str, indent: int = 2) -> str:
    """
    Write a sampling statement; break one that is too long where stanc's formatter does.

    >>> print(folded("s ~ normal(0, [" + ", ".join(["1234567.125"] * 7) + "]');"))
      s ~ normal(0,
                 [1234567.125, 1234567.125, 1234567.125, 1234567.125,
                  1234567.125, 1234567.125, 1234567.125]');
    """
    line = " " * indent + statement
    if len(line) <= WIDTH:
        return line
    head, inside = line.split("(", 1)
    column = " " * (len(head) + 1)
    lines = [f"{head}("]
    for argument in re.findall(r"\[.*?\]'(?:,|\);)|\S+", inside):
        fits = len(lines[-1]) + 1 + len(argument) <= WIDTH and not lines[-1].endswith("]',")
        if fits:
            lines[-1] += argument if lines[-1].endswith("(") else f" {argument}"
        else:
            numbers, bracket, end = argument.partition("]'")
            # stanc counts a number with the comma behind it, one column less than a line has; not what ends a vector.
            width = WIDTH - 1 - len(column)
            parts = wrap(f"{numbers},", width, subsequent_indent=" ", break_long_words=False)
            lines += [column + part for part in parts]
            lines[-1] = lines[-1].removesuffix(",") + bracket + end
    return "\n".join(lines)


def broken(line: str) -> str:
    """
    Break a call that is too long before its last argument, as stanc's formatter does.

    >>> print(broken("  log_lik[n] = beta_lpdf(y[n] | " + "phi * inv_logit(eta[n]), " + "phi * inv_logit(-eta[n]))"))
      log_lik[n] = beta_lpdf(y[n] | phi * inv_logit(eta[n]),
                             phi * inv_logit(-eta[n]))
    """
    if len(line) <= WIDTH:
        return line
    head, _, last = line.rpartition(", ")
    return f"{head},\n{' ' * (line.index('(') + 1)}{last}"


def filled(line: str) -> str:
    """
    Break an assignment that is too long before its operators, or between the elements of a vector, as stanc does.

    >>> print(filled("  vector[3] around_batch_id = [Intercept_c - X_means[1] * b[1] - X_means[2] * b[2], b[1], 0]';"))
      vector[3] around_batch_id = [Intercept_c - X_means[1] * b[1]
                                   - X_means[2] * b[2], b[1], 0]';
    """
    found = re.fullmatch(r"( *[^=/]* \+?= \[?)(.*)", line)
    if len(line) <= WIDTH or found is None:
        return line
    first, *others = _pieces(found[2], in_brackets=found[1].endswith("["))
    lines = [found[1] + first]
    for piece in others:
        if len(lines[-1]) + len(piece.rstrip()) <= WIDTH:
            lines[-1] += piece
        else:
            lines += [" " * len(found[1]) + piece.lstrip()]
    return "\n".join(part.rstrip() for part in lines)


def _pieces(text: str, *, in_brackets: bool) -> list[str]:
    """Cut an expression at its outermost sums, or else products; in brackets, between elements too."""
    depth, sums, products = 0, [0], [0]
    for found in re.finditer(
        r"(?P<open>[\[(])|(?P<close>[\])])|(?P<sum> [+-] )|(?P<product> \.?[*/] )|(?P<comma>, )", text
    ):
        depth += (found["open"] is not None) - (found["close"] is not None)
        if depth == 0 and found["sum"]:
            sums.append(found.start())
        elif depth == 0 and found["comma"] and in_brackets:
            sums.append(found.end())
        elif depth == 0 and found["product"]:
            products.append(found.start())
    cuts = sums if len(sums) > 1 else products
    return [text[start:end] for start, end in pairwise([*cuts, len(text)])]


def short(values: tuple[float, ...]) -> str:
    """
    Show numbers in a comment.

    >>> short((36.192456, 2.0))
    '36.19, 2'
    """
    return ", ".join(f"{value:.4g}" for value in values)
