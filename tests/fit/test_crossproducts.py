import numpy as np
import pytest

from fit.oracle import EXAMPLES, dense_Z, example
from lmmformula.design.sums.crossproducts import cross_products, factors_of


@pytest.mark.parametrize("name", EXAMPLES)
def test_cross_products_are_those_of_the_inner_columns(name: str) -> None:
    """C, B, A and the pairs are the products of the columns that the coordinates describe."""
    design = example(name)
    products = cross_products(design)
    coordinates = products.coordinates
    root = np.ones(design.nobs) if design.weights is None else np.sqrt(design.weights)
    y = design.y if design.offset is None else design.y - design.offset
    X = design.X @ coordinates.fixed * root[:, None]
    inner_y = (y - design.X @ coordinates.pilot) * root / coordinates.y_scale
    XY = np.column_stack([X, inner_y])
    Z = [whole @ U * root[:, None, None] for whole, U in zip(dense_Z(design), coordinates.random, strict=True)]
    factors = [np.concatenate([Z[t] for t in factor.terms], axis=2) for factor in products.factors]
    np.testing.assert_allclose(products.A, XY.T @ XY, atol=1e-9)
    for factor, whole in zip(products.factors, factors, strict=True):
        np.testing.assert_allclose(factor.C, np.einsum("nja,njb->abj", whole, whole), atol=1e-9)
        np.testing.assert_allclose(factor.B, np.einsum("nja,nx->axj", whole, XY), atol=1e-9)
    for (f, g), pair in products.pairs.items():
        whole = np.einsum("nja,nhb->abjh", factors[f], factors[g])
        found = np.zeros_like(whole)
        found[:, :, pair.rows, pair.columns] = pair.values
        np.testing.assert_allclose(found, whole, atol=1e-9)
        assert (np.diff(pair.rows * whole.shape[3] + pair.columns) > 0).all()


@pytest.mark.parametrize("name", EXAMPLES)
def test_inner_columns_are_of_unit_size(name: str) -> None:
    """X'X = n I, and the columns of an unstructured random term are uncorrelated with mean square one."""
    design = example(name)
    products = cross_products(design)
    p, n = products.p, products.n
    np.testing.assert_allclose(products.A[:p, :p], n * np.eye(p), atol=1e-9)
    np.testing.assert_allclose(products.A[:p, p], 0.0, atol=1e-9)
    for factor in products.factors:
        for place in factor.slices():
            mean = factor.C[place, place].sum(axis=2) / n
            np.testing.assert_allclose(np.diag(mean), 1.0)


def test_nesting_is_found_in_the_data() -> None:
    """Rooms lie within schools whether or not their names say so; crossed factors do not."""
    products = cross_products(example("nested and crossed"))
    groups = [factor.group for factor in products.factors]
    room, school, b = (groups.index(name) for name in ("room", "school", "b"))
    assert products.pair(room, school).nested
    assert products.pair(school, room).contains
    assert not products.pair(room, b).nested
    assert products.pair(room, room).nested


def test_terms_of_one_group_are_one_factor() -> None:
    """(1 | g) + (0 + x | g) is one factor of two columns."""
    design = example("uncorrelated")
    assert factors_of(design.random_terms) == [(0, 1)]
    (factor,) = cross_products(design).factors
    assert factor.sizes in {(1, 2), (2, 1)}
    assert factor.k == 3
