"""Functions, contrasts and codings against R's numbers, each beside the call that gives them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from designs import design, model
from lmmformula.data.table import read_table
from lmmformula.design.coding.contrasts import Contrast, read_contrasts
from lmmformula.design.columns.evaluated import Categorical, Numbers, Value
from lmmformula.design.columns.frame import STATEFUL, Frame
from lmmformula.design.columns.functions import FUNCTIONS, OPERATORS
from lmmformula.errors import DataError
from lmmformula.ir.expressions import BINARY, UNARY
from lmmformula.ir.functions import FUNCTIONS as SIGNATURES
from lmmformula.ir.functions import register

NAN = float("nan")
DATA: dict[str, Any] = {
    "y": [0.5, 1.0, -1.0, 2.0, 0.0],
    "x": [1.0, 2.0, 3.0, 4.0, 5.0],
    "z": [-2.0, -0.5, NAN, 0.5, 2.0],
    "f": ["b", "a", None, "c", "a"],
    "o": pd.Categorical(["lo", "mid", "hi", "lo", "hi"], categories=["lo", "mid", "hi"], ordered=True),
    "l": [True, False, None, True, False],
    "k": [10, 2, 10, 1, 2],
}


def value_of(expression: str) -> Value:
    """Evaluate an expression on the small data set."""
    (term,) = model(f"y ~ {expression}").fixed.terms
    (factor,) = term.factors
    return Frame(read_table(DATA)).evaluate(factor)


NUMBERS = {
    "I(x + 2 * x^2)": [3, 10, 21, 36, 55],
    "I(-x)": [-1, -2, -3, -4, -5],
    "I(x / 2)": [0.5, 1, 1.5, 2, 2.5],
    "I((x - 3) %% 2)": [0, 1, 0, 1, 0],
    "I((x - 3) %/% 2)": [-1, -1, 0, 0, 1],
    "I(2^-x)": [0.5, 0.25, 0.125, 0.0625, 0.03125],
    "I(l + 1)": [2, 1, NAN, 2, 1],
    "I((x > 2) * x)": [0, 0, 3, 4, 5],
    "log(x, base = 2)": np.log2([1, 2, 3, 4, 5]),
    "log(base = 10, x)": np.log10([1, 2, 3, 4, 5]),
    "log(x, 2)": np.log2([1, 2, 3, 4, 5]),
    "sqrt(z)": [NAN, NAN, NAN, 0.5**0.5, 2**0.5],
    "abs(z)": [2, 0.5, NAN, 0.5, 2],
    "sign(z)": [-1, -1, NAN, 1, 1],
    "round(I(x / 3), 2)": [0.33, 0.67, 1, 1.33, 1.67],
    "floor(z)": [-2, -1, NAN, 0, 2],
    "ceiling(z)": [-2, 0, NAN, 1, 2],
    "trunc(z)": [-2, 0, NAN, 0, 2],
    "pmin(x, 3)": [1, 2, 3, 3, 3],
    "pmax(x, z, 2.5)": [2.5, 2.5, NAN, 4, 5],
    "ifelse(z > 0, x, -1)": [-1, -1, NAN, 4, 5],
    "ifelse(f == 'a', 1, 0)": [0, 1, NAN, 0, 1],
    "as.numeric(o)": [1, 2, 3, 1, 3],
    "as.integer(I(x / 2))": [0, 1, 1, 2, 2],
    "plogis(z)": 1 / (1 + np.exp([2, 0.5, NAN, -0.5, -2])),
    "qlogis(I(x / 6))": np.log(np.arange(1, 6) / np.arange(5, 0, -1)),
    "pnorm(z)": [0.02275013194817921, 0.3085375387259869, NAN, 0.6914624612740131, 0.9772498680518208],
    "qnorm(I(x / 6))": [-0.9674215661017014, -0.4307272992954575, 0.0, 0.4307272992954575, 0.9674215661017014],
    "scale(x)": [-1.2649110640673518, -0.6324555320336759, 0, 0.6324555320336759, 1.2649110640673518],
    "scale(z, scale = FALSE)": [-2, -0.5, NAN, 0.5, 2],
    "scale(x, center = FALSE)": np.arange(1, 6) / np.sqrt(55 / 4),
    "scale(x, center = 1, scale = 2)": [0, 0.5, 1, 1.5, 2],
    "center(x)": [-2, -1, 0, 1, 2],
    "poly(x, 1)": [-0.6324555320336759, -0.31622776601683794, 0, 0.31622776601683794, 0.6324555320336759],
}


@pytest.mark.parametrize(("expression", "expected"), NUMBERS.items())
def test_functions_of_numbers_give_the_numbers_of_r(expression: str, expected: Any) -> None:
    """Arithmetic and functions of each element give R's values, missing where R's are."""
    found = value_of(expression)
    assert isinstance(found, Numbers)
    np.testing.assert_allclose(found.values, expected, rtol=1e-12, atol=1e-15)


MATRICES = {
    "poly(x, 2)": (("1", "2"), np.array([2, -1, -2, -1, 2]) * 0.2672612419124244),
    "poly(x, 3, raw = TRUE)": (("1", "2", "3"), [1, 8, 27, 64, 125]),
    "poly(x, degree = 2, raw = TRUE)": (("1", "2"), [1, 4, 9, 16, 25]),
    "poly(x, k, degree = 2, raw = TRUE)": (("1.0", "2.0", "0.1", "1.1", "0.2"), [100, 4, 100, 1, 4]),
    "poly(x, k, raw = TRUE)": (("1.0", "0.1"), [10, 2, 10, 1, 2]),
    "bs(x)": (("1", "2", "3"), [0, 0.015625, 0.125, 0.421875, 1]),
    "bs(x, degree = 1, knots = 3)": (("1", "2"), [0, 0, 0, 0.5, 1]),
}  # fmt: skip


@pytest.mark.parametrize(("expression", "expected"), MATRICES.items())
def test_bases_give_the_columns_of_r(expression: str, expected: tuple[tuple[str, ...], Any]) -> None:
    """Bases have as many columns as in R, named alike, and the last is R's."""
    found = value_of(expression)
    suffixes, last = expected
    assert isinstance(found, Numbers)
    assert found.suffixes == suffixes
    np.testing.assert_allclose(found.values[:, -1], last, rtol=1e-12, atol=1e-15)  # noqa: PD011 (no pandas object)


