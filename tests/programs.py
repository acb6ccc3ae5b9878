"""The models that the tests of generated programs share: one for each kind of node and each seam between them."""

import warnings
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import pandas as pd

from corpus import dataset
from designs import design, model
from lmmformula.design.design import Design
from lmmformula.errors import FitWarning
from lmmformula.ir.family import GAUSSIAN, Family
from lmmformula.stan.generate import StanProgram, stan_program
from lmmformula.stan.program.lower import lower_program
from lmmformula.stan.program.record import NOTHING_EXTRA, Extra, Program


@dataclass(frozen=True)
class Case:
    """
    A model, its data and what is asked of its program.

    text : formula and prior statements
    data : name of a data set, or of a frame below
    """

    text: str
    data: str
    form: str = "auto"
    literals: bool = False
    weights: str | None = None
    loglik_weights: str | None = None
    offset: str | None = None
    geometry: dict[str, str] = field(default_factory=dict)
    data_form: str = "rows"
    family: Family = GAUSSIAN
    extra: Extra = NOTHING_EXTRA


def small() -> pd.DataFrame:
    """48 rows with two crossed factors, one nested in the first, two predictors and a factor of three levels."""
    rng = np.random.default_rng(20)
    n = 48
    frame = pd.DataFrame(
        {
            "x": rng.normal(2.0, 1.0, n),
            "z": rng.normal(size=n),
            "a": pd.Categorical([f"a{i % 4}" for i in range(n)]),
            "b": pd.Categorical([f"b{i // 4 % 3}" for i in range(n)]),
            "f": pd.Categorical([("lo", "mid", "hi")[i % 3] for i in range(n)], ["lo", "mid", "hi"]),
            "w": rng.uniform(0.5, 2.0, n),
            "o": rng.normal(size=n),
        }
    )
    frame["y"] = 1 + frame.x + rng.normal(size=4)[frame.a.cat.codes] + rng.normal(size=3)[frame.b.cat.codes]
    frame["y"] += rng.normal(scale=0.5, size=n)
    return frame


def hostile() -> pd.DataFrame:
    """Columns and levels whose names would break a program that used them as they are."""
    frame = small()
    return pd.DataFrame(
        {
            "data": frame.y,
            "lambda": frame.x,
            "y.1": frame.z,
            "Größe\n*/ }": frame.a.cat.rename_categories(lambda level: f"{level}\n// }}"),
            "温度": frame.b,
            "real": frame.w,
        }
    )


def counts() -> pd.DataFrame:
    """Responses of every family beside the columns of `small`."""
    frame, rng = small(), np.random.default_rng(21)
    eta = 0.3 * frame.x + rng.normal(scale=0.5, size=4)[frame.a.cat.codes]
    n = len(frame)
    return frame.assign(
        count=rng.poisson(np.exp(eta)) * (rng.random(n) > 0.2),
        successes=rng.binomial(6, 0.4, n),
        failures=lambda d: 6 - d.successes,
        trials=6,
        binary=rng.integers(0, 2, n),
        choice=lambda d: pd.Categorical(np.where(d.binary == 1, "yes", "no"), ["no", "yes"]),
        positive=rng.gamma(2.0, np.exp(eta)),
        share=rng.beta(2.0, 3.0, n),
        rating=pd.Categorical.from_codes(
            np.digitize(eta + rng.logistic(size=n), [-0.5, 0.5, 2.0]), ["poor", "fair", "good", "best"], ordered=True
        ),
    )


FRAMES = {"small": small, "hostile": hostile, "counts": counts}

