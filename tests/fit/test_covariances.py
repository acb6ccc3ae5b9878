import numpy as np

from lmmformula.covariances.table import covariance
from lmmformula.fit.search.covariances import Parameters


def test_terms_of_one_factor_share_its_matrix() -> None:
    """Parameters are cut and put together term by term, block by block."""
    parameters = Parameters(((covariance().free_map(2), covariance("diag").free_map(1)),))
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
