"""What each part of a model contributes to the blocks of a program, and the program that these make up."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from string import Template
from textwrap import wrap

from lmmformula.stan.text.boxes import WIDTH, broken


@dataclass(frozen=True, slots=True)
class Piece:
    """
    Lines of Stan for each block of a program.

    legend : what letters mean, for the header
    likelihood : of the model block, behind all priors
    """

    legend: str = ""
    functions: str = ""
    data: str = ""
    transformed_data: str = ""
    parameters: str = ""
    transformed_parameters: str = ""
    priors: str = ""
    likelihood: str = ""
    generated_quantities: str = ""

    def filled(self, **names: str) -> "Piece":
        """Put texts in the places of names, in every block."""
        return Piece(**{block.name: filled(getattr(self, block.name), **names) for block in fields(self)})


LONGEST_COMMENT = 80
"""Width from which a comment is wrapped."""

BLOCKS = {
    "functions": ("functions",),
    "data": ("data",),
    "transformed data": ("transformed_data",),
    "parameters": ("parameters",),
    "transformed parameters": ("transformed_parameters",),
    "model": ("priors", "likelihood"),
    "generated quantities": ("generated_quantities",),
}
"""Block -> the pieces' fields that it holds."""
NEEDED = ("data", "parameters", "model")
"""Blocks that stand there though they be empty."""


def filled(template: str, **names: object) -> str:
    """
    Put texts in the places of a template's names.

    >>> filled("vector[$N] $u = $sd * $z;", N="N_a", u="u_a", sd="sd_a", z="z_a")
    'vector[N_a] u_a = sd_a * z_a;'
    """
    return Template(template).substitute(names)


def joined(header: str, pieces: Iterable[Piece]) -> str:
    """
    Put pieces together, block by block, and lay them out; a function that several bring stands there once.

    >>> print(joined("// y ~ 1", [Piece(data="real y;"), Piece(parameters="real b;", likelihood="y ~ normal(b, 1);")]))
    // y ~ 1
    data {
      real y;
    }
    parameters {
      real b;
    }
    model {
      y ~ normal(b, 1);
    }
    <BLANKLINE>
    """
    found = list(pieces)
    lines = [header]
    for block, names in BLOCKS.items():
        held = dict.fromkeys(text for name in names for piece in found if (text := getattr(piece, name)))
        if held or block in NEEDED:
            lines += [f"{block} {{", *held, "}"]
    return "\n".join(_laid_out("\n".join(lines))) + "\n"


def _laid_out(text: str) -> Iterator[str]:
    """Indent lines by the braces around them, and break those that are too long as stanc's formatter does."""
    depth = 0
    for line in map(str.strip, text.split("\n")):
        code, comment = _parted(line)
        depth -= code.startswith("}")
        if comment and (not code or 2 * depth + len(line) > WIDTH):
            yield _comment(comment, 2 * depth)
            comment = ""
        if code:
            yield broken(code, 2 * depth) + (f" // {comment}" if comment else "")
        depth += code.endswith("{")


def _parted(line: str) -> tuple[str, str]:
    """Part a line into its code and the comment behind that."""
    if line.startswith("//"):
        return "", line[2:].removeprefix(" ") or " "
    code, _, comment = line.partition(" // ")
    return code, comment


def _comment(text: str, indent: int) -> str:
    """Write a comment, on several lines if one is too long."""
    start = " " * indent + "//"
    if len(start) + 1 + len(text) <= LONGEST_COMMENT:
        return f"{start} {text}".rstrip()
    return "\n".join(f"{start} {line}" for line in wrap(text, WIDTH - len(start) - 1, break_on_hyphens=False))
