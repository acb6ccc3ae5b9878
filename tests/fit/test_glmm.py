"""Laplace fits of generalised linear mixed models, against R."""

import warnings
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy import stats

import lmmformula as lf
from corpus import dataset, record, records, weights_of
from lmmformula.arrays import FloatArray
from lmmformula.design.design import Design
from lmmformula.fit.glmm import GlmmFit, Prepared, fit_glmm
from lmmformula.fit.likelihood.columns import InnerColumns
from lmmformula.fit.likelihood.information import covariance_from
from lmmformula.fit.likelihood.laplace import laplace
from lmmformula.fit.likelihood.modes import mode_of
from lmmformula.fit.likelihood.quadrature import quadrature
from lmmformula.fit.likelihood.response import CURVATURES, FITTED
from lmmformula.fit.likelihood.target import CurvatureKind, Target
from lmmformula.fit.lmm import fit_lmm
from lmmformula.fit.search.work import Budget
from lmmformula.ir.family import Family
from lmmformula.results.effects import modes_by_group

DISPERSED = {"glmm-039", "glmm-050"}
"""Inverse Gaussian, and Gaussian with a log link: lme4 takes u'u for u'u / sigma^2 there, and we fit neither."""

CONTRASTS = {"glmm-053"}
"""Fitted with contrasts that a column carries: the likelihood is the same, the coefficients mean something else."""

NAMES = {"negative.binomial": "negbinomial"}
LAPLACE = [r["id"] for r in records("glmm") if r["nAGQ"] == 1 and r["id"] not in DISPERSED]
TOLERANCE = {
    "criterion": 1e-8,  # absolute, of -2 log likelihoods up to 18 000; both sides are exact
    "theta": 1e-5,
    "fixef, se": 1e-5,  # relative; R's own Hessian is a difference
    "se beside a shape": 1e-3,  # R takes the shape as known
}
laplace_records = pytest.mark.parametrize("identifier", LAPLACE)


def design_of(about: dict[str, Any], family: Family) -> Any:
    """Build the design of a record."""
    options = {"offset": about.get("offset")} | weights_of(about)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lf.FitWarning)  # dropped columns are reported; their numbers are tested here
        return lf.Model(about["formula"], dataset(about["dataset"]), family=family, **options).design


@cache
def fit_of(identifier: str) -> GlmmFit:
    """Fit the model of a record, by lme4's criterion."""
    about = record("glmm", identifier)
    family = Family(NAMES.get(about["family"], about["family"]), about["link"])
    return fit_glmm(design_of(about, family), family, curvature="expected")


@laplace_records
def test_criterion(identifier: str) -> None:
    """The optimum is that of an independent Laplace approximation run to machine precision."""
    expected = record("glmm", identifier)["exact_laplace"]["minus2ll"]
    assert fit_of(identifier).criterion == pytest.approx(expected, abs=TOLERANCE["criterion"])


@laplace_records
def test_covariance_parameters(identifier: str) -> None:
    """Theta is the same."""
    expected = record("glmm", identifier)["exact_laplace"]["theta"]
    np.testing.assert_allclose(fit_of(identifier).theta, expected, atol=TOLERANCE["theta"])


@pytest.mark.parametrize("identifier", sorted(set(LAPLACE) - CONTRASTS))
def test_fixed_effects(identifier: str) -> None:
    """Fixed effects are the same, and their standard errors those of the exact second derivatives."""
    about, fit = record("glmm", identifier)["exact_laplace"], fit_of(identifier)
    errors = np.sqrt(np.diag(about["vcov_beta_from_hessian"]))
    np.testing.assert_allclose(fit.beta, about["fixef"], rtol=TOLERANCE["fixef, se"], atol=1e-5 * errors.min())
    tolerance = TOLERANCE["se beside a shape" if fit.parameters else "fixef, se"]
    np.testing.assert_allclose(np.sqrt(np.diag(fit.vcov)), errors, rtol=max(tolerance, 3e-4))


