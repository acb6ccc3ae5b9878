"""What a fit hands to the sampler."""

from dataclasses import replace

import numpy as np
import pytest

import lmmformula as lf
from corpus import dataset
from fits import fit_of
from lmmformula.api.pilot import PILOT_WORK, PILOT_WORK_OF_ROW
from lmmformula.fit.algebra.gram import Gram, Pair
from lmmformula.fit.glmm import GlmmFit, fit_glmm
from lmmformula.fit.search.work import Budget, Costs, OutOfWork, factorisation
from lmmformula.results.posteriors.warmstart import contradicted, estimates_of, information_of
from lmmformula.stan.start import starting_point


def test_estimates_are_on_the_users_scale() -> None:
    """Covariances of the random effects, not relative ones; fixed effects and modes as they are."""
    fit = fit_of("lmm-003r")
    estimates = estimates_of(fit.fit)
    np.testing.assert_allclose(np.sqrt(np.diag(estimates.covariances[0])), [24.7405, 5.9221], rtol=1e-4)
    assert estimates.sigma == fit.sigma
    np.testing.assert_allclose(estimates.modes[0], fit.ranef()["Subject"])


def test_information_of_a_random_intercept() -> None:
    """Rows of a level times theta^2: 5 rows a batch."""
    fit = fit_of("lmm-022r")
    assert information_of(fit.design, fit.fit) == {"Batch": pytest.approx(5 * fit.theta.iloc[0] ** 2)}


def test_what_is_told_least_of_counts() -> None:
    """
    A level whose intercept is known well and whose other coefficients are not known at all is sampled as if unknown.

    Centred effects of `rt ~ cond + (0 + cond | subj) + (cond || item)`, whose fit is singular in item but has large
    variances there too, had 1719 divergences in 4000 draws while the sum of the variances decided.
    """
    fit = fit_of("lmm-082r")
    assert fit.is_singular
    assert information_of(fit.design, fit.fit)["item"] == pytest.approx(0.0, abs=1e-6)


def _glmm(formula: str, name: str, family: str) -> tuple[lf.Model, GlmmFit]:
    model = lf.Model(formula, dataset(name), family=family)
    fit = model.pilot.fit
    assert isinstance(fit, GlmmFit)
    return model, fit


def test_estimates_of_a_generalised_model() -> None:
    """The residual is that of a row with the mean working weight, the family's parameters have standard errors."""
    _, fit = _glmm("ynb ~ x + (1 | grp)", "sim_glmm", "negbinomial")
    estimates = estimates_of(fit)
    assert estimates.sigma == pytest.approx(fit.weights.mean() ** -0.5)
    assert estimates.own == {"shape": (fit.parameters["shape"], fit.parameter_errors["shape"])}
    np.testing.assert_allclose(estimates.covariances[0], [[fit.theta[0] ** 2]])


def test_information_of_a_generalised_model() -> None:
    """With one random intercept tau^2 / v - 1 is tau^2 times the sum of a level's working weights."""
    model, fit = _glmm("ypois ~ x + (1 | grp)", "sim_glmm", "poisson")
    sums = np.bincount(model.design.random_terms[0].codes, fit.weights)
    (known,) = estimates_of(fit).information
    np.testing.assert_allclose(known[:, 0], fit.theta[0] ** 2 * sums, rtol=1e-6)
    assert information_of(model.design, fit)["grp"] == pytest.approx(1 / np.mean(1 / (1 + known)) - 1)


def test_information_beside_other_random_effects() -> None:
    """
    What other random effects may explain as well is not known.

    In grouseticks each row has a random effect of its own, and broods lie in locations: a brood's rows alone would tell
    12 times the variance between broods, but with centred broods 4000 draws were worth 30, at R-hat 1.09.
    """
    model, fit = _glmm("TICKS ~ YEAR + cHEIGHT + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION)", "grouseticks", "poisson")
    information = information_of(model.design, fit)
    assert information == {"INDEX": pytest.approx(0.47, abs=0.01), **information}
    assert max(information.values()) < 1.0


