import re
import warnings

import numpy as np
import pytest

from corpus import dataset
from fit.oracle import example, make_design, make_term
from lmmformula import FitWarning, glmer, lmer
from lmmformula.covariances.structure import Covariance
from lmmformula.covariances.table import covariance
from lmmformula.design.design import Design
from lmmformula.errors import FitError
from lmmformula.fit.lmm import conditional_covariances, evaluate_at, fit_lmm
from lmmformula.fit.search.settings import OptimizerSettings


def one_way(y: np.ndarray, groups: np.ndarray, given: Covariance | None = None) -> Design:
    """Return the design of y ~ 1 + (1 | g)."""
    one = np.ones(len(y))
    return make_design(y, [one], [make_term("g", groups, [one], given or covariance())])


def test_a_variance_of_zero_is_exactly_zero() -> None:
    """Dyestuff2 has no variation between batches: theta = 0, a verdict that says so, modes of zero."""
    data = dataset("Dyestuff2")
    fit = fit_lmm(one_way(data["Yield"].to_numpy(), data["Batch"].cat.codes.to_numpy()))
    assert fit.theta.tolist() == [0.0]
    assert fit.verdict == "boundary"
    assert fit.message.startswith("the variance of 'c0' between the levels of 'g' is estimated as zero.")
    assert round(fit.criterion, 3) == 161.828  # as R prints it
    assert not fit.modes[0].any()
    assert not conditional_covariances(one_way(data["Yield"].to_numpy(), data["Batch"].cat.codes.to_numpy()), fit)[
        0
    ].any()


@pytest.mark.parametrize("reml", [True, False])
def test_random_small_problems_converge(reml: bool) -> None:  # noqa: FBT001
    """Forty small problems, many of them singular, all end with a verdict other than failed."""
    counts = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        n, J = int(rng.integers(15, 60)), int(rng.integers(3, 8))
        one, x, g, h = np.ones(n), rng.normal(size=n), rng.integers(0, J, n), rng.integers(0, 3, n)
        y = x + rng.normal(size=J)[g] * rng.choice([0.0, 0.3, 30.0]) + rng.normal(size=n)
        terms = [make_term("g", g, [one, x])] + ([make_term("h", h, [one])] if seed % 2 else [])
        fit = fit_lmm(make_design(y, [one, x], terms), reml=reml)
        assert fit.verdict != "failed", (seed, fit.log)
        counts.append(fit.log.evaluations)
    assert max(counts) <= 30


@pytest.mark.parametrize("ratio", [1e-4, 1.0, 1e2, 1e4, 1e5])
def test_any_ratio_of_variances(ratio: float) -> None:
    """Standard deviations between groups from 1e-4 to 1e5 residual ones are found, the largest with fewer digits."""
    rng = np.random.default_rng(2)
    g = np.repeat(np.arange(30), 8)
    y = ratio * rng.normal(size=30)[g] + rng.normal(size=240)
    fit = fit_lmm(one_way(y, g))
    means = y.reshape(30, 8).mean(axis=1)
    within = float(((y.reshape(30, 8) - means[:, None]) ** 2).sum()) / (30 * 7)
    between = float(means.var(ddof=1)) - within / 8
    if between > 0:  # balanced: REML is the analysis of variance
        assert fit.sigma**2 == pytest.approx(within, rel=1e-6 * max(1.0, (ratio / 1e4) ** 2.5))
        assert fit.sigma**2 * fit.relative_covariance[0][0, 0] == pytest.approx(between, rel=1e-5)
    else:
        assert fit.theta.tolist() == [0.0]


def test_groups_of_one_row_and_of_many() -> None:
    """Most groups have a single row; the fit stands."""
    rng = np.random.default_rng(4)
    g = np.concatenate([np.arange(200), np.zeros(100, dtype=int), np.ones(40, dtype=int)])
    y = rng.normal(size=200)[g] + rng.normal(size=340)
    fit = fit_lmm(one_way(y, g))
    assert fit.verdict == "ok"
    assert fit.modes[0].shape == (200, 1)


def test_more_correlated_coefficients_than_some_groups_have_rows() -> None:
    """Eight correlated coefficients per group, groups of three to nine rows."""
    rng = np.random.default_rng(6)
    g = np.repeat(np.arange(80), rng.integers(3, 10, 80))
    Z = [np.ones(len(g)), *rng.normal(size=(7, len(g)))]
    y = np.einsum("in,ni->n", np.array(Z), rng.normal(size=(80, 8))[g] * np.linspace(1, 0.1, 8)) + rng.normal(
        size=len(g)
    )
    fit = fit_lmm(make_design(y, Z[:2], [make_term("g", g, Z)]))
    assert fit.verdict in {"ok", "boundary"}
    assert fit.log.converged


def test_no_fixed_effects() -> None:
    """With p = 0 REML and ML are the same thing."""
    design = example("no fixed effects")
    reml, ml = fit_lmm(design), fit_lmm(design, reml=False)
    assert reml.beta.shape == (0,)
    assert reml.vcov.shape == (0, 0)
    assert reml.criterion == pytest.approx(ml.criterion, rel=1e-13)


