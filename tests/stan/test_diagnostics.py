"""Diagnostics of chains: ours against those of Stan's own estimators, and the verdict on good and bad draws."""

import re
from collections.abc import Callable

import numpy as np
import pytest
import stanli

import lmmformula as lf
from lmmformula.stan.diagnostics import ebfmi, ess, summarise
from lmmformula.stan.draws import Diagnostics, Draws
from programs import frame


def autoregressive(rng: np.random.Generator, shape: tuple[int, int, int], rho: float) -> np.ndarray:
    """Draw chains of a first-order autoregression."""
    values = rng.normal(size=shape)
    for i in range(1, shape[1]):
        values[:, i] += rho * values[:, i - 1]
    return values


CHAINS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "independent": lambda rng: rng.normal(size=(4, 1000, 3)),
    "slow": lambda rng: autoregressive(rng, (4, 1000, 3), 0.95),
    "antithetic": lambda rng: autoregressive(rng, (4, 1000, 3), -0.5),
    "apart": lambda rng: rng.normal(size=(4, 500, 2)) + np.arange(4.0)[:, None, None],
    "of unequal spread": lambda rng: rng.normal(size=(4, 500, 2)) * (1 + np.arange(4.0))[:, None, None],
    "heavy-tailed": lambda rng: rng.standard_cauchy(size=(4, 1000, 2)),
    "with an odd number of draws": lambda rng: rng.normal(size=(2, 101, 2)),
    "with ties": lambda rng: rng.integers(0, 5, size=(4, 400, 2)).astype(float),
}


MIXED_WELL = ("independent", "antithetic", "heavy-tailed")


