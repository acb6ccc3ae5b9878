"""Probabilities of the categories of an ordinal response at the points of a reference grid, averaged over these."""

from collections.abc import Sequence

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.inference.means.reference_grid import Grid, Weights, estimable
from lmmformula.results.families import category_probability
from lmmformula.results.posteriors.posterior import PosteriorResult
from lmmformula.results.predict.posterior_prediction import flat
from lmmformula.results.predict.rows import pieces


def category_draws(posterior: PosteriorResult, grid: Grid, names: Sequence[str], weights: Weights) -> FloatArray:
    """Return (S, r, C) draws of the probability of each category, averaged over the variables that are not named."""
    code, shares = grid.averaging(names, weights)
    beta = flat(posterior.draws.beta)
    own = {name: flat(values)[:, None] for name, values in posterior.draws.own.items()}
    L = estimable(posterior, grid.L)
    used = np.flatnonzero(shares != 0.0)  # NaN, where nothing has a weight, is one of them
    out = np.zeros((len(posterior.design.categories), int(code.max()) + 1, len(beta)))
    for part in (used[piece] for piece in pieces(len(used), len(beta))):
        eta = beta @ L[part].T + grid.offset[part]
        for c, found in enumerate(out, start=1):
            chance = category_probability(posterior.ir.family, eta, own, c)
            np.add.at(found, code[part], (shares[part] * chance).T)
    return out.transpose(2, 1, 0)