@laplace_records
def test_pieces(identifier: str) -> None:
    """Conditional modes, log|L|, u'u and the covariance for known theta are lme4's."""
    about, fit = record("glmm", identifier), fit_of(identifier)
    assert 2 * fit.log_det_L == pytest.approx(about["devcomp"]["ldL2"], rel=1e-4)
    assert fit.penalty == pytest.approx(about["devcomp"]["ussq"], rel=1e-3, abs=1e-3)
    if identifier not in CONTRASTS:
        np.testing.assert_allclose(np.sqrt(np.diag(fit.vcov_conditional)), about["se"], rtol=2e-4)
    by_group = modes_by_group(design_of(about, fit.family).random_terms, fit.modes)
    for expected in about["ranef"]:
        head = np.array(expected["values_head"])
        found = by_group[expected["group"]].to_numpy()[: len(head)]
        np.testing.assert_allclose(found, head, atol=2e-4 * max(np.abs(head).max(), 1e-2))


@laplace_records
def test_verdict(identifier: str) -> None:
    """A fit is on the boundary where lme4 calls it singular."""
    fit = fit_of(identifier)
    assert fit.verdict == ("boundary" if record("glmm", identifier)["isSingular"] else "ok"), fit.message


QUADRATURE = [r["id"] for r in records("glmm") if r["nAGQ"] > 1 and r["family"] in ("binomial", "poisson")]


@pytest.mark.parametrize("identifier", QUADRATURE)
def test_quadrature(identifier: str) -> None:
    """
    Theta, fixed effects and standard errors are lme4's for nAGQ of 9 and 25.

    lme4 drops the saturated constant from the criterion; ours has it, and differs by -2 sum log f(y | y).
    """
    about = record("glmm", identifier)
    family = Family(about["family"], about["link"])
    design = design_of(about, family)
    fit = fit_glmm(design, family, nagq=about["nAGQ"], curvature="expected")
    np.testing.assert_allclose(fit.theta, about["theta"], atol=1e-6)
    np.testing.assert_allclose(fit.beta, about["fixef"]["values"], rtol=1e-5)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.vcov)), np.sqrt(np.diag(about["vcov_hessian"])), rtol=1e-4)
    y, m = design.y, 1.0 if design.weights is None else design.weights
    with np.errstate(divide="ignore", invalid="ignore"):
        if family.name == "poisson":
            saturated = stats.poisson.logpmf(y, y)
        else:
            saturated = stats.binom.logpmf(np.rint(y * m), np.rint(m * np.ones_like(y)), y)
    assert fit.criterion + 2 * saturated.sum() == pytest.approx(about["criterion"]["value"], abs=1e-6)


def test_one_node_is_laplace() -> None:
    """The sum over one node is Laplace's approximation."""
    target, _ = _target("ypois ~ x + (1 | grp)", "sim_glmm", Family("poisson", "log"))
    x = np.array([0.5, 1.0, 0.3])
    point = laplace(target, x, target.nothing())
    assert quadrature(target, x, target.nothing(), 1).value == pytest.approx(point.value, abs=1e-10)


@pytest.mark.parametrize(
    ("formula", "nagq", "message"),
    [
        ("ypois ~ x + (1 | grp)", 0, "nagq is a whole number from 1 to 100"),
        ("ypois ~ x + (1 | grp)", 2.5, "nagq is a whole number"),
        ("ypois ~ x + (x | grp)", 5, "a single random coefficient"),
        ("ypois ~ x + (1 | grp) + (1 | blk)", 5, "a single random coefficient"),
        ("ypois ~ x", 5, "a single random coefficient"),
    ],
)
def test_quadrature_that_is_refused(formula: str, nagq: Any, message: str) -> None:
    """More dimensions, or no number of nodes."""
    design = lf.Model(formula, dataset("sim_glmm")).design
    with pytest.raises(lf.FitError, match=message):
        fit_glmm(design, Family("poisson", "log"), nagq=nagq)


def test_negative_binomial_shape() -> None:
    """The shape is estimated with all else; glmer.nb's is good to 1e-6."""
    for r in records("glmm"):
        if r["family"] == "negative.binomial":
            assert fit_of(r["id"]).parameters["shape"] == pytest.approx(r["nb"]["theta"], rel=1e-5)


