"""Elements of the inverse of a sparse matrix."""

import numpy as np
import pytest
from scipy.sparse import eye_array, random

from lmmformula.fit.algebra.selected import Selected
from lmmformula.fit.algebra.sparse import factorised, sorted_factor


@pytest.mark.parametrize(
    ("size", "density", "dense"),
    [(1, 0.0, False), (50, 0.0, False), (200, 0.02, True), (700, 0.004, True)],
)
def test_elements_are_those_of_the_inverse(size: int, density: float, *, dense: bool) -> None:
    """Wherever the factor has an element, with little fill and with much, which is one dense matrix."""
    rng = np.random.default_rng(size)
    half = random(size, size, density=density, random_state=rng)
    S = (half + half.T + 8.0 * eye_array(size)).tocsc()
    order = np.argsort(factorised(S, "MMD_AT_PLUS_A").perm_c)
    superlu = factorised(S[order][:, order])
    L = sorted_factor(superlu)
    selected = Selected.of(L)
    assert (selected.first < size - 1) is dense
    found = selected.inverse(L, superlu.U.diagonal())
    inverse = np.linalg.inv(S.toarray()[order][:, order])
    rows, columns = L.nonzero()
    np.testing.assert_allclose(found[selected.places(rows, columns)], inverse[rows, columns], atol=1e-13)
    np.testing.assert_array_equal(selected.places(rows, columns), selected.places(columns, rows))


def test_a_factor_may_have_less_than_the_pattern() -> None:
    """At a variance of zero nothing is left beside the diagonal."""
    half = random(40, 40, density=0.03, random_state=np.random.default_rng(4))
    pattern = (half + half.T + 8.0 * eye_array(40)).tocsc()
    selected = Selected.of(sorted_factor(factorised(pattern)))
    superlu = factorised(2.0 * eye_array(40))
    found = selected.inverse(sorted_factor(superlu), superlu.U.diagonal())
    rows, columns = np.divmod(selected.keys, 40)
    assert not np.abs(found[selected.places(rows, columns)]).any()
    np.testing.assert_allclose(found[selected.places(np.arange(40), np.arange(40))], 0.5)
