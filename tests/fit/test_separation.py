"""Likelihoods without a finite maximum: separation, variances and parameters without end, constant responses."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

import lmmformula as lf
from lmmformula.arrays import FloatArray
from lmmformula.fit.likelihood.separation import silent_rows, touched, undetermined

RNG = np.random.default_rng(5)
N = 240
TABLE = pd.DataFrame(
    {
        "g": np.repeat(np.arange(12), 20),
        "h": np.tile(np.arange(10), 24),
        "tr": np.tile(list("ABCD"), 60),
        "x": RNG.normal(size=N),
        "s": np.tile(list("uv"), 120)[RNG.permutation(N)],
    }
)
ETA = 0.5 * RNG.normal(size=12)[TABLE["g"]] + 0.4 * TABLE["x"] + np.where(TABLE["tr"] == "A", -0.5, 0.3)
SHARES = (RNG.random(N) < 1 / (1 + np.exp(-ETA))).astype(int)
COUNTS = RNG.poisson(np.exp(ETA))
EXCESS = RNG.negative_binomial(2, 2 / (2 + np.exp(ETA + 1)))
RESPONSES = {
    "binomial": SHARES,
    "binomial(probit)": SHARES,
    "binomial(cloglog)": SHARES,
    "poisson": COUNTS,
    "negbinomial": EXCESS,
    "zero_inflated_poisson": RNG.poisson(np.exp(ETA + 1)) * (RNG.random(N) < 0.7),
    "zero_inflated_negbinomial": EXCESS * (RNG.random(N) < 0.7),
}
CELLS = {
    # where zeros stand, the formula, the coefficients without a finite estimate
    "level": (TABLE["tr"] == "D", "y ~ tr + x + (1 | g)", ["trD"]),
    "cell means": (TABLE["tr"] == "D", "y ~ 0 + tr + x + (1 | g)", ["trD"]),
    "no random term": (TABLE["tr"] == "D", "y ~ tr + x", ["trD"]),
    "slope": (TABLE["tr"] == "D", "y ~ tr + (x | g)", ["trD"]),
    "crossed": (TABLE["tr"] == "D", "y ~ tr + (1 | g) + (1 | h)", ["trD"]),
    "reference": (TABLE["tr"] == "A", "y ~ tr + x + (1 | g)", ["(Intercept)", "trB", "trC", "trD"]),
    "cell": ((TABLE["tr"] == "D") & (TABLE["s"] == "v"), "y ~ tr * s + (1 | g)", ["trD:sv"]),
    "single row": (TABLE.index == 17, "y ~ x + I(rank == 17) + (1 | g)", ["I(rank == 17)TRUE"]),
    "beyond a value": (TABLE["x"] > 0, "y ~ I(pmax(x, 0)) + (1 | g)", ["I(pmax(x, 0))"]),
}


def quietly(formula: str, data: pd.DataFrame, family: str, nagq: int = 1) -> lf.GeneralizedMixedFit:
    """Fit without a warning of ours; any other is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lf.FitWarning)
        return lf.glmer(formula, data, family=family, nagq=nagq)


def zeroed(family: str, kind: str) -> tuple[str, pd.DataFrame, list[str]]:
    """Return a formula, data with zeros in a cell, and the coefficients that this leaves without an estimate."""
    where, formula, names = CELLS[kind]
    return formula, TABLE.assign(y=np.where(where, 0, RESPONSES[family]), rank=np.arange(N)), names


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("family", RESPONSES)
def test_nothing_but_zeros_in_a_cell(family: str, kind: str) -> None:
    """The coefficients of the cell have infinite standard errors and the verdict names them; all others are finite."""
    formula, data, names = zeroed(family, kind)
    fit = quietly(formula, data, family)
    errors = fit.std_errors
    assert list(errors.index[np.isinf(errors)]) == names
    assert (errors[np.isfinite(errors)] < 10).all()
    assert not fit.converged
    assert all(f"'{name}'" in fit.fit.message for name in names)
    assert "(separation)" in fit.fit.message
    assert np.isfinite([fit.loglik, fit.aic, fit.bic]).all()


