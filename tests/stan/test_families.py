"""What the programs of other families mean: their log densities and generated quantities against scipy."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln

import lmmformula as lf
from densities import Point, compiled, free, log_jacobian, log_prior, random_point, root
from designs import design, model
from lmmformula.design.design import Design
from lmmformula.errors import FitWarning
from lmmformula.ir.family import Family
from lmmformula.stan.engines.choice import sample
from lmmformula.stan.generate import stan_program
from lmmformula.stan.program.lower import lower_program
from lmmformula.stan.program.record import Extra, Program
from lmmformula.stan.program.responses import SAMPLED, counted
from lmmformula.stan.start import StartingPoint
from programs import FAMILIES, Case, design_of, frame, program_of
from responses import response_log_density

each_family = pytest.mark.parametrize("name", [n for n, case in FAMILIES.items() if case.family != Family()])


def linear_predictor(program: Program, design: Design, point: Point) -> tuple[np.ndarray, float]:
    """Return X beta + Z u + offset of every row, and the log density of what u is made of."""
    fixed, total = program.fixed, 0.0
    X = design.X[:, list(fixed.columns)]
    centre = X.mean(axis=0)
    eta = np.zeros(design.nobs) if design.offset is None else design.offset.copy()
    if fixed.intercept:
        eta = eta + float(point[fixed.intercept_name])
    if fixed.K:
        eta = eta + (X - centre) @ point["b"]
    for factor in program.factors:
        Z = np.concatenate([design.random_terms[block.term].covariates for block in factor.blocks], axis=1)
        T = root(factor, point)
        if factor.treatment == "noncentered":
            z = point[factor.name("z")].reshape(factor.n_levels, factor.k)
            u, total = z @ T.T, total - 0.5 * np.sum(z**2)
        else:
            name = factor.name("u" if factor.simple else "coef")
            intercept = float(point["Intercept_c"] - centre @ point["b"]) if fixed.intercept else 0.0
            around = [0.0 if i < 0 else intercept if i == 0 else point["b"][i - 1] for i in factor.carried]
            u = point[name].reshape(factor.n_levels, factor.k) - around
            total += -0.5 * np.sum(np.linalg.solve(T, u.T) ** 2) - factor.n_levels * np.log(np.linalg.det(T))
        eta = eta + np.sum(Z * u[design.random_terms[factor.blocks[0].term].codes], axis=1)
    return eta, float(total)


def log_likelihood(case: Case, design: Design, eta: np.ndarray, point: Point) -> np.ndarray:
    """Return each row's log density by scipy."""
    y, trials = counted(design.y, design.weights, case.family)
    own = dict(point)
    if trials is not None:
        own["trials"] = trials
    elif design.weights is not None:
        own["sigma"] = point["sigma"] / np.sqrt(design.weights)
    factors = 1.0 if design.loglik_weights is None else design.loglik_weights
    return factors * response_log_density(case.family, y, eta, own)


@each_family
def test_log_density_is_scipys(name: str) -> None:
    """Between random points each program's log density changes as priors and scipy's densities say, to 1e-10."""
    program, design, case = program_of(name).program, design_of(name), FAMILIES[name]
    model = compiled(program, design)
    rng = np.random.default_rng(31)
    ours, theirs = [], []
    for _ in range(4):
        point = random_point(program, design, rng)
        if program.fixed.categories:
            point["cutpoint"] = point[program.fixed.cutpoint_name]
        eta, total = linear_predictor(program, design, point)
        total += sum(log_jacobian(d, point[d.name]) for d in program.parameters)
        total += sum(log_prior(s, point) for section in program.sections for s in section.statements)
        if not program.extra.prior_only:
            total += float(np.sum(log_likelihood(case, design, eta, point)))
        declared = {d.name: point[d.name] for d in program.parameters}
        ours.append(model.log_prob_grad(free(model, declared))[0])
        theirs.append(total)
    difference = np.diff(ours) - np.diff(theirs)
    assert np.abs(difference / np.maximum(np.abs(ours[1:]), 1)).max() < 1e-10


@pytest.mark.parametrize("name", [n for n, case in FAMILIES.items() if case.extra.log_lik])
def test_log_lik_is_each_rows_density(name: str) -> None:
    """The generated log_lik is scipy's density of each row at the draw's parameters; y_rep could be a response."""
    program, design, case = program_of(name), design_of(name), FAMILIES[name]
    draws = sample(program, chains=1, warmup=100, draws=3, seed=4, progress=False)
    fixed = program.program.fixed
    own = {key: draws[key][0] for key in (*program.parameters.family, "sigma") if key in draws}
    y_rep = draws["y_rep"].reshape(3, -1)
    for i in range(3):
        eta = np.zeros(design.nobs) if design.offset is None else design.offset
        if fixed.intercept:
            eta = eta + draws["Intercept"][0, i]
        if fixed.K:
            eta = eta + design.X[:, list(fixed.columns)] @ draws["b"][0, i]
        for term in design.random_terms:
            u = draws[f"u_{term.group}"].reshape(3, term.n_levels, -1)[i]
            eta = eta + np.sum(term.covariates * u[term.codes], axis=1)
        expected = log_likelihood(case, design, eta, {key: values[i] for key, values in own.items()})
        np.testing.assert_allclose(draws["log_lik"].reshape(3, -1)[i], expected, rtol=1e-8, atol=1e-8)
        if program.program.likelihood.integer:
            assert np.array_equal(y_rep[i], np.rint(y_rep[i]))
            assert y_rep[i].min() >= bool(fixed.categories)
            assert y_rep[i].max() <= (len(fixed.categories) or 1e9)


