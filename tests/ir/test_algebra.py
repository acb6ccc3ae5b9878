"""The laws of the algebra of terms."""

from hypothesis import given
from hypothesis import strategies as st

from lmmformula.formula.parse import parse_text
from lmmformula.ir.algebra import Products
from lmmformula.ir.lower.model import lower
from lmmformula.ir.records import FixedTerms

variables = st.sampled_from("abcd")
products = st.frozensets(variables, min_size=1, max_size=3)
terms = st.lists(products, max_size=4).map(Products[str].distinct)
some_terms = st.lists(products, min_size=1, max_size=4).map(Products[str].distinct)


def fixed(text: str) -> FixedTerms:
    """Return the fixed effects of `y ~ text`."""
    return lower(parse_text(f"y ~ {text}")).fixed


def same(left: Products[str], right: Products[str]) -> bool:
    """Tell whether two lists hold the same terms in whatever order."""
    return set(left.items) == set(right.items)


@given(terms, terms, terms)
def test_addition_is_associative(a: Products[str], b: Products[str], c: Products[str]) -> None:
    """(a + b) + c = a + (b + c), in the same order."""
    assert (a + b) + c == a + (b + c)


@given(terms, terms)
def test_addition_commutes_but_for_the_order(a: Products[str], b: Products[str]) -> None:
    """A + b has the terms of b + a."""
    assert same(a + b, b + a)


@given(terms)
def test_addition_is_idempotent(a: Products[str]) -> None:
    """A + a = a, and nothing is its zero."""
    assert a + a == a == a + Products()


@given(terms, terms, terms)
def test_interaction_distributes_over_addition(a: Products[str], b: Products[str], c: Products[str]) -> None:
    """(a + b):c = a:c + b:c."""
    assert (a + b).interact(c) == a.interact(c) + b.interact(c)
    assert same(c.interact(a + b), c.interact(a) + c.interact(b))


@given(terms, terms, terms)
def test_interaction_is_associative_and_commutes(a: Products[str], b: Products[str], c: Products[str]) -> None:
    """(a:b):c = a:(b:c), and a:b has the terms of b:a."""
    assert a.interact(b).interact(c) == a.interact(b.interact(c))
    assert same(a.interact(b), b.interact(a))


@given(terms, terms)
def test_crossing_is_main_effects_plus_interaction(a: Products[str], b: Products[str]) -> None:
    """A * b = a + b + a:b."""
    assert a * b == a + b + a.interact(b)


@given(some_terms, terms)
def test_nesting_is_within_all_of_the_left(a: Products[str], b: Products[str]) -> None:
    """A / b = a + b %in% a, and for one term a also a + a:b."""
    assert same(a / b, a + b.inside(a))
    if len(a.items) == 1:
        assert same(a / b, a + a.interact(b))


@given(terms, terms)
def test_subtraction_undoes_addition(a: Products[str], b: Products[str]) -> None:
    """A + b - b holds of a what isn't in b."""
    assert set((a + b - b).items) == set(a.items) - set(b.items)


def test_a_power_is_a_repeated_crossing() -> None:
    """(a + b + c)^2 = (a + b + c) * (a + b + c), up to the order within."""
    assert fixed("(a + b + c)^2") == fixed("(a + b + c)*(a + b + c)")
    assert fixed("(a + b + c)^3") == fixed("a*b*c")
    assert fixed("(a + b)^1") == fixed("a + b")


def test_the_last_word_on_the_intercept_counts() -> None:
    """0, 1, -1 and -0 are read from the left to the right, wherever they stand."""
    texts = ("x", "0 + x", "x - 1", "x - 1 + 1", "x + 0", "0 + x - 0", "x:(0 + z)")
    assert [fixed(text).intercept for text in texts] == [True, False, False, True, False, True, False]


def test_terms_are_equal_in_any_order_of_their_factors() -> None:
    """a:b is b:a, written as first named; and the order of rows of the formula does not matter to what it holds."""
    assert fixed("a + b + a:b").terms[2] == fixed("b + a + b:a").terms[2]
    assert [term.label for term in fixed("b + a + a:b").terms] == ["b", "a", "b:a"]
