"""Number formats against R's."""

import math

import pytest

from lmmformula.present.numbers import (
    abbreviate,
    format_coefficients,
    format_number,
    format_numbers,
    format_p_values,
    zap_small,
)

FORMATS = [
    # values, digits, what R's format(x, digits = digits) gives
    ([251.4051, 6.8246], 4, ["251.405", "  6.825"]),
    ([1.0, 10.0, 100.0], 7, ["  1", " 10", "100"]),
    ([0.00001], 7, ["1e-05"]),
    ([0.0001], 7, ["1e-04"]),
    ([0.001], 7, ["0.001"]),
    ([123456789.0], 7, ["123456789"]),
    ([1234567890123.0], 7, ["1.234568e+12"]),
    ([1e5], 7, ["1e+05"]),
    ([123456.0], 7, ["123456"]),
    ([-1.5, 2.25], 7, ["-1.50", " 2.25"]),
    ([99.99999], 4, ["100"]),
    ([0.0], 4, ["0"]),
    ([1e-300, 1e300], 3, ["1e-300", "1e+300"]),
    ([math.nan, 1.5], 7, ["NaN", "1.5"]),
    ([math.inf, -math.inf, 2.0], 7, [" Inf", "-Inf", "   2"]),
    ([], 7, []),
]


@pytest.mark.parametrize(("values", "digits", "expected"), FORMATS)
def test_numbers_share_the_decimals_that_the_neediest_deserves(
    values: list[float], digits: int, expected: list[str]
) -> None:
    """R's rule for a vector: one number of decimals, or scientific notation where that is narrower."""
    assert format_numbers(values, digits) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(3675.31104, "3675.311"), (1743.6, "1743.6"), (-0.5, "-0.5"), (237585.5, "237585.5")]
)
def test_one_number_has_seven_digits_at_most(value: float, expected: str) -> None:
    """As R's `cat` writes it."""
    assert format_number(value) == expected


P_VALUES = [
    # values, digits, what R's format.pval(values, digits) gives
    ([0.04321], 3, ["0.0432"]),
    ([1e-30], 4, ["< 2.2e-16"]),
    ([1e-30], 3, ["<2e-16"]),
    ([0.5, 1e-30], 3, ["0.5", "<2e-16"]),
    ([9.894096e-15, 1e-30], 3, ["9.89e-15", "< 2e-16"]),
    ([0.0456, 3.21e-7, 0.5], 3, ["0.0456", "3.21e-07", "0.5000"]),
    ([0.000247, 7.61e-12], 3, ["0.000247", "7.61e-12"]),
    ([1e-20, 0.000615, 4.6994e-5, 0.00651, 0.166], 3, ["< 2e-16", "0.000615", "4.7e-05", "0.006510", "0.166000"]),
    ([0.00021, 0.0391], 1, ["2e-04", "0.04"]),
]


@pytest.mark.parametrize(("values", "digits", "expected"), P_VALUES)
def test_p_values(values: list[float], digits: int, expected: list[str]) -> None:
    """Small ones in scientific notation, and nothing said beyond a double's precision."""
    assert format_p_values(values, digits) == expected


def test_a_small_coefficient_sets_the_decimals_of_all() -> None:
    """R's printCoefmat shows four digits of the smallest estimate or standard error, and as many decimals of all."""
    estimates, errors = format_coefficients([[33.12222, 0.08765], [1.736833, 1.652109]])
    assert estimates == ["33.12222", " 0.08765"]
    assert errors == [" 1.73683", " 1.65211"]


def test_zapsmall_rounds_by_the_largest() -> None:
    """What is tiny beside the largest becomes zero."""
    assert zap_small([5.1793, 0.02312], 5) == [5.1793, 0.0231]
    assert zap_small([3.00624, -0.001451], 5) == [3.00624, -0.00145]
    assert zap_small([0.0, 0.0], 5) == [0.0, 0.0]


ABBREVIATIONS = [
    # names, length, what R's abbreviate(names, length) gives
    (["(Intercept)"], 6, ["(Intr)"]),
    (["MachineB", "MachineC"], 6, ["MachnB", "MachnC"]),
    (["Days"], 6, ["Days"]),
    (["x", "f3b", "f3c"], 6, ["x", "f3b", "f3c"]),
]


@pytest.mark.parametrize(("names", "length", "expected"), ABBREVIATIONS)
def test_names_are_abbreviated_as_in_r(names: list[str], length: int, expected: list[str]) -> None:
    """Lower-case vowels go first, from the right, then lower-case letters."""
    assert abbreviate(names, length) == expected


def test_abbreviations_stay_distinct() -> None:
    """Names that would collide get longer, like R's."""
    short = abbreviate(["temperatureA1x", "temperatureA1y", "temperatureA1xx"], 4)
    assert len(set(short)) == 3
