import numpy as np
import pytest

from fit.oracle import EXAMPLES, covariance_of, criterion, dense_Z, example, marginal
from lmmformula.covariances.matrices import square_root
from lmmformula.design.design import Design
from lmmformula.design.sums.crossproducts import cross_products
from lmmformula.design.sums.records import CrossProducts
from lmmformula.fit.algebra.gram import gram_of
from lmmformula.fit.algebra.nested import chain_of
from lmmformula.fit.algebra.plan import Structure
from lmmformula.fit.reml.objective import Objective, Point
from lmmformula.fit.reml.profiled import objective_for

STRATEGIES = {
    "single": lambda products: len(products.factors) == 1,
    "dense": lambda products: True,  # noqa: ARG005
    "crossed": lambda products: len(products.factors) > 1,
    "sparse": lambda products: len(products.factors) > 1,
    "nested": lambda products: chain_of(gram_of(products)) is not None,
}
DIFFERENCE = {-3: -1 / 60, -2: 3 / 20, -1: -3 / 4, 1: 3 / 4, 2: -3 / 20, 3: 1 / 60}
"""Steps and weights of a central difference of order six."""
CASES = [
    (name, strategy)
    for name in EXAMPLES
    for strategy, fits in STRATEGIES.items()
    if fits(cross_products(example(name)))
]


def roots_at(products: CrossProducts, inner: list[np.ndarray]) -> list[np.ndarray]:
    """Return block-diagonal square roots of the terms' covariances."""
    out = []
    for factor in products.factors:
        S = np.zeros((factor.k, factor.k))
        for term, place in zip(factor.terms, factor.slices(), strict=True):
            S[place, place] = inner[term]
        out.append(square_root(S))
    return out


def some_covariances(design: Design, *, singular: bool) -> list[np.ndarray]:
    """Return a random relative covariance for each term."""
    rng = np.random.default_rng(7)
    return [
        covariance_of(t.n_coefficients, rng, rank=t.n_coefficients - 1 if singular else None)
        for t in design.random_terms
    ]


def point_of(name: str, strategy: str, *, reml: bool, singular: bool) -> tuple[Objective, list[np.ndarray], Point]:
    """Return a strategy's objective, roots and the point there."""
    design = example(name)
    products = cross_products(design)
    objective = objective_for(products, Structure(strategy, ""), reml=reml)
    inner = [products.coordinates.sigma_inner(t, S) for t, S in enumerate(some_covariances(design, singular=singular))]
    roots = roots_at(products, inner)
    return objective, roots, objective.at(roots)


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("singular", [False, True])
@pytest.mark.parametrize(("name", "strategy"), CASES)
def test_value_is_that_of_explicit_matrices(name: str, strategy: str, *, singular: bool, reml: bool) -> None:
    """Each strategy's criterion is the naive one, constants and change of coordinates included."""
    design = example(name)
    products = cross_products(design)
    covariances = some_covariances(design, singular=singular)
    _, _, point = point_of(name, strategy, reml=reml, singular=singular)
    value = products.coordinates.criterion(
        point.profile.value,
        degrees=point.profile.degrees,
        reml=reml,
        sum_log_weights=products.sum_log_weights,
    )
    assert value == pytest.approx(criterion(design, covariances, reml=reml), rel=1e-11)


def symmetric_basis(k: int) -> np.ndarray:
    """Return all (k, k) symmetric directions."""
    rows, columns = np.tril_indices(k)
    out = np.zeros((len(rows), k, k))
    out[np.arange(len(rows)), rows, columns] = 1.0
    out[np.arange(len(rows)), columns, rows] = 1.0
    return out


