import math
import re

import pytest

from lmmformula.errors import FormulaError
from lmmformula.formula.parse import parse_text
from lmmformula.ir.expressions import Apply, Constant, Variable, depth, label, number, variables
from lmmformula.ir.functions import FUNCTIONS, REGISTERED, bound, register, signature
from lmmformula.ir.lower.elsewhere import INSTEAD
from lmmformula.ir.lower.model import lower
from lmmformula.ir.terms import Term

X = Variable("x")


def only_term(text: str) -> Term:
    """Return the one fixed term of `y ~ text`."""
    (term,) = lower(parse_text(f"y ~ {text}")).fixed.terms
    return term


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (1.0, "1"), (-1.0, "-1"), (100000.0, "1e+05"), (123456.0, "123456"), (1e15, "1e+15"), (0.1, "0.1"),
        (1e-4, "1e-04"), (0.0001234, "0.0001234"), (1e-5, "1e-05"), (1.5e-10, "1.5e-10"), (1e300, "1e+300"),
        (math.inf, "Inf"), (-math.inf, "-Inf"), (math.nan, "NaN"), (0.30000000000000004, "0.30000000000000004"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_R_does(value: float, text: str) -> None:
    """The shorter of R's two notations, with as many digits as the number needs."""
    assert number(value) == text


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("I(x ^ 2)", "I(x^2)"),
        ("I(x / z)", "I(x/z)"),
        ("log( Days+1 )", "log(Days + 1)"),
        ("sqrt(-x)", "sqrt(-x)"),
        ("I(-(x + z))", "I(-(x + z))"),
        ("cos(2*pi*x)", "cos(2 * pi * x)"),
        ("relevel(f, ref='b')", 'relevel(f, ref = "b")'),
        ("x > 0", "x > 0"),
        ("`my var`", "`my var`"),
        ("C(f, contr.sum)", "C(f, contr.sum)"),
        ("splines::bs(x,df=4)", "splines::bs(x, df = 4)"),
    ],
)
def test_labels_are_those_of_R(typed: str, written: str) -> None:
    """deparse() as R lays it out; columns are named by it."""
    assert only_term(typed).label == written


def test_the_intercept_has_a_label() -> None:
    """The empty product is written 1."""
    assert (Term().label, Term().order) == ("1", 0)


def test_constants_of_different_types_differ() -> None:
    """1, 1L and TRUE are three constants, and NaN equals itself."""
    assert len({Constant(1.0), Constant(1), Constant(value=True), Constant("1")}) == 4
    assert Constant(math.nan) == Constant(math.nan)
    assert Constant(value=True, text="T") == Constant(value=True)


def test_variables_are_listed_in_order() -> None:
    """Positional arguments before named ones, repeats included."""
    call = Apply("pmin", (Variable("b"), Apply("+", (Variable("a"), Variable("b")))), (("z", X),))
    assert [variable.name for variable in variables(call)] == ["b", "a", "b", "x"]
    assert depth(call) == 2
    assert label(X) == "x"


def test_arguments_are_matched_as_in_R() -> None:
    """Named arguments first, the others by position, and the dots take what is left."""
    (first,) = only_term("log(base = 2, x)").factors
    assert isinstance(first, Apply)
    assert bound(first) == {"base": Constant(2.0), "x": X}
    (second,) = only_term("poly(x, z, degree = 2)").factors
    assert isinstance(second, Apply)
    assert list(bound(second)) == ["degree", "x", "...1"]


def test_registered_functions_can_be_called() -> None:
    """register() adds a name to the table; built-in names, words of the language and non-functions are refused."""
    register("double.it", lambda x: 2 * x)
    try:
        assert only_term("double.it(x)").label == "double.it(x)"
        assert signature("double.it").kind == "elementwise"
    finally:
        del REGISTERED["double.it"]
    with pytest.raises(FormulaError, match=r"no function `double\.it`"):
        only_term("double.it(x)")
    for name, function in (
        ("log", math.exp),
        ("cbind", math.exp),
        ("a b", math.exp),
        ("", math.exp),
        (1, math.exp),
        ("new", None),
    ):
        with pytest.raises(FormulaError):
            register(name, function)  # type: ignore[arg-type]


def test_words_for_functions_name_what_there_is() -> None:
    """Every function proposed instead of a word of another package exists, and no such word is one of ours."""
    for word, hint in INSTEAD.items():
        assert word not in FUNCTIONS
        with pytest.raises(FormulaError) as caught:
            signature(word)
        assert caught.value.hint == hint
        proposed = re.findall(r"([a-z.]+)(?=\()", hint) + re.findall(r"did you mean `(\w+)`", hint)
        assert set(proposed[:1]) <= set(FUNCTIONS), hint
    assert INSTEAD["logit"] == "did you mean `qlogis`?"  # and not `log`, which is nearer
