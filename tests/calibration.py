"""
Small models of every form and family, simulated in numpy: parameters from their priors, responses from parameters.

By what prior statements and formulas say; nothing here comes from the programs that are held to it. Then, whether ranks
are uniform.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit

LEVELS = {"g": 8, "h": 3}
ROWS = 48

Values = dict[str, np.ndarray]
"""Quantity -> (draws, ...) its values."""


def rows() -> pd.DataFrame:
    """Return predictors, crossed factors g and h, p within which g is nested, and weights, trials and an offset."""
    rng, n = np.random.default_rng(70), np.arange(ROWS)
    return pd.DataFrame(
        {
            "x": rng.normal(0.5, 1.0, ROWS),
            "z": rng.normal(size=ROWS),
            "g": pd.Categorical(n % LEVELS["g"]),
            "h": pd.Categorical(n // LEVELS["g"] % LEVELS["h"]),
            "w": rng.uniform(0.5, 2.0, ROWS),
            "o": rng.normal(scale=0.5, size=ROWS),
            "trials": 6,
        }
    )


FRAME = rows()
PRIORS: dict[str, tuple[Any, ...]] = {
    "Intercept": ("normal", 0.5, 1.0),
    "b": ("student_t", 7, 0.2, 0.5),
    "sd": ("gamma", 5, 7),
    "cor": ("lkj", 3),
    "sigma": ("lognormal", -0.5, 0.4),
    "nu": ("gamma", 4, 0.5),
    "shape": ("gamma", 6, 2),
    "phi": ("gamma", 20, 2),
    "zi": ("uniform", 0.1, 0.6),
    "cutpoint": ("normal", 0.2, 1.5),
}
"""Parameter -> distribution and its numbers, as Stan parametrises them."""
DISTRIBUTIONS: dict[str, Callable[..., float]] = {
    "normal": lambda rng, location, scale: rng.normal(location, scale),
    "student_t": lambda rng, df, location, scale: location + scale * rng.standard_t(df),
    "gamma": lambda rng, shape, rate: rng.gamma(shape, 1 / rate),
    "exponential": lambda rng, rate: rng.exponential(1 / rate),
    "lognormal": lambda rng, location, scale: rng.lognormal(location, scale),
    "uniform": lambda rng, lower, upper: rng.uniform(lower, upper),
}


def zero_inflated(density: np.ndarray, y: np.ndarray, zi: np.ndarray) -> np.ndarray:
    """Return the log density of counts of which some are zero for another reason."""
    return np.log(zi * (y == 0) + (1 - zi) * np.exp(density))


def negbinomial(y: np.ndarray, eta: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Return the log density of counts with mean exp(eta) and variance mean + mean^2 / shape."""
    return stats.nbinom.logpmf(y, shape, shape / (shape + np.exp(eta)))


def below(eta: np.ndarray, cutpoint: np.ndarray) -> np.ndarray:
    """Return the probability of each category or a lower one: (draws, rows, categories)."""
    bounds = expit(cutpoint[:, np.newaxis] - eta[..., np.newaxis])
    return np.concatenate([bounds, np.ones((*eta.shape, 1))], axis=-1)


def ordinal(y: np.ndarray, eta: np.ndarray, cutpoint: np.ndarray) -> np.ndarray:
    """Return the log probability of categories 1, 2, ..."""
    share = np.diff(below(eta, cutpoint), prepend=0.0)
    return np.log(share[:, np.arange(len(y)), y - 1])


@dataclass(frozen=True)
class Response:
    """
    A family: its parameters, how to draw a response with linear predictor eta, and its log density.

    name : of the family for `lf.Model`
    draw : (rng, eta, parameters) -> (draws, rows); parameters are (draws, 1), cutpoints (draws, categories - 1)
    log_density : (y, eta, parameters) -> (draws, rows), of one response y
    placeholder : two values that a response may have
    categories : their number, of an ordinal response: it has cutpoints, and no intercept
    """

    name: Any
    parameters: tuple[str, ...]
    draw: Callable[[np.random.Generator, np.ndarray, Values], np.ndarray]
    log_density: Callable[[np.ndarray, np.ndarray, Values], np.ndarray]
    placeholder: tuple[float, float] = (1.0, 2.0)
    categories: int = 0