FACTORS = {
    "factor(k)": (("1", "2", "10"), [2, 1, 2, 0, 1]),
    "as.factor(f)": (("a", "b", "c"), [1, 0, -1, 2, 0]),
    "factor(f, levels = c('c', 'a'))": (("c", "a"), [-1, 1, -1, 0, 1]),
    "factor(k, levels = c(10, 2, 1))": (("10", "2", "1"), [0, 1, 0, 2, 1]),
    "factor(k, labels = c('i', 'ii', 'x'))": (("i", "ii", "x"), [2, 1, 2, 0, 1]),
    "factor(k, labels = c('few', 'few', 'many'))": (("few", "many"), [1, 0, 1, 0, 0]),
    "factor(f, exclude = 'a')": (("b", "c"), [0, -1, -1, 1, -1]),
    "ordered(f, levels = c('c', 'b', 'a'))": (("c", "b", "a"), [1, 2, -1, 0, 2]),
    "relevel(f, ref = 'c')": (("c", "a", "b"), [2, 1, -1, 0, 1]),
    "relevel(f, 2)": (("b", "a", "c"), [0, 1, -1, 2, 1]),
    "I(x > 2)": (("FALSE", "TRUE"), [0, 0, 1, 1, 1]),
    "I(x >= 2 & z < 1)": (("FALSE", "TRUE"), [0, 1, -1, 1, 0]),
    "I(x > 4 | z < 0)": (("FALSE", "TRUE"), [1, 1, -1, 0, 1]),
    "I(!l)": (("FALSE", "TRUE"), [0, 1, -1, 0, 1]),
    "I(f == 'a')": (("FALSE", "TRUE"), [0, 1, -1, 0, 1]),
    "I(k == 10)": (("FALSE", "TRUE"), [1, 0, 1, 0, 0]),
    "I(factor(k) == 10)": (("FALSE", "TRUE"), [1, 0, 1, 0, 0]),
    "I(factor(k) %in% c(1, 2))": (("FALSE", "TRUE"), [0, 1, 0, 1, 1]),
    "I(o >= 'mid')": (("FALSE", "TRUE"), [0, 1, 1, 0, 1]),
    "I(o < 'mid')": (("FALSE", "TRUE"), [1, 0, 0, 1, 0]),
    "I(f != 'a')": (("FALSE", "TRUE"), [1, 0, -1, 1, 0]),
    "I(f %in% c('a', 'b'))": (("FALSE", "TRUE"), [1, 1, 0, 0, 1]),
    "I(k %in% c(1, 2))": (("FALSE", "TRUE"), [0, 1, 0, 1, 1]),
    "is.na(z)": (("FALSE", "TRUE"), [0, 0, 1, 0, 0]),
    "as.logical(I(x - 1))": (("FALSE", "TRUE"), [0, 1, 1, 1, 1]),
    "cut(x, 2)": (("(0.996,3]", "(3,5]"), [0, 0, 0, 1, 1]),
    "cut(x, c(1, 3, 5))": (("(1,3]", "(3,5]"), [-1, 0, 0, 1, 1]),
    "cut(x, c(1, 3, 5), include.lowest = TRUE)": (("[1,3]", "(3,5]"), [0, 0, 0, 1, 1]),
    "cut(x, c(1, 3, 5), right = FALSE)": (("[1,3)", "[3,5)"), [0, 0, 1, 1, -1]),
    "cut(x, c(1, 3, 5), right = FALSE, include.lowest = TRUE)": (("[1,3)", "[3,5]"), [0, 0, 1, 1, 1]),
    "cut(x, c(-Inf, 2, Inf))": (("(-Inf,2]", "(2, Inf]"), [0, 0, 1, 1, 1]),
    "cut(x, c(0, 1.00001, 1.00002, 9))": (("(0,1.00001]", "(1.00001,1.00002]", "(1.00002,9]"), [0, 2, 2, 2, 2]),
    "cut(x, c(0, 3, 9), labels = c('low', 'high'))": (("low", "high"), [0, 0, 0, 1, 1]),
    "cut(x, 2, dig.lab = 2)": (("(1,3]", "(3,5]"), [0, 0, 0, 1, 1]),
}  # fmt: skip


