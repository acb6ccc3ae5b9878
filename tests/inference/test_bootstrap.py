import numpy as np
import pytest

import lmmformula as lf
from corpus import dataset
from lmmformula.design.sums.many_responses import each_response
from lmmformula.fit.reml.problem import prepare
from lmmformula.inference.intervals.confint import confint
from lmmformula.inference.intervals.parameters import estimates, parameters_of
from lmmformula.inference.refits import batch
from lmmformula.inference.refits.bootstrap import Bootstrap, bootstrap
from lmmformula.inference.refits.refitter import refits

SLEEP = "Reaction ~ Days + (Days | Subject)"


@pytest.fixture(scope="module")
def sleep() -> lf.LinearMixedFit:
    """The fit that everyone knows."""
    return lf.Model(SLEEP, dataset("sleepstudy")).fit()


def test_replicates_are_the_estimates_of_single_refits(sleep: lf.LinearMixedFit) -> None:
    """Each row of the replicates is what refitting to that simulated response alone gives."""
    found = bootstrap(sleep, n=3, seed=8)
    one_by_one = [sleep.refit(y) for y in sleep.simulate(3, seed=8).to_numpy().T]
    expected = [estimates(parameters_of(fit), fit) for fit in one_by_one]
    np.testing.assert_allclose(found.replicates, expected, rtol=1e-5)


def test_a_statistic_is_any_function_of_a_fit(sleep: lf.LinearMixedFit) -> None:
    """A statistic's replicates are its values at the refits; names come from the mapping it returns."""
    found = bootstrap(sleep, lambda fit: {"icc": fit.icc(), "ratio": fit.fixef["Days"] / fit.sigma}, n=4, seed=8)
    assert found.labels == ("icc", "ratio")
    expected = [fit.icc() for fit in (sleep.refit(y) for y in sleep.simulate(4, seed=8).to_numpy().T)]
    np.testing.assert_allclose(found.replicates[:, 0], expected, rtol=1e-6)


def test_the_seed_decides(sleep: lf.LinearMixedFit) -> None:
    """The same seed gives the same replicates, also when more are drawn after them; another seed gives others."""
    short, long = bootstrap(sleep, n=3, seed=1), bootstrap(sleep, n=300, seed=1)
    np.testing.assert_array_equal(short.replicates, long.replicates[:3])
    assert not np.array_equal(short.replicates, bootstrap(sleep, n=3, seed=2).replicates)


def test_intervals_of_known_replicates() -> None:
    """Percentile, basic and normal intervals of a hand-made set of replicates are those one computes by hand."""
    found = Bootstrap(("a",), np.array([10.0]), np.arange(101.0)[:, None], 0, 0)
    assert found.bias == pytest.approx([40.0])
    assert found.confint(0.9)["a"] == pytest.approx((5.0, 95.0))
    assert found.confint(0.9, kind="basic")["a"] == pytest.approx((-75.0, 15.0))
    half = 1.6448536 * np.std(np.arange(101), ddof=1)
    assert found.confint(0.9, kind="normal")["a"] == pytest.approx((-30 - half, -30 + half))


def test_bootstrap_and_profile_agree_roughly(sleep: lf.LinearMixedFit) -> None:
    """With 400 refits the interval of a fixed effect is the Wald one up to sampling error."""
    low, high = confint(sleep, "Days", method="boot", n=400, seed=3)["Days"]
    assert low == pytest.approx(7.44, abs=0.6)
    assert high == pytest.approx(13.5, abs=0.6)


@pytest.mark.parametrize(
    ("formula", "data", "reml"),
    [
        (SLEEP, "sleepstudy", True),
        (SLEEP, "sleepstudy", False),
        ("Reaction ~ Days + (Days || Subject)", "sleepstudy", True),
        ("Yield ~ 1 + (1 | Batch)", "Dyestuff2", True),
        ("score ~ Machine + (Machine | Worker)", "Machines", True),
        ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin", True),
        ("Reaction ~ Days", "sleepstudy", True),
    ],
)
def test_many_refits_at_once_reach_the_optima_of_single_ones(formula: str, data: str, *, reml: bool) -> None:
    """The criterion of every refit is as low as that of a fit by itself, singular ones included."""
    fit = lf.Model(formula, dataset(data)).fit(reml=reml)
    Y = fit.simulate(12, seed=5).to_numpy()
    found = refits(fit.design, Y, fit.fit)
    alone = [fit.refit(y).fit for y in Y.T]
    np.testing.assert_allclose(found.criterion, [f.criterion for f in alone], rtol=1e-8)
    np.testing.assert_allclose(found.beta, [f.beta for f in alone], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.sigma, [f.sigma for f in alone], rtol=1e-4)
    np.testing.assert_allclose(found.std_errors, [np.sqrt(np.diag(f.vcov)) for f in alone], rtol=1e-3)
    assert list(found.boundary) == [f.verdict == "boundary" for f in alone]


