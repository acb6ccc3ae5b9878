"""Laws that every covariance structure of the table keeps, whatever it is."""

import math

import numpy as np
import pytest

from lmmformula.covariances.maps import CovarianceMap
from lmmformula.covariances.structure import Covariance
from lmmformula.covariances.table import STRUCTURES, covariance, of_record

EVERY = [
    (structure(homogeneous), k)
    for structure in STRUCTURES.values()
    for homogeneous in ([False, True] if structure.has_homogeneous else [False])
    for k in (1, 2, 3, 4)
]

every = pytest.mark.parametrize(("structure", "k"), EVERY, ids=[f"{c.text('x')}-{k}" for c, k in EVERY])


def some_parameters(size: int) -> np.ndarray:
    """Return parameters off every symmetry, the last one small: a correlation, for some."""
    x = np.linspace(0.4, 1.1, size) * (-1) ** np.arange(size)
    x[-1] = 0.3
    return x


def map_of(structure: Covariance, k: int, kind: str, order: tuple[int, ...] = ()) -> CovarianceMap:
    """Return one of the maps of a structure, the absolute ones in an order of the coefficients."""
    order = order or tuple(range(k))
    turn = np.diag(np.linspace(1, 1 if structure.homogeneous else 2, k))
    maps = {
        "free": lambda: structure.free_map(k),
        "natural": lambda: structure.natural_map(k, turn),
        "absolute": lambda: structure.absolute_map(order, held=False),
        "held": lambda: structure.absolute_map(order, held=True),
    }
    return maps[kind]()


def sigma_at(m: CovarianceMap, x: np.ndarray) -> np.ndarray:
    """Return the covariance matrix of parameters."""
    return m.root(x) @ m.root(x).T


def own_sigma(structure: Covariance, k: int) -> np.ndarray:
    """Return a covariance matrix of a structure."""
    m = structure.free_map(k)
    return sigma_at(m, np.abs(some_parameters(m.size)))


def names(k: int) -> tuple[str, ...]:
    """Name k coefficients."""
    return tuple("abcd"[:k])


@pytest.mark.parametrize("kind", ["free", "natural", "absolute", "held"])
@every
def test_derivatives_of_sigma(structure: Covariance, k: int, kind: str) -> None:
    """First and second derivatives of Sigma equal central differences, in the parameters of every map."""
    m = map_of(structure, k, kind)
    x = some_parameters(m.size)
    if kind == "natural":  # correlations are not free of each other
        x = structure.natural_values(structure.theta_of(own_sigma(structure, k)), own_sigma(structure, k))
    G = np.random.default_rng(0).normal(size=(k, k))
    G = G + G.T
    h = 1e-5
    steps = h * np.eye(m.size)
    slopes = np.array([(sigma_at(m, x + s) - sigma_at(m, x - s)) / (2 * h) for s in steps])
    np.testing.assert_allclose(m.directions(x), slopes, atol=1e-8)
    bends = np.array([np.tensordot(m.directions(x + s) - m.directions(x - s), G, axes=2) / (2 * h) for s in steps])
    np.testing.assert_allclose(m.curvature(x, G), bends, atol=1e-8)


@every
def test_a_structure_has_as_many_parameters_as_the_optimiser_moves(structure: Covariance, k: int) -> None:
    """What is counted and named in a likelihood is what was free, whatever the length of theta."""
    sizes = {map_of(structure, k, kind).size for kind in ("free", "natural", "absolute", "held")}
    assert sizes == {structure.n_parameters(k)} == {len(structure.elements(names(k)))}
    assert len(set(structure.natural_names("g", names(k)))) == structure.n_parameters(k)


@pytest.mark.parametrize("kind", ["free", "absolute", "held"])
@every
def test_nearest_parameters_of_a_sigma_of_the_structure_give_it_back(structure: Covariance, k: int, kind: str) -> None:
    """A structure's own covariance is nearest to itself, in all parameters that are searched."""
    m, sigma = map_of(structure, k, kind), own_sigma(structure, k)
    np.testing.assert_allclose(sigma_at(m, m.nearest(sigma)), sigma, atol=1e-12)


@every
def test_rescaled_parameters_scale_standard_deviations(structure: Covariance, k: int) -> None:
    """Twice the standard deviations are four times the covariances."""
    m, sigma = structure.free_map(k), own_sigma(structure, k)
    np.testing.assert_allclose(sigma_at(m, m.rescaled(m.nearest(sigma), 2.0)), 4 * sigma, atol=1e-12)