CASES: dict[str, Case] = {
    "regression": Case("Reaction ~ Days", "sleepstudy"),
    "no_predictors": Case("y ~ 1", "small"),
    "intercept": Case("Reaction ~ Days + (1 | Subject)", "sleepstudy"),
    "intercept_conditional": Case("Reaction ~ Days + (1 | Subject)", "sleepstudy", form="conditional"),
    "intercept_centered": Case(
        "Reaction ~ Days + (1 | Subject)", "sleepstudy", form="conditional", geometry={"Subject": "centered"}
    ),
    "slope": Case("Reaction ~ Days + (Days | Subject)", "sleepstudy"),
    "slope_literals": Case("Reaction ~ Days + (Days | Subject)", "sleepstudy", literals=True),
    "slope_conditional": Case("Reaction ~ Days + (Days | Subject)", "sleepstudy", form="conditional"),
    "slope_centered": Case(
        "Reaction ~ Days + (Days | Subject)", "sleepstudy", form="conditional", geometry={"Subject": "centered"}
    ),
    "slope_around_zero": Case("y ~ 0 + z + (x | a)", "small", form="conditional", geometry={"a": "centered"}),
    "slope_alone": Case("y ~ 0 + x + (0 + x | a)", "small"),
    "diagonal": Case("Reaction ~ Days + (Days || Subject)", "sleepstudy"),
    "diagonal_conditional": Case("Reaction ~ Days + (Days || Subject)", "sleepstudy", form="conditional"),
    "three": Case("y ~ x + (x + z | a)", "small"),
    "three_diagonal": Case("y ~ x + diag(x + z | a)", "small"),
    "three_conditional": Case("y ~ x + (x + z | a)", "small", form="conditional"),
    "six": Case("y ~ x + (x + z + I(x^2) + I(z^2) + I(x*z) | a)", "small"),
    "two_terms": Case("y ~ x + (x | a) + (0 + f | a)", "small"),
    "crossed": Case("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin"),
    "crossed_dense_three": Case("y ~ x + z + (1 | a) + (1 | b) + (0 + x | f)", "small"),
    "crossed_order": Case("y ~ x + (1 | b) + (x | a)", "small", geometry={"b": "centered"}),
    "crossed_dense_order": Case("y ~ x + (0 + x | f) + (1 | b) + (1 | a)", "small"),
    "crossed_noncentered": Case(
        "diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin", geometry={"sample": "noncentered"}
    ),
    "crossed_centered": Case(
        "diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin", geometry={"sample": "centered"}
    ),
    "crossed_conditional": Case(
        "diameter ~ 1 + (1 | plate) + (1 | sample)",
        "Penicillin",
        form="conditional",
        geometry={"plate": "centered", "sample": "centered"},
    ),
    "crossed_slopes": Case("y ~ x + z + (x | a) + (z | b)", "small", geometry={"b": "centered"}),
    "crossed_slopes_conditional": Case(
        "y ~ x + z + (x | a) + (z | b) + (1 | f)",
        "small",
        form="conditional",
        geometry={"a": "centered", "b": "centered", "f": "noncentered"},
    ),
    "crossed_three": Case("y ~ x + (x | a) + (1 | b) + (0 + x | f)", "small"),
    "nested": Case("strength ~ 1 + (1 | batch/cask)", "Pastes", geometry={"batch": "noncentered"}),
    "nested_dense": Case("strength ~ 1 + (1 | batch/cask)", "Pastes"),
    "no_fixed_effects": Case("y ~ 0 + (1 | a)", "small"),
    "cell_means": Case("y ~ 0 + f + (1 | a)", "small"),
    "ar1": Case("y ~ x + ar1(0 + f | a)", "small"),
    "cs": Case("y ~ x + cs(0 + f | a)", "small"),
    "cs_homogeneous": Case("y ~ x + cs(0 + f | a, hom = TRUE)", "small", form="conditional"),
    "diag_homogeneous": Case("y ~ x + diag(0 + f | a, hom = TRUE) + (1 | a)", "small"),
    "weights": Case("y ~ x + (x | a) + (1 | b)", "small", weights="w"),
    "weights_one": Case("y ~ x + (1 | a)", "small", weights="w", offset="o"),
    "weights_conditional": Case("y ~ x + (1 | a)", "small", form="conditional", weights="w", offset="o"),
    "weights_regression": Case("y ~ 1", "small", weights="w"),
    "offset": Case("y ~ x + offset(o) + (1 | a)", "small"),
    "offset_alone": Case("y ~ 0 + offset(o) + (1 | a)", "small", form="conditional"),
    "priors_uniform": Case(
        "y ~ x + (x | group)\nsd ~ uniform(0, 100)\nsigma ~ uniform(0, 100)\nb ~ normal(0, 10)", "coffee"
    ),
    "priors_mixed": Case(
        "y ~ x + z + (x | a)\nb ~ normal(0, 1)\nb[z] ~ student_t(4, 1, 2)\nsd[a] ~ exponential(1)\n"
        "sd[a, x] ~ uniform(0, 5)\ncor ~ lkj(4)\nsigma ~ lognormal(0, 1)\nIntercept ~ cauchy(0, 10)",
        "small",
        literals=True,
    ),
    "sums_slope": Case("Reaction ~ Days + (Days | Subject)", "sleepstudy", data_form="crossproducts"),
    "sums_weights": Case("y ~ x + (1 | a) + (z | b)", "small", weights="w", offset="o", data_form="crossproducts"),
    "sums_nested": Case("strength ~ 1 + (1 | batch/cask)", "Pastes", data_form="crossproducts"),
    "sums_nested_sampled": Case(
        "strength ~ 1 + (1 | batch/cask)", "Pastes", geometry={"batch": "centered"}, data_form="crossproducts"
    ),
    "hostile": Case("data ~ `lambda` + y.1 + (`lambda` | `Größe\\n*/ }`) + (1 | 温度)", "hostile", weights="real"),
}