@pytest.mark.parametrize(("name", "value"), [("SIZE", 100), ("MOST_STEPS", 0), ("MOST_STEPS", 3)])
def test_pieces_and_responses_left_over_change_nothing(
    monkeypatch: pytest.MonkeyPatch, sleep: lf.LinearMixedFit, name: str, value: int
) -> None:
    """Whether responses are taken together, in pieces, or some of them by the ordinary optimiser: same estimates."""
    Y = sleep.simulate(12, seed=5).to_numpy()
    whole = refits(sleep.design, Y, sleep.fit)
    monkeypatch.setattr(batch, name, value)
    again = refits(sleep.design, Y, sleep.fit)
    np.testing.assert_allclose(again.criterion, whole.criterion, rtol=1e-10)
    np.testing.assert_allclose(again.theta, whole.theta, atol=1e-5)
    np.testing.assert_allclose(again.std_errors, whole.std_errors, rtol=1e-5)


@pytest.mark.parametrize(
    ("formula", "data"),
    [
        (SLEEP, "sleepstudy"),
        ("score ~ Machine + (Machine | Worker)", "Machines"),
        ("Reaction ~ Days + (Days || Subject)", "sleepstudy"),
    ],
)
@pytest.mark.parametrize("reml", [True, False])
def test_derivatives_of_a_batch_are_those_of_its_criteria(formula: str, data: str, *, reml: bool) -> None:
    """Gradients and Hessians of several responses at several parameters agree with differences."""
    fit = lf.Model(formula, dataset(data)).fit()
    problem = prepare(fit.design, reml=reml)
    basis = batch.basis_of(problem)
    assert basis is not None
    responses = list(each_response(fit.design, problem.products, fit.simulate(3, seed=1).to_numpy()))
    together = batch.Batch.of(problem, basis, responses)
    x = np.random.default_rng(2).standard_normal((3, len(basis)))
    gradient, hessian = together.at(x).derivatives()
    steps = 1e-5 * np.eye(len(basis))
    slopes = np.stack([(together.at(x + h).value - together.at(x - h).value) / 2e-5 for h in steps], axis=1)
    pairs = [(together.at(x + h).derivatives()[0], together.at(x - h).derivatives()[0]) for h in steps]
    bends = np.stack([(above - below) / 2e-5 for above, below in pairs], axis=1)
    np.testing.assert_allclose(gradient, slopes, atol=1e-6 * np.abs(gradient).max())
    np.testing.assert_allclose(hessian, bends, atol=1e-6 * np.abs(hessian).max())


def test_what_can_not_be_done_is_refused(sleep: lf.LinearMixedFit) -> None:
    """Too few refits, a statistic that is no number, and an unknown kind of interval are errors a user can mend."""
    with pytest.raises(lf.FitError, match="at least 2"):
        bootstrap(sleep, n=1)
    with pytest.raises(lf.FitError, match="must return a number"):
        bootstrap(sleep, lambda _: "icc", n=2)  # type: ignore[arg-type,return-value]
    with pytest.raises(lf.FitError, match="percentile, basic, normal"):
        bootstrap(sleep, n=2, seed=1).confint(kind="bca")  # type: ignore[arg-type]


def test_bootstrap_prints_itself(sleep: lf.LinearMixedFit) -> None:
    """The first line says how many refits there were."""
    assert str(bootstrap(sleep, n=2, seed=1)).splitlines()[0] == "Parametric bootstrap, 2 refits"


def test_what_has_no_finite_estimate_has_no_interval() -> None:
    """Where the iterations of a separated fit stopped is no replicate; all else keeps its interval."""
    data = dataset("cbpp").copy()
    data.loc[data["period"].astype(str) == "4", "incidence"] = 0
    with pytest.warns(lf.FitWarning, match="separation"):
        fit = lf.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", data, family="binomial")
    found = fit.bootstrap(n=4, seed=1, parameters=["period3", "period4"], progress=False)
    intervals = found.confint()
    assert np.isnan([intervals.low[1], intervals.high[1], found.bias[1], found.std_errors[1]]).all()
    assert intervals.low[0] < intervals.high[0]
    assert "NaN can't be estimated" in intervals.method
    assert np.isnan(fit.confint("period4", method="boot", n=2, seed=1, progress=False).low).all()


def test_many_responses_of_another_family_are_fitted_to_a_frame() -> None:
    """A row of estimates for each, those of single refits; what can't be a response is refused."""
    fit = lf.Model("ynb ~ x + (1 | grp)", dataset("sim_glmm"), family="negbinomial").fit()
    drawn = fit.simulate(2, seed=1)
    frame, alone = fit.refit(drawn), fit.refit(drawn["sim_2"])
    assert frame.columns.tolist() == [
        "(Intercept)", "x", "grp.(Intercept)", "shape", "criterion", "is_singular", "converged",
    ]  # fmt: skip
    assert frame.loc["sim_2", "shape"] == pytest.approx(alone.fit.parameters["shape"], rel=1e-4)
    assert frame.loc["sim_2", "criterion"] == pytest.approx(alone.deviance)
    with pytest.raises(lf.LmmFormulaError, match="whole numbers"):
        fit.refit(drawn + 0.5)
