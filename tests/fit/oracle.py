"""The criterion written down naively, n x n, and designs to try it on: what every strategy must agree with."""

import math

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.covariances.structure import Covariance
from lmmformula.covariances.table import covariance
from lmmformula.covariances.unstructured import UNSTRUCTURED
from lmmformula.design.design import Design, RandomTermDesign
from lmmformula.design.rows import Rows, TermRows


def make_term(
    group: str, codes: IntArray, covariates: list[FloatArray], covariance: Covariance = UNSTRUCTURED
) -> RandomTermDesign:
    """Build one random term by hand; levels that do not occur are dropped."""
    levels, codes = np.unique(codes, return_inverse=True)
    names = tuple(f"c{j}" for j in range(len(covariates)))
    columns = np.asfortranarray(np.column_stack(covariates).astype(float))
    rows = TermRows(codes.astype(np.intp), columns)
    return RandomTermDesign(group, tuple(map(str, levels)), names, rows, covariance)


def make_design(
    y: FloatArray,
    X: list[FloatArray],
    terms: list[RandomTermDesign],
    weights: FloatArray | None = None,
    offset: FloatArray | None = None,
) -> Design:
    """Build a design by hand."""
    n, p = len(y), len(X)
    columns = np.asfortranarray(np.column_stack(X).astype(float)) if X else np.empty((n, 0), order="F")
    return Design(
        rows=Rows(np.asarray(y, dtype=float), columns, np.arange(n), weights, offset),
        fixed_names=tuple(f"x{j}" for j in range(p)),
        fixed_assign=tuple(range(p)),
        fixed_terms=tuple(f"x{j}" for j in range(1, p)),
        dropped_names=(),
        random_terms=tuple(sorted(terms, key=lambda term: -term.n_levels)),
        response_name="y",
        n_given=n,
    )


def dense_Z(design: Design) -> list[FloatArray]:
    """Return per term the (n, J, k) random-effects matrix."""
    out = []
    for term in design.random_terms:
        Z = np.zeros((design.nobs, term.n_levels, term.n_coefficients))
        Z[np.arange(design.nobs), term.codes] = term.covariates
        out.append(Z)
    return out


def marginal(design: Design, covariances: list[FloatArray]) -> FloatArray:
    """Return V = Z Sigma Z' + diag(1 / weights), (n, n)."""
    w = np.ones(design.nobs) if design.weights is None else design.weights
    V = np.diag(1 / w)
    for Z, S in zip(dense_Z(design), covariances, strict=True):
        V += np.einsum("ija,ab,ljb->il", Z, S, Z, optimize=True)
    return V


def criterion(design: Design, covariances: list[FloatArray], *, reml: bool, sigma: float | None = None) -> float:
    """Return -2 log (restricted) likelihood from explicit inverses; sigma is profiled out unless it is given."""
    V = marginal(design, covariances)
    y = design.y if design.offset is None else design.y - design.offset
    inverse = np.linalg.inv(V)
    XVX = design.X.T @ inverse @ design.X
    beta = np.linalg.solve(XVX, design.X.T @ inverse @ y)
    r = y - design.X @ beta
    r2 = float(r @ inverse @ r)
    m = design.nobs - (design.n_fixed if reml else 0)
    variance = r2 / m if sigma is None else sigma**2
    value = np.linalg.slogdet(V)[1] + m * math.log(2 * math.pi * variance) + r2 / variance
    return float(value + (np.linalg.slogdet(XVX)[1] if reml else 0.0))


def covariance_of(k: int, rng: np.random.Generator, rank: int | None = None) -> FloatArray:
    """Return a random (k, k) covariance matrix, singular if its rank is less than k."""
    A = rng.normal(size=(k, k if rank is None else rank)) * 0.7
    return A @ A.T


def example(name: str, seed: int = 1) -> Design:
    """Return a small design by name, each with a structure that some strategy is made for."""
    rng = np.random.default_rng(seed)
    n = 120
    one, x, z = np.ones(n), rng.normal(size=n) + 2, rng.normal(size=n)
    a, b, c = rng.integers(0, 14, n), rng.integers(0, 9, n), rng.integers(0, 4, n)
    school, room = a // 5, a
    y = 3 + x + rng.normal(size=14)[a] + x * rng.normal(size=14)[a] * 0.5 + rng.normal(size=9)[b] + rng.normal(size=n)
    w = rng.uniform(0.5, 2.0, n)
    designs = {
        "intercept": lambda: make_design(y, [one, x], [make_term("a", a, [one])]),
        "slope": lambda: make_design(y, [one, x], [make_term("a", a, [one, x])], weights=w),
        "three": lambda: make_design(y, [one, x], [make_term("a", a, [one, x, z])], offset=0.3 * z),
        "no fixed effects": lambda: make_design(y, [], [make_term("a", a, [one, x])]),
        "uncorrelated": lambda: make_design(y, [one, x], [make_term("a", a, [one]), make_term("a", a, [x, z])]),
        "diagonal": lambda: make_design(y, [one, x], [make_term("a", a, [one, x], covariance("diag"))]),
        "crossed": lambda: make_design(y, [one, x], [make_term("a", a, [one]), make_term("b", b, [one])], weights=w),
        "crossed slopes": lambda: make_design(
            y, [one, x], [make_term("a", a, [one, x]), make_term("b", b, [one, z]), make_term("c", c, [one])]
        ),
        "nested": lambda: make_design(
            y, [one, x], [make_term("room", room, [one, x]), make_term("school", school, [one, z])]
        ),
        "nested three": lambda: make_design(
            y,
            [one, x],
            [
                make_term("seat", 3 * a + c % 3, [one]),
                make_term("room", a, [one, x]),
                make_term("school", school, [one]),
            ],
        ),
        "nested and crossed": lambda: make_design(
            y,
            [one, x],
            [make_term("room", room, [one, x]), make_term("school", school, [one]), make_term("b", b, [one])],
        ),
    }
    return designs[name]()


EXAMPLES = (
    "intercept",
    "slope",
    "three",
    "no fixed effects",
    "uncorrelated",
    "diagonal",
    "crossed",
    "crossed slopes",
    "nested",
    "nested three",
    "nested and crossed",
)
