"""Pointwise log likelihoods of a posterior."""

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import FitError
from lmmformula.results.estimates import Sampled
from lmmformula.results.families import log_density, own_of_rows
from lmmformula.results.predict.posterior_prediction import flat, linear_predictors
from lmmformula.results.predict.rows import OldRows, pieces
from lmmformula.stan.program.responses import counted


def log_likelihood(posterior: Sampled) -> FloatArray:
    """
    Return (C, D, n) log densities of the rows given all parameters, random effects among them.

    Those that the program generated, where it was run with log_lik; else they are worked out from the draws.
    """
    if "log_lik" in posterior.raw and posterior.raw["log_lik"].shape[2:] == (posterior.nobs,):
        return posterior.raw["log_lik"]
    if posterior.program.edited:
        hint = "generate `vector[N] log_lik` in the program"
        raise FitError("the program was edited, so that nobody knows the log densities of its rows", hint=hint)
    draws, design = posterior.draws, posterior.design
    rows = OldRows(posterior, random="conditional")
    y, trials = counted(design.y, design.weights, posterior.ir.family)
    own = {name: flat(values)[:, None] for name, values in draws.own.items()}
    density = np.empty((draws.n_all, design.nobs))
    for part in pieces(design.nobs, draws.n_all):
        of_part = own_of_rows(posterior.design, own, part)
        eta = linear_predictors(posterior, rows, part)
        tried = 1.0 if trials is None else trials[part]
        density[:, part] = log_density(posterior.ir.family, y[part], eta, of_part, tried)
    if design.loglik_weights is not None:
        density *= design.loglik_weights
    return density.reshape(draws.n_chains, draws.n_draws, design.nobs)