@every
def test_theta_names_one_sigma(structure: Covariance, k: int) -> None:
    """Theta has lme4's length, a name for each entry, and gives its matrix back."""
    sigma = own_sigma(structure, k)
    theta = structure.theta_of(sigma)
    assert len(theta) == structure.theta_size(k) == len(set(structure.theta_names("g", names(k))))
    np.testing.assert_allclose(structure.sigma_of(theta, k), sigma, atol=1e-12)


@every
def test_natural_parameters_make_the_sigma_they_were_read_from(structure: Covariance, k: int) -> None:
    """What people read of a covariance matrix leads back to it."""
    sigma = own_sigma(structure, k)
    natural = structure.natural_map(k, np.eye(k))
    values = structure.natural_values(structure.theta_of(sigma), sigma)
    np.testing.assert_allclose(sigma_at(natural, values), sigma, atol=1e-12)


@every
def test_elements_are_where_they_stand(structure: Covariance, k: int) -> None:
    """Standard deviations are on the diagonal and correlations below it, each once, only where there are any."""
    elements = structure.elements(names(k))
    assert len({(e.part, e.row, e.column) for e in elements}) == len(elements)
    assert all(e.row == e.column if e.part == "sd" else e.row > e.column for e in elements)
    assert any(e.part == "cor" for e in elements) == (structure.correlated and k > 1)


@every
def test_a_turn_makes_columns_of_unit_mean_square(structure: Covariance, k: int) -> None:
    """Columns have mean square 1 on average, each one unless all share a scale, and a structure survives its turn."""
    rng = np.random.default_rng(1)
    columns = rng.normal(size=(50, k)) * np.linspace(1, 3, k)
    mean = columns.T @ columns / 50
    turn = structure.turn(mean)
    turned = turn.T @ mean @ turn
    np.testing.assert_allclose(np.trace(turned), k)
    if not structure.homogeneous:
        np.testing.assert_allclose(np.diag(turned), 1.0)
    sigma = own_sigma(structure, k)
    moved = np.linalg.solve(turn, np.linalg.solve(turn, sigma).T)
    m = structure.free_map(k)
    np.testing.assert_allclose(sigma_at(m, m.nearest(moved)), moved, atol=1e-10)


@every
def test_a_held_correlation_is_an_angle_of_the_absolute_map(structure: Covariance, k: int) -> None:
    """The angle of each correlation stands among the parameters, and its slope is its derivative."""
    sigma = own_sigma(structure, k)
    for element in structure.elements(names(k)):
        if element.part == "cor":
            i, j = element.row, element.column
            angle = structure.angle(k, i, j)
            order = (j, i, *(place for place in range(k) if place not in (i, j)))
            rho = sigma[i, j] / math.sqrt(sigma[i, i] * sigma[j, j])
            np.testing.assert_allclose(map_of(structure, k, "held", order).nearest(sigma)[angle.place], angle.of(rho))
            slope = (angle.of(rho + 1e-6) - angle.of(rho - 1e-6)) / 2e-6
            np.testing.assert_allclose(angle.slope(rho), slope, rtol=1e-6)


@every
def test_a_record_gives_the_structure_back(structure: Covariance, k: int) -> None:
    """What a file keeps says which structure and which form it was; equal ones are equal."""
    assert of_record(structure.record()) == structure
    assert hash(of_record(structure.record())) == hash(structure)
    assert [other for other, size in EVERY if size == k and other == structure] == [structure]


@pytest.mark.parametrize("name", ["cs", "ar1"])
def test_a_correlation_turns_back_at_its_bounds(name: str) -> None:
    """Rho never leaves its interval, and at a bound its first derivative is zero."""
    m = covariance(name, homogeneous=True).free_map(4)
    for phi in np.linspace(-9, 9, 50):
        assert np.linalg.eigvalsh(sigma_at(m, np.array([1.0, phi])))[0] >= -1e-12
    np.testing.assert_allclose(m.directions(np.array([1.0, math.pi / 2]))[1], 0.0, atol=1e-12)


def test_small_deviations_snap_to_zero() -> None:
    """A standard deviation that is zero but for rounding becomes zero, the others stay."""
    us = covariance().free_map(2)
    x = us.nearest(np.array([[4.0, 2.0], [2.0, 1.0 + 1e-12]]))
    np.testing.assert_allclose(np.linalg.eigvalsh(sigma_at(us, us.snapped(x, 1e-3))), [0.0, 5.0], atol=1e-12)
    np.testing.assert_array_equal(covariance("diag").free_map(2).snapped(np.array([1e-7, 2.0]), 1e-3), [0.0, 2.0])