def moved(roots: list[np.ndarray], f: int, direction: np.ndarray, step: float) -> list[np.ndarray]:
    """Return roots of Sigma_f + step direction; Sigma_f must be regular."""
    out = list(roots)
    out[f] = np.linalg.cholesky(roots[f] @ roots[f].T + step * direction)
    return out


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize(("name", "strategy"), CASES)
def test_gradient_is_the_slope_of_the_criterion(name: str, strategy: str, *, reml: bool) -> None:
    """tr(G S) equals the central difference of the criterion along S, for every factor and direction."""
    objective, roots, point = point_of(name, strategy, reml=reml, singular=False)
    for f, G in enumerate(point.gradients()):
        for S in symmetric_basis(len(roots[f])):
            h = 1e-2 * np.linalg.eigvalsh(roots[f] @ roots[f].T)[0]
            slope = sum(c * objective.at(moved(roots, f, S, s * h)).profile.value for s, c in DIFFERENCE.items()) / h
            assert float((G * S).sum()) == pytest.approx(slope, rel=1e-6, abs=1e-5)


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize(("name", "strategy"), [case for case in CASES if case[1] in {"single", "dense"}])
def test_second_derivatives_are_slopes_of_the_gradient(name: str, strategy: str, *, reml: bool) -> None:
    """Exact curvature equals the central difference of tr(G S) in every pair of directions."""
    objective, roots, point = point_of(name, strategy, reml=reml, singular=False)
    directions = [symmetric_basis(len(T)) for T in roots]
    found = point.curvature(directions)
    expected = []
    for f, S_f in enumerate(directions):
        for S in S_f:
            h = 1e-2 * np.linalg.eigvalsh(roots[f] @ roots[f].T)[0]
            slope = np.zeros(len(found))
            for s, c in DIFFERENCE.items():
                G = objective.at(moved(roots, f, S, s * h)).gradients()
                slope += (
                    c / h * np.concatenate([np.tensordot(R, g, axes=2) for R, g in zip(directions, G, strict=True)])
                )
            expected.append(slope)
    scale = np.abs(found).max()
    np.testing.assert_allclose(found, np.array(expected), rtol=1e-6, atol=1e-7 * scale)


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("singular", [False, True])
@pytest.mark.parametrize(("name", "strategy"), [case for case in CASES if case[1] != "dense"])
def test_strategies_agree(name: str, strategy: str, *, singular: bool, reml: bool) -> None:
    """Gradients, modes and conditional covariances are the same whatever the order of elimination."""
    _, roots, here = point_of(name, strategy, reml=reml, singular=singular)
    _, _, dense = point_of(name, "dense", reml=reml, singular=singular)
    directions = [symmetric_basis(len(T)) for T in roots]
    np.testing.assert_allclose(here.weighted(directions), dense.weighted(directions), rtol=1e-8, atol=1e-9)
    traces = 1e-4 if strategy == "sparse" and singular else 1e-9  # the sparse way differences log|M|
    for what in ("gradients", "modes", "covariances"):
        for a, b in zip(getattr(here, what)(), getattr(dense, what)(), strict=True):
            tolerance = traces if what == "gradients" else 1e-9
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=tolerance * max(1.0, np.abs(b).max()), err_msg=what)


def explicit_information(design: Design, inner: list[np.ndarray], reml: bool) -> np.ndarray:  # noqa: FBT001
    """Return (m/r^2) y'P V_a P V_b P y - g_a g_b / m from n x n matrices, directions in inner coordinates."""
    products = cross_products(design)
    turns = products.coordinates.random
    inverse = np.linalg.inv(marginal(design, [U @ S @ U.T for U, S in zip(turns, inner, strict=True)]))
    X, y = design.X, design.y if design.offset is None else design.y - design.offset
    P = inverse - inverse @ X @ np.linalg.solve(X.T @ inverse @ X, X.T @ inverse)
    m = design.nobs - (design.n_fixed if reml else 0)
    Py = P @ y
    scale = m / float(y @ Py)
    moves = []
    Z = dense_Z(design)
    for factor in products.factors:
        whole = np.concatenate([Z[t] @ turns[t] for t in factor.terms], axis=2)
        moves += [np.einsum("ija,ab,ljb->il", whole, S, whole) @ Py for S in symmetric_basis(factor.k)]
    D = np.array(moves)
    linear = scale * D @ Py
    return scale * D @ P @ D.T - np.outer(linear, linear) / m


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("singular", [False, True])
@pytest.mark.parametrize(("name", "strategy"), [case for case in CASES if case[1] in {"crossed", "nested", "sparse"}])
def test_average_information_is_that_of_explicit_matrices(
    name: str, strategy: str, *, singular: bool, reml: bool
) -> None:
    """Where exact second derivatives cost too much, the curvature is (m/r^2) y'P V_a P V_b P y - g_a g_b / m."""
    design = example(name)
    _, roots, point = point_of(name, strategy, reml=reml, singular=singular)
    products = cross_products(design)
    covariances = some_covariances(design, singular=singular)
    inner = [products.coordinates.sigma_inner(t, S) for t, S in enumerate(covariances)]
    expected = explicit_information(design, inner, reml)
    found = point.curvature([symmetric_basis(len(T)) for T in roots])
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10 * np.abs(expected).max())
