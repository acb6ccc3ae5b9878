"""A program and its design -> the data it reads."""

import numpy as np

from lmmformula.arrays import AnyArray
from lmmformula.design.matrices import DesignMatrices
from lmmformula.stan.program import Program


def stan_data(program: Program, design: DesignMatrices, *, literals: bool = False) -> dict[str, AnyArray]:
    """
    Fill the data block: one entry for each of its names, in its order and of the shape declared there.

    literals : the numbers of the priors stand in the program, so they are not among the data
    """
    data: dict[str, AnyArray] = {"N": np.asarray(design.nobs), "y": design.y}
    if program.fixed.K:
        data["X"] = design.X[:, list(program.fixed.columns)]
    if design.weights is not None:
        data["weights"] = design.weights
    if design.offset is not None:
        data["offsets"] = design.offset
    for column in program.columns:
        data[column.name] = design.random_terms[column.term].covariates[:, column.coefficient]
    for factor in program.factors:
        data[factor.name("N")] = np.asarray(factor.n_levels)
        data[factor.name("level")] = design.random_terms[factor.blocks[0].term].codes + 1
    for number in () if literals else program.numbers:
        data[number.name] = np.asarray(number.values if len(number.values) > 1 else number.values[0])
    return data