TMB = [
    ("glmmtmb", "tmb-001", Family("negbinomial", "log")),
    ("glmmtmb", "tmb-005", Family("zero_inflated_negbinomial", "log")),
    ("glmmtmb", "tmb-007", Family("beta", "logit")),
    ("glmmtmb", "tmb-011", Family("negbinomial", "log")),
    ("glmmtmb", "tmb-018", Family("binomial", "logit")),
    ("glmmtmb", "tmb-021", Family("Gamma", "log")),
    ("families", "fam-003", Family("negbinomial", "log")),
    ("families", "fam-025", Family("student", "identity")),
    ("families", "fam-029", Family("binomial", "cloglog")),
    ("families", "fam-034", Family("poisson", "sqrt")),
    ("zero_inflation", "zi-001", Family("zero_inflated_poisson", "log")),
]


@pytest.mark.parametrize(("kind", "identifier", "family"), TMB, ids=[identifier for _, identifier, _ in TMB])
def test_families_of_glmmtmb(kind: str, identifier: str, family: Family) -> None:
    """Log likelihood, fixed effects, standard errors and the family's parameters are glmmTMB's, without being asked."""
    about = record(kind, identifier)
    fit = fit_glmm(design_of(about, family), family)
    assert fit.verdict == "ok"
    assert -fit.criterion / 2 == pytest.approx(about["logLik"], abs=2e-8 if kind == "glmmtmb" else 1e-6)
    np.testing.assert_allclose(fit.beta, about["fixef"]["cond"]["values"], rtol=1e-5)
    if kind == "glmmtmb":
        errors = np.sqrt(np.diag(np.asarray(about["vcov"]["cond"])))[: len(fit.beta)]
        np.testing.assert_allclose(np.sqrt(np.diag(fit.vcov)), errors, rtol=1e-5)
    else:
        np.testing.assert_allclose(np.sqrt(np.diag(fit.vcov)), about["fixef"]["cond"]["se"], rtol=1e-4)
    match family.name:
        case "negbinomial":
            assert fit.parameters["shape"] == pytest.approx(about["sigma"], rel=1e-5)
        case "student":
            assert fit.parameters["sigma"] == pytest.approx(about["sigma"], rel=1e-5)
            assert fit.parameters["nu"] == pytest.approx(about["family_params"]["Student-t df"], rel=1e-5)
        case "Gamma":
            assert fit.parameters["shape"] == pytest.approx(about["sigma"] ** -2, rel=1e-5)
        case "beta":
            assert fit.parameters["phi"] == pytest.approx(about["sigma"], rel=1e-5)
        case "zero_inflated_negbinomial":
            assert fit.parameters["shape"] == pytest.approx(about["sigma"], rel=1e-5)
            assert fit.parameters["zi"] == pytest.approx(1 / (1 + np.exp(-about["fixef"]["zi"]["values"][0])), rel=1e-5)