# --- far from zero --------------------------------------------------------------------------------------------------

COUNTED = "cbind(successes, failures)"
RESPONSES = {
    "student": "y",
    "Gamma": "positive",
    "lognormal": "positive",
    "beta": "share",
    "cumulative": "rating",
    "binomial": COUNTED,
}
"""Family -> a response of it in the frame `counts`; the others are counts."""
ALONE = [(family, RESPONSES.get(family.name, "count")) for family in SAMPLED if family != Family()] + [
    (Family("binomial", link), "binary") for link in ("logit", "probit", "cloglog")
]
alone = pytest.mark.parametrize(("family", "response"), ALONE, ids=[f"{f.name} {f.link} {r}" for f, r in ALONE])
OWN = {"sigma": 0.7, "nu": 5.0, "shape": 2.0, "phi": 4.0, "zi": 0.3}


@alone
def test_densities_hold_far_from_zero(family: Family, response: str) -> None:
    """With the linear predictor at 30 from 0 on either side, density and gradient are finite, and scipy's."""
    text = f"{response} ~ 1"
    made = design(text, frame("counts"), family)[1]
    program = lower_program(replace(model(text), family=family), made, flat=True)[0]
    ready, case = compiled(program, made), Case(text, "counts", family=family)
    own = {name: np.asarray(OWN[name]) for name in program.own}
    cutpoints = np.array([-0.7, 0.4, 1.6])

    def reference(eta: float) -> float:
        point = own | ({"cutpoint": cutpoints} if family.ordinal else {})
        return float(np.sum(log_likelihood(case, made, np.full(made.nobs, eta), point)))

    def ours(eta: float) -> tuple[float, float]:
        first = {"cutpoint": cutpoints - eta} if family.ordinal else {"Intercept": np.asarray(eta)}
        value, gradient = ready.log_prob_grad(free(ready, first | own))
        assert np.isfinite(gradient).all()
        return value, -gradient[0] if family.ordinal else gradient[0]

    for eta in (-30.0, -20.0, -9.0, 9.0, 20.0, 30.0):
        step = 1e-3
        slope = (reference(eta + step) - reference(eta - step)) / (2 * step)
        found, gradient = ours(eta)
        expected = reference(eta) - reference(0.0)
        assert found - ours(0.0)[0] == pytest.approx(expected, rel=1e-10)
        assert gradient == pytest.approx(slope, rel=1e-4)  # Stan's own derivative of log Phi is good to 3e-5


@pytest.mark.parametrize("text", ["count ~ 1", "count ~ x"])
@pytest.mark.parametrize("prefix", ["", "zero_inflated_"])
@pytest.mark.parametrize("shape", [1e9, 1e14, 1e100, 1e300])
def test_counts_of_an_infinite_shape_are_poisson(text: str, prefix: str, shape: float) -> None:
    """Stan's densities are rounding errors there, up to 1e271: a chain that went up their slope would not come back."""

    def density(name: str, own: dict[str, np.ndarray]) -> tuple[float, np.ndarray]:
        family = Family(prefix + name, "log")
        made = design(text, frame("counts"), family)[1]
        program = lower_program(replace(model(text), family=family), made, flat=True)[0]
        ready = compiled(program, made)
        own |= {"zi": np.asarray(0.4)} if prefix else {}
        found = []
        for at in (0.3, 0.9):
            point = (
                {"Intercept_c": np.asarray(at), "b": np.asarray([0.2])}
                if "x" in text
                else {"Intercept": np.asarray(at)}
            )
            found.append(ready.log_prob_grad(free(ready, point | own)))
        slopes = dict(zip(ready.constrained_names, found[0][1], strict=True))
        return float(found[1][0] - found[0][0]), slopes.get("shape", 1.0)

    (ours, slope), (poisson, _) = density("negbinomial", {"shape": np.asarray(shape)}), density("poisson", {})
    assert ours == pytest.approx(poisson, abs=1e-3)
    assert slope == pytest.approx(1.0, abs=1e-4)  # of log(shape): that of the Jacobian alone


SPLIT = ["zero_inflated_poisson", "zero_inflated_negbinomial", "binomial(probit)", "binomial(cloglog)"]


@pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")
@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.parametrize("family", SPLIT)
def test_a_response_of_one_value_is_sampled(family: str, value: int) -> None:
    """Rows are split by their response, and either part may be empty; a fit has no estimate, and refers to sampling."""
    frame = {"y": np.full(12, value), "x": np.linspace(-1.0, 1.0, 12), "g": list("abc") * 4}
    posterior = lf.Model("y ~ x + (1 | g)", frame, family=family).sample(
        chains=1, warmup=100, draws=50, seed=1, progress=False
    )
    assert np.isfinite(posterior.log_likelihood()).all()


@pytest.mark.parametrize("name", ["negbinomial", "zero_inflated_negbinomial"])
def test_log_lik_of_an_infinite_shape_is_poissons(name: str) -> None:
    """What is generated of each row has no rounding errors that grow without bounds either."""
    program, case = program_of(name), FAMILIES[name]
    values = {"Intercept_c": 0.3, "b": np.array([0.2]), "sd_a": 0.5, "z_a": np.zeros(4), "shape": 1e14, "zi": 0.4}
    declared = [declaration.name for declaration in program.program.parameters]
    start = StartingPoint({key: np.asarray(values[key]) for key in declared})
    still = {"warmup": 0, "adapt_engaged": False, "step_size": 1e-12, "metric": "unit_e", "progress": False}
    draws = sample(program, chains=1, draws=1, seed=1, start=start, **still)
    poisson = Family(case.family.name.replace("negbinomial", "poisson"), "log")
    eta = 0.3 + 0.2 * (frame("counts")["x"].to_numpy() - frame("counts")["x"].mean())
    own = {"zi": np.asarray(0.4)} if "zi" in declared else {}
    expected = response_log_density(poisson, design_of(name).y, eta, own)
    np.testing.assert_allclose(draws["log_lik"][0, 0], expected, atol=1e-5)


@alone
@pytest.mark.parametrize("place", [-100.0, -30.0, 30.0, 100.0])
def test_draws_hold_far_from_zero(family: Family, response: str, place: float) -> None:
    """A prior that is far off gives responses all the same, and counts that Stan's whole numbers can hold."""
    text = f"{response} ~ 1\nIntercept ~ normal({place}, 1)"
    made = design(text, frame("counts"), family)[1]
    extra = Extra(prior_only=True, y_rep=True)
    program = stan_program(replace(model(text), family=family), made, form="conditional", extra=extra)
    y_rep = sample(program, chains=1, warmup=50, draws=20, seed=3, progress=False)["y_rep"]
    assert np.isfinite(y_rep).all()
    if program.program.likelihood.integer:
        assert 0 <= y_rep.min() <= y_rep.max() < 2**31


def test_every_likelihood_has_a_program() -> None:
    """Each family and link in the table has a case here."""
    assert {case.family for case in FAMILIES.values()} == set(SAMPLED)


@pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")
@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
@pytest.mark.parametrize("weights", [None, "n"])
def test_successes_that_are_no_whole_numbers(link: str, weights: str | None) -> None:
    """They are taken, with the warning of the design: shares of one trial each, or of as many as there are."""
    rng = np.random.default_rng(5)
    data = {"s": rng.random(40), "n": 1 + rng.integers(5, size=40), "x": rng.normal(size=40), "g": np.arange(40) % 8}
    with pytest.warns(FitWarning, match="trials"):
        made = lf.Model("s ~ x + (1 | g)", data, family=f"binomial({link})", weights=weights)
    post = made.sample(chains=1, draws=15, warmup=60, seed=1, progress=False, log_lik=True)
    eta = post.raw["Intercept"].reshape(15, 1) + post.raw["b"].reshape(15, 1) * data["x"]
    eta = eta + post.raw["u_g"].reshape(15, 8)[:, data["g"]]
    p = {"logit": stats.logistic.cdf, "probit": stats.norm.cdf, "cloglog": lambda x: -np.expm1(-np.exp(x))}[link](eta)
    n = np.ones(40) if weights is None else data["n"]
    k = data["s"] * n
    ways = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    np.testing.assert_allclose(post.raw["log_lik"][0], ways + k * np.log(p) + (n - k) * np.log1p(-p), rtol=1e-6)
    np.testing.assert_allclose(post.log_likelihood(), post.raw["log_lik"], rtol=1e-6)


def test_defaults_do_not_depend_on_units() -> None:
    """Measured in other units, a positive response moves the intercept's prior, and no scale."""
    data, family = frame("counts"), Family("Gamma", "log")
    rows = []
    for factor in (1.0, 1000.0):
        text = "positive ~ x + (1 | a)"
        made = design(text, data.assign(positive=data.positive * factor), family)[1]
        rows.append(stan_program(replace(model(text), family=family), made).data)
    shift = rows[1]["prior_Intercept_location"] - rows[0]["prior_Intercept_location"]
    assert shift == pytest.approx(np.log(1000.0))
    for name in ("prior_Intercept_scale", "prior_b_scale", "prior_sd_a_scale"):
        assert rows[0][name] == pytest.approx(rows[1][name])
