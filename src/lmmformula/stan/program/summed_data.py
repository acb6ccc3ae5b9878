"""Cross-products that were summed from data in parts -> the data of a marginal program, in the user's columns."""

import numpy as np

from lmmformula.arrays import AnyArray, FloatArray
from lmmformula.design.design import Design
from lmmformula.design.sums.coordinates import block_diagonal
from lmmformula.design.sums.crossproducts import sandwich
from lmmformula.design.sums.records import Coordinates, CrossProducts
from lmmformula.stan.program.factors import pair_of
from lmmformula.stan.program.record import Cross, Program


def summed_data(program: Program, design: Design) -> dict[str, AnyArray]:
    """
    Give the sums over rows that the marginal form is made of.

    X and y stand around their means beside an intercept; with weights, around their weighted means.
    """
    assert design.sums is not None
    products = design.sums.products
    T = _columns(products.coordinates)
    data: dict[str, AnyArray] = {}
    if program.fixed.intercept:
        # inner columns are orthogonal, so the first one, the intercept's, carries the means and nothing else does
        means = T[0, 1:] / T[0, 0]
        T[0, 1:] = 0.0
        data["y_mean"] = np.asarray(means[-1])
        if program.fixed.K:
            data["X_means"] = means[:-1]
    data["DD"] = T.T @ products.A @ T
    if design.has_weights:
        data["log_root_weights"] = np.asarray(products.sum_log_weights / 2)
    by_group = {sums.group: sums for sums in products.factors}
    for factor in program.factors:
        sums = by_group[factor.label]
        back = _back(products, sums.terms)
        ZZ, ZD = sandwich(back, sums.C, back), sandwich(back, sums.B, T)
        data[factor.name("N")] = np.asarray(factor.n_levels)
        data[factor.name("ZZ")] = np.moveaxis(ZZ, 2, 0) if factor.k > 1 else ZZ[0, 0]
        data[factor.name("ZD")] = np.concatenate([rows.T for rows in ZD])
    for cross in program.crosses:
        data |= _cross(cross, design, products)
    return data


def _columns(coordinates: Coordinates) -> FloatArray:
    """Return T with [X y] = [inner X, inner y] T."""
    p = len(coordinates.pilot)
    T = np.zeros((p + 1, p + 1))
    T[:p, :p] = np.linalg.inv(coordinates.fixed)
    T[:p, p] = T[:p, :p] @ coordinates.pilot
    T[p, p] = coordinates.y_scale
    return T


def _back(products: CrossProducts, terms: tuple[int, ...]) -> FloatArray:
    """Return the matrix that makes a factor's columns of the inner ones."""
    return block_diagonal([np.asarray(np.linalg.inv(products.coordinates.random[t]), dtype=np.float64) for t in terms])


def _cross(cross: Cross, design: Design, products: CrossProducts) -> dict[str, AnyArray]:
    """Lay out the products of two factors: a vector where one is nested in the other, else a dense matrix."""
    pair = pair_of(design, cross.left.label, cross.right.label)
    terms = {factor.group: factor.terms for factor in products.factors}
    left, right = (_back(products, terms[factor.label]) for factor in (cross.left, cross.right))
    values = sandwich(left, pair.values, right)
    if cross.parent:
        return {cross.parent: pair.columns + 1, cross.name: values[0, 0]}
    blocks = np.zeros((cross.left.k, cross.left.n_levels, cross.right.k, cross.right.n_levels))
    for a in range(cross.left.k):
        for b in range(cross.right.k):
            blocks[a, pair.rows, b, pair.columns] = values[a, b]
    return {cross.name: blocks.reshape(cross.left.k * cross.left.n_levels, -1)}