@pytest.mark.parametrize("weights", [None, "w"])
def test_lognormal_is_a_linear_mixed_model_of_the_logarithm(weights: str | None) -> None:
    """Laplace's method is exact for it: likelihood, estimates and standard errors are those of ML, weights included."""
    data = dataset("sleepstudy").assign(L=np.log(dataset("sleepstudy")["Reaction"]))
    data["w"] = np.linspace(0.5, 3.0, len(data))
    design = lf.Model("Reaction ~ Days + (Days | Subject)", data, weights=weights, family="lognormal").design
    fit = fit_glmm(design, Family("lognormal", "identity"))
    linear = fit_lmm(lf.Model("L ~ Days + (Days | Subject)", data, weights=weights).design, reml=False)
    assert fit.criterion - 2 * data["L"].sum() == pytest.approx(linear.criterion, abs=1e-9)
    np.testing.assert_allclose(fit.beta, linear.beta, rtol=1e-6)
    np.testing.assert_allclose(fit.theta, linear.theta * linear.sigma, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(fit.vcov_conditional, linear.vcov, rtol=1e-5)
    np.testing.assert_allclose(np.diag(fit.vcov), np.diag(linear.vcov), rtol=1e-6 if weights is None else 5e-3)
    assert fit.parameters["sigma"] == pytest.approx(linear.sigma, rel=1e-6)


def test_zero_inflated_poisson_is_the_limit_of_the_negative_binomial() -> None:
    """At a large shape, zero-inflated negative binomial counts have the likelihood of zero-inflated Poisson ones."""
    formula, data = "SiblingNegotiation ~ FoodTreatment + offset(logBroodSize) + (1 | Nest)", dataset("Owls")
    poisson = fit_glmm(lf.Model(formula, data).design, Family("zero_inflated_poisson", "log"))
    target, columns = _target(formula, "Owls", Family("zero_inflated_negbinomial", "log"))
    logit = np.log(poisson.parameters["zi"] / (1 - poisson.parameters["zi"]))
    beta = np.linalg.solve(columns.fixed, poisson.beta)
    value = laplace(target, np.array([poisson.theta[0], *beta, np.log(1e7), logit]), target.nothing()).value
    assert value == pytest.approx(poisson.criterion, abs=0.01)


def test_student_s_t_with_many_degrees_of_freedom_is_normal() -> None:
    """Then Laplace's approximation is the likelihood of a linear mixed model."""
    design = lf.Model("Reaction ~ Days + (Days | Subject)", dataset("sleepstudy")).design
    linear = fit_lmm(design, reml=False)
    target, columns = _target("Reaction ~ Days + (Days | Subject)", "sleepstudy", Family("student", "identity"))
    inner = np.linalg.inv(columns.random[0])
    S = inner @ linear.relative_covariance[0] @ inner.T * linear.sigma**2
    t = target.parameters.nearest([[S]])
    sigma = np.log(linear.sigma) - target.predictors[1].offset
    x = np.array([*t, *np.linalg.solve(columns.fixed, linear.beta), sigma, np.log(1e7)])
    assert laplace(target, x, target.nothing()).value == pytest.approx(linear.criterion, abs=0.01)


STRUCTURES = [
    ("acc ~ condc * freq + (condc | subj) + (1 | item)", "sim_crossed", "binomial", "logit"),
    ("TICKS ~ YEAR + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION)", "grouseticks", "poisson", "log"),
    ("ynb ~ x + (x || grp) + (x | blk)", "sim_glmm", "negbinomial", "log"),
    ("ynb ~ x + (1 | grp) + (1 | blk)", "sim_glmm", "zero_inflated_negbinomial", "log"),
    ("ybeta ~ x + cs(0 + tr | grp)", "sim_glmm", "beta", "logit"),
    ("yig ~ x + ar1(0 + tr | grp)", "sim_glmm", "Gamma", "log"),
    ("ypois ~ x + tr", "sim_glmm", "poisson", "log"),
    ("acc ~ condc * freq + (condc | subj) + (1 | item)", "sim_crossed", "binomial", "probit"),
    ("ybin ~ x + (x | grp)", "sim_glmm", "binomial", "cloglog"),
    ("ynb ~ x + (1 | grp) + (1 | blk)", "sim_glmm", "poisson", "sqrt"),
    ("Reaction ~ Days + (Days | Subject)", "sleepstudy", "student", "identity"),
]


OF_CURVATURES = [(*s, c) for s in STRUCTURES for c in CURVATURES if c == "observed" or "zero" not in s[2]]


@pytest.mark.parametrize(
    ("formula", "name", "family", "link", "curvature"),
    OF_CURVATURES,
    ids=[f"{s[2]}, {s[0]}, {s[4]}" for s in OF_CURVATURES],
)
def test_gradient(formula: str, name: str, family: str, link: str, curvature: CurvatureKind) -> None:
    """The gradient is that of the criterion, for every structure and curvature, away from the optimum."""
    target, columns = _target(formula, name, Family(family, link), curvature)
    rng = np.random.default_rng(0)
    distribution, observed = target.family, target.observed
    own = np.array(distribution.start(observed)) - [p.offset for p in target.predictors[1:]]
    t, beta = 0.5 * rng.normal(size=target.parameters.size), 0.3 * rng.normal(size=columns.X.shape[1])
    if link in ("sqrt", "identity"):
        beta = np.linalg.lstsq(columns.X, distribution.predictor(observed), rcond=None)[0] + beta / 10
    x = np.concatenate([t, beta, own])
    point = laplace(target, x, target.nothing())

    def value(x: FloatArray) -> float:
        return laplace(target, x, point.mode.a).value

    h = 1e-4 * np.eye(len(x))
    numeric = [(8 * (value(x + e) - value(x - e)) - (value(x + 2 * e) - value(x - 2 * e))) / 12e-4 for e in h]
    np.testing.assert_allclose(point.gradient, numeric, atol=1e-8 * np.abs(point.gradient).max())


def _target(
    formula: str, name: str, family: Family, curvature: CurvatureKind = "observed"
) -> tuple[Target, InnerColumns]:
    return _target_of(lf.Model(formula, dataset(name), family=family).design, family, curvature)


def _target_of(design: Design, family: Family, curvature: CurvatureKind = "observed") -> tuple[Target, InnerColumns]:
    problem = Prepared.of(design, family, curvature, Budget())
    return problem.target, problem.columns


def _counts(scale: float) -> dict[str, Any]:
    """Draw counts whose levels are known but for Poisson noise, and shares of as many trials."""
    rng = np.random.default_rng(11)
    g = np.repeat(np.arange(20), 15)
    x, u = rng.normal(size=300), 0.4 * rng.normal(size=20)
    mean, n = scale * np.exp(1 + 0.3 * x + u[g]), 10 * int(scale)
    k = rng.binomial(n, 1 / (1 + np.exp(-(0.3 * x + u[g]))))
    known = {"u": u, "mean": mean, "log_scale": np.full(300, np.log(scale))}
    return {"g": g, "x": x, "y": rng.poisson(mean), "k": k, "left": n - k, **known}


@pytest.mark.parametrize("scale", [1e3, 1e4, 1e5, 1e6, 1e7, 1e8])
@pytest.mark.parametrize("family", ["poisson", "negbinomial"])
def test_large_counts(family: str, scale: float) -> None:
    """Counts up to a thousand millions: what is left to know is the variance between groups, and x within them."""
    data = _counts(scale)
    u = data.pop("u")
    fit = lf.glmer("y ~ x + offset(log_scale) + (1 | g)", data, family=family)
    assert fit.converged
    np.testing.assert_allclose(fit.fixef, [1 + u.mean(), 0.3], atol=0.2 / np.sqrt(scale))
    assert fit.std_errors["(Intercept)"] == pytest.approx(u.std() / np.sqrt(20), rel=3e-3)
    w = data["mean"]
    centre = np.bincount(data["g"], w * data["x"]) / np.bincount(data["g"], w)
    within = np.sum(w * np.square(data["x"] - centre[data["g"]]))
    error = fit.std_errors["x"] * np.sqrt(within)
    assert 0.99 < error < (1.01 if family == "poisson" else 1.2)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
@pytest.mark.parametrize("scale", [1e3, 1e6, 1e8])
def test_many_trials(link: str, scale: float) -> None:
    """Shares of up to a thousand million trials: estimates settle, and the intercept's error is that between groups."""
    data = _counts(scale)
    u = data.pop("u")
    fit = lf.glmer("cbind(k, left) ~ x + (1 | g)", data, family=f"binomial({link})")
    assert fit.converged
    assert fit.std_errors["(Intercept)"] == pytest.approx(fit.varcorr["g"].sds[0] / np.sqrt(20), rel=0.01)
    if link == "logit":
        np.testing.assert_allclose(fit.fixef, [u.mean(), 0.3], atol=0.2 / np.sqrt(scale))


def test_counts_with_a_square_root_link_have_the_higher_mode_of_each_level() -> None:
    """Of both sides of zero: the modes are those of a grid, for one grouping factor and beside a crossed one."""
    rng = np.random.default_rng(5)
    g, h = np.repeat(np.arange(20), 8), np.tile(np.arange(8), 20)
    x = rng.normal(size=160)
    eta = 0.7 + 0.5 * x + 1.5 * rng.normal(size=20)[g]
    data = {"g": g, "h": h, "x": x, "y": rng.poisson(eta**2)}
    for formula in ("y ~ x + (1 | g)", "y ~ x + (1 | g) + (1 | h)"):
        fit = lf.glmer(formula, data, family="poisson(sqrt)")
        assert fit.fit.log.converged
        sd, modes = fit.varcorr["g"].sds[0], fit.ranef()["g"].iloc[:, 0]
        rest = fit.predict(scale="link").to_numpy() - modes.to_numpy()[g]
        for level in range(20):
            rows = g == level
            grid = np.linspace(-6, 6, 6001)
            means = np.square(rest[rows, None] + grid)
            heights = stats.poisson.logpmf(data["y"][rows, None], means).sum(axis=0) + stats.norm.logpdf(grid, scale=sd)
            assert modes.iloc[level] == pytest.approx(grid[heights.argmax()], abs=0.004)


def test_a_mode_is_a_maximum() -> None:
    """Between two rows of heavy tails no effect at all is stationary and lowest: the mode is next to one of them."""
    data = {"y": [-5.0, 5.0, -5.0, 5.0], "g": ["a", "a", "b", "b"]}
    target, columns = _target_of(
        lf.Model("y ~ 1 + (1 | g)", data, family="student").design, Family("student", "identity")
    )
    unit = abs(float(columns.random[0][0, 0]))
    own = [np.array([np.log(0.2) - target.predictors[1].offset]), np.array([0.0])]
    fixed = target.fixed([np.zeros(1), *own])
    mode = mode_of(target, [np.array([[10.0 / unit]])], fixed, target.nothing())
    assert (np.abs(np.abs(mode.eta[0]) - 5.0) < 0.5).all()
    density = target.family.at(target.observed, mode.eta, target.keys(slopes=False))
    assert -density.at(0, 0).sum() > 0.0


def test_where_laplace_s_approximation_breaks_down() -> None:
    """Heavy tails between few rows: the observed curvature of a level vanishes, and that is said."""
    rng = np.random.default_rng(16)
    g, x = np.repeat(np.arange(15), 4), rng.normal(size=60)
    y = 0.3 + 0.5 * x + 1.5 * rng.normal(size=15)[g] + 0.5 * rng.standard_t(2.0, 60)
    model = lf.Model("y ~ x + (1 | g)", {"y": y, "x": x, "g": g}, family="student")
    with pytest.warns(lf.FitWarning, match="Laplace's approximation breaks down"):
        failed = model.fit()
    assert not failed.converged
    assert model.fit(curvature="expected").converged


@pytest.mark.slow
def test_the_observed_curvature_is_nearer_to_the_likelihood() -> None:
    """Of negative binomial counts, few in a group; the nodes of quadrature are right for either of them."""
    rng = np.random.default_rng(2)
    g = np.repeat(np.arange(60), 3)
    mean = np.exp(-1.0 + 1.2 * rng.normal(size=60))[g]
    y = rng.negative_binomial(0.8, 0.8 / (0.8 + mean))
    model = lf.Model("y ~ 1 + (1 | g)", {"y": y, "g": g}, family="negbinomial")
    observed, expected = model.fit(), model.fit(curvature="expected")
    fine = [model.fit(nagq=15, curvature=c) for c in CURVATURES]
    assert fine[0].deviance == pytest.approx(fine[1].deviance, abs=1e-4)
    best = fine[0]
    sd, shape = best.varcorr["g"].sds[0], best.fit.parameters["shape"]
    z = np.linspace(-8, 8, 1001)
    means = np.exp(best.fixef.iloc[0] + sd * z)
    rows = stats.nbinom.logpmf(y[:, None], shape, shape / (shape + means))
    groups = np.array([rows[g == j].sum(axis=0) for j in range(60)])
    total = np.log(np.exp(groups) @ stats.norm.pdf(z) * (z[1] - z[0])).sum()
    assert best.deviance == pytest.approx(-2 * total, abs=1e-4)
    errors = [abs(fit.fixef.iloc[0] - best.fixef.iloc[0]) for fit in (observed, expected)]
    assert errors[0] < errors[1] / 3


def test_likelihood_by_brute_force() -> None:
    """For one random intercept Laplace's likelihood is that of one-dimensional maxima, found without our algebra."""
    from scipy.optimize import minimize_scalar

    design = lf.Model("ypois ~ x + (1 | grp)", dataset("sim_glmm"), family="poisson").design
    fit = fit_glmm(design, Family("poisson", "log"))
    (term,) = design.random_terms
    fixed, sd, total = design.X @ fit.beta, fit.theta[0], 0.0
    for level in range(term.n_levels):
        rows = term.codes == level
        y = design.y[rows]

        def loss(u: float, rows: Any = rows, y: Any = y) -> float:
            return float(u * u / 2 - stats.poisson.logpmf(y, np.exp(fixed[rows] + sd * u)).sum())

        u = float(minimize_scalar(loss, tol=1e-14).x)
        weight = np.exp(fixed[rows] + sd * u).sum()
        total += 2 * loss(u) + np.log1p(sd**2 * weight)
        assert fit.modes[0][level, 0] == pytest.approx(sd * u, abs=1e-6)
    assert fit.criterion == pytest.approx(total, abs=1e-6)


def test_no_random_term() -> None:
    """Without a random term it is a generalised linear model: R's glm on cbpp."""
    design = lf.Model("cbind(incidence, size - incidence) ~ period", dataset("cbpp"), family="binomial").design
    fit = fit_glmm(design, Family("binomial", "logit"))
    np.testing.assert_allclose(fit.beta, [-1.2690235, -1.1707627, -1.3014053, -1.7822786], rtol=1e-6)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.vcov)), np.sqrt(np.diag(fit.vcov_conditional)), rtol=1e-6)
    assert (fit.verdict, fit.modes, fit.theta.size) == ("ok", (), 0)


