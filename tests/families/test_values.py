"""Densities of families beside scipy's and exact sums, expected curvatures, and what is finite next to the bounds."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from scipy import stats

from lmmformula.arrays import FloatArray
from lmmformula.families.beta import Beta
from lmmformula.families.binomial import Binomial
from lmmformula.families.calculus.jets import VALUE, up_to
from lmmformula.families.family import Family, Observed
from lmmformula.families.gamma import Gamma
from lmmformula.families.lognormal import Lognormal
from lmmformula.families.negbinomial import NegativeBinomial
from lmmformula.families.poisson import Poisson
from lmmformula.families.student import Student
from lmmformula.families.zero_inflated import ZeroInflatedNegativeBinomial, ZeroInflatedPoisson

N = 40
RNG = np.random.default_rng(1)
ETA = RNG.normal(size=N)
MEAN = np.exp(ETA)
SHARE = 1 / (1 + np.exp(-ETA))
COUNTS = RNG.poisson(2.0, size=N).astype(float)
TRIALS = np.full(N, 5.0)
SHARES = Observed(RNG.integers(0, 6, size=N) / TRIALS, TRIALS)
POSITIVE = np.exp(RNG.normal(size=N))
UNIT = RNG.uniform(0.05, 0.95, size=N)
SUCCESSES = np.rint(SHARES.y * TRIALS)
NB = stats.nbinom.logpmf(COUNTS, 2.0, 2.0 / (2.0 + MEAN))


def inflated(base: FloatArray) -> FloatArray:
    """Return the log density of counts with as many zeros of a second source as counts."""
    return np.log(0.5 * (COUNTS == 0) + 0.5 * np.exp(base))


TWICE = Observed(COUNTS, factors=np.full(N, 2.0))
PRECISE = Observed(POSITIVE, precision=UNIT)
SPREAD = 2 / np.sqrt(UNIT)
POISSON = stats.poisson.logpmf(COUNTS, MEAN)
LOG2, LOG3, LOG5 = math.log(2), math.log(3), math.log(5)
CASES: dict[str, tuple[Family, Observed, FloatArray, list[float], FloatArray]] = {
    "binomial(logit)": (Binomial(), SHARES, ETA, [], stats.binom.logpmf(SUCCESSES, TRIALS, SHARE)),
    "binomial(probit)": (Binomial("probit"), SHARES, ETA, [], stats.binom.logpmf(SUCCESSES, 5, stats.norm.cdf(ETA))),
    "binomial(cloglog)": (Binomial("cloglog"), SHARES, ETA, [], stats.binom.logpmf(SUCCESSES, 5, -np.expm1(-MEAN))),
    "poisson": (Poisson(), Observed(COUNTS), ETA, [], POISSON),
    "poisson, twice": (
        Poisson(),
        Observed(COUNTS, factors=np.full(N, 2.0)),
        ETA,
        [],
        2 * stats.poisson.logpmf(COUNTS, MEAN),
    ),
    "poisson(sqrt)": (Poisson("sqrt"), Observed(COUNTS), ETA + 3, [], stats.poisson.logpmf(COUNTS, (ETA + 3) ** 2)),
    "negbinomial": (NegativeBinomial(), Observed(COUNTS), ETA, [LOG2], NB),
    "zero-inflated poisson": (
        ZeroInflatedPoisson(),
        Observed(COUNTS),
        ETA,
        [0.0],
        inflated(POISSON),
    ),
    "zero-inflated negbinomial": (ZeroInflatedNegativeBinomial(), Observed(COUNTS), ETA, [LOG2, 0.0], inflated(NB)),
    "Gamma": (Gamma(), Observed(POSITIVE), ETA, [LOG3], stats.gamma.logpdf(POSITIVE, 3.0, scale=MEAN / 3.0)),
    "beta": (Beta(), Observed(UNIT), ETA, [LOG3], stats.beta.logpdf(UNIT, 3 * SHARE, 3 * (1 - SHARE))),
    "lognormal": (Lognormal(), Observed(POSITIVE), ETA, [LOG2], stats.lognorm.logpdf(POSITIVE, 2, scale=MEAN)),
    "lognormal, precise": (
        Lognormal(),
        Observed(POSITIVE, precision=UNIT),
        ETA,
        [LOG2],
        stats.lognorm.logpdf(POSITIVE, SPREAD, scale=MEAN),
    ),
    "student": (Student(), Observed(POSITIVE), ETA, [LOG2, LOG5], stats.t.logpdf(POSITIVE, 5.0, ETA, 2.0)),
    "student, precise": (
        Student(),
        Observed(POSITIVE, precision=UNIT),
        ETA,
        [LOG2, LOG5],
        stats.t.logpdf(POSITIVE, 5.0, ETA, SPREAD),
    ),
}
cases = pytest.mark.parametrize("case", CASES)


def predictors(eta: FloatArray, own: list[float]) -> list[FloatArray]:
    """Return all linear predictors."""
    return [eta, *(np.array([x]) for x in own)]


@cases
def test_densities(case: str) -> None:
    """The log density is scipy's, constants included."""
    family, observed, eta, own, expected = CASES[case]
    found = family.at(observed, predictors(eta, own), VALUE).value
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@cases
def test_expected_curvature_has_its_slopes(case: str) -> None:
    """In all linear predictors; and weights for steps are positive."""
    family, observed, eta, own, _ = CASES[case]
    at, m = predictors(eta, own), 1 + len(own)
    assert (family.positive(observed, at, family.at(observed, at, up_to(2, m))) > 0).all()
    rows = family.expected_rows(observed, at, up_to(1, m))
    if rows is None:  # of a normal density the observed one is the expected one
        assert isinstance(family, Lognormal) or not family.has_expected
        return
    for j in range(m):
        ahead, behind = (
            family.expected_rows(observed, [*at[:j], at[j] + h, *at[j + 1 :]], VALUE) for h in (1e-5, -1e-5)
        )
        slope = (np.asarray(ahead.value) - np.asarray(behind.value)) / 2e-5
        np.testing.assert_allclose(*np.broadcast_arrays(rows.at(j), slope), rtol=1e-6, atol=1e-8)