@pytest.mark.parametrize(("expression", "expected"), FACTORS.items())
def test_functions_that_make_factors_give_the_levels_of_r(
    expression: str, expected: tuple[tuple[str, ...], list[int]]
) -> None:
    """Levels, their order, their labels and each row's level are R's."""
    found = value_of(expression)
    assert isinstance(found, Categorical)
    assert (found.levels, found.codes.tolist()) == expected


def test_cut_without_labels_counts_intervals() -> None:
    """cut(labels = FALSE) gives the number of the interval."""
    found = value_of("cut(x, 2, labels = FALSE)")
    assert isinstance(found, Numbers)
    np.testing.assert_array_equal(found.values, [1, 1, 1, 2, 2])


def test_every_function_of_the_language_has_an_implementation() -> None:
    """What the parser lets through can be computed: no name is missing, none is left over."""
    contrasts = {name for name, signature in SIGNATURES.items() if signature.kind == "contrast"}
    assert set(SIGNATURES) - contrasts == set(FUNCTIONS) | set(STATEFUL)
    assert set(OPERATORS) == (set(BINARY) | set(UNARY) | {"("}) - {":"}


def test_a_registered_function_is_called_with_arrays() -> None:
    """A function of the user gets columns as arrays and constants as numbers."""
    register("hill", lambda x, half: x / (x + half))
    found = value_of("hill(x, 3)")
    assert isinstance(found, Numbers)
    np.testing.assert_allclose(found.values, np.arange(1, 6) / np.arange(4, 9))