@pytest.mark.parametrize("family", ["negbinomial", "student"])
def test_parameters_that_are_as_good_as_infinite(family: str) -> None:
    """Counts without an excess of variance, and normal errors: the fit stops at a large value, and has converged."""
    rng = np.random.default_rng(1)
    x, level = rng.normal(size=150), np.arange(150) % 15
    eta = 1 + 0.3 * x + 0.4 * rng.normal(size=15)[level]
    y = rng.poisson(np.exp(eta)) if family == "negbinomial" else eta + rng.uniform(-1, 1, 150)
    model = lf.Model("y ~ x + (1 | g)", {"y": y, "x": x, "g": level.astype(str)}, family=family)
    fit = fit_glmm(model.design, model.ir.family)
    name = list(fit.parameters)[-1]
    assert (fit.verdict, fit.log.converged) == ("boundary", True)
    assert fit.message == f"'{name}' is estimated as infinite: a simpler family is as good."
    assert fit.parameters[name] > 100
    assert np.isnan(fit.parameter_errors[name])
    assert (np.diag(fit.vcov) > 0).all()


def test_a_flat_parameter_leaves_the_others_their_errors() -> None:
    """Counts without any excess of variance: rounding errors beside a zero once made standard errors of 1e-71."""
    known = np.array([[320.0, -29.0], [-29.0, 1132.0]])
    hessian = np.zeros((3, 3))
    hessian[:2, :2] = known
    hessian[2, :2] = hessian[:2, 2] = -2.2e-11, 1.8e-10
    found = covariance_from(hessian)
    np.testing.assert_allclose(found[:2, :2], 2 * np.linalg.inv(known), rtol=1e-6)
    assert found[2, 2] > 1e10


