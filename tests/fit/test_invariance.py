from dataclasses import replace

import numpy as np
import pytest

from corpus import dataset
from fit.oracle import criterion, example, make_design, make_term
from lmmformula.arrays import FloatArray
from lmmformula.design.design import Design
from lmmformula.design.rows import TermRows
from lmmformula.fit.lmm import Fit, fit_lmm

SAME = 1e-8
"""Relative change that counts as none, for a rescaled or shifted model."""


def sleepstudy(scale: float = 1.0, shift: float = 0.0, y_scale: float = 1.0, y_shift: float = 0.0) -> Design:
    """Return the design of Reaction ~ Days + (Days | Subject) with Days and Reaction measured otherwise."""
    data = dataset("sleepstudy")
    one, days = np.ones(len(data)), data["Days"].to_numpy(float) * scale + shift
    subject = make_term("Subject", data["Subject"].cat.codes.to_numpy(), [one, days])
    return make_design(data["Reaction"].to_numpy() * y_scale + y_shift, [one, days], [subject])


def slope_only(fit: Fit) -> FloatArray:
    """Return what a shift of x leaves alone: slope, its error, sigma, the slopes' variance."""
    return np.array([fit.beta[1], np.sqrt(fit.vcov[1, 1]), fit.sigma, fit.sigma**2 * fit.relative_covariance[0][1, 1]])


@pytest.mark.parametrize("scale", [1e6, 1e-6, 1e12, -3.0])
def test_rescaling_x_rescales_its_slope(scale: float) -> None:
    """Days in microseconds give the same model."""
    plain, fit = fit_lmm(sleepstudy()), fit_lmm(sleepstudy(scale=scale))
    expected = slope_only(plain) / [scale, abs(scale), 1, scale**2]
    np.testing.assert_allclose(slope_only(fit), expected, rtol=SAME)
    np.testing.assert_allclose(fit.modes[0][:, 0], plain.modes[0][:, 0], rtol=1e-6, atol=1e-6)
    assert fit.criterion == pytest.approx(plain.criterion + 2 * np.log(abs(scale)), rel=SAME)


@pytest.mark.parametrize("shift", [-4.5, 1e3, 1e8])
def test_shifting_x_moves_only_the_intercept(shift: float) -> None:
    """Days counted from another day, however far away, give the same model."""
    plain, fit = fit_lmm(sleepstudy()), fit_lmm(sleepstudy(shift=shift))
    np.testing.assert_allclose(slope_only(fit), slope_only(plain), rtol=SAME)
    assert fit.criterion == pytest.approx(plain.criterion, rel=SAME)
    assert fit.verdict == "ok"


@pytest.mark.parametrize("shift", [1e3, 1e8])
def test_a_large_mean_of_the_response_is_harmless(shift: float) -> None:
    """Reaction times since another epoch: only the intercept moves; the data themselves lose digits at 1e8."""
    plain, fit = fit_lmm(sleepstudy()), fit_lmm(sleepstudy(y_shift=shift))
    np.testing.assert_allclose(slope_only(fit), slope_only(plain), rtol=SAME)
    assert fit.beta[0] == pytest.approx(plain.beta[0] + shift, rel=SAME)


@pytest.mark.parametrize("scale", [1e-30, 1e6, 1e30])
def test_rescaling_the_response(scale: float) -> None:
    """A response in other units gives the same theta."""
    plain, fit = fit_lmm(sleepstudy()), fit_lmm(sleepstudy(y_scale=scale))
    np.testing.assert_allclose(fit.theta, plain.theta, rtol=SAME)
    np.testing.assert_allclose(slope_only(fit), slope_only(plain) * [scale, scale, scale, scale**2], rtol=SAME)


@pytest.mark.parametrize("name", ["slope", "crossed slopes", "nested three", "nested and crossed"])
def test_order_of_rows_does_not_matter(name: str) -> None:
    """Shuffled rows give the same fit."""
    design = example(name)
    shuffled = design.take(np.random.default_rng(3).permutation(design.nobs))
    plain, fit = fit_lmm(design), fit_lmm(shuffled)
    assert fit.criterion == pytest.approx(plain.criterion, rel=1e-12)
    np.testing.assert_allclose(fit.beta, plain.beta, rtol=1e-7)
    for a, b in zip(fit.relative_covariance, plain.relative_covariance, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["slope", "crossed", "nested three"])
