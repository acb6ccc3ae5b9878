"""Each family by itself: derivatives against differences, mean, variance and distribution function against draws."""

import numpy as np
import pytest

from lmmformula.families.beta import Beta
from lmmformula.families.binomial import Binomial
from lmmformula.families.calculus.jets import up_to
from lmmformula.families.cumulative import Cumulative
from lmmformula.families.family import Family, Observed
from lmmformula.families.gamma import Gamma
from lmmformula.families.gaussian import Gaussian
from lmmformula.families.lognormal import Lognormal
from lmmformula.families.negbinomial import NegativeBinomial
from lmmformula.families.poisson import Poisson
from lmmformula.families.student import Student
from lmmformula.families.zero_inflated import ZeroInflatedNegativeBinomial, ZeroInflatedPoisson

OWN = {"sigma": 0.7, "nu": 6.0, "shape": 1.7, "phi": 5.0, "zi": 0.3}
FAMILIES: list[Family] = [
    Gaussian(),
    Student(),
    Lognormal(),
    *(Gamma(link) for link in ("log", "inverse", "identity")),
    *(Beta(link) for link in ("logit", "probit", "cloglog", "cauchit")),
    *(Binomial(link) for link in ("logit", "probit", "cloglog", "cauchit", "log")),
    *(Poisson(link) for link in Poisson.links),
    NegativeBinomial(),
    ZeroInflatedPoisson(),
    ZeroInflatedNegativeBinomial(),
]


def predictor(family: Family, n: int) -> np.ndarray:
    """Return linear predictors within the link's domain."""
    eta = np.linspace(-1.5, 1.5, n)
    if family.link == "log" and isinstance(family, Binomial):
        return eta - 2.0
    return np.abs(eta) + 0.4 if family.link in {"inverse", "sqrt", "identity"} and not family.units else eta


def drawn(family: Family, eta: np.ndarray, seed: int = 1) -> Observed:
    """Draw a response."""
    trials = np.full(eta.shape, 4.0) if isinstance(family, Binomial) else 1.0
    return Observed(family.draw(eta, OWN, np.random.default_rng(seed), trials), trials)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f"{f.name}-{f.link}")
def test_derivatives_are_those_of_the_density(family: Family) -> None:
    """Each derivative of order 1 to 3 is the slope of the one below, in all linear predictors."""
    eta = predictor(family, 21)
    observed = drawn(family, eta)
    m, step = 1 + len(family.parameters), 1e-5
    at = [eta, *(np.linspace(-0.4, 0.5, 21) for _ in family.parameters)]
    keys = up_to(3, m)
    here = family.at(observed, at, keys)
    for j in range(m):
        ahead, behind = (family.at(observed, [*at[:j], at[j] + s * step, *at[j + 1 :]], keys) for s in (1, -1))
        for key in up_to(2, m):
            slope = (np.asarray(ahead.at(*key)) - np.asarray(behind.at(*key))) / (2 * step)
            found, expected = (np.broadcast_to(values, 21) for values in (here.at(*key, j), slope))
            np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6, err_msg=f"{key}, {j}")


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f"{f.name}-{f.link}")
def test_draws_have_the_mean_and_variance_that_the_family_says(family: Family) -> None:
    """Within four standard errors, for some linear predictors."""
    eta = predictor(family, 5)[:, None] * np.ones(40_000)
    y = drawn(family, eta).y
    mean = family.mean(eta[:, 0], OWN)
    error = y.std(axis=1) / np.sqrt(y.shape[1])
    assert (np.abs(y.mean(axis=1) - mean) < 4 * error).all()
    trials = 4.0 if isinstance(family, Binomial) else 1.0
    variance = family.variance(mean, OWN) / trials / (OWN["shape"] if isinstance(family, Gamma) else 1.0)
    spread = np.square(y - mean[:, None])
    assert (np.abs(spread.mean(axis=1) - variance) < 5 * spread.std(axis=1) / np.sqrt(y.shape[1])).all()


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f"{f.name}-{f.link}")
def test_distribution_function_is_that_of_the_draws(family: Family) -> None:
    """Shares of draws up to a value are the probability of such values."""
    eta = np.full(20_000, predictor(family, 5)[3])
    observed = drawn(family, eta)
    for value in np.quantile(observed.y, [0.2, 0.5, 0.9]):
        trials = observed.trials if isinstance(family, Binomial) else 1.0
        p = family.cdf(Observed(np.full_like(eta, value), trials), eta, OWN)[0]
        assert np.mean(observed.y <= value) == pytest.approx(p, abs=4 * np.sqrt(0.25 / len(eta)))


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_categories(link: str) -> None:
    """Probabilities sum up to one, are those of the draws, and densities are their logarithms."""
    family, cutpoints = Cumulative(link), np.array([-1.0, 0.3, 2.0])
    eta = np.full(20_000, 0.4)
    y = family.draw(eta, {"cutpoint": cutpoints}, np.random.default_rng(2))
    p = np.array([family.probability(eta[:1], {"cutpoint": cutpoints}, k)[0] for k in (1, 2, 3, 4)])
    assert p.sum() == pytest.approx(1.0)
    shares = np.bincount(y.astype(int), minlength=5)[1:] / len(y)
    np.testing.assert_allclose(shares, p, atol=4 * np.sqrt(0.25 / len(y)))
    density = family.log_density(Observed(np.array([1.0, 2.0, 3.0, 4.0])), np.full(4, 0.4), {"cutpoint": cutpoints})
    np.testing.assert_allclose(np.exp(density), p, rtol=1e-12)
    far = family.log_density(Observed(np.array([1.0, 4.0])), np.array([30.0, -30.0]), {"cutpoint": cutpoints})
    assert np.isfinite(far).all()
    assert (far < -20).all()


def test_large_counts_keep_their_digits() -> None:
    """The density of a count of 1e8 at its mean is Stirling's, and its curvature the mean."""
    y = np.array([1e8])
    here = Poisson().at(Observed(y), [np.log(y)], up_to(3, 1))
    assert here.value[0] == pytest.approx(-0.5 * np.log(2 * np.pi * 1e8), abs=1e-8)
    assert here.at(0, 0)[0] == pytest.approx(-1e8)
    far = NegativeBinomial().at(Observed(y), [np.log(y), np.array([40.0])], up_to(1, 2))
    assert far.value[0] == pytest.approx(here.value[0], abs=1e-6)
