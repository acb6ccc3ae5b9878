"""The language as two tables: good.txt, formula and canonical form, and bad.txt, formula and whole message."""

import warnings
from pathlib import Path

import pytest

from lmmformula.errors import FitWarning, FormulaError
from lmmformula.formula.parse import parse_text
from lmmformula.ir.lower.model import lower

HERE = Path(__file__).parent
ARROW = " ==> "


def rows(name: str) -> list[str]:
    """Lines of a table, without comments."""
    return [
        line for line in (HERE / name).read_text(encoding="utf-8").split("\n") if line and not line.startswith("# ")
    ]


def pairs(name: str) -> list[tuple[str, str]]:
    """Rows of two cells; a newline inside a cell is written as backslash n."""
    cells = (row.replace("\\n", "\n").split(ARROW) for row in rows(name))
    return [(left, right) for left, right in cells]


def blocks(name: str) -> list[tuple[str, str]]:
    """Blocks of a formula and, indented, its message."""
    found: list[tuple[str, list[str]]] = []
    for row in rows(name):
        if row.startswith("    "):
            found[-1][1].append(row.removeprefix("    "))
        else:
            found.append((row, []))
    return [(formula, "\n".join(message)) for formula, message in found]


@pytest.mark.parametrize(("formula", "canonical"), pairs("good.txt"))
def test_good_formulas_have_their_canonical_form(formula: str, canonical: str) -> None:
    """A formula prints in its canonical form, which is read as the same model and prints as itself."""
    ir = lower(parse_text(formula))
    assert str(ir) == canonical
    again = lower(parse_text(canonical))
    assert again == ir
    assert str(again) == canonical


@pytest.mark.parametrize(("formula", "message"), blocks("bad.txt"))
def test_bad_formulas_have_their_message(formula: str, message: str) -> None:
    """A formula that means nothing is refused with exactly this message."""
    with pytest.raises(FormulaError) as caught:
        lower(parse_text(formula.replace("\\n", "\n")))
    assert str(caught.value) == message


@pytest.mark.parametrize(("formula", "message"), blocks("doubtful.txt"))
def test_doubtful_formulas_are_read_as_lme4_does_with_a_warning(formula: str, message: str) -> None:
    """What lme4 takes although it looks wrong is read in its way; the first line of the message is that reading."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ir = lower(parse_text(formula))
    assert [warning.category for warning in caught] == [FitWarning]
    assert "\n".join([str(ir), str(caught[0].message)]) == message
