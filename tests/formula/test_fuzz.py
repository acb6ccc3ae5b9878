import contextlib
import warnings

from hypothesis import example, given, settings

from lmmformula.errors import FitWarning, FormulaError
from lmmformula.formula.parse import parse_priors, parse_text
from lmmformula.ir.lower import lower
from strategies import gibberish, mutated


def survive(text: str) -> None:
    """Read a text; nothing but our own error may come of it, and that must print."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        try:
            ir = lower(parse_text(text))
            assert isinstance(str(ir) + ir.latex(), str)
        except FormulaError as error:
            said = error
        else:
            return
    assert said.message
    assert said.text in (text, "")
    assert all(line.isprintable() for line in str(said).split("\n"))


@settings(max_examples=400, deadline=None)
@given(gibberish)
@example("\x00")
@example("y ~ x\ud800")
@example("y ~ `\ud800`")
@example("y ~ '\\U00110000'")
@example("y ~ \u202ex")
@example("y ~ 9" + "9" * 5000 + "L")
@example("y ~ 1e999 + 1e-999")
def test_any_text_is_read_or_refused(text: str) -> None:
    """Random texts raise nothing but FormulaError."""
    survive(text)


@settings(max_examples=200, deadline=None)
@given(mutated())
def test_any_damaged_formula_is_read_or_refused(text: str) -> None:
    """Formulas with a few characters wrong raise nothing but FormulaError."""
    survive(text)


@settings(max_examples=200, deadline=None)
@given(gibberish)
def test_any_text_of_priors_is_read_or_refused(text: str) -> None:
    """Random prior statements raise nothing but FormulaError."""
    with contextlib.suppress(FormulaError):
        parse_priors(text)