TRIALS = FRAME.trials.to_numpy()
ROOT_W = np.sqrt(FRAME.w.to_numpy())
RESPONSES = {
    "gaussian": Response(
        "gaussian",
        ("sigma",),
        lambda rng, eta, p: rng.normal(eta, p["sigma"]),
        lambda y, eta, p: stats.norm.logpdf(y, eta, p["sigma"]),
    ),
    "weighted": Response(
        "gaussian",
        ("sigma",),
        lambda rng, eta, p: rng.normal(eta, p["sigma"] / ROOT_W),
        lambda y, eta, p: stats.norm.logpdf(y, eta, p["sigma"] / ROOT_W),
    ),
    "bernoulli": Response(
        "binomial",
        (),
        lambda rng, eta, _: rng.binomial(1, expit(eta)),
        lambda y, eta, _: stats.bernoulli.logpmf(y, expit(eta)),
        placeholder=(0.0, 1.0),
    ),
    "binomial": Response(
        "binomial",
        (),
        lambda rng, eta, _: rng.binomial(TRIALS, expit(eta)),
        lambda y, eta, _: stats.binom.logpmf(y, TRIALS, expit(eta)),
    ),
    "poisson": Response(
        "poisson",
        (),
        lambda rng, eta, _: rng.poisson(np.exp(eta)),
        lambda y, eta, _: stats.poisson.logpmf(y, np.exp(eta)),
    ),
    "negbinomial": Response(
        "negbinomial",
        ("shape",),
        lambda rng, eta, p: rng.poisson(np.exp(eta) * rng.gamma(p["shape"], 1 / p["shape"], eta.shape)),
        lambda y, eta, p: negbinomial(y, eta, p["shape"]),
    ),
    "student": Response(
        "student",
        ("sigma", "nu"),
        lambda rng, eta, p: eta + p["sigma"] * rng.standard_t(p["nu"], eta.shape),
        lambda y, eta, p: stats.t.logpdf(y, p["nu"], eta, p["sigma"]),
    ),
    "Gamma": Response(
        "Gamma(log)",
        ("shape",),
        lambda rng, eta, p: rng.gamma(p["shape"], np.exp(eta) / p["shape"]),
        lambda y, eta, p: stats.gamma.logpdf(y, p["shape"], scale=np.exp(eta) / p["shape"]),
    ),
    "lognormal": Response(
        "lognormal",
        ("sigma",),
        lambda rng, eta, p: rng.lognormal(eta, p["sigma"]),
        lambda y, eta, p: stats.lognorm.logpdf(y, p["sigma"], scale=np.exp(eta)),
    ),
    "beta": Response(
        "beta",
        ("phi",),
        lambda rng, eta, p: rng.beta(p["phi"] * expit(eta), p["phi"] * expit(-eta)),
        lambda y, eta, p: stats.beta.logpdf(y, p["phi"] * expit(eta), p["phi"] * expit(-eta)),
        placeholder=(0.4, 0.6),
    ),
    "zero_inflated_poisson": Response(
        "zero_inflated_poisson",
        ("zi",),
        lambda rng, eta, p: rng.poisson(np.exp(eta)) * (rng.random(eta.shape) > p["zi"]),
        lambda y, eta, p: zero_inflated(stats.poisson.logpmf(y, np.exp(eta)), y, p["zi"]),
    ),
    "cumulative": Response(
        "cumulative",
        ("cutpoint",),
        lambda rng, eta, p: 1 + np.sum(rng.random((*eta.shape, 1)) > below(eta, p["cutpoint"]), axis=-1),
        lambda y, eta, p: ordinal(y, eta, p["cutpoint"]),
        categories=3,
    ),
    "zero_inflated_negbinomial": Response(
        "zero_inflated_negbinomial",
        ("shape", "zi"),
        lambda rng, eta, p: (
            rng.poisson(np.exp(eta) * rng.gamma(p["shape"], 1 / p["shape"], eta.shape))
            * (rng.random(eta.shape) > p["zi"])
        ),
        lambda y, eta, p: zero_inflated(negbinomial(y, eta, p["shape"]), y, p["zi"]),
    ),
}


