"""Log densities of families, and their derivatives."""

import math
from collections.abc import Callable
from decimal import Decimal, localcontext

import numpy as np
import pytest
from lmmformula.fit.kernels import Beta, Binomial, Gamma, Kernel, Normal, Student
from lmmformula.fit.kernels_counts import Counts, NegativeBinomial, RootCounts
from scipy import stats

from lmmformula.arrays import FloatArray

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
    "poisson(sqrt), scaled": RootCounts(COUNTS, 1.0, 4.0),
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
    return (ETA + 3.0) / (4.0 if "sqrt), scaled" in name else 1.0) if "sqrt" in name else ETA


@kernels
def test_derivatives_in_the_linear_predictor(name: str) -> None:
    """Score, observed curvature and the slope of the weight are derivatives of what they should be."""
    kernel, eta = KERNELS[name], predictor(name)
    psi = kernel.start()
    rows = kernel.at(eta, psi)
    np.testing.assert_allclose(rows.score, slope(lambda h: kernel.at(eta + h, psi).loglik), atol=1e-8)
    np.testing.assert_allclose(rows.weight, -slope(lambda h: kernel.at(eta + h, psi).score), atol=1e-8)
    np.testing.assert_allclose(rows.slope, slope(lambda h: kernel.at(eta + h, psi).weight), atol=1e-8)


WITH_EXPECTATION = [name for name in KERNELS if "zero" not in name]


@pytest.mark.parametrize("name", WITH_EXPECTATION)
def test_derivatives_of_the_expected_curvature(name: str) -> None:
    """So are those of the expected curvature, in the linear predictor and in the family's parameters."""
    kernel, eta = KERNELS[name], predictor(name)
    psi = kernel.start()

    def weight(h: float, moved: FloatArray) -> FloatArray:
        return kernel.expected(kernel.at(eta + h, moved), eta + h, moved).weight

    rows = kernel.expected(kernel.at(eta, psi), eta, psi)
    np.testing.assert_allclose(rows.slope, slope(lambda h: weight(h, psi)), atol=1e-8)
    for own, step in zip(rows.own, np.eye(len(psi)), strict=True):
        np.testing.assert_allclose(own.weight, slope(lambda h, step=step: weight(0.0, psi + h * step)), atol=1e-8)


LEVELS, SHARE_OF = np.polynomial.legendre.leggauss(2000)
PROBABILITIES = (1 + LEVELS) / 2
MANY_COUNTS = np.arange(400.0)

RESPONSES: dict[str, tuple[Callable[[FloatArray], Kernel], FloatArray, float, FloatArray | None]] = {
    **{
        f"binomial({link})": (lambda y, link=link: Binomial(y, np.full(len(y), 5.0), link), np.arange(6) / 5, 0.3, None)
        for link in ("logit", "probit", "cloglog")
    },
    "poisson": (Counts, MANY_COUNTS, 0.7, None),
    "poisson(sqrt)": (RootCounts, MANY_COUNTS, 1.7, None),
    "negbinomial": (NegativeBinomial, MANY_COUNTS, 0.7, np.log([2.0])),
    "Gamma": (Gamma, stats.gamma.ppf(PROBABILITIES, 3.0, scale=np.exp(0.7) / 3.0), 0.7, np.log([3.0])),
    "beta": (Beta, stats.beta.ppf(PROBABILITIES, 3 / (1 + np.exp(-0.4)), 3 / (1 + np.exp(0.4))), 0.4, np.log([3.0])),
    "student": (Student, stats.t.ppf(PROBABILITIES, 5.0, 0.4, 2.0), 0.4, np.log([2.0, 5.0])),
}
"""Family -> kernel, all responses or quantiles of them, linear predictor, psi."""


@pytest.mark.parametrize("name", RESPONSES)
def test_the_expected_curvature_is_the_mean_of_the_observed_one(name: str) -> None:
    """Over all responses, by their probabilities."""
    of, y, eta, psi = RESPONSES[name]
    kernel, where, psi = of(y), np.full(len(y), eta), np.zeros(0) if psi is None else psi
    rows = kernel.at(where, psi)
    probabilities = SHARE_OF / 2 if len(y) == len(LEVELS) else np.exp(rows.loglik)
    assert probabilities.sum() == pytest.approx(1.0)
    expected = kernel.expected(rows, where, psi).weight[0]
    assert probabilities @ rows.weight == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", KERNELS)
def test_weights_of_steps_are_positive(name: str) -> None:
    """Also where the observed curvature is not."""
    kernel, eta = KERNELS[name], predictor(name)
    psi = kernel.start()
    assert (kernel.positive(kernel.at(eta, psi), eta, psi) > 0.0).all()


LARGE = 1e8


@pytest.mark.parametrize("relative", [1e-4, 3e-5, -2e-4])
def test_large_counts_keep_their_digits(relative: float) -> None:
    """How a log density of counts of 1e8 falls with the mean is right to 1e-9, in 50 digits of decimal numbers."""
    y = Decimal(int(LARGE))
    eta = math.log(LARGE) + relative
    with localcontext() as context:
        context.prec = 50
        d = Decimal(eta) - y.ln()
        poisson = y * d - y * (d.exp() - 1)
        r = Decimal(1000)
        mean = Decimal(eta).exp()
        negbinomial = y * (mean * (r + y) / (y * (r + mean))).ln() + r * ((r + y) / (r + mean)).ln()
    best = math.log(LARGE)
    for kernel, psi, expected in (
        (Counts(np.array([LARGE])), np.zeros(0), poisson),
        (RootCounts(np.array([LARGE])), np.zeros(0), None),
        (NegativeBinomial(np.array([LARGE])), np.log([1000.0]), negbinomial),
    ):
        places = np.exp(np.array([eta, best]) / 2) if expected is None else np.array([eta, best])
        there, top = (float(kernel.at(np.array([x]), psi).loglik[0]) for x in places)
        assert there - top == pytest.approx(float(poisson if expected is None else expected), rel=1e-6, abs=1e-9)


def test_many_trials_keep_their_digits() -> None:
    """The log density of a share of 1e7 trials at itself is scipy's normal one to the order of 1 / trials."""
    share = np.array([0.3])
    rows = Binomial(share, np.array([1e7]), "logit").at(np.log(share / (1 - share)), np.zeros(0))
    assert rows.loglik[0] == pytest.approx(stats.norm.logpdf(0.0, scale=math.sqrt(1e7 * 0.21)), abs=1e-6)


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
        ("poisson(sqrt), scaled", np.zeros(0), stats.poisson.logpmf(COUNTS, (ETA + 3) ** 2)),
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