@pytest.mark.parametrize("kind", CHAINS)
def test_summaries_are_those_of_stan(kind: str) -> None:
    """Means, deviations, effective sample sizes and R-hat are those that Stan's own code computes."""
    values = CHAINS[kind](np.random.default_rng(31))
    names = [f"x[{i + 1}]" for i in range(values.shape[-1])]
    theirs = stanli.Fit(names, values, np.zeros((*values.shape[:2], 7)), 10, 1).summary()
    ours = summarise(values)
    np.testing.assert_allclose(ours.mean, theirs.mean, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(ours.sd, theirs.sd, rtol=1e-10)
    stuck = kind == "apart"  # where Stan's loop meets its last lag, it counts one pair less
    np.testing.assert_allclose(ours.ess_bulk, theirs.ess_bulk, rtol=2e-2 if stuck else 1e-6)
    np.testing.assert_allclose(ours.rhat, theirs.r_hat, rtol=1e-6)
    if kind in MIXED_WELL:
        np.testing.assert_allclose(ours.mcse, theirs.mcse_mean, rtol=5e-2)  # Stan does not split its chains here
        np.testing.assert_allclose(ours.ess_tail, theirs.ess_tail, rtol=2e-2)  # quantiles between draws differ
    assert not np.isnan(ours.ess_tail).any()


def test_energy_fraction_is_that_of_stan() -> None:
    """E-BFMI of each chain is what stanli computes."""
    statistics = np.random.default_rng(32).normal(size=(4, 200, 7))
    fit = stanli.Fit(["x"], np.zeros((4, 200, 1)), statistics, 10, 1)
    energy = statistics[:, :, stanli.SAMPLER_COLUMNS.index("energy__")]
    np.testing.assert_allclose(ebfmi(energy), fit.ebfmi())


def test_a_constant_has_no_effective_sample_size() -> None:
    """What never changes gets NaN, not a number that would pass."""
    values = np.full((4, 100, 1), 3.0)
    summary = summarise(values)
    assert np.isnan(summary.rhat).all()
    assert np.isnan(summary.ess_bulk).all()
    assert np.isnan(ess(values[:, :3])).all()


def draws_of(values: np.ndarray, **statistics: float) -> Draws:
    """Wrap values as draws of one variable beside a constant, with sampler statistics that all have one value."""
    shape = values.shape[:2]
    rng = np.random.default_rng(33)
    healthy = {"lp": 0.0, "divergent": 0.0, "treedepth": 3.0} | statistics
    filled = {name: np.full(shape, value) for name, value in healthy.items()} | {"energy": rng.normal(size=shape)}
    return Draws({"x": values, "one": np.ones((*shape, 2, 2))}, filled, "stanli", 1, 0.1, 1000)


def test_good_draws_pass() -> None:
    """Independent draws are called converged, and the constant beside them does not matter."""
    verdict = draws_of(np.random.default_rng(34).normal(size=(4, 1000, 2))).diagnose()
    assert verdict.ok
    assert str(verdict).startswith("converged: no divergences, largest R-hat 1.00")


BAD: dict[str, tuple[Draws, str]] = {
    "chains apart": (
        draws_of(np.random.default_rng(35).normal(size=(4, 500)) + np.arange(4.0)[:, None]),
        "R-hat of x is",
    ),
    "slow chains": (draws_of(autoregressive(np.random.default_rng(36), (4, 500, 1), 0.98)), "bulk ESS of x[1] is"),
    "divergences": (draws_of(np.random.default_rng(37).normal(size=(4, 500)), divergent=1.0), "2000 of 2000 draws div"),
    "full trees": (
        draws_of(np.random.default_rng(38).normal(size=(4, 500)), treedepth=10.0),
        "limit of the tree depth",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_draws_are_named(what: str) -> None:
    """The verdict says what is wrong, in one line."""
    draws, problem = BAD[what]
    verdict = draws.diagnose()
    assert not verdict.ok
    assert problem in str(verdict)
    assert "\n" not in str(verdict)


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (1, 3), (4, 1), (4, 3)])
def test_so_few_draws_tell_nothing(size: tuple[int, int]) -> None:
    """Fewer than four draws a chain have no R-hat, and no verdict but that."""
    values = np.random.default_rng(41).normal(size=(*size, 2))
    assert np.isnan(summarise(values).rhat).all()
    verdict = draws_of(values).diagnose()
    assert re.match(r"not to be trusted yet: R-hat of \S+ is nan", str(verdict))


def test_the_worst_quantity_is_named() -> None:
    """The verdict says which element is the worst, as Stan counts or as a model calls it."""
    values = np.random.default_rng(40).normal(size=(4, 1000, 2, 3))
    values[..., 1, 2] += 0.3 * np.arange(4.0)[:, None]
    draws = draws_of(values)
    verdict = draws.diagnose()
    assert verdict.rhat_of == verdict.ess_bulk_of == "x[2,3]"
    assert re.search(r"R-hat of x\[2,3\] is 1\.0\d\d\d \(should be below 1\.01\)", str(verdict))
    assert draws.diagnose(called=lambda name, index: f"{name}{index}").rhat_of == "x(1, 2)"


CALLED = {
    ("b", (1,)): "z",
    ("Intercept", ()): "(Intercept)",
    ("Intercept_c", ()): "Intercept_c",
    ("sd_a", (1,)): "sd[a, x]",
    ("sd_a", (2,)): "sd[a, flo]",
    ("cor_a", (1, 0)): "cor[a, x, (Intercept)]",
    ("u_a", (2, 3)): "random[a, a2, fmid]",
    ("sd_b", ()): "sd[b, (Intercept)]",
    ("u_b", (2,)): "random[b, b2, (Intercept)]",
    ("L1_a", (1, 0)): "L1_a[2,1]",
    ("sigma", ()): "sigma",
}


@pytest.mark.parametrize("element", CALLED, ids=str)
def test_elements_have_the_names_that_users_type(element: tuple[str, tuple[int, ...]]) -> None:
    """Elements of a program's variables are called as priors for them would be; others as Stan calls them."""
    model = lf.Model("y ~ x + z + (x | a) + (0 + f | a) + (1 | b)", frame("small"))
    assert model.stan().parameters.called(*element) == CALLED[element]


@pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")
def test_a_posterior_names_its_worst_quantity() -> None:
    """Two short chains from far apart have not converged, and the verdict names a quantity of the model."""
    model = lf.Model("y ~ x + (1 | a)", frame("small"))
    posterior = model.sample(chains=2, warmup=1, draws=20, seed=1, progress=False, warm_start=False)
    verdict = posterior.diagnostics()
    assert verdict.rhat_of in str(verdict)
    assert not verdict.ok


def test_one_of_a_hundred_may_exceed_the_limit() -> None:
    """Of many quantities a few exceed 1.01 by chance; none may by much, and of few quantities none may at all."""
    rng = np.random.default_rng(39)
    slightly = np.zeros((4, 1000, 300))
    slightly[..., 0] = 0.14 * np.array([-1.0, 1.0, -1.0, 1.0])[:, None]
    noise = rng.normal(size=slightly.shape)
    many, few = (draws_of((noise + slightly)[..., :m]).diagnose() for m in (300, 20))
    far = draws_of(noise + 5 * slightly).diagnose()
    assert 1.01 < many.rhat < 1.05
    assert (many.ok, few.ok, far.ok) == (True, False, False)


def test_missing_numbers_never_pass() -> None:
    """A verdict whose numbers are NaN is not a good one."""
    nan = float("nan")
    assert not Diagnostics(4, 1000, nan, nan, nan, nan, 1.0, 0, 0).ok
