"""Log densities of families, and their derivatives."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from lmmformula.arrays import FloatArray
from lmmformula.fit.kernels import Beta, Binomial, Gamma, Kernel, Normal, Student
from lmmformula.fit.kernels_counts import Counts, NegativeBinomial, RootCounts

N = 40
RNG = np.random.default_rng(1)
ETA = RNG.normal(size=N)
COUNTS = RNG.poisson(2.0, size=N).astype(float)
TRIALS = np.full(N, 5.0)
SHARES = RNG.integers(0, 6, size=N) / TRIALS
POSITIVE = np.exp(RNG.normal(size=N))
UNIT = RNG.uniform(0.05, 0.95, size=N)

KERNELS: dict[str, Kernel] = {
    **{f"binomial({link})": Binomial(SHARES, TRIALS, link) for link in ("logit", "probit", "cloglog")},
    "poisson": Counts(COUNTS),
    "poisson, weighted": Counts(COUNTS, 2.0),
    "poisson(sqrt)": RootCounts(COUNTS),
    "zero-inflated poisson": Counts(COUNTS, zeros=True),
    "negbinomial": NegativeBinomial(COUNTS),
    "zero-inflated negbinomial": NegativeBinomial(COUNTS, zeros=True),
    "Gamma": Gamma(POSITIVE),
    "beta": Beta(UNIT),
    "lognormal": Normal(np.log(POSITIVE), -np.log(POSITIVE)),
    "student": Student(POSITIVE),
    "student, scaled": Student(POSITIVE / 4, 4.0),
    "lognormal, weighted": Normal(np.log(POSITIVE), -np.log(POSITIVE), 1.0, np.sqrt(UNIT)),
    "student, weighted": Student(POSITIVE, 1.0, np.sqrt(UNIT)),
}
kernels = pytest.mark.parametrize("name", KERNELS)


def slope(function: Callable[[float], FloatArray], h: float = 1e-4) -> FloatArray:
    """Return the derivative at zero, a central difference of fourth order."""
    return (8 * (function(h) - function(-h)) - (function(2 * h) - function(-2 * h))) / (12 * h)


def predictor(name: str) -> FloatArray:
    """Return a linear predictor that suits the link."""
    return ETA + 3.0 if "sqrt" in name else ETA


@kernels
def test_derivatives_in_the_linear_predictor(name: str) -> None:
    """Score, observed curvature and the slope of the weight are derivatives of what they should be."""
    kernel, eta = KERNELS[name], predictor(name)
    psi = kernel.start()
    rows = kernel.at(eta, psi)
    np.testing.assert_allclose(rows.score, slope(lambda h: kernel.at(eta + h, psi).loglik), atol=1e-8)
    np.testing.assert_allclose(rows.weight, -slope(lambda h: kernel.at(eta + h, psi).score), atol=1e-8)
    np.testing.assert_allclose(rows.slope, slope(lambda h: kernel.at(eta + h, psi).weight), atol=1e-8)


@kernels
def test_derivatives_in_the_family_s_parameters(name: str) -> None:
    """So are those in each parameter, and the parameters' own slopes."""
    kernel, eta = KERNELS[name], predictor(name)
    psi = kernel.start()
    rows = kernel.at(eta, psi)
    assert len(rows.own) == len(psi) == len(kernel.names)
    for i, own in enumerate(rows.own):

        def moved(h: float, i: int = i) -> FloatArray:
            return psi + h * np.eye(len(psi))[i]

        np.testing.assert_allclose(own.loglik, slope(lambda h: kernel.at(eta, moved(h)).loglik), atol=1e-8)
        np.testing.assert_allclose(own.score, slope(lambda h: kernel.at(eta, moved(h)).score), atol=1e-8)
        np.testing.assert_allclose(own.weight, slope(lambda h: kernel.at(eta, moved(h)).weight), atol=1e-8)
        assert kernel.slopes(psi)[i] == pytest.approx(slope(lambda h: kernel.values(moved(h)))[i], rel=1e-8)


def _zero_inflated(base: FloatArray, y: FloatArray, zi: float) -> FloatArray:
    return np.log(zi * (y == 0) + (1 - zi) * np.exp(base))


