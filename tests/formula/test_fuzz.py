import contextlib
import warnings

from hypothesis import example, given, settings

from lmmformula.errors import FitWarning, FormulaError
from lmmformula.formula.parse import parse_priors, parse_text
from lmmformula.ir.lower.model import lower
from lmmformula.repl.typing.tokens import tokenize, wants_more
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
@example("y ~ (x)::$z")
@example("`x`::$")
@example("1::@")
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
@example("1::@")
def test_any_text_of_priors_is_read_or_refused(text: str) -> None:
    """Random prior statements raise nothing but FormulaError."""
    with contextlib.suppress(FormulaError):
        parse_priors(text)


@settings(max_examples=200, deadline=None)
@given(gibberish)
def test_what_is_typed_is_cut_into_pieces(text: str) -> None:
    """The session colours and completes any text while it is typed; the pieces are its own."""
    assert all(text[piece.start : piece.end] == piece.text for piece in tokenize(text))
    assert wants_more(text) in (True, False)
