import math

import numpy as np
import pytest

from lmmformula.fit.covariances import Parameters, covariance_map, natural_map
from lmmformula.fit.theta import sigma_of, theta_of, theta_size
from lmmformula.ir.covariance import Covariance

STRUCTURES = [
    (Covariance("us"), 1),
    (Covariance("us"), 3),
    (Covariance("diag"), 3),
    (Covariance("diag", homogeneous=True), 3),
    (Covariance("cs"), 1),
    (Covariance("cs"), 2),
    (Covariance("cs"), 4),
    (Covariance("cs", homogeneous=True), 3),
    (Covariance("ar1"), 4),
    (Covariance("ar1", homogeneous=True), 2),
    (Covariance("ar1", homogeneous=True), 5),
]


def some_parameters(size: int) -> np.ndarray:
    """Return parameters off every symmetry."""
    return np.linspace(0.4, 1.1, size) * (-1) ** np.arange(size)


@pytest.mark.parametrize("natural", [False, True])
@pytest.mark.parametrize(("covariance", "k"), STRUCTURES)
def test_derivatives_of_sigma(covariance: Covariance, k: int, *, natural: bool) -> None:
    """First and second derivatives of Sigma equal central differences, in the optimiser's parameters and people's."""
    turn = np.diag(np.linspace(1, 1 if covariance.homogeneous else 2, k))
    m = natural_map(covariance, k, turn) if natural else covariance_map(covariance, k)
    x = some_parameters(m.size)
    x[-1] = 0.3  # a correlation, for some
    rng = np.random.default_rng(0)
    G = rng.normal(size=(k, k))
    G = G + G.T

    def sigma(x: np.ndarray) -> np.ndarray:
        return m.root(x) @ m.root(x).T

    h = 1e-5
    steps = h * np.eye(m.size)
    slopes = np.array([(sigma(x + s) - sigma(x - s)) / (2 * h) for s in steps])
    np.testing.assert_allclose(m.directions(x), slopes, atol=1e-8)
    bends = np.array([np.tensordot(m.directions(x + s) - m.directions(x - s), G, axes=2) / (2 * h) for s in steps])
    np.testing.assert_allclose(m.curvature(x, G), bends, atol=1e-8)


@pytest.mark.parametrize(("covariance", "k"), STRUCTURES)
def test_a_structure_has_as_many_parameters_as_the_optimiser_moves(covariance: Covariance, k: int) -> None:
    """What is counted in a likelihood is what was free, whatever the length of theta."""
    assert covariance.n_parameters(k) == covariance_map(covariance, k).size
    assert covariance.n_parameters(k) == natural_map(covariance, k, np.eye(k)).size


@pytest.mark.parametrize(("covariance", "k"), STRUCTURES)
def test_nearest_parameters_of_a_sigma_of_the_structure_give_it_back(covariance: Covariance, k: int) -> None:
    """A map's own covariance is nearest to itself."""
    m = covariance_map(covariance, k)
    x = np.abs(some_parameters(m.size))
    sigma = m.root(x) @ m.root(x).T
    root = m.root(m.nearest(sigma))
    np.testing.assert_allclose(root @ root.T, sigma, atol=1e-12)


@pytest.mark.parametrize(("covariance", "k"), STRUCTURES)
def test_theta_names_one_sigma(covariance: Covariance, k: int) -> None:
    """Theta has lme4's length and gives its matrix back."""
    m = covariance_map(covariance, k)
    x = np.abs(some_parameters(m.size))
    sigma = m.root(x) @ m.root(x).T
    theta = theta_of(covariance, sigma)
    assert len(theta) == theta_size(covariance, k)
    np.testing.assert_allclose(sigma_of(covariance, theta, k), sigma, atol=1e-12)


@pytest.mark.parametrize("structure", ["cs", "ar1"])
def test_a_correlation_turns_back_at_its_bounds(structure: str) -> None:
    """Rho never leaves its interval, and at a bound its first derivative is zero."""
    m = covariance_map(Covariance(structure, homogeneous=True), 4)
    for phi in np.linspace(-9, 9, 50):
        root = m.root(np.array([1.0, phi]))
        assert np.linalg.eigvalsh(root @ root.T)[0] >= -1e-12
    np.testing.assert_allclose(m.directions(np.array([1.0, math.pi / 2]))[1], 0.0, atol=1e-12)


def test_small_deviations_snap_to_zero() -> None:
    """A standard deviation that is zero but for rounding becomes zero, the others stay."""
    us = covariance_map(Covariance(), 2)
    x = us.nearest(np.array([[4.0, 2.0], [2.0, 1.0 + 1e-12]]))
    root = us.root(us.snapped(x, 1e-3))
    np.testing.assert_allclose(np.linalg.eigvalsh(root @ root.T), [0.0, 5.0], atol=1e-12)
    np.testing.assert_array_equal(
        covariance_map(Covariance("diag"), 2).snapped(np.array([1e-7, 2.0]), 1e-3), [0.0, 2.0]
    )


def test_terms_of_one_factor_share_its_matrix() -> None:
    """Parameters are cut and put together term by term, block by block."""
    parameters = Parameters(((covariance_map(Covariance(), 2), covariance_map(Covariance("diag"), 1)),))
    x = np.array([1.0, 0.3, 2.0, 0.5])
    (root,) = parameters.roots(x)
    assert root.shape == (3, 3)
    assert root[2, 2] == 0.5
    assert not root[2, :2].any()
    (directions,) = parameters.directions(x)
    assert directions.shape == (4, 3, 3)
    gradient, hessian = parameters.derivatives(x, [directions], [np.eye(3)], np.zeros((4, 4)))
    np.testing.assert_allclose(gradient[3], 1.0)
    np.testing.assert_allclose(hessian[3], [0, 0, 0, 2])