def densities() -> list[tuple[str, FloatArray, FloatArray]]:
    """Write the log densities by scipy, at parameters psi."""
    mean, probability = np.exp(ETA), 1 / (1 + np.exp(-ETA))
    nb = stats.nbinom.logpmf(COUNTS, 2.0, 2.0 / (2.0 + mean))
    return [
        ("binomial(logit)", np.zeros(0), stats.binom.logpmf(SHARES * TRIALS, TRIALS, probability)),
        ("binomial(probit)", np.zeros(0), stats.binom.logpmf(SHARES * TRIALS, TRIALS, stats.norm.cdf(ETA))),
        ("binomial(cloglog)", np.zeros(0), stats.binom.logpmf(SHARES * TRIALS, TRIALS, -np.expm1(-mean))),
        ("poisson", np.zeros(0), stats.poisson.logpmf(COUNTS, mean)),
        ("poisson, weighted", np.zeros(0), 2 * stats.poisson.logpmf(COUNTS, mean)),
        ("poisson(sqrt)", np.zeros(0), stats.poisson.logpmf(COUNTS, (ETA + 3) ** 2)),
        ("zero-inflated poisson", np.zeros(1), _zero_inflated(stats.poisson.logpmf(COUNTS, mean), COUNTS, 0.5)),
        ("negbinomial", np.log([2.0]), nb),
        ("zero-inflated negbinomial", np.array([np.log(2.0), 0.0]), _zero_inflated(nb, COUNTS, 0.5)),
        ("Gamma", np.log([3.0]), stats.gamma.logpdf(POSITIVE, 3.0, scale=mean / 3.0)),
        ("beta", np.log([3.0]), stats.beta.logpdf(UNIT, 3 * probability, 3 * (1 - probability))),
        ("lognormal", np.log([2.0]), stats.norm.logpdf(np.log(POSITIVE), ETA, 2.0) - np.log(POSITIVE)),
        ("student", np.log([2.0, 5.0]), stats.t.logpdf(POSITIVE, 5.0, ETA, 2.0)),
        ("student, scaled", np.log([0.5, 5.0]), stats.t.logpdf(POSITIVE, 5.0, 4 * ETA, 2.0)),
        ("lognormal, weighted", np.log([2.0]), stats.lognorm.logpdf(POSITIVE, 2 / np.sqrt(UNIT), scale=np.exp(ETA))),
        ("student, weighted", np.log([2.0, 5.0]), stats.t.logpdf(POSITIVE, 5.0, ETA, 2 / np.sqrt(UNIT))),
    ]


@pytest.mark.parametrize(("name", "psi", "expected"), densities(), ids=[name for name, _, _ in densities()])
def test_densities(name: str, psi: FloatArray, expected: FloatArray) -> None:
    """A kernel's log density is scipy's, constants included."""
    np.testing.assert_allclose(KERNELS[name].at(predictor(name), psi).loglik, expected, rtol=1e-10, atol=1e-12)


def test_every_kernel_is_held_to_a_density() -> None:
    """No kernel is without a density of scipy's."""
    assert {name for name, _, _ in densities()} == set(KERNELS)


@kernels
def test_starting_predictors_are_finite(name: str) -> None:
    """Zeros, ones and full trials have a finite place on the scale of the link."""
    assert np.isfinite(KERNELS[name].predictor()).all()


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_probabilities_next_to_the_bounds(link: str) -> None:
    """At linear predictors of +-20 (cloglog 5) log density and curvatures are finite and right where they vanish."""
    eta = np.array([-20.0, 5.0 if link == "cloglog" else 20.0])
    rows = Binomial(np.array([0.0, 1.0]), np.ones(2), link).at(eta, np.zeros(0))
    for values in (rows.loglik, rows.score, rows.weight, rows.slope):
        assert np.isfinite(values).all()
        assert np.abs(values).max() < 1e-6


@pytest.mark.parametrize("shape", [0.7, 99.0, 101.0, 1e4, 1e6])
def test_negative_binomial_with_a_large_shape(shape: float) -> None:
    """Its log density keeps its digits: log Gamma(y + r) / (Gamma(r) r^y) is a sum of log(1 + k / r), k < y."""
    rows = NegativeBinomial(COUNTS).at(ETA, np.log([shape]))
    rise = np.array([sum(math.log1p(k / shape) for k in range(int(y))) for y in COUNTS])
    factorials = np.array([math.lgamma(y + 1) for y in COUNTS])
    expected = rise - factorials + COUNTS * ETA - (COUNTS + shape) * np.log1p(np.exp(ETA) / shape)
    np.testing.assert_allclose(rows.loglik, expected, rtol=1e-12)


def test_student_with_many_degrees_of_freedom() -> None:
    """Below and above the point from which a series is used, values and slopes go on as they did."""
    kernel = KERNELS["student"]
    nus = np.log([[1.0, 499.0], [1.0, 501.0]])
    near, far = (kernel.at(ETA, psi) for psi in nus)
    step = nus[1, 1] - nus[0, 1]
    np.testing.assert_allclose(far.loglik - near.loglik, step * (near.own[1].loglik + far.own[1].loglik) / 2, atol=1e-8)
