import numpy as np
import pytest

from fit.oracle import make_design, make_term
from lmmformula.design.design import Design
from lmmformula.design.sums.crossproducts import cross_products
from lmmformula.errors import FitError
from lmmformula.fit.algebra import plan as structure
from lmmformula.fit.algebra.gram import gram_of
from lmmformula.fit.algebra.plan import structure_of
from lmmformula.fit.lmm import conditional_covariances, fit_lmm


def pupils(n_pupils: int, n_schools: int, moving: float) -> Design:
    """Return the design of five tests of each pupil, some of them in another school."""
    rng = np.random.default_rng(0)
    pupil = np.repeat(np.arange(n_pupils), 5)
    school = (np.arange(n_pupils) % n_schools)[pupil]
    moves = rng.random(len(pupil)) < moving
    school[moves] = rng.integers(0, n_schools, moves.sum())
    one = np.ones(len(pupil))
    y = rng.normal(size=n_pupils)[pupil] + 0.7 * rng.normal(size=n_schools)[school] + rng.normal(size=len(pupil))
    return make_design(y, [one], [make_term("pupil", pupil, [one]), make_term("school", school, [one])])


def crossed(levels: int) -> Design:
    """Return the design of two factors, every level of one beside every level of the other."""
    a, b = (x.ravel() for x in np.meshgrid(np.arange(levels), np.arange(levels)))
    one = np.ones(levels**2)
    y = np.random.default_rng(1).normal(size=levels**2) + np.sin(a) + np.cos(b)
    return make_design(y, [one], [make_term("a", a, [one]), make_term("b", b, [one])])


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("dense", lambda: crossed(20)),
        ("crossed", lambda: crossed(200)),
        ("nested", lambda: pupils(500, 20, 0.0)),
        ("crossed", lambda: pupils(500, 20, 0.05)),
        ("sparse", lambda: pupils(8000, 1200, 0.01)),
    ],
)
def test_the_strategy_follows_from_who_meets_whom(name: str, make: object) -> None:
    """Few effects: dense; nested factors: a chain; crossed ones: a dense or a sparse Schur complement."""
    assert structure_of(gram_of(cross_products(make())), ["a", "b"]).name == name  # type: ignore[operator]


def test_the_log_says_which_strategy_and_why() -> None:
    """A fit keeps the reason, and prints it before its evaluations."""
    fit = fit_lmm(pupils(500, 20, 0.0))
    assert str(fit.log).startswith("nested: 'pupil' in 'school': eliminated from the finest to the coarsest")
    assert fit.log.reason.startswith("converged")


def test_sparse_and_dense_fits_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Partly crossed pupils and schools: the same fit and conditional covariances from both Schur complements."""
    design = pupils(2500, 1100, 0.02)
    sparse = fit_lmm(design)
    assert sparse.log.strategy.startswith("sparse")
    by_sparse = conditional_covariances(design, sparse)
    monkeypatch.setattr(structure, "SPARSE_PAIRS", 0.0)
    dense = fit_lmm(design)
    assert dense.log.strategy.startswith("crossed")
    assert sparse.criterion == pytest.approx(dense.criterion, rel=1e-13)
    np.testing.assert_allclose(sparse.theta, dense.theta, rtol=1e-6)
    for a, b in zip(by_sparse, conditional_covariances(design, dense), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_what_fits_no_memory_is_refused_with_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Schur complement larger than the memory is refused before anything of its size is allocated."""
    monkeypatch.setattr(structure, "memory_share", lambda: 1e6)
    with pytest.raises(FitError, match=r"needs 0 GB: 200 random effects besides those of 'a' all meet"):
        fit_lmm(crossed(200))


@pytest.mark.slow
def test_a_million_levels() -> None:
    """Two million rows in almost a million groups."""
    rng = np.random.default_rng(0)
    g, one = rng.integers(0, 1_000_000, 2_000_000), np.ones(2_000_000)
    y = rng.normal(size=1_000_000)[g] + rng.normal(size=2_000_000)
    fit = fit_lmm(make_design(y, [one], [make_term("g", g, [one])]))
    assert fit.verdict == "ok"
    assert fit.theta[0] == pytest.approx(1.0, abs=0.01)


@pytest.mark.slow
def test_twenty_correlated_coefficients() -> None:
    """210 covariance parameters, some of the covariance singular."""
    rng = np.random.default_rng(0)
    n, J, k = 60_000, 1500, 20
    g, Z = rng.integers(0, J, n), rng.normal(size=(k, n))
    Z[0] = 1.0
    L = np.tril(rng.normal(size=(k, k)) * 0.2) + 0.5 * np.eye(k)
    y = np.einsum("in,ni->n", Z, (rng.normal(size=(J, k)) @ L.T)[g]) + rng.normal(size=n)
    fit = fit_lmm(make_design(y, list(Z), [make_term("g", g, list(Z))]))
    assert fit.log.converged
    assert np.abs(fit.relative_covariance[0] - L @ L.T).max() < 0.25