def test_no_random_terms_is_least_squares() -> None:
    """The same record, with lm's numbers."""
    design = example("slope")
    bare = make_design(design.y, [design.X[:, 0], design.X[:, 1]], [], weights=design.weights)
    fit = fit_lmm(bare)
    root = np.sqrt(design.weights)
    beta, rss, _, _ = np.linalg.lstsq(design.X * root[:, None], design.y * root)
    np.testing.assert_allclose(fit.beta, beta, rtol=1e-12)
    assert fit.sigma == pytest.approx(np.sqrt(rss[0] / (design.nobs - 2)), rel=1e-12)
    np.testing.assert_allclose(
        fit.vcov, fit.sigma**2 * np.linalg.inv((design.X.T * design.weights) @ design.X), rtol=1e-11
    )
    assert fit.theta.size == 0
    assert fit.modes == ()
    assert evaluate_at(bare, np.zeros(0)).criterion == fit.criterion


@pytest.mark.parametrize("structure", ["cs", "ar1"])
def test_one_correlation_stays_one_correlation(structure: str) -> None:
    """Coefficients whose correlations differ in sign: no standard deviation turns negative to feign them."""
    rng = np.random.default_rng(8)
    g = np.repeat(np.arange(60), 12)
    truth = np.array([[1.0, 0.7, -0.7], [0.7, 1.0, -0.7], [-0.7, -0.7, 1.0]])
    Z = [np.ones(720), *rng.normal(size=(2, 720))]
    b = rng.multivariate_normal(np.zeros(3), truth, size=60)[g]
    y = np.einsum("in,ni->n", np.array(Z), b) + rng.normal(size=720)
    design = make_design(y, Z, [make_term("g", g, Z, covariance(structure))])
    fit = fit_lmm(design)
    S = fit.relative_covariance[0]
    C = S / np.sqrt(np.outer(np.diag(S), np.diag(S)))
    rho = C[1, 0]
    np.testing.assert_allclose([C[2, 1], C[2, 0]], [rho, rho if structure == "cs" else rho**2], atol=1e-9)
    for start in ([1, 1, 1, 0.4], [1, 1, 1, -0.4]):  # no other start leads lower
        other = fit_lmm(
            design, start=covariance(structure).theta_of(np.outer(start[:3], start[:3]) * one_rho(start[3]))
        )
        assert other.criterion >= fit.criterion - 1e-6


def one_rho(rho: float) -> np.ndarray:
    """Return a (3, 3) correlation matrix with all correlations equal."""
    return np.full((3, 3), rho) + (1 - rho) * np.eye(3)


