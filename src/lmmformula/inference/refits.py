"""Refit a model to many responses, all at once where its structure allows."""

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.matrices import DesignMatrices
from lmmformula.fit.lmm import Fit
from lmmformula.fit.refit import Refits, refit


def refits(design: DesignMatrices, Y: FloatArray, fit: Fit, *, reml: bool | None = None) -> Refits:
    """
    Fit the model of a design to each column of Y, (n, m).

    reml : REML or ML; None for that of `fit`
    """
    return refit(design, np.ascontiguousarray(Y), reml=fit.reml if reml is None else reml)
