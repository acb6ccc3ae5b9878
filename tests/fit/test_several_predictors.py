"""Laplace's criterion of models with several linear predictors: its gradient against differences."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from lmmformula.covariances.unstructured import UNSTRUCTURED
from lmmformula.families.beta import Beta
from lmmformula.families.binomial import Binomial
from lmmformula.families.family import Family, Observed
from lmmformula.families.gamma import Gamma
from lmmformula.families.gaussian import Gaussian
from lmmformula.families.lognormal import Lognormal
from lmmformula.families.negbinomial import NegativeBinomial
from lmmformula.families.poisson import Poisson
from lmmformula.families.student import Student
from lmmformula.families.zero_inflated import ZeroInflatedNegativeBinomial, ZeroInflatedPoisson
from lmmformula.fit.algebra.plan import Structure, elimination_of
from lmmformula.fit.algebra.rows import Grouping, RowSums
from lmmformula.fit.likelihood.laplace import laplace
from lmmformula.fit.likelihood.target import CurvatureKind, Predictor, Target
from lmmformula.fit.search.covariances import Parameters

N = 160
STEP = 1e-4

Factors = Sequence[tuple[int, Sequence[int]]]
"""Levels, and the predictor that each coefficient belongs to."""


def response(family: Family, eta: np.ndarray, rng: np.random.Generator) -> Observed:
    """Draw a response."""
    trials = np.full(N, 5.0) if isinstance(family, Binomial) else 1.0
    own = {"sigma": 0.7, "nu": 6.0, "shape": 2.0, "phi": 6.0, "zi": 0.2}
    return Observed(family.draw(eta, own, rng, trials), trials)


def target(
    family: Family,
    factors: Factors,
    *,
    structure: str = "dense",
    columns: int = 1,
    counted: CurvatureKind = "observed",
    seed: int = 3,
    weights: str = "",
) -> tuple[Target, np.ndarray]:
    """Return a model with random columns and a point."""
    rng = np.random.default_rng(seed)
    groups = []
    for number, (levels, predictors) in enumerate(factors):
        fine = np.arange(N) % 24
        codes = {"nested": fine // (4**number)}.get(structure, rng.integers(0, levels, N))
        Z = np.array([np.ones(N) if i == 0 else rng.normal(size=N) for i in range(len(predictors))])
        sizes = (len(predictors),)
        groups.append(Grouping((number,), sizes, codes.astype(np.intp), Z, int(codes.max()) + 1, tuple(predictors)))
    rows = RowSums.of(groups)
    X = np.column_stack([np.ones(N), rng.normal(size=N)])
    observed = response(family, 0.4 + 0.3 * X[:, 1] + 0.4 * rng.normal(size=N), rng)
    if weights:
        observed = Observed(observed.y, observed.trials, **{weights: rng.uniform(0.5, 2, N)})
    gram = rows.gram({(j, k): np.ones(N) for j in range(3) for k in range(j, 3)})
    elimination = elimination_of(gram, Structure(structure, ""), often=False)
    parameters = Parameters(tuple((UNSTRUCTURED.free_map(len(p)),) for _, p in factors))
    others = [Predictor(X if columns > 1 else np.ones((1, 1))) for _ in family.parameters]
    made = Target(family, observed, (Predictor(X, 0.1 * X[:, 1]), *others), rows, elimination, "", parameters, counted)
    start = {"zi": -1.0}
    own = [np.append(start.get(p.name, 0.5), [0.1] * (columns - 1)) for p in family.parameters]
    return made, np.concatenate([rng.normal(0.3, 0.4, parameters.size), [0.1, 0.2], *own])


def check(model: Target, x: np.ndarray) -> None:
    """Compare gradient and differences of fourth order."""
    point = laplace(model, x, model.nothing())

    def value(step: np.ndarray) -> float:
        return laplace(model, x + step, point.mode.a).value

    steps = STEP * np.eye(len(x))
    slopes = [(8 * (value(e) - value(-e)) - (value(2 * e) - value(-2 * e))) / (12 * STEP) for e in steps]
    np.testing.assert_allclose(point.gradient, slopes, rtol=3e-8, atol=3e-8)


TWO: Factors = [(30, [0, 0]), (7, [0])]


@pytest.mark.parametrize("structure", ["dense", "crossed", "sparse", "nested"])
@pytest.mark.parametrize("family", [Poisson(), Binomial("probit"), NegativeBinomial()], ids=lambda f: f.name)
def test_gradient_by_every_elimination(family: Family, structure: str) -> None:
    """However M is factorised, the gradient is that of the criterion."""
    check(*target(family, TWO, structure=structure))


FAMILIES: list[Callable[[], Family]] = [
    *(lambda link=link: Binomial(link) for link in ("logit", "cloglog", "cauchit")),
    lambda: Poisson("sqrt"),
    NegativeBinomial,
    Gamma,
    Beta,
    Student,
    Lognormal,
    Gaussian,
]


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("counted", ["observed", "expected"])
@pytest.mark.parametrize("make", FAMILIES)
def test_gradient_of_every_family(make: Callable[[], Family], counted: CurvatureKind, columns: int) -> None:
    """With observed and with expected weights, parameters of the family with one column or two."""
    check(*target(make(), [(12, [0, 0])], structure="single", counted=counted, columns=columns))


@pytest.mark.parametrize(
    ("make", "factors"),
    [
        (NegativeBinomial, [(12, [0, 1]), (7, [0])]),
        (NegativeBinomial, [(12, [1])]),
        (Gaussian, [(12, [1, 1]), (7, [0])]),
        (ZeroInflatedPoisson, [(12, [0, 1]), (7, [1])]),
        (ZeroInflatedNegativeBinomial, [(12, [0, 1, 2])]),
        (Beta, [(12, [0, 1])]),
    ],
)
@pytest.mark.parametrize("structure", ["dense", "crossed"])
def test_gradient_with_random_effects_in_several_predictors(
    make: Callable[[], Family], factors: Factors, structure: str
) -> None:
    """Random effects in any predictor, correlated across them where they share a factor."""
    ways = structure if len(factors) > 1 else "single"
    check(*target(make(), factors, structure=ways, columns=2))


@pytest.mark.parametrize(
    ("make", "weights"), [(NegativeBinomial, "factors"), (Binomial, "factors"), (Student, "precision")]
)
def test_gradient_with_weights(make: Callable[[], Family], weights: str) -> None:
    """Factors of the rows' log densities, and weights by whose roots sigma is divided."""
    check(*target(make(), TWO, weights=weights))