BOTH = Extra(log_lik=True, y_rep=True)

FAMILIES: dict[str, Case] = {
    "bernoulli": Case("choice ~ x + (x | a)", "counts", family=Family("binomial", "logit")),
    "bernoulli_probit": Case("binary ~ x + (1 | a)", "counts", family=Family("binomial", "probit")),
    "bernoulli_no_predictors": Case("binary ~ 1 + (1 | a)", "counts", family=Family("binomial", "logit"), extra=BOTH),
    "bernoulli_cloglog": Case("choice ~ x + (1 | a)", "counts", family=Family("binomial", "cloglog"), extra=BOTH),
    "binomial": Case("cbind(successes, failures) ~ x + (1 | a)", "counts", family=Family("binomial", "logit")),
    "binomial_probit": Case(
        "successes/trials ~ x + (1 | a)", "counts", family=Family("binomial", "probit"), weights="trials"
    ),
    "binomial_cloglog": Case(
        "cbind(successes, failures) ~ x + (1 | a)", "counts", family=Family("binomial", "cloglog"), extra=BOTH
    ),
    "poisson": Case("count ~ x + offset(o) + (x | a) + (1 | b)", "counts", family=Family("poisson", "log")),
    "poisson_regression": Case("count ~ x", "counts", family=Family("poisson", "log")),
    "poisson_centered": Case(
        "count ~ x + (x | a)", "counts", family=Family("poisson", "log"), geometry={"a": "centered"}
    ),
    "poisson_prior": Case(
        "count ~ x + (1 | a)", "counts", family=Family("poisson", "log"), extra=Extra(prior_only=True, y_rep=True)
    ),
    "negbinomial": Case(
        "count ~ x + (1 | a)\nshape ~ exponential(1)", "counts", family=Family("negbinomial", "log"), extra=BOTH
    ),
    "student": Case("y ~ x + (1 | a)", "counts", family=Family("student", "identity"), extra=BOTH),
    "student_weights": Case(
        "y ~ x + (1 | a)", "counts", family=Family("student", "identity"), weights="w", offset="o", extra=BOTH
    ),
    "gamma": Case("positive ~ x + (1 | a)", "counts", family=Family("Gamma", "log"), extra=BOTH),
    "lognormal": Case("positive ~ x + (1 | a)", "counts", family=Family("lognormal", "identity"), extra=BOTH),
    "lognormal_weights": Case(
        "positive ~ x + (1 | a)", "counts", family=Family("lognormal", "identity"), weights="w", extra=BOTH
    ),
    "beta": Case("share ~ x + (1 | a)", "counts", family=Family("beta", "logit"), extra=BOTH),
    "zero_inflated_poisson": Case(
        "count ~ x + (1 | a)", "counts", family=Family("zero_inflated_poisson", "log"), extra=BOTH
    ),
    "zero_inflated_negbinomial": Case(
        "count ~ x + (1 | a)", "counts", family=Family("zero_inflated_negbinomial", "log"), extra=BOTH
    ),
    "cumulative": Case("rating ~ x + f + (x | a)", "counts", family=Family("cumulative", "logit")),
    "cumulative_regression": Case("rating ~ x + f", "counts", family=Family("cumulative", "logit"), extra=BOTH),
    "cumulative_no_predictors": Case(
        "rating ~ 1 + (1 | a)\nIntercept ~ normal(0, 2)\ncutpoint[2] ~ normal(0, 1)",
        "counts",
        family=Family("cumulative", "logit"),
        extra=BOTH,
    ),
    "cumulative_probit": Case(
        "rating ~ x + offset(o) + (x | a)",
        "counts",
        family=Family("cumulative", "probit"),
        geometry={"a": "centered"},
    ),
    "cumulative_cloglog": Case("rating ~ x + (1 | a)", "counts", family=Family("cumulative", "cloglog"), extra=BOTH),
    "cumulative_prior": Case(
        "rating ~ x + (1 | a)",
        "counts",
        family=Family("cumulative", "probit"),
        extra=Extra(prior_only=True, y_rep=True),
    ),
    "shares": Case("share ~ x + (1 | a)", "counts", family=Family("binomial", "logit"), extra=BOTH),
    "shares_probit": Case("share ~ x + (1 | a)", "counts", family=Family("binomial", "probit"), weights="trials"),
    "shares_cloglog": Case("share ~ x + (1 | a)", "counts", family=Family("binomial", "cloglog")),
    "loglik_weights": Case("y ~ x + (x | a)", "small", loglik_weights="w", extra=BOTH),
    "loglik_weights_poisson": Case(
        "count ~ x + (1 | a)", "counts", family=Family("poisson", "log"), loglik_weights="w", extra=BOTH
    ),
    "loglik_weights_cumulative": Case(
        "rating ~ x + (1 | a)", "counts", family=Family("cumulative", "logit"), loglik_weights="w"
    ),
    "log_lik": Case("y ~ x + (x | a)", "small", weights="w", offset="o", extra=BOTH),
    "log_lik_conditional": Case("y ~ x + (x | a)", "small", form="conditional", weights="w", extra=BOTH),
}
"""Models of other families, and what programs generate on request."""

EVERY = CASES | FAMILIES


def frame(name: str) -> pd.DataFrame:
    """Return the data of a case."""
    return FRAMES[name]() if name in FRAMES else dataset(name)


@cache
def design_of(name: str) -> Design:
    """Return the design of a case."""
    case = EVERY[name]
    options = {"weights": case.weights, "loglik_weights": case.loglik_weights, "offset": case.offset}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*trials", FitWarning)  # shares that are meant here
        return design(case.text, frame(case.data), case.family, **options)[1]


@cache
def program_of(name: str) -> StanProgram:
    """Return the program of a case."""
    case = EVERY[name]
    return stan_program(
        replace(model(case.text), family=case.family),
        design_of(name),
        form=case.form,
        data_form=case.data_form,
        literals=case.literals,
        geometry=case.geometry,
        extra=case.extra,
    )


def flat_program(name: str, form: str) -> Program:
    """Return the program of a case without any prior: its likelihood alone."""
    case = CASES[name]
    # what the conditional form samples in some geometry, the marginal one integrates out
    geometry = {} if (form, case.form) == ("marginal", "conditional") else case.geometry
    return lower_program(model(case.text), design_of(name), form=form, flat=True, geometry=geometry)[0]