@dataclass(frozen=True)
class Small:
    """
    A model small enough to be fitted hundreds of times.

    random : columns and grouping factor of each random term, as the formula has them
    response : its entry among `RESPONSES`
    slopes : its predictors
    form, geometry : of its program
    priors : where they differ from `PRIORS`
    options : of `lf.Model`
    """

    formula: str
    random: tuple[tuple[tuple[str, ...], str], ...]
    response: str = "gaussian"
    form: str = "auto"
    geometry: dict[str, str] = field(default_factory=dict)
    priors: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    slopes: tuple[str, ...] = ("x",)

    @property
    def family(self) -> Response:
        """The distribution of the response."""
        return RESPONSES[self.response]

    @property
    def predictors(self) -> tuple[str, ...]:
        """The columns of X."""
        return self.slopes if self.family.categories else ("1", *self.slopes)

    @property
    def prior(self) -> dict[str, tuple[Any, ...]]:
        """The prior of each parameter that the model has."""
        own = {"b", "sd", *self.family.parameters} | ({"Intercept"} if "1" in self.predictors else set())
        if any(len(columns) > 1 for columns, _ in self.random):
            own.add("cor")
        return {name: prior for name, prior in (PRIORS | self.priors).items() if name in own}

    @property
    def text(self) -> str:
        """Formula and prior statements."""
        lines = (f"{name} ~ {prior[0]}({', '.join(map(str, prior[1:]))})" for name, prior in self.prior.items())
        return "\n".join([self.formula, *lines])


INTERCEPTS = ((("1",), "g"),)
SLOPES = ((("1", "x"), "g"),)
CROSSED = ((("1",), "g"), (("1",), "h"))
NARROW = {"sd": ("gamma", 20, 25)}
"""Standard deviations away from zero, where the centred geometry belongs."""
MIDDLE = {"Intercept": ("normal", 0.2, 0.4), "b": ("normal", 0.1, 0.3), "sd": ("gamma", 20, 50)}
"""Shares so far from 0 and 1 that none is rounded to them."""
MODELS = {
    "marginal, intercepts": Small("y ~ x + (1 | g)", INTERCEPTS, priors={"sd": ("exponential", 1.5)}),
    "marginal, slopes": Small("y ~ x + (x | g)", SLOPES),
    "marginal, three coefficients": Small("y ~ x + z + (x + z | g)", ((("1", "x", "z"), "g"),), slopes=("x", "z")),
    "marginal, weights and offset": Small(
        "y ~ x + (x | g)", SLOPES, "weighted", options={"weights": "w", "offset": "o"}
    ),
    "marginal, crossed": Small("y ~ x + (1 | g) + (1 | h)", CROSSED),
    "marginal, crossed, one summing to zero": Small(
        "y ~ x + (1 | g) + (1 | h)", CROSSED, geometry={"h": "centered"}, priors=NARROW
    ),
    "marginal, crossed, one non-centred": Small(
        "y ~ x + (x | g) + (1 | h)", (*SLOPES, (("1",), "h")), geometry={"h": "noncentered"}
    ),
    "conditional, non-centred": Small("y ~ x + (x | g)", SLOPES, form="conditional", geometry={"g": "noncentered"}),
    "conditional, centred": Small(
        "y ~ x + (x | g)", SLOPES, form="conditional", geometry={"g": "centered"}, priors=NARROW
    ),
    "conditional, crossed, summing to zero": Small(
        "y ~ x + (1 | g) + (1 | h)",
        CROSSED,
        form="conditional",
        geometry={"g": "centered", "h": "centered"},
        priors=NARROW,
    ),
    "bernoulli": Small("y ~ x + (1 | g)", INTERCEPTS, "bernoulli"),
    "binomial": Small("y/trials ~ x + (x | g)", SLOPES, "binomial", options={"weights": "trials"}),
    "poisson": Small("y ~ x + (1 | g)", INTERCEPTS, "poisson", options={"offset": "o"}),
    "poisson, centred": Small("y ~ x + (x | g)", SLOPES, "poisson", geometry={"g": "centered"}, priors=NARROW),
    "beta": Small("y ~ x + (1 | g)", INTERCEPTS, "beta", priors=MIDDLE),
    **{
        name: Small("y ~ x + (1 | g)", INTERCEPTS, name)
        for name in (
            "negbinomial", "student", "Gamma", "lognormal",
            "zero_inflated_poisson", "zero_inflated_negbinomial", "cumulative",
        )
    },
}  # fmt: skip


# --- parameters and data, simulated ---------------------------------------------------------------------------------


def lkj(rng: np.random.Generator, k: int, eta: float) -> np.ndarray:
    """Draw a (k, k) correlation matrix, k <= 3, from partial correlations (Lewandowski et al. 2009, section 2.4)."""
    partial = {
        (i, j): 2 * rng.beta(shape, shape) - 1
        for i in range(k)
        for j in range(i + 1, k)
        for shape in [eta + (k - 2 - i) / 2]
    }
    cor = np.eye(k)
    for (i, j), value in partial.items():
        first = [cor[0, i] * cor[0, j], np.sqrt((1 - cor[0, i] ** 2) * (1 - cor[0, j] ** 2))] if i else [0.0, 1.0]
        cor[i, j] = cor[j, i] = first[0] + value * first[1]
    return cor