L, Q = 0.7071067811865475, 0.4082482904638630
CONTRASTS = {
    "treatment": (("b", "c"), [[0, 0], [1, 0], [0, 1]]),
    "SAS": (("a", "b"), [[1, 0], [0, 1], [0, 0]]),
    "sum": (("1", "2"), [[1, 0], [0, 1], [-1, -1]]),
    "contr.helmert": (("1", "2"), [[-1, -1], [1, -1], [0, 2]]),
    "contr.poly": ((".L", ".Q"), [[-L, Q], [0, -2 * Q], [L, Q]]),
}


@pytest.mark.parametrize(("name", "expected"), CONTRASTS.items())
def test_contrasts_are_those_of_r(name: str, expected: tuple[tuple[str, ...], list[list[float]]]) -> None:
    """contr.*(3) of R, names and values; by name as an argument, and by call in C()."""
    names, matrix = expected
    coding = read_contrasts({"f": name})["f"].coding(("a", "b", "c"))
    assert coding.names == names
    np.testing.assert_allclose(coding.dense(3), matrix, atol=1e-15)


def test_polynomial_contrasts_go_on_beyond_the_cubic() -> None:
    """The fourth and later polynomials are called ^4, ^5."""
    assert Contrast("poly").coding(tuple("abcdef")).names == (".L", ".Q", ".C", "^4", "^5")


FACTOR = {"y": np.arange(6.0) ** 2, "f": list("abcabc"), "g": list("pqqppq")}
CODED = [
    ("y ~ f", {}, ["(Intercept)", "fb", "fc"], [[1, 0, 0], [1, 1, 0], [1, 0, 1]]),
    ("y ~ 0 + f", {"f": "sum"}, ["fa", "fb", "fc"], [[1, 0, 0], [0, 1, 0], [0, 0, 1]]),
    ("y ~ f", {"f": Contrast("treatment", base=3)}, ["(Intercept)", "fa", "fb"], [[1, 1, 0], [1, 0, 1], [1, 0, 0]]),
    ("y ~ f", {"f": [[1], [0], [-1]]}, ["(Intercept)", "f1"], [[1, 1], [1, 0], [1, -1]]),
    ("y ~ f", {"f": pd.DataFrame({"ac": [1, 0, -1]})}, ["(Intercept)", "fac"], [[1, 1], [1, 0], [1, -1]]),
    (
        "y ~ f",
        {"f": Contrast("matrix", matrix=((1.0,), (0.0,), (-1.0,)), random=True)},
        ["(Intercept)", "f1", "f2"],
        [[1, 1, Q], [1, 0, -2 * Q], [1, -1, Q]],
    ),
    (
        "y ~ C(f, contr.sum)",
        {},
        ["(Intercept)", "C(f, contr.sum)1", "C(f, contr.sum)2"],
        [[1, 1, 0], [1, 0, 1], [1, -1, -1]],
    ),
    (
        "y ~ C(f, 'contr.SAS')",
        {},
        ["(Intercept)", 'C(f, "contr.SAS")a', 'C(f, "contr.SAS")b'],
        [[1, 1, 0], [1, 0, 1], [1, 0, 0]],
    ),
    ("y ~ C(f, contr.helmert, 1)", {}, ["(Intercept)", "C(f, contr.helmert, 1)1"], [[1, -1], [1, 1], [1, 0]]),
    (
        "y ~ C(f, contr.treatment(3, base = 2))",
        {},
        ["(Intercept)", "C(f, contr.treatment(3, base = 2))1", "C(f, contr.treatment(3, base = 2))3"],
        [[1, 1, 0], [1, 0, 0], [1, 0, 1]],
    ),
]