def test_nothing_is_known_of_a_singular_covariance() -> None:
    """A correlation of 1 leaves a combination of coefficients without variance."""
    model, fit = _glmm("ybin ~ x * tr + (x | grp)", "sim_glmm", "binomial")
    assert fit.verdict == "boundary"
    assert information_of(model.design, fit) == {"grp": 0.0}


GEOMETRIES = [
    ("yig ~ x + tr + (1 | grp)", "sim_glmm", "Gamma(log)", "centered"),
    ("cbind(incidence, size - incidence) ~ period + (1 | herd)", "cbpp", "binomial", "noncentered"),
    ("ycnt ~ x + (1 | g) + (1 | h)", "toy", "poisson", "sum_to_zero"),
]


@pytest.mark.parametrize(("formula", "name", "family", "expected"), GEOMETRIES, ids=[g[2] for g in GEOMETRIES])
def test_the_fit_chooses_the_geometry(formula: str, name: str, family: str, expected: str) -> None:
    """Where a level's rows tell much of its effect, the effect is sampled itself."""
    program = lf.Model(formula, dataset(name), family=family).stan().program
    assert {factor.treatment for factor in program.factors} == {expected}


def test_starts_of_a_family_s_parameters() -> None:
    """A parameter starts at its estimate; one that the data hardly determine starts at a mild value."""
    data = dataset("sim_glmm").assign(count=np.random.default_rng(3).poisson(3.0, 360))
    model = lf.Model("count ~ 1 + (1 | grp)", data, family="negbinomial")
    fit = model.pilot.fit
    assert isinstance(fit, GlmmFit)
    assert fit.parameters["shape"] > 50  # there is no excess of variance
    start = starting_point(model.stan(), estimates_of(fit))
    assert float(start.values["shape"]) == 10.0
    formula = "SiblingNegotiation ~ FoodTreatment + offset(logBroodSize) + (1 | Nest)"
    model = lf.Model(formula, dataset("Owls"), family="zero_inflated_negbinomial")
    fit = model.pilot.fit
    assert isinstance(fit, GlmmFit)
    start = starting_point(model.stan(), estimates_of(fit))
    assert {name: float(start.values[name]) for name in ("shape", "zi")} == pytest.approx(fit.parameters)
    zi, error = fit.parameters["zi"], fit.parameter_errors["zi"]
    assert start.inverse_metric is not None
    assert np.isclose(start.inverse_metric, (error / (zi * (1 - zi))) ** 2, rtol=1e-6).any()


@pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")
@pytest.mark.parametrize(("formula", "name", "family"), [g[:3] for g in GEOMETRIES], ids=[g[2] for g in GEOMETRIES])
def test_the_start_does_not_change_the_posterior(formula: str, name: str, family: str) -> None:
    """With the start and without, means agree within their Monte Carlo errors, and both have converged."""
    model = lf.Model(formula, dataset(name), family=family)
    runs = [
        model.sample(warm_start=warm, warmup=500, draws=500, seed=5, progress=False).summary() for warm in (True, False)
    ]
    error = np.hypot(*(run["sd"] / np.sqrt(run["ess_bulk"]) for run in runs))
    assert (np.abs(runs[0]["mean"] - runs[1]["mean"]) < 4.5 * error).all()
    assert max(run["rhat"].max() for run in runs) < 1.02


HOPELESS = {"y": [0.0, 0, 0, 0, 1, 1, 1, 1] * 3, "x": [0.0, 0, 0, 0, 1, 1, 1, 1] * 3, "g": list("abcdefgh") * 3}


@pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")
def test_a_fit_that_fails_does_not_stop_sampling() -> None:
    """With separation there are no estimates to start from, and there is a posterior all the same."""
    model = lf.Model("y ~ x + (1 | g)", HOPELESS, family="binomial")
    assert model.pilot.fit is None
    posterior = model.sample(chains=1, warmup=200, draws=100, seed=1, progress=False)
    assert np.isfinite(posterior.fixef).all()