@pytest.mark.parametrize("family", RESPONSES)
def test_what_can_be_estimated_is_what_the_other_rows_tell(family: str) -> None:
    """All but the cell's coefficients are those of a fit without its rows, with their standard errors."""
    formula, data, _ = zeroed(family, "level")
    if family.startswith("zero_inflated"):
        data["y"] = np.where(data["tr"] == "D", 0, RESPONSES[family])  # zeros of the cell say nothing of zi either
    whole, rest = quietly(formula, data, family), quietly(formula, data[data["tr"] != "D"], family)
    names = list(rest.fixef.index)
    np.testing.assert_allclose(whole.fixef[names], rest.fixef, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(whole.std_errors[names], rest.std_errors, rtol=1e-4)
    np.testing.assert_allclose(whole.theta, rest.theta, rtol=1e-4)
    np.testing.assert_allclose(
        list(whole.fit.parameter_errors.values()), list(rest.fit.parameter_errors.values()), rtol=1e-3
    )
    assert whole.loglik == pytest.approx(rest.loglik, abs=1e-6)


def test_the_same_model_in_other_columns() -> None:
    """With an intercept, with cell means, with another reference: one log likelihood, one verdict, one contrast."""
    formula, data, _ = zeroed("binomial", "level")
    other = data.assign(tr=pd.Categorical(data["tr"], list("DABC")))
    cells = formula.replace("tr", "0 + tr", 1)
    fits = [quietly(*about, "binomial") for about in ((formula, data), (cells, data), (formula, other))]
    differences = ("trC - trB", "trC - trB", "trC - trB")
    found = [fit.contrast(text).frame for fit, text in zip(fits, differences, strict=True)]
    assert {fit.fit.verdict for fit in fits} == {"failed"}
    for fit, frame in zip(fits[1:], found[1:], strict=True):
        assert fit.loglik == pytest.approx(fits[0].loglik, abs=1e-6)
        np.testing.assert_allclose(frame["std_error"], found[0]["std_error"], rtol=1e-5)
        assert frame["std_error"].iloc[0] == pytest.approx(_by_hand(fit, frame.index[0]), rel=1e-4)


def _by_hand(fit: lf.GeneralizedMixedFit, text: str) -> float:
    """Standard error of a difference, whose flat directions cancel, where a large variance stands for infinity."""
    left, right = text.split(" - ")
    V = pd.DataFrame(fit.fit.vcov, fit.fixef.index, fit.fixef.index)
    return float(np.sqrt(V.loc[left, left] + V.loc[right, right] - 2 * V.loc[left, right]))


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
@pytest.mark.parametrize("complete", [True, False])
def test_a_number_that_tells_the_response(link: str, complete: bool) -> None:  # noqa: FBT001
    """Successes above a value and failures below: complete if at that value there is nothing, quasi-complete else."""
    x = TABLE["x"] if complete else TABLE["x"].round(1)
    y = np.where(x == 0, np.arange(N) % 2, x > 0)
    fit = quietly("y ~ x + (1 | g)", TABLE.assign(x=x, y=y), f"binomial({link})")
    assert np.isinf(fit.std_errors).tolist() == [complete, True]
    assert not fit.converged


def test_quadrature_says_the_same() -> None:
    """Nodes of a quadrature move nothing about it."""
    formula, data, _ = zeroed("binomial", "level")
    fit = quietly(formula, data, "binomial", nagq=5)
    assert list(np.isinf(fit.std_errors)) == [False, False, False, True, False]
    assert "'trD'" in fit.fit.message


def separated(X: FloatArray, y: FloatArray, *, counts: bool) -> bool:
    """Tell by a linear program whether some direction lowers no row's density: Albert & Anderson's definition."""
    X = X / np.abs(X).max(axis=0)
    known = X[y > 0] if counts else np.empty((0, X.shape[1]))
    sides = X[y == 0] if counts else np.where(y > 0, -1.0, 1.0)[:, None] * X
    bounds = [(-1, 1)] * X.shape[1]
    equal = (known, np.zeros(len(known))) if len(known) else (None, None)
    found = linprog(sides.sum(axis=0), sides, np.zeros(len(sides)), *equal, bounds=bounds)
    return bool(found.fun < -1e-7)


@pytest.mark.parametrize("family", ["binomial", "binomial(probit)", "binomial(cloglog)", "poisson", "negbinomial"])
def test_a_linear_program_agrees(family: str) -> None:
    """Small random data, some of them separated, columns of any size, rows far out: each verdict is the right one."""
    seen = {True: 0, False: 0}
    for seed in range(30):
        rng = np.random.default_rng(seed)
        n = int(rng.choice([12, 20, 40]))
        x, f = rng.normal(size=n) * 10 ** rng.uniform(-2, 3), rng.choice(list("abc"), size=n)
        x[0] *= 1000 if seed % 3 == 0 else 1
        eta = rng.normal() + rng.normal() * rng.choice([0.5, 4.0]) * x / x.std()
        counts = not family.startswith("binomial")
        shares, few = 1 / (1 + np.exp(-eta)), np.exp(np.clip(eta - 2, -20, 4))
        y = rng.poisson(few) if counts else (rng.random(n) < shares).astype(int)
        if not y.any() or (y.all() and not counts):
            continue
        formula = ("y ~ x + f", "y ~ x", "y ~ 0 + f")[seed % 3]
        fit = quietly(formula, pd.DataFrame({"y": y, "x": x, "f": f}), family)
        truth = separated(fit.design.X, y, counts=counts)
        assert np.isinf(fit.std_errors).any() == truth, (seed, formula)
        seen[truth] += 1
    assert min(seen.values()) > 2


def test_rare_events_are_no_separation() -> None:
    """Ten events in a million trials, one of them in a group of its own: small curvatures, and all is estimated."""
    n = 400
    data = pd.DataFrame({"k": np.zeros(n, dtype=int), "n": 5000, "x": np.arange(n) / n, "z": np.arange(n) == 7})
    data.loc[[7, 50, 120, 200, 260, 301, 333, 350, 377, 399], "k"] = 1
    fit = lf.glmer("cbind(k, n - k) ~ x + z", data, family="binomial")
    assert fit.fit.verdict == "ok"
    assert fit.fit.flat.shape == (3, 0)
    assert (fit.std_errors < 3).all()


def test_levels_that_tell_the_response() -> None:
    """One response in all rows of a level: the variance between levels grows without end, and the verdict says so."""
    fit = quietly("y ~ x + (1 | g)", TABLE.assign(y=TABLE["g"] % 2), "binomial")
    assert not fit.converged
    assert fit.fit.message.startswith("the variance between the levels of 'g' grows without end")


@pytest.mark.parametrize("family", ["binomial", "binomial(probit)", "binomial(cloglog)"])
@pytest.mark.parametrize("nagq", [1, 5])
def test_nothing_is_certain_beside_a_variance_without_end(family: str, nagq: int) -> None:
    """Coefficients grow with it: no standard error, interval, mean or prediction is narrow."""
    fit = quietly("y ~ tr + x + (1 | g)", TABLE.assign(y=(TABLE["g"] % 3 == 0).astype(int)), family, nagq)
    assert not fit.converged
    assert np.isinf(fit.std_errors).all()
    assert (fit.tidy("fixed")["p_value"] == 1).all()
    assert fit.confint().frame[["conf_low", "conf_high"]].isna().all(axis=None)
    assert fit.emmeans("tr").frame["std_error"].isna().all()
    with pytest.warns(UserWarning, match="can't be estimated"):
        assert fit.predict(TABLE.head(4), se_fit=True)["std_error"].isna().all()


@pytest.mark.parametrize("kind", ["level", "cell means", "reference", "cell"])
def test_the_covariance_matrix_is_infinite_where_standard_errors_are(kind: str) -> None:
    """Its diagonal has their squares; nothing is said of covariances with what has no estimate, all others are kept."""
    formula, data, names = zeroed("binomial", kind)
    fit = quietly(formula, data, "binomial")
    V, others = fit.vcov, [name for name in fit.fixef.index if name not in names]
    np.testing.assert_array_equal(np.sqrt(np.diag(V)), fit.std_errors)
    assert np.isinf(np.diag(V.loc[names, names])).all()
    assert V.loc[names, others].isna().all(axis=None)
    assert np.isfinite(V.loc[others, others]).all(axis=None)


@pytest.mark.parametrize("family", ["Gamma(log)", "lognormal"])
def test_a_dispersion_without_end(family: str) -> None:
    """Values that are the same in all rows of a level leave no dispersion: failed, and named."""
    fit = quietly("y ~ x + (1 | g)", TABLE.assign(y=0.3 + 0.4 * (TABLE["g"] % 2)), family)
    assert not fit.converged
    assert fit.fit.message.startswith("the likelihood grows without end: ")
    assert next(iter(fit.fit.parameters)) in fit.fit.message


CONSTANT = [(family, 0.0) for family in (*RESPONSES, "poisson(sqrt)")] + [
    *((f"binomial({link})", 1.0) for link in ("logit", "probit", "cloglog")),
    *((family, 0.5) for family in ("Gamma(log)", "beta", "lognormal", "student")),
]


@pytest.mark.parametrize("formula", ["y ~ x + (1 | g)", "y ~ x", "y ~ 0 + (1 | g)"])
@pytest.mark.parametrize(("family", "value"), CONSTANT)
def test_a_constant_response_is_refused(family: str, value: float, formula: str) -> None:
    """Failures alone, successes alone, counts of zero, one number: the message says what is the matter."""
    message = f"the response `y` is constant in the rows used: {value:g} everywhere"
    with pytest.raises(lf.FitError, match=message):
        lf.glmer(formula, TABLE.assign(y=value), family=family)


def test_constant_counts_other_than_zero_are_fitted() -> None:
    """A count of three everywhere has a mean; so has a share of one half."""
    data = TABLE.assign(y=3, n=6)
    assert quietly("y ~ x + (1 | g)", data, "poisson").fixef.iloc[0] == pytest.approx(np.log(3), abs=1e-6)
    assert quietly("cbind(y, n - y) ~ x + (1 | g)", data, "binomial").fixef.iloc[0] == pytest.approx(0.0, abs=1e-6)


def test_separated_fits_print() -> None:
    """Fitted shares of exactly 0 and 1 leave residuals of 0, not 0 / 0, and the standard error is Inf."""
    data = TABLE.assign(y=np.where(TABLE["tr"] == "D", 1, np.where(TABLE["tr"] == "A", 0, SHARES)))
    fit = quietly("y ~ tr + x + (1 | g)", data, "binomial")
    assert fit.residuals("pearson").notna().all()
    assert sum("Inf" in line for line in fit.summary().splitlines()) == 4


def test_silent_rows_are_as_many_as_say_nothing_together() -> None:
    """A million rows of a curvature of 1e-6 say something, ten don't."""
    many, few = np.full(1_000_000, 1e-6), np.r_[np.full(10, 1e-6), 1.0]
    assert silent_rows(many).mean() < 1e-3
    assert silent_rows(few).tolist() == [*([True] * 10), False]


def test_directions_that_columns_leave_open() -> None:
    """No rows leave all open; a year beside its square, as long as they differ, nothing."""
    assert undetermined(np.empty((0, 3))).shape == (3, 3)
    year = np.arange(2000.0, 2011.0)
    assert undetermined(np.column_stack([np.ones(11), year, year**2])).shape == (3, 0)
    (direction,) = undetermined(np.array([[1.0, 1.0], [2.0, 2.0]])).T
    assert touched(np.array([[1.0, 1.0], [1.0, 0.0]]), direction[:, None]).tolist() == [False, True]