G = np.repeat(np.arange(5), 4)
X = np.arange(20.0)
REFUSED = {
    "constant response": (lambda: one_way(np.full(20, 3.3), G), "fit the response exactly"),
    "response of zeros": (lambda: one_way(np.zeros(20), G), "fit the response exactly"),
    "response is a line": (
        lambda: make_design(2 * X + 1, [np.ones(20), X], [make_term("g", G, [np.ones(20)])]),
        "fit the response exactly",
    ),
    "more columns than rows": (
        lambda: make_design(X[:3], [np.ones(3), X[:3], X[:3] ** 2], [make_term("g", np.arange(3) % 2, [np.ones(3)])]),
        "3 rows can't estimate 3 fixed effects",
    ),
    "dependent columns": (
        lambda: make_design(X**2, [np.ones(20), X, 2 * X], [make_term("g", G, [np.ones(20)])]),
        "linearly dependent",
    ),
    "a random column of zeros": (
        lambda: make_design(X**2, [np.ones(20)], [make_term("g", G, [np.ones(20), np.zeros(20)])]),
        "'c1' of the random term for 'g' is zero in every row",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_a_reason(name: str) -> None:
    """What can't be estimated is refused with a sentence, and no numpy warning on the way."""
    make, message = REFUSED[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(FitError, match=re.escape(message)):
            fit_lmm(make())


def test_groups_that_fit_the_response_exactly() -> None:
    """A response that is constant within groups leaves no residual variance: an error, never a hang."""
    y = np.array([1.0, 4.0, 2.0, 8.0, 5.0])[G]
    with pytest.raises(FitError, match="exactly"):
        fit_lmm(one_way(y, G))


@pytest.mark.parametrize("theta", [[1.0], [1.0, 2.0, 3.0, 4.0], [1.0, np.nan, 1.0], [[1.0, 2.0, 3.0]]])
def test_theta_of_the_wrong_shape_is_refused(theta: list[float]) -> None:
    """Theta must have the model's length, and be finite."""
    with pytest.raises(FitError, match="theta must be 3 finite numbers"):
        evaluate_at(example("slope"), np.array(theta))


def test_the_optimiser_can_be_cut_short() -> None:
    """A fit that was stopped says so, and still holds the best point found."""
    fit = fit_lmm(example("crossed slopes"), settings=OptimizerSettings(max_evaluations=1))
    assert fit.verdict == "failed"
    assert "stopped after 1 evaluations" in fit.message
    assert fit.log.evaluations == 1
    assert "rejected" not in str(fit.log)


def test_a_curved_valley_where_average_information_leads_nowhere() -> None:
    """
    Wafer with quadratic curves by wafer and site, both covariances singular.

    Average information gains 0.07 of deviance a step, for hundreds of steps; exact second derivatives take over.
    """
    data = dataset("Wafer")
    voltage, one = data["voltage"].to_numpy(), np.ones(len(data))
    wafer, site = data["Wafer"].cat.codes.to_numpy(), data["Site"].cat.codes.to_numpy()
    curve = [one, voltage, voltage**2]
    terms = [make_term("Site:Wafer", wafer * 100 + site, curve), make_term("Wafer", wafer, curve)]
    fit = fit_lmm(make_design(data["current"].to_numpy(), [one, voltage], terms))
    assert fit.log.strategy.startswith("nested")
    assert fit.log.converged
    assert fit.criterion == pytest.approx(-279.075785737, abs=1e-6)  # the best of many random starts


def test_a_flat_ridge_still_converges() -> None:
    """(1 | g) twice over: only the sum of the variances is determined, and the optimiser says ok."""
    design = example("intercept")
    term = design.random_terms[0]
    fit = fit_lmm(make_design(design.y, [design.X[:, 0], design.X[:, 1]], [term, term]))
    single = fit_lmm(design)
    assert fit.log.converged
    total = sum(float(S[0, 0]) for S in fit.relative_covariance)
    assert total == pytest.approx(float(single.relative_covariance[0][0, 0]), rel=1e-5)
    assert fit.criterion == pytest.approx(single.criterion, rel=1e-11)


I = np.arange(48)
CELLS = {
    "f": np.array([f"g{k}" for k in I % 8]),
    "g": I % 8,
    "h": I // 8,
    "x": np.random.default_rng(1).normal(size=48),
    "one": np.ones(48),
    "y": np.random.default_rng(7).normal(size=48) + 2 * np.random.default_rng(2).normal(size=8)[I % 8],
}


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ f + (1 | f)",
        "y ~ 0 + f + (1 | g)",
        "y ~ f + (x | f)",
        "y ~ f * x + (x | f)",
        "y ~ f + diag(x | f)",
        "y ~ f + (1 | f) + (1 | h)",
    ],
)
def test_variances_that_fixed_effects_take_up(formula: str) -> None:
    """REML's criterion does not know a variance whose levels are fixed effects: failed, for standard errors do."""
    with pytest.warns(FitWarning, match=r"flat in the variances between the levels of '[fg]': the data can't tell"):
        fit = lmer(formula, CELLS)
    assert not fit.converged


@pytest.mark.parametrize("formula", ["y ~ x + (1 | f) + (1 | g)", "y ~ x + (one || g)"])
def test_terms_that_take_each_other_s_place(formula: str) -> None:
    """The same levels twice over: only the sum of the variances is told, and all else is that of one term."""
    fit, single = lmer(formula, CELLS), lmer("y ~ x + (1 | g)", CELLS)
    assert fit.converged
    assert "only their sum is estimated" in fit.fit.message
    np.testing.assert_allclose(fit.std_errors, single.std_errors, rtol=1e-4)


@pytest.mark.parametrize("formula", ["y ~ x + (1 | g)", "y ~ x + (x | g)", "y ~ x + cs(1 + x | g)", "y ~ x + (1 | h)"])
def test_what_is_told_has_no_such_message(formula: str) -> None:
    """Regular and singular fits of the same data."""
    assert "flat" not in lmer(formula, CELLS).fit.message


@pytest.mark.parametrize("formula", ["y ~ x + (1 | g)", "y ~ 1 + (x | g)"])
def test_a_residual_below_the_precision_of_the_response(formula: str) -> None:
    """Numbers around 1e12 are 1e-4 apart: a residual of that size is rounding, a hundred times that is none."""
    noise = np.random.default_rng(3).normal(size=48)
    mean = 1e12 + CELLS["x"] + 0.37 * CELLS["g"]
    with pytest.warns(FitWarning, match=r"is below the precision of the response, 0\.00044: what is left is rounding"):
        lmer(formula, CELLS | {"y": mean + 1e-4 * noise})
    assert lmer(formula, CELLS | {"y": mean + 1e-2 * noise}).converged


@pytest.mark.parametrize("formula", ["y ~ x + (I(x > -100) | g)", "y ~ x + (one | g)"])
def test_a_column_of_ones_beside_an_intercept(formula: str) -> None:
    """It is refused for what it is, by both engines; without the intercept it is one."""
    for fit in (lambda: lmer(formula, CELLS), lambda: glmer(formula, CELLS | {"y": I % 2}, family="binomial")):
        with pytest.raises(FitError, match="is the same in every row, and can't be told from the intercept"):
            fit()
    assert lmer("y ~ x + (0 + one | g)", CELLS).fit.verdict == "ok"