# --- how long a program waits for a fit -----------------------------------------------------------------------------


def test_a_fit_gives_up_after_its_share_of_work() -> None:
    """Counted, so that it does so at the same point everywhere."""
    model = lf.Model("ypois ~ x + (x | grp)", dataset("sim_glmm"), family="poisson")
    fit_glmm(model.design, model.ir.family, most_work=1e9)
    for most in (0.0, 1e5):
        with pytest.raises(OutOfWork, match="more work than it was allowed"):
            fit_glmm(model.design, model.ir.family, most_work=most)


SHAPES = [
    ("y ~ 1 + (1 | g)", "poisson", 20_000, True),
    ("y ~ 1 + (1 | g) + (1 | h)", "zero_inflated_poisson", 120, True),
    ("y ~ x + (x | g) + (1 | h)", "binomial", 2000, True),
    ("y ~ x + (x | g) + (x | h)", "gaussian", 20_000, True),
    ("y ~ 1 + (f0 | g) + (f1 | h)", "zero_inflated_negbinomial", 120, False),
    ("y ~ 1 + (f0 | g) + (f1 | h)", "poisson", 20_000, False),
    ("y ~ 1 + (f0:f1 | g)", "student", 2000, False),
    ("y ~ 1 + (f0 | g) + (f1 | h)", "gaussian", 20_000, False),
]


@pytest.mark.parametrize(("formula", "family", "n", "arrives"), SHAPES)
def test_a_program_waits_for_its_share_of_work(
    monkeypatch: pytest.MonkeyPatch, formula: str, family: str, n: int, *, arrives: bool
) -> None:
    """Counted, by every step of either kind of fit, and given up before the step that would be too much."""
    spent: list[float] = []
    spend = Budget.spend
    monkeypatch.setattr(Budget, "spend", lambda self, work: (spent.append(work), spend(self, work)))
    model = lf.Model(formula, _rows(n, family), family=family)
    most = PILOT_WORK + PILOT_WORK_OF_ROW * n
    assert model.pilot.stopped is not arrives
    assert sum(spent[:-1]) <= most
    assert (sum(spent) <= most) == arrives
    if not arrives and family != "gaussian":
        assert {factor.treatment for factor in model.stan(form="conditional").program.factors} == {"noncentered"}


