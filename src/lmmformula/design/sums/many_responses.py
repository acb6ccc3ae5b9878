"""Cross-products of many responses: what depends on X and Z only is formed once."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.design import Design
from lmmformula.design.sums.coordinates import block_diagonal, columns_of, refuse_exact_response, scale_of, whitener
from lmmformula.design.sums.records import CrossProducts


def each_response(design: Design, products: CrossProducts, Y: FloatArray) -> Iterator[CrossProducts]:
    """
    Return the cross-products of a design with each of many responses in the place of its own.

    products : the design's own cross-products
    Y : (n, m) responses, in the columns
    """
    n, p = products.n, products.p
    columns = columns_of(design)
    X = np.column_stack([*columns.fixed[:p], np.empty((n, 0))]) @ whitener(columns.gram[:p, :p] / n)  # X'X = n I
    y = _weighted(design, Y)
    totals = np.einsum("im,im->m", y, y)
    pilot = X.T @ y / n
    y -= X @ pilot
    for left, total in zip(np.einsum("im,im->m", y, y), totals, strict=True):
        refuse_exact_response(float(left), float(total))
    scales = np.array([scale_of(column) for column in y.T])
    y /= scales
    squares, Xy = np.einsum("im,im->m", y, y), X.T @ y
    Zy = [_by_level(design, columns.random, products, f, y) for f in range(len(products.factors))]
    for i, scale in enumerate(scales):
        A = products.A.copy()
        A[:p, p] = A[p, :p] = Xy[:, i]
        A[p, p] = squares[i]
        factors = []
        for factor, own in zip(products.factors, Zy, strict=True):
            B = factor.B.copy()
            B[:, p] = own[:, :, i]
            factors.append(replace(factor, B=B))
        user = products.coordinates.fixed @ pilot[:, i]
        coordinates = replace(products.coordinates, pilot=user, y_scale=float(scale))
        yield replace(products, A=A, factors=tuple(factors), coordinates=coordinates)


def _weighted(design: Design, Y: FloatArray) -> FloatArray:
    """Return a copy of the responses less the offset, times the roots of the weights."""
    y = np.array(Y, dtype=np.float64) if design.offset is None else Y - design.offset[:, None]
    if design.weights is not None:
        y *= np.sqrt(design.weights)[:, None]
    return y


def _by_level(
    design: Design, columns: list[list[FloatArray]], products: CrossProducts, f: int, y: FloatArray
) -> FloatArray:
    """Return (k, J, m) Z'y of one factor, in inner coordinates."""
    from scipy.sparse import csc_array

    factor = products.factors[f]
    n, J = products.n, factor.n_levels
    codes = design.random_terms[factor.terms[0]].codes
    sums: list[FloatArray] = [
        np.asarray(csc_array((column, codes, np.arange(n + 1)), shape=(J, n)) @ y)
        for t in factor.terms
        for column in columns[t]
    ]
    turn = block_diagonal([products.coordinates.turns[t] for t in factor.terms])
    out: FloatArray = np.tensordot(turn.T, np.stack(sums), axes=1)
    return out
