"""A program and its design -> the data it reads."""

import numpy as np

from lmmformula.arrays import AnyArray, FloatArray, IntArray
from lmmformula.design.design import Design
from lmmformula.ir.family import Family
from lmmformula.stan.program.record import Cross, Factor, Program
from lmmformula.stan.program.responses import counted
from lmmformula.stan.program.summed_data import summed_data


def stan_data(program: Program, design: Design, *, literals: bool = False) -> dict[str, AnyArray]:
    """
    Fill the data block: one entry for each of its names, in its order and of the shape declared there.

    literals : the numbers of the priors stand in the program, so they are not among the data
    """
    rows = program.data_form == "rows"
    data = {"N": np.asarray(design.nobs)} | (_rows(program, design) if rows else _crossproducts(program, design))
    for number in () if literals else program.numbers:
        data[number.name] = np.asarray(number.values if len(number.values) > 1 else number.values[0])
    return data


def _rows(program: Program, design: Design) -> dict[str, AnyArray]:
    """Give the data row by row."""
    y, trials = counted(design.y, design.weights, Family(program.family, program.link))
    data: dict[str, AnyArray] = {"y": y.astype(np.intp) if program.likelihood.integer else y}
    if trials is not None:
        data["trials"] = trials.astype(np.intp)
    if program.fixed.K:
        data["X"] = design.X[:, list(program.fixed.columns)]
    if program.weights and design.weights is not None:
        data["weights"] = design.weights
    if program.loglik_weights:
        data["loglik_weights"] = np.asarray(design.loglik_weights)
    if design.offset is not None:
        data["offsets"] = design.offset
    for column in program.columns:
        data[column.name] = design.random_terms[column.term].covariates[:, column.coefficient]
    for factor in program.factors:
        data[factor.name("N")] = np.asarray(factor.n_levels)
        data[factor.name("level")] = _codes(factor, design) + 1
    return data


def _crossproducts(program: Program, design: Design) -> dict[str, AnyArray]:
    """Give the sums over rows that the marginal form is made of, as its program would form them from rows."""
    if design.sums is not None:
        return summed_data(program, design)
    data: dict[str, AnyArray] = {}
    y = design.y if design.offset is None else design.y - design.offset
    X = design.X[:, list(program.fixed.columns)]
    root = np.ones(design.nobs) if design.weights is None else np.sqrt(design.weights)
    ones = np.ones((design.nobs, int(program.fixed.intercept)))
    if program.fixed.intercept:
        data["y_mean"] = np.asarray(y.mean())
        y = y - y.mean()
        if program.fixed.K:
            data["X_means"] = X.mean(axis=0)
            X = X - X.mean(axis=0)
    D = np.column_stack([ones, X, y]) * root[:, np.newaxis]
    data["DD"] = D.T @ D
    if design.weights is not None:
        data["log_root_weights"] = np.asarray(np.log(root).sum())
    for factor in program.factors:
        codes, Z = _codes(factor, design), _columns(factor, design) * root[:, np.newaxis]
        data[factor.name("N")] = np.asarray(factor.n_levels)
        products = [[_by_level(codes, z * other, factor) for other in Z.T] for z in Z.T]
        data[factor.name("ZZ")] = np.moveaxis(np.array(products), 2, 0) if factor.k > 1 else products[0][0]
        data[factor.name("ZD")] = np.concatenate([_sums(codes, z[:, np.newaxis] * D, factor) for z in Z.T])
    for cross in program.crosses:
        data |= _cross(cross, design, root)
    return data


def _cross(cross: Cross, design: Design, root: FloatArray) -> dict[str, AnyArray]:
    """Sum the products of the columns of two factors over rows, by level of the one and of the other."""
    left, right = _codes(cross.left, design), _codes(cross.right, design)
    Z, other = (_columns(factor, design) * root[:, np.newaxis] for factor in (cross.left, cross.right))
    if cross.parent:
        parent = np.empty(cross.left.n_levels, dtype=np.intp)
        parent[left] = right
        return {cross.parent: parent + 1, cross.name: _by_level(left, Z[:, 0] * other[:, 0], cross.left)}
    shape = (cross.left.n_levels, cross.right.n_levels)
    cells = left * shape[1] + right
    blocks = [[np.bincount(cells, a * b, shape[0] * shape[1]).reshape(shape) for b in other.T] for a in Z.T]
    return {cross.name: np.block(blocks)}


def _codes(factor: Factor, design: Design) -> IntArray:
    return design.random_terms[factor.blocks[0].term].codes


def _columns(factor: Factor, design: Design) -> FloatArray:
    return np.concatenate([design.random_terms[block.term].covariates for block in factor.blocks], axis=1)


def _by_level(codes: IntArray, values: FloatArray, factor: Factor) -> FloatArray:
    return np.bincount(codes, values, factor.n_levels).astype(np.float64)


def _sums(codes: IntArray, columns: FloatArray, factor: Factor) -> FloatArray:
    return np.column_stack([_by_level(codes, column, factor) for column in columns.T])
