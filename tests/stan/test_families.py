"""What the programs of other families mean: their log densities and generated quantities against scipy."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from densities import Point, compiled, free, log_jacobian, log_prior, random_point, root
from lmmformula.design.matrices import DesignMatrices
from lmmformula.errors import DataError, FitError
from lmmformula.ir.family import Family
from lmmformula.stan.engines import sample
from lmmformula.stan.families import counted
from lmmformula.stan.likelihood import LIKELIHOODS
from lmmformula.stan.program import Program
from programs import FAMILIES, Case, design_of, frame, program_of

each_family = pytest.mark.parametrize("name", [n for n, case in FAMILIES.items() if case.family != Family()])
INVERSE = {
    "logit": expit,
    "probit": stats.norm.cdf,
    "cloglog": lambda eta: -np.expm1(-np.exp(eta)),
    "log": np.exp,
    "identity": lambda eta: eta,
}


def linear_predictor(program: Program, design: DesignMatrices, point: Point) -> tuple[np.ndarray, float]:
    """Return X beta + Z u + offset of every row, and the log density of what u is made of."""
    fixed, total = program.fixed, 0.0
    X = design.X[:, list(fixed.columns)]
    centre = X.mean(axis=0)
    eta = np.zeros(design.nobs) if design.offset is None else design.offset.copy()
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
            around = [float(point["Intercept_c"] - centre @ point["b"]), *point["b"]]
            u = point[factor.name("coef")].reshape(factor.n_levels, factor.k) - around
            total += -0.5 * np.sum(np.linalg.solve(T, u.T) ** 2) - factor.n_levels * np.log(np.linalg.det(T))
        eta = eta + np.sum(Z * u[design.random_terms[factor.blocks[0].term].codes], axis=1)
    return eta, float(total)


def log_likelihood(case: Case, design: DesignMatrices, eta: np.ndarray, point: Point) -> np.ndarray:
    """Return each row's log density by scipy."""
    y, trials = counted(design.y, design.weights, case.family)
    mean = INVERSE[case.family.link](eta)
    shape = point.get("shape")
    match case.family.name:
        case "binomial":
            density = stats.binom.logpmf(y, 1 if trials is None else trials, mean)
        case "student":
            density = stats.t.logpdf(y, point["nu"], eta, point["sigma"])
        case "lognormal":
            density = stats.lognorm.logpdf(y, point["sigma"], scale=np.exp(eta))
        case "Gamma":
            density = stats.gamma.logpdf(y, shape, scale=mean / shape)
        case "beta":
            density = stats.beta.logpdf(y, mean * point["phi"], (1 - mean) * point["phi"])
        case _ if shape is None:
            density = stats.poisson.logpmf(y, mean)
        case _:
            density = stats.nbinom.logpmf(y, shape, shape / (shape + mean))
    if "zi" not in point:
        return density
    return np.log(point["zi"] * (y == 0) + (1 - point["zi"]) * np.exp(density))


@each_family
def test_log_density_is_scipys(name: str) -> None:
    """Between random points each program's log density changes as priors and scipy's densities say, to 1e-10."""
    program, design, case = program_of(name).program, design_of(name), FAMILIES[name]
    model = compiled(program, design)
    rng = np.random.default_rng(31)
    ours, theirs = [], []
    for _ in range(4):
        point = random_point(program, design, rng)
        point |= {key: 0.2 * value for key, value in point.items() if key in ("Intercept_c", "b", "z_a")}  # p < 1
        eta, total = linear_predictor(program, design, point)
        total += sum(log_jacobian(d, point[d.name]) for d in program.parameters)
        total += sum(log_prior(s, point) for section in program.sections for s in section.statements)
        if not program.extra.prior_only:
            total += float(np.sum(log_likelihood(case, design, eta, point)))
        ours.append(model.log_prob_grad(free(model, point))[0])
        theirs.append(total)
    difference = np.diff(ours) - np.diff(theirs)
    assert np.abs(difference / np.maximum(np.abs(ours[1:]), 1)).max() < 1e-10


@pytest.mark.parametrize("name", [n for n, case in FAMILIES.items() if case.extra.log_lik])
def test_log_lik_is_each_rows_density(name: str) -> None:
    """The generated log_lik is scipy's density of each row at the draw's parameters; y_rep could be a response."""
    program, design, case = program_of(name), design_of(name), FAMILIES[name]
    draws = sample(program, chains=1, warmup=100, draws=3, seed=4, progress=False)
    own = {key: draws[key] for key in program.program.likelihood.parameters}
    y_rep = draws["y_rep"].reshape(3, -1)
    for i in range(3):
        eta = draws["Intercept"].reshape(-1)[i] + (0.0 if design.offset is None else design.offset)
        if program.program.fixed.K:
            eta = eta + design.X[:, 1:] @ draws["b"].reshape(3, -1)[i]
        term = design.random_terms[0]
        u = draws["u_a"].reshape(3, term.n_levels, -1)[i]
        eta = eta + np.sum(term.covariates * u[term.codes], axis=1)
        point = {key: values.reshape(-1)[i] for key, values in own.items()}
        if case.family == Family():
            scale = 1.0 if design.weights is None else np.sqrt(design.weights)
            expected = stats.norm.logpdf(design.y, eta, point["sigma"] / scale)
        else:
            expected = log_likelihood(case, design, eta, point)
        np.testing.assert_allclose(draws["log_lik"].reshape(3, -1)[i], expected, rtol=1e-8, atol=1e-8)
        if program.program.likelihood.integer:
            assert np.array_equal(y_rep[i], np.rint(y_rep[i]))
            assert y_rep[i].min() >= 0


def test_every_likelihood_has_a_program() -> None:
    """Each family and link in the table has a case here."""
    assert {case.family for case in FAMILIES.values()} == set(LIKELIHOODS)


@pytest.mark.parametrize(
    ("y", "weights", "family", "error", "message"),
    [
        ([0.5, 1.0], None, Family("binomial", "logit"), DataError, "number of trials"),
        ([0.5, 1.0], [3.0, 2.0], Family("binomial", "logit"), DataError, "successes .* whole numbers"),
        ([0.5, 1.0], [2.5, 2.0], Family("binomial", "logit"), DataError, "trials .* whole numbers"),
        ([1.0, 2.0], [2.0, 2.0], Family("poisson", "log"), FitError, "weights have no meaning"),
    ],
)
def test_responses_without_a_meaning_are_refused(
    y: list[float], weights: list[float] | None, family: Family, error: type[Exception], message: str
) -> None:
    """Shares without trials, trials that can't be counted, weights of a family that has none."""
    with pytest.raises(error, match=message):
        counted(np.array(y), None if weights is None else np.array(weights), family)


def test_defaults_do_not_depend_on_units() -> None:
    """Measured in other units, a positive response moves the intercept's prior, and no scale."""
    from dataclasses import replace

    from designs import design, model
    from lmmformula.stan.generate import stan_program

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
