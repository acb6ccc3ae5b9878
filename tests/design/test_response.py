"""The left-hand side: numbers, counts, proportions, levels; offsets and weights beside it."""

from typing import Any

import numpy as np
import pytest

from designs import design
from lmmformula.errors import DataError
from lmmformula.ir.family import Family

BINOMIAL, POISSON = Family("binomial", "logit"), Family("poisson", "log")
DATA: dict[str, Any] = {
    "s": [0, 1, 2, 3, 2, 0],
    "n": [4, 4, 4, 6, 2, 0],
    "f": [4, 3, 2, 3, 0, 0],
    "w": [1.0, 2.0, 1.0, 2.0, 1.0, 2.0],
    "x": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    "r": ["no", "yes", "maybe", "no", "yes", "yes"],
    "l": [True, False, True, True, False, False],
}
SHARE = [0, 0.25, 0.5, 0.5, 1]


@pytest.mark.parametrize(
    ("formula", "family", "options", "y", "weights"),
    [
        ("cbind(s, f) ~ x", BINOMIAL, {}, SHARE, [4, 4, 4, 6, 2]),
        ("cbind(s, n - s) ~ x", BINOMIAL, {}, SHARE, [4, 4, 4, 6, 2]),
        ("s/n ~ x", BINOMIAL, {}, SHARE, [4, 4, 4, 6, 2]),
        ("s/n ~ x", BINOMIAL, {"weights": "n"}, SHARE, [4, 4, 4, 6, 2]),
        ("s/n ~ x", Family(), {}, SHARE, None),
        ("r ~ x", BINOMIAL, {}, [1, 1, 0, 1, 1, 1], None),
        ("l ~ x", BINOMIAL, {}, [1, 0, 1, 1, 0, 0], None),
        ("l ~ x", Family(), {}, [1, 0, 1, 1, 0, 0], None),
        ("log(x) ~ s", Family(), {}, np.log([1, 2, 3, 4, 5, 6]), None),
        ("I(x^2) - s ~ n", Family(), {}, [1, 3, 7, 13, 23, 36], None),
    ],
)
def test_responses_are_read_as_in_r(formula: str, family: Family, options: Any, y: Any, weights: Any) -> None:
    """Counts are shares with their trials as weights; of levels, the first is failure; no trials, no row."""
    _, made = design(formula, DATA, family, **options)
    np.testing.assert_allclose(made.y, y)
    if weights is None:
        assert made.weights is None
    else:
        assert made.weights is not None
        np.testing.assert_array_equal(made.weights, weights)


@pytest.mark.parametrize(
    ("formula", "family", "message"),
    [
        (
            "x ~ s",
            BINOMIAL,
            "the response `x` must be between 0 and 1 in the family binomial: 5 values are not, the first is 2",
        ),
        ("I(x / 2) ~ s", POISSON, "the response `I(x/2)` must be whole numbers from 0 in the family poisson"),
        ("I(x - 2) ~ s", POISSON, "the response `I(x - 2)` must be whole numbers from 0 in the family poisson"),
        ("s ~ x", Family("Gamma", "log"), "the response `s` must be greater than 0 in the family Gamma"),
        ("cbind(s - 1, f) ~ x", BINOMIAL, "the counts in `cbind(s - 1, f)` must not be negative"),
    ],
)
def test_a_response_that_the_family_can_not_produce_is_an_error(formula: str, family: Family, message: str) -> None:
    """A value outside of the family's range is named."""
    with pytest.raises(DataError) as caught:
        design(formula, DATA, family)
    assert caught.value.message.startswith(message)


def test_offsets_add_up() -> None:
    """Several offset() terms and the argument are summed, and a constant counts for all rows."""
    _, made = design("x ~ offset(s) + offset(2 * n) + offset(1)", DATA, offset=np.full(6, 0.5))
    assert made.offset is not None
    np.testing.assert_array_equal(made.offset, np.array(DATA["s"]) + 2 * np.array(DATA["n"]) + 1.5)


def test_an_infinite_offset_is_an_error() -> None:
    """log(0) in an offset is refused."""
    with pytest.raises(DataError, match="the offset is infinite"):
        design("x ~ offset(log(s))", DATA)


@pytest.mark.parametrize("weights", ["w", DATA["w"], np.array(DATA["w"])])
def test_weights_are_a_column_or_an_array(weights: Any) -> None:
    """A name, a list and an array of weights are the same."""
    _, made = design("x ~ s", DATA, weights=weights)
    assert made.weights is not None
    np.testing.assert_array_equal(made.weights, DATA["w"])