def columns_of(names: tuple[str, ...]) -> np.ndarray:
    """(rows, k) columns by name; "1" is the constant."""
    return np.column_stack([np.ones(ROWS) if name == "1" else FRAME[name].to_numpy() for name in names])


def linear_predictor(case: Small, values: Values) -> np.ndarray:
    """Return (draws, rows) X beta + Z u + offset."""
    eta = values["beta"] @ columns_of(case.predictors).T
    for t, (names, group) in enumerate(case.random):
        eta = eta + np.sum(columns_of(names) * values[f"u{t}"][:, FRAME[group].cat.codes], axis=-1)
    return eta + FRAME.o.to_numpy() if "offset" in case.options else eta


def simulate(case: Small, rng: np.random.Generator) -> tuple[Values, np.ndarray]:
    """Draw all parameters from their priors, as one draw, and a response from them."""

    def draw(name: str) -> float:
        distribution, *numbers = case.prior[name]
        value = DISTRIBUTIONS[distribution](rng, *numbers)
        return draw(name) if name == "nu" and value < 1 else value  # where its range begins

    slopes = np.array([draw("b") for _ in case.slopes])
    shift = columns_of(case.slopes).mean(axis=0) @ slopes  # intercept and cutpoints are at the predictors' means
    values = {"beta": slopes if case.family.categories else np.array([draw("Intercept") - shift, *slopes])}
    for t, (names, group) in enumerate(case.random):
        sds = np.array([draw("sd") for _ in names])
        cor = lkj(rng, len(names), case.prior["cor"][1]) if len(names) > 1 else np.eye(1)
        noise = rng.standard_normal((LEVELS[group], len(names)))
        values |= {f"sd{t}": sds, f"cor{t}": cor, f"u{t}": noise @ np.linalg.cholesky(cor).T * sds}
    for name in case.family.parameters:
        count = max(case.family.categories - 1, 1)
        values[name] = np.sort([draw(name) for _ in range(count)]) + (shift if name == "cutpoint" else 0.0)
    values = {name: value[np.newaxis] for name, value in values.items()}
    own = {name: values[name] for name in case.family.parameters}
    return values, case.family.draw(rng, linear_predictor(case, values), own)[0]


# --- uniform ranks ---------------------------------------------------------------------------------------------------


def uniformity(ranks: np.ndarray, n_ranks: int) -> float:
    """
    Return the p-value that ranks are uniform on 0 ... n_ranks - 1, by the simultaneous bands of their ECDF.

    The number of ranks below each value is binomial; the statistic is the smallest two-sided tail probability of these
    numbers, and the p-value the probability that uniform ranks have one as small, by recursion over the values.
    Säilynoja, Bürkner and Vehtari (2022), Statistics and Computing 32:32, section 2.2 (there with interpolated bands).
    """
    n = len(ranks)
    below = np.cumsum(np.bincount(ranks, minlength=n_ranks))[:-1]
    tails = _tails(n, n_ranks)
    limit = tails[np.arange(n_ranks - 1), below].min()
    inside = np.eye(1, n + 1)[0]
    for step, row in zip(_steps(n, n_ranks), tails, strict=True):
        inside = np.where(row > limit * (1 + 1e-9), inside @ step, 0.0)
    return float(1 - inside.sum())


@cache
def _tails(n: int, n_ranks: int) -> np.ndarray:
    """Tabulate two-sided tail probabilities: (n_ranks - 1, n + 1), of each number below each value."""
    counts = np.arange(n + 1)
    shares = np.arange(1, n_ranks)[:, np.newaxis] / n_ranks
    lower, upper = stats.binom.cdf(counts, n, shares), stats.binom.sf(counts - 1, n, shares)
    return np.minimum(1.0, 2 * np.minimum(lower, upper))


@cache
def _steps(n: int, n_ranks: int) -> np.ndarray:
    """Tabulate how the number below one value becomes that below the next: (n_ranks - 1, n + 1, n + 1)."""
    counts = np.arange(n + 1)
    more = counts - counts[:, np.newaxis]
    shares = 1 / (n_ranks - np.arange(n_ranks - 1))[:, np.newaxis, np.newaxis]
    return stats.binom.pmf(more, n - counts[:, np.newaxis], shares)