@pytest.mark.parametrize(("formula", "contrasts", "names", "first_rows"), CODED)
def test_factors_are_coded_as_asked(formula: str, contrasts: Any, names: list[str], first_rows: Any) -> None:
    """A factor's columns follow the argument, the formula or the default, in this order."""
    _, made = design(formula, FACTOR, contrasts=contrasts)
    assert list(made.fixed_names) == names
    np.testing.assert_allclose(np.abs(made.X[:3]), np.abs(first_rows), atol=1e-12)


def test_the_contrasts_argument_leaves_random_terms_alone_unless_told() -> None:
    """contrasts={"f": "sum"} is lmer's argument, Contrast("sum", random=True) is an attribute of R's column."""
    data = {name: np.tile(values, 5) for name, values in FACTOR.items()}
    for contrast, names in (
        ("sum", ("(Intercept)", "fb", "fc")),
        (Contrast("sum", random=True), ("(Intercept)", "f1", "f2")),
    ):
        _, made = design("y ~ f + (f | g)", data, contrasts={"f": contrast})
        assert made.fixed_names == ("(Intercept)", "f1", "f2")
        assert made.random_terms[0].coefficient_names == names


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (((1.0,), (1.0,), (1.0,)), "depend on each other, or on the mean"),
        (((1.0,), (2.0,)), "has 2 rows, but the factor has 3 levels"),
    ],
)
def test_impossible_contrasts_are_refused(matrix: Any, message: str) -> None:
    """A contrast matrix of the wrong size, or one that depends on the mean, is an error."""
    with pytest.raises(DataError, match=message):
        design("y ~ f", FACTOR, contrasts={"f": Contrast("matrix", matrix=matrix, random=True)})


@pytest.mark.parametrize(
    ("term", "columns"),
    [
        ("C(f, contr.treatment)", "2 3"),
        ('C(f, "contr.treatment")', "b c"),
        ("C(f, contr.SAS)", "1 2"),
        ("C(f, contr.treatment, base = 2)", "1 3"),
        ("C(f, contr.treatment, 1)", "2"),
        ('C(f, "contr.treatment", 1)', "2"),
        ("C(f, contr.treatment(3, base = 2))", "1 3"),
        ("C(f)", "b c"),
    ],
)
def test_contrasts_given_as_a_function_number_their_columns(term: str, columns: str) -> None:
    """R calls contr.SAS with the number of levels, and the contrasts it finds by name with the levels themselves."""
    data = {"y": np.arange(12.0) % 5, "f": list("abc") * 4, "g": list("uvwz") * 3}
    _, made = design(f"y ~ {term} + (1 | g)", data)
    assert list(made.fixed_names[1:]) == [term + name for name in columns.split()]


def test_numbers_are_rounded_as_in_r() -> None:
    """The values of R 4.2's round(x, 2), of which 100 * x, rounded and divided, misses some."""
    x = [2.675, 1.005, 0.285, 5.015, -2.675, 1234567.125, -0.001, 3e5]
    _, made = design("y ~ round(x, 2) + (1 | g)", {"y": np.arange(8.0) % 3, "x": x, "g": list("uvwz") * 2})
    assert made.X[:-1, 1].tolist() == [2.67, 1.0, 0.28, 5.02, -2.67, 1234567.12, -0.0]


def test_brackets_stay_in_names() -> None:
    """R keeps those that were typed: I((x)) is not I(x), and !(x > 1) does not become !x > 1."""
    data = {"y": np.arange(8.0) % 3, "x": np.arange(8.0) ** 2 % 7, "g": list("uvwz") * 2}
    _, made = design("y ~ I(!(x > 1)) + ((x)) + log((x + 1)) + (1 | g)", data)
    assert list(made.fixed_names[1:]) == ["I(!(x > 1))TRUE", "x", "log((x + 1))"]
