import numpy as np
import pytest

from fit.oracle import EXAMPLES, example, make_design
from lmmformula.errors import FitError
from lmmformula.fit.algebra.plan import Structure
from lmmformula.fit.lmm import fit_lmm
from lmmformula.fit.refit import refit


@pytest.mark.parametrize("warm", [True, False])
@pytest.mark.parametrize("name", EXAMPLES)
def test_each_refit_is_the_fit_of_its_response(name: str, *, warm: bool) -> None:
    """Refitting many responses at once gives what fitting them one by one gives."""
    design = example(name)
    rng = np.random.default_rng(0)
    Y = design.y[:, None] * [1.0, 1e6, -2.0] + rng.normal(size=(design.nobs, 3)) + [0.0, 1e6, 5.0]
    found = refit(design, Y, start=fit_lmm(design) if warm else None)
    for i in range(3):
        alone = fit_lmm(design.with_rows(y=Y[:, i]))
        assert found.criterion[i] == pytest.approx(alone.criterion, rel=1e-10)
        np.testing.assert_allclose(found.beta[i], alone.beta, rtol=1e-6, atol=1e-8 * alone.sigma)
        np.testing.assert_allclose(found.theta[i], alone.theta, rtol=1e-4, atol=1e-5)
        assert found.sigma[i] == pytest.approx(alone.sigma, rel=1e-6)
        assert found.boundary[i] == (alone.verdict == "boundary")
    assert not found.failed.any()


@pytest.mark.parametrize("strategy", ["dense", "nested", "crossed", "sparse"])
def test_every_strategy_takes_a_new_response(strategy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is precomputed of X and Z is kept, and nothing of y."""
    monkeypatch.setattr("lmmformula.fit.reml.problem.structure_of", lambda *_: Structure(strategy, ""))
    design = example("nested three")
    Y = design.y[:, None] + np.random.default_rng(1).normal(size=(design.nobs, 1))
    found = refit(design, Y)
    alone = [fit_lmm(design.with_rows(y=y)).criterion for y in Y.T]
    np.testing.assert_allclose(found.criterion, alone, rtol=1e-11)


def test_least_squares_refits() -> None:
    """Without random terms a refit is least squares."""
    design = example("slope")
    bare = make_design(design.y, [design.X[:, 0], design.X[:, 1]], [])
    found = refit(bare, np.column_stack([design.y, 2 * design.y]))
    np.testing.assert_allclose(2 * found.beta[0], found.beta[1])
    assert found.theta.shape == (2, 0)


@pytest.mark.parametrize("Y", [np.ones(120), np.ones((119, 2)), np.full((120, 1), np.nan)])
def test_responses_of_the_wrong_shape_are_refused(Y: np.ndarray) -> None:
    """Responses are columns of finite numbers, one for each row of the design."""
    with pytest.raises(FitError, match="120 rows and a column for each fit"):
        refit(example("slope"), Y)