def _rows(n: int, family: str) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    frame: dict[str, np.ndarray] = {f"f{i}": rng.choice(list("abcdef"), n) for i in range(2)}
    frame |= {"g": rng.integers(0, max(n // 10, 20), n), "h": rng.integers(0, max(n // 60, 10), n)}
    mean = 0.4 * rng.normal(size=n // 10 + 20)[frame["g"]]
    counts = rng.poisson(np.exp(mean))
    y = {"binomial": counts > 0, "gaussian": mean + rng.normal(size=n), "student": mean + rng.normal(size=n)}
    return frame | {"x": rng.normal(size=n), "y": y.get(family, counts)}


def test_work_grows_with_rows_effects_and_parameters() -> None:
    """The more there is of anything, the more a step costs; one factorisation of crossed effects by their cube."""

    def costs(k: int, J: int, n: int) -> Costs:
        return Costs.of_rows(Gram((np.ones((k, k, J)),), {}), "single", rows=n, predictors=2, parameters=k)

    base = costs(2, 100, 1000)
    for other in (costs(4, 100, 1000), costs(2, 10_000, 1000)):
        assert other.factor > base.factor
        assert other.gradient > base.gradient
    assert costs(2, 100, 100_000).density > 5 * base.density
    cells = np.arange(2000)
    pair = Pair((2000, 1500), cells, cells % 1500, np.ones((1, 1, 2000)), nested=False, contains=False)
    gram = Gram((np.ones((1, 1, 2000)), np.ones((1, 1, 1500))), {(0, 1): pair})
    assert factorisation(gram, "crossed") > 50 * factorisation(gram, "sparse")


@pytest.mark.parametrize(
    ("formula", "name", "family", "group"),
    [
        ("SiblingNegotiation ~ FoodTreatment + (1 | Nest)", "Owls", "poisson", "Nest"),
        ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin", "gaussian", "sample"),
    ],
)
def test_a_program_does_not_wait_for_a_fit_that_takes_long(
    formula: str, name: str, family: str, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its text is the one without a fit, the same on every machine, and sampling says so."""
    informed = lf.Model(formula, dataset(name), family=family).stan(form="conditional").code
    for constant in ("PILOT_WORK", "PILOT_WORK_OF_ROW"):
        monkeypatch.setattr(f"lmmformula.api.pilot.{constant}", 0.0)
    model = lf.Model(formula, dataset(name), family=family)
    program = model.stan(form="conditional")
    assert model.pilot.stopped
    chosen = dict.fromkeys([factor.label for factor in program.program.sampled], "noncentered")
    assert group in chosen
    assert program.code == model.stan(form="conditional", geometry=chosen).code
    assert program.code != informed
    with pytest.warns(lf.FitWarning) as caught:
        model.sample(form="conditional", chains=1, warmup=20, draws=4, seed=1, progress=False)
    assert "given up after a set amount of work" in str(caught[0].message)


def test_nothing_is_fitted_for_a_program_that_samples_no_effects() -> None:
    """Neither for one whose geometry is chosen, nor for the table of priors."""
    linear = lf.Model("Reaction ~ Days + (Days | Subject)", dataset("sleepstudy"))
    linear.stan()
    counts = lf.Model("ypois ~ x + (1 | grp)", dataset("sim_glmm"), family="poisson")
    counts.stan(geometry={"grp": "centered"})
    assert len(counts.priors) == 3
    assert "pilot" not in vars(linear)
    assert "pilot" not in vars(counts)


# --- where default priors and the data disagree ---------------------------------------------------------------------


def test_default_priors_that_the_fit_contradicts_are_listed() -> None:
    """Those far from the estimate, in their own sds and its error; given ones are the user's affair."""
    model = lf.Model("Reaction ~ Days + (Days | Subject)", dataset("sleepstudy"))
    program, estimates = model.stan(), estimates_of(model.pilot.fit)
    assert contradicted(program, estimates) == []
    steep = replace(estimates, beta=np.array([250.0, 1e4]))
    assert [line.split(" ~ ")[0] for line in contradicted(program, steep)] == ["Intercept", "b[Days]"]
    assert contradicted(program, replace(steep, vcov=np.diag([1e9, 1e9]))) == []
    wild = replace(estimates, covariances=[np.diag([1e8, 1.0])], sigma=1e4)
    assert [line.split(" ~ ")[0] for line in contradicted(program, wild)] == ["sd[Subject, (Intercept)]", "sigma"]
    own = lf.Model("Reaction ~ Days + (Days | Subject)", dataset("sleepstudy"), priors="b ~ normal(0, 1)").stan()
    assert [line.split(" ~ ")[0] for line in contradicted(own, steep)] == ["Intercept"]


@pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")
def test_sampling_warns_of_default_priors_that_the_fit_contradicts() -> None:
    """Slopes over years vary the intercepts, at the birth of Christ, far more than the response does."""
    rng = np.random.default_rng(8)
    year, group = rng.integers(1990, 2021, 300), np.arange(300) % 20
    y = (year - 2005) * rng.normal(0, 0.2, 20)[group] + rng.normal(size=300)
    model = lf.Model("y ~ year + (year | g)", {"year": year, "y": y, "g": group})
    with pytest.warns(lf.PriorWarning, match=r"sd\[g, \(Intercept\)\] ~ student_t\(3, 0, .*\(estimate \d+"):
        model.sample(chains=1, warmup=20, draws=4, seed=1, progress=False)