LEVELS, AREAS = np.polynomial.legendre.leggauss(2000)
QUANTILES = (1 + LEVELS) / 2
RESPONSES: dict[str, tuple[Family, FloatArray, float, list[float]]] = {
    **{f"binomial({k})": (Binomial(k), np.arange(6) / 5, 0.3, []) for k in ("logit", "probit", "cloglog")},
    "poisson": (Poisson(), np.arange(400.0), 0.7, []),
    "poisson(sqrt)": (Poisson("sqrt"), np.arange(400.0), 1.7, []),
    "negbinomial": (NegativeBinomial(), np.arange(400.0), 0.7, [LOG2]),
    "Gamma": (Gamma(), stats.gamma.ppf(QUANTILES, 3.0, scale=np.exp(0.7) / 3.0), 0.7, [LOG3]),
    "beta": (Beta(), stats.beta.ppf(QUANTILES, 3 / (1 + np.exp(-0.4)), 3 / (1 + np.exp(0.4))), 0.4, [LOG3]),
    "student": (Student(), stats.t.ppf(QUANTILES, 5.0, 0.4, 2.0), 0.4, [LOG2, LOG5]),
}
"""Name -> family, all responses or quantiles of them, linear predictor, the others."""


@pytest.mark.parametrize("name", RESPONSES)
def test_the_expected_curvature_is_the_mean_of_the_observed_one(name: str) -> None:
    """Over all responses, by their probabilities."""
    family, y, eta, own = RESPONSES[name]
    observed = Observed(y, np.full(len(y), 5.0) if isinstance(family, Binomial) else 1.0)
    at = predictors(np.full(len(y), eta), own)
    rows = family.at(observed, at, up_to(2, 1 + len(own)))
    probabilities = AREAS / 2 if len(y) == len(LEVELS) else np.exp(rows.value)
    assert probabilities.sum() == pytest.approx(1.0)
    expected = family.expected_rows(observed, at, VALUE)
    assert expected is not None
    assert -probabilities @ rows.at(0, 0) == pytest.approx(np.broadcast_to(expected.value, len(y))[0], rel=1e-5)


LARGE = 1e8


@pytest.mark.parametrize("relative", [1e-4, 3e-5, -2e-4])
def test_differences_of_large_counts_keep_their_digits(relative: float) -> None:
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
    for family, own, expected, link in (
        (Poisson(), [], poisson, 1.0),
        (Poisson("sqrt"), [], poisson, 0.5),
        (NegativeBinomial(), [math.log(1000)], negbinomial, 1.0),
    ):
        places = [x if link == 1.0 else math.exp(x * link) for x in (eta, best)]
        at = (predictors(np.array([x]), own) for x in places)
        there, top = (float(family.at(Observed(np.array([LARGE])), x, VALUE).value[0]) for x in at)
        assert there - top == pytest.approx(float(expected), rel=1e-6, abs=1e-9)


def test_many_trials_keep_their_digits() -> None:
    """The log density of a share of 1e7 trials at itself is scipy's normal one to the order of 1 / trials."""
    share = np.array([0.3])
    value = Binomial().at(Observed(share, np.array([1e7])), [np.log(share / (1 - share))], VALUE).value
    assert value[0] == pytest.approx(stats.norm.logpdf(0.0, scale=math.sqrt(1e7 * 0.21)), abs=1e-6)


@cases
def test_starting_predictors_are_finite(case: str) -> None:
    """Zeros, ones and full trials have a finite place on the scale of the link."""
    family, observed, _, own, _ = CASES[case]
    assert np.isfinite(family.predictor(observed)).all()
    assert len(family.start(observed)) == len(own)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
@pytest.mark.parametrize("far", [20.0, 800.0])
def test_probabilities_next_to_the_bounds(link: str, far: float) -> None:
    """Log density and derivatives are finite, and right where they vanish."""
    eta = np.array([-far, 5.0 if link == "cloglog" and far == 20.0 else far])
    rows = Binomial(link).at(Observed(np.array([0.0, 1.0])), [eta], up_to(3, 1))
    for order in range(4):
        assert np.abs(rows.at(*([0] * order))).max() < 1e-6


@pytest.mark.parametrize("shape", [0.7, 99.0, 101.0, 1e4, 1e6])
def test_negative_binomial_with_a_large_shape(shape: float) -> None:
    """Its log density keeps its digits: log Gamma(y + r) / (Gamma(r) r^y) is a sum of log(1 + k / r), k < y."""
    found = NegativeBinomial().at(Observed(COUNTS), predictors(ETA, [math.log(shape)]), VALUE).value
    rise = np.array([sum(math.log1p(k / shape) for k in range(int(y))) for y in COUNTS])
    factorials = np.array([math.lgamma(y + 1) for y in COUNTS])
    expected = rise - factorials + COUNTS * ETA - (COUNTS + shape) * np.log1p(np.exp(ETA) / shape)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_student_with_many_degrees_of_freedom() -> None:
    """From many degrees of freedom to as good as infinite, values and slopes go on as they did."""
    nus = np.log([499.0, 501.0])
    near, far = (Student().at(Observed(POSITIVE), predictors(ETA, [0.0, nu]), up_to(1, 3)) for nu in nus)
    slopes = (near.at(2) + far.at(2)) / 2
    np.testing.assert_allclose(far.value - near.value, (nus[1] - nus[0]) * slopes, atol=1e-8)
