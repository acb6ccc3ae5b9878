"""Cross-products in inner coordinates -> Z'Z and Z'X in the user's columns, as Henderson's equations have them."""

from itertools import product
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.design.sums.coordinates import block_diagonal
from lmmformula.design.sums.crossproducts import sandwich
from lmmformula.design.sums.records import CrossProducts, FactorProducts


def user_products(products: CrossProducts) -> tuple[Any, FloatArray]:
    """
    Return Z'Z, (q, q) sparse, and Z'X, (q, p), with the rows of Z' in the order of `Design.Zt`.

    Sums that were weighted are those of rows times the roots of their weights.
    """
    from scipy.sparse import csc_array

    factors = products.factors
    back = [_back(products, factor) for factor in factors]
    places = _places(factors)
    q = sum(factor.k * factor.n_levels for factor in factors)
    to_user: FloatArray = np.asarray(np.linalg.inv(products.coordinates.fixed))
    ZtX = np.empty((q, products.p))
    rows, columns, values = [], [], []
    for f, g in product(range(len(factors)), repeat=2):
        pair = products.pair(f, g)
        blocks = sandwich(back[f], pair.values, back[g])
        for a, b in product(range(factors[f].k), range(factors[g].k)):
            rows.append(places[f][a][pair.rows])
            columns.append(places[g][b][pair.columns])
            values.append(blocks[a, b])
    for f, factor in enumerate(factors):
        own = sandwich(back[f], factor.B[:, : products.p], to_user)
        for a in range(factor.k):
            ZtX[places[f][a]] = own[a].T
    places_of_all = (np.concatenate(rows), np.concatenate(columns))
    return csc_array((np.concatenate(values), places_of_all), shape=(q, q)), ZtX


def _back(products: CrossProducts, factor: FactorProducts) -> FloatArray:
    """Return the matrix that makes the user's columns of a factor of the inner ones."""
    return block_diagonal([np.asarray(np.linalg.inv(products.coordinates.random[t])) for t in factor.terms])


def _places(factors: tuple[FactorProducts, ...]) -> list[list[IntArray]]:
    """Return per factor and column the (J,) rows of Z': term by term, in a term level by level."""
    sizes = {t: (size, f.n_levels) for f in factors for t, size in zip(f.terms, f.sizes, strict=True)}
    starts, start = {}, 0
    for term in sorted(sizes):
        starts[term] = start
        start += sizes[term][0] * sizes[term][1]
    return [
        [
            starts[t] + np.arange(f.n_levels) * size + a
            for t, size in zip(f.terms, f.sizes, strict=True)
            for a in range(size)
        ]
        for f in factors
    ]
