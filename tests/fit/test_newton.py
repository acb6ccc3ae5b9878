import math
from dataclasses import dataclass

import numpy as np
import pytest

from lmmformula.arrays import FloatArray
from lmmformula.fit.search.newton import minimise, trust_step
from lmmformula.fit.search.settings import OptimizerSettings


@dataclass
class Valley:
    """Rosenbrock's function, with its derivatives."""

    x: FloatArray

    @property
    def value(self) -> float:
        """100 (y - x^2)^2 + (1 - x)^2."""
        x, y = self.x
        return float(100 * (y - x * x) ** 2 + (1 - x) ** 2)

    def derivatives(self) -> tuple[FloatArray, FloatArray]:
        """Return gradient and Hessian."""
        x, y = self.x
        gradient = np.array([-400 * x * (y - x * x) - 2 * (1 - x), 200 * (y - x * x)])
        return gradient, np.array([[1200 * x * x - 400 * y + 2, -400 * x], [-400 * x, 200.0]])


@dataclass
class Saddle:
    """(x^2 - 1)^2 + y^2: a saddle point at the origin, minima at x = 1 and -1."""

    x: FloatArray

    def __post_init__(self) -> None:
        if abs(self.x[0]) > 1.5:
            raise np.linalg.LinAlgError("not defined so far out")

    @property
    def value(self) -> float:
        """The function."""
        return float((self.x[0] ** 2 - 1) ** 2 + self.x[1] ** 2)

    def derivatives(self) -> tuple[FloatArray, FloatArray]:
        """Return gradient and Hessian."""
        x, y = self.x
        return np.array([4 * x * (x * x - 1), 2 * y]), np.diag([12 * x * x - 4, 2.0])


def test_it_follows_a_curved_valley() -> None:
    """Rosenbrock's valley is walked to its end, and the log holds every step."""
    found = minimise(Valley, np.array([-1.2, 1.0]), OptimizerSettings())
    np.testing.assert_allclose(found.parameters, [1.0, 1.0], atol=1e-9)
    assert found.log.converged
    assert found.log.evaluations < 40
    assert "(rejected)" in str(found.log)


def test_it_leaves_a_saddle_point() -> None:
    """A start with a gradient of zero and negative curvature is left, and undefined points are stepped back from."""
    found = minimise(Saddle, np.array([0.0, 0.3]), OptimizerSettings(first_radius=3.0))
    np.testing.assert_allclose(np.abs(found.parameters), [1.0, 0.0], atol=1e-6)


def test_it_stops_where_nothing_is_gained() -> None:
    """At a minimum no further point is evaluated but the last, and it stays."""
    found = minimise(Valley, np.array([1.0, 1.0]), OptimizerSettings())
    assert found.log.evaluations == 1
    np.testing.assert_array_equal(found.parameters, [1.0, 1.0])


@pytest.mark.parametrize("seed", range(20))
def test_a_step_is_the_best_in_its_ball(seed: int) -> None:
    """No random point of the ball has a smaller quadratic model than the step, definite or not."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 6))
    A = rng.normal(size=(n, n))
    H = A + A.T if seed % 2 else A @ A.T
    g = rng.normal(size=n) * rng.choice([0.0, 1e-8, 1.0], size=n)
    radius = float(rng.choice([0.1, 1.0, 10.0]))
    step, promised = trust_step(g, H, radius)
    assert np.linalg.norm(step) <= radius * (1 + 1e-6)
    assert promised == pytest.approx(-(g @ step + step @ H @ step / 2), abs=1e-9)
    others = rng.normal(size=(2000, n))
    others *= radius * rng.random(2000)[:, None] ** (1 / n) / np.linalg.norm(others, axis=1)[:, None]
    best = (others @ g + np.einsum("ij,jk,ik->i", others, H, others) / 2).min()
    assert -promised <= best + 1e-9 * (1 + abs(best))


def test_a_singular_hessian_gets_the_shortest_step() -> None:
    """Along a flat ridge nothing is moved."""
    step, promised = trust_step(np.array([2.0, 2.0]), np.ones((2, 2)), 10.0)
    np.testing.assert_allclose(step, [-1.0, -1.0])
    assert math.isclose(promised, 2.0)


@dataclass
class Lying:
    """A slope whose function does not fall with it."""

    x: FloatArray

    @property
    def value(self) -> float:
        """A constant, but for the start."""
        return 1.0 if self.x.any() else 0.0

    def derivatives(self) -> tuple[FloatArray, FloatArray]:
        """Return a gradient that promises much."""
        return np.array([1.0]), np.array([[1.0]])


def test_a_small_ball_is_not_mistaken_for_a_minimum() -> None:
    """Where every step is rejected the method gives up, and says what was still promised."""
    found = minimise(Lying, np.array([0.0]), OptimizerSettings())
    assert not found.log.converged
    assert found.log.reason == "no step lowers the criterion any more"
    assert found.log.steps[-1].predicted == pytest.approx(0.5)
