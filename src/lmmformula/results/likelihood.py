"""Pointwise log likelihoods of a posterior, and what ArviZ makes of them: leave-one-out cross-validation."""

from typing import TYPE_CHECKING, Any

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import FitError
from lmmformula.results.densities import log_density
from lmmformula.results.posterior_prediction import flat, linear_predictors, own_of_rows, pieces
from lmmformula.results.rows import OldRows
from lmmformula.stan.families import counted

if TYPE_CHECKING:
    from lmmformula.results.posterior import PosteriorResult


def log_likelihood(posterior: "PosteriorResult") -> FloatArray:
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
    n_draws = draws.n_chains * draws.n_draws
    density = np.empty((n_draws, design.nobs))
    for part in pieces(design.nobs, n_draws):
        of_part = own_of_rows(posterior, own, part)
        eta = linear_predictors(posterior, rows, part)
        tried = 1.0 if trials is None else trials[part]
        density[:, part] = log_density(posterior.ir.family, y[part], eta, of_part, tried)
    if design.loglik_weights is not None:
        density *= design.loglik_weights
    return density.reshape(draws.n_chains, draws.n_draws, design.nobs)


def loo(posterior: "PosteriorResult", **options: Any) -> Any:  # noqa: ANN401 (ArviZ's ELPDData)
    """
    Estimate the expected log density of a new row by Pareto-smoothed leave-one-out cross-validation, through ArviZ.

    options : those of `arviz.loo`; each row's part is kept unless pointwise=False, so that `arviz.compare` can read it
    """
    from lmmformula.results.arviz import import_arviz, to_arviz

    if posterior.program.prior_only:
        raise FitError("draws from the prior have seen no row that could be left out", hint="use model.sample()")
    arviz = import_arviz()
    try:
        return arviz.loo(to_arviz(posterior, log_likelihood=True), **({"pointwise": True} | options))
    except TypeError as error:
        raise FitError(f"ArviZ refuses the options of loo: {error}") from error