def test_names_of_levels_do_not_matter(name: str) -> None:
    """Levels numbered in another order give the same fit, and the modes move with their levels."""
    design = example(name)
    rng = np.random.default_rng(5)
    moves = [rng.permutation(term.n_levels) for term in design.random_terms]
    rows = [TermRows(m[t.codes], t.covariates) for t, m in zip(design.random_terms, moves, strict=True)]
    terms = tuple(replace(term, rows=own) for term, own in zip(design.random_terms, rows, strict=True))
    plain, fit = fit_lmm(design), fit_lmm(replace(design, random_terms=terms))
    assert fit.criterion == pytest.approx(plain.criterion, rel=1e-12)
    for b, expected, m in zip(fit.modes, plain.modes, moves, strict=True):
        np.testing.assert_allclose(b[m], expected, rtol=1e-5, atol=1e-6)


def test_weights_count_rows() -> None:
    """A row of weight 2 weighs as much as two rows in the fixed effects and modes (not in the degrees of freedom)."""
    design = example("slope")
    doubled = design.with_rows(weights=2 * design.weights)
    plain, fit = fit_lmm(design), fit_lmm(doubled)
    np.testing.assert_allclose(fit.beta, plain.beta, rtol=SAME)
    np.testing.assert_allclose(fit.sigma**2, 2 * plain.sigma**2, rtol=SAME)
    np.testing.assert_allclose(2 * fit.relative_covariance[0], plain.relative_covariance[0], rtol=1e-6)


def test_an_offset_is_subtracted() -> None:
    """A model with an offset is the model of the response less the offset."""
    design = example("three")
    plain = fit_lmm(design.with_rows(y=design.y - design.offset, offset=None))
    fit = fit_lmm(design)
    assert fit.criterion == pytest.approx(plain.criterion, rel=1e-13)
    np.testing.assert_allclose(fit.beta, plain.beta, rtol=1e-12)


def test_the_same_input_gives_the_same_bits() -> None:
    """Two fits of one design are equal to the last bit."""
    one, two = fit_lmm(example("crossed slopes")), fit_lmm(example("crossed slopes"))
    assert one.criterion == two.criterion
    np.testing.assert_array_equal(one.theta, two.theta)
    for a, b in zip(one.modes, two.modes, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("distance", [1e-3, 1e-6])
def test_nearly_dependent_columns_keep_their_digits(distance: float) -> None:
    """Columns x and x + d z span what x and z span: the same model, though X'X has lost most of its digits."""
    design = example("three")
    z = design.random_terms[0].covariates[:, 2]
    one, x = design.X.T
    plain = fit_lmm(make_design(design.y, [one, x, z], list(design.random_terms)))
    fit = fit_lmm(make_design(design.y, [one, x, x + distance * z], list(design.random_terms)))
    assert fit.criterion == pytest.approx(plain.criterion + 2 * np.log(distance), rel=1e-9)
    assert fit.sigma == pytest.approx(plain.sigma, rel=SAME)
    assert fit.beta[2] * distance == pytest.approx(plain.beta[2], rel=1e-6)
    assert fit.beta[1] + fit.beta[2] == pytest.approx(plain.beta[1], rel=1e-6)


def test_a_slope_without_its_intercept_is_not_centred() -> None:
    """(0 + x | g) with a large mean of x: nothing could take a shift up, and nothing is shifted."""
    rng = np.random.default_rng(1)
    g, x, one = np.repeat(np.arange(20), 10), rng.normal(size=200) + 50, np.ones(200)
    y = 0.1 * rng.normal(size=20)[g] * x + rng.normal(size=200)
    design = make_design(y, [one, x], [make_term("g", g, [x])])
    fit = fit_lmm(design)
    expected = criterion(design, list(fit.relative_covariance), reml=True)
    assert fit.criterion == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("shift", [1e4, 1e8])
def test_a_large_mean_without_an_intercept_column(shift: float) -> None:
    """0 + f + x: the constant is hidden in the indicators of f, so the columns are orthogonalised, not centred."""
    rng = np.random.default_rng(2)
    g, f, x = rng.integers(0, 12, 200), rng.integers(0, 3, 200), rng.normal(size=200)
    y = 0.5 * x + f + rng.normal(size=12)[g] + rng.normal(size=200)
    indicators = [(f == level).astype(float) for level in range(3)]
    term = make_term("g", g, [np.ones(200)])
    x = (x + shift) - shift  # the digits that a column of that size has
    plain, fit = (fit_lmm(make_design(y, [*indicators, column], [term])) for column in (x, x + shift))
    assert fit.beta[3] == pytest.approx(plain.beta[3], rel=1e-7)
    assert fit.vcov[3, 3] == pytest.approx(plain.vcov[3, 3], rel=1e-7)
    assert fit.sigma == pytest.approx(plain.sigma, rel=SAME)
    assert fit.criterion == pytest.approx(plain.criterion, rel=SAME)