def test_rescaling_a_column_changes_nothing() -> None:
    """The optimum owes nothing to the units or the origin of a variable."""
    data = dataset("sim_glmm")
    moved = data.assign(x=1e5 + 1e3 * data["x"])
    family = Family("poisson", "log")
    first, second = (
        fit_glmm(lf.Model("ypois ~ x + (x | grp)", d, family=family).design, family) for d in (data, moved)
    )
    assert second.criterion == pytest.approx(first.criterion, abs=1e-7)
    assert second.beta[1] == pytest.approx(first.beta[1] / 1e3, rel=1e-6)


def test_what_is_refused() -> None:
    """Families without a fit are refused with what can be done."""
    design = lf.Model("yig ~ x + (1 | grp)", dataset("sim_glmm")).design
    with pytest.raises(lf.FitError, match=r"no fit by Laplace's method for the family inverse\.gaussian"):
        fit_glmm(design, Family("inverse.gaussian", "1/mu^2"))


def test_every_family_is_tested() -> None:
    """What Laplace's method fits is held to numbers of other programs; the others are exact."""
    tested = {fit_of(identifier).family for identifier in LAPLACE} | {family for _, _, family in TMB}
    assert set(FITTED) - tested == {Family("lognormal", "identity"), Family("gaussian", "identity")}
