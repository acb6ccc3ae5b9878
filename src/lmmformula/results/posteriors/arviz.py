"""Posterior draws as xarray and ArviZ, optional extras, hold them, and leave-one-out cross-validation by the latter."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lmmformula.arrays import AnyArray
from lmmformula.errors import EngineError, FitError
from lmmformula.results.estimates import Sampled
from lmmformula.results.families import trials_of
from lmmformula.results.posteriors.draws import cutpoint_names
from lmmformula.results.posteriors.likelihood import log_likelihood as densities
from lmmformula.results.predict.posterior_prediction import PosteriorRequest
from lmmformula.results.predict.prediction import generator
from lmmformula.results.predict.replicates import replicates
from lmmformula.results.varcorr import unique_labels

Variables = dict[str, tuple[Sequence[str], AnyArray]]
"""Variable -> names of its dimensions, values."""

CHAINS = ("chain", "draw")
STATISTICS: dict[str, tuple[str, type]] = {
    "accept_stat": ("acceptance_rate", float),
    "divergent": ("diverging", bool),
    "treedepth": ("tree_depth", int),
    "n_leapfrog": ("n_steps", int),
    "stepsize": ("step_size", float),
}
"""The sampler's own numbers, as ArviZ calls them, and their types there."""


def to_xarray(result: Sampled, **options: Any) -> Any:  # noqa: ANN401 (an xarray.DataTree)
    """Lay out draws as an `xarray.DataTree`; see `groups_of` for what is in it, and for the options."""
    xarray = _import("xarray", "xarray")
    if not hasattr(xarray, "DataTree"):
        raise EngineError(f"xarray {xarray.__version__} has no DataTree", hint="pip install 'xarray>=2024.10'")
    return xarray.DataTree.from_dict(groups_of(result, **options))


def to_arviz(result: Sampled, **options: Any) -> Any:  # noqa: ANN401 (an InferenceData or a DataTree)
    """Convert to what ArviZ works on: since 1.0 an `xarray.DataTree`, before that an `InferenceData`."""
    arviz = import_arviz()
    if int(arviz.__version__.split(".")[0]) >= 1:
        return to_xarray(result, **options)
    return arviz.InferenceData(**groups_of(result, **options))


def loo(posterior: Sampled, **options: Any) -> Any:  # noqa: ANN401 (ArviZ's ELPDData)
    """
    Estimate the expected log density of a new row by Pareto-smoothed leave-one-out cross-validation, through ArviZ.

    options : those of `arviz.loo`; each row's part is kept unless pointwise=False, so that `arviz.compare` can read it
    """
    if posterior.program.prior_only:
        raise FitError("draws from the prior have seen no row that could be left out", hint="use model.sample()")
    arviz = import_arviz()
    try:
        return arviz.loo(to_arviz(posterior, log_likelihood=True), **({"pointwise": True} | options))
    except TypeError as error:
        raise FitError(f"ArviZ refuses the options of loo: {error}") from error


def import_arviz() -> Any:  # noqa: ANN401 (a module)
    """Import ArviZ, or say how to install it."""
    return _import("arviz", "ArviZ")


def _import(module: str, name: str) -> Any:  # noqa: ANN401 (a module)
    from importlib import import_module

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # ArviZ announces its next version, which is served too
            return import_module(module)
    except ImportError as error:
        raise EngineError(f"{name} is not installed", hint=f"pip install 'lmmformula[{module}]'") from error


def groups_of(
    result: Sampled,
    *,
    log_likelihood: bool = False,
    posterior_predictive: bool = False,
    prior: Sampled | None = None,
) -> dict[str, Any]:
    """
    Lay out draws as data sets of xarray, by group.

    posterior : b (coefficient), the family's parameters, cutpoint (categories) among them, and for each random term g
        sd_g (g_coefficient), u_g (g_level, g_coefficient) and, where these are correlated, cor_g (g_coefficient,
        g_coefficient_)
    sample_stats : what the sampler says of each draw
    observed_data : the response (row)
    log_likelihood, posterior_predictive : of each row, where the program generated them or they are asked for
    prior, prior_predictive, sample_stats_prior : draws of `sample_prior`, which stand there instead of those of a
        posterior
    """
    if prior is not None and not (hasattr(prior, "program") and prior.program.prior_only):
        raise FitError("prior= takes draws from the prior", hint="prior=model.sample_prior()")
    own = _groups(result, log_likelihood=log_likelihood, predictive=posterior_predictive)
    if prior is not None:
        own |= {name: group for name, group in _groups(prior, predictive=True).items() if "prior" in name}
    return own


def _groups(result: Sampled, *, log_likelihood: bool = False, predictive: bool = False) -> dict[str, Any]:
    design, raw = result.design, result.raw
    prior = result.program.prior_only
    posterior, coords = _posterior(result)
    of_rows: Variables = {}
    response, row = _safe(design.response_name), (*CHAINS, "row")
    datasets = {
        "prior" if prior else "posterior": _dataset(posterior, coords, result),
        "sample_stats_prior" if prior else "sample_stats": _dataset(_sample_stats(result), {}, result),
    }
    rows = {"row": design.kept_rows if design.has_rows else np.arange(design.nobs)}
    if predictive or ("y_rep" in raw and (design.has_rows or not design.has_weights)):
        of_rows["prior_predictive" if prior else "posterior_predictive"] = (row, _replicated(result))
    if not prior and (log_likelihood or "log_lik" in raw):
        of_rows["log_likelihood"] = (row, densities(result))
    if design.has_rows:
        of_rows["observed_data"] = (("row",), design.y)
    return datasets | {name: _dataset({response: values}, rows, result) for name, values in of_rows.items()}


def _posterior(result: Sampled) -> tuple[Variables, dict[str, Sequence[str]]]:
    """Name variables with their dimensions, and coordinates."""
    draws, design = result.draws, result.design
    variables: Variables = {"b": ((*CHAINS, "coefficient"), draws.beta)}
    coords: dict[str, Sequence[str]] = {"coefficient": design.fixed_names}
    for name, values in draws.own.items():
        variables[name] = ((*CHAINS, "categories") if values.ndim > len(CHAINS) else CHAINS, values)
    if design.categories:
        coords["categories"] = cutpoint_names(design)
    labels = unique_labels([term.group for term in design.random_terms])
    for i, (label, term) in enumerate(zip(map(_safe, labels), design.random_terms, strict=True)):
        rows, columns, levels = f"{label}_coefficient", f"{label}_coefficient_", f"{label}_level"
        variables |= {
            f"sd_{label}": ((*CHAINS, rows), draws.sds[i]),
            f"u_{label}": ((*CHAINS, levels, rows), draws.modes[i]),
        }
        coords |= {rows: term.coefficient_names, levels: term.levels}
        if term.n_coefficients > 1 and term.covariance.correlated:
            variables[f"cor_{label}"] = ((*CHAINS, rows, columns), draws.correlations[i])
            coords[columns] = term.coefficient_names
    return variables, coords


def _sample_stats(result: Sampled) -> Variables:
    found: Variables = {}
    for name, values in result.raw.statistics.items():
        renamed, kind = STATISTICS.get(name, (name, float))
        found[renamed] = (CHAINS, values.astype(kind))
    return found


def _replicated(result: Sampled) -> AnyArray:
    """Return (C, D, n) responses: those of the program, or drawn by the run's seed."""
    if "y_rep" in result.raw:
        return result.raw["y_rep"] / trials_of(result.design, result.ir.family)
    drawn = replicates(result, None, PosteriorRequest(), rng=generator(result.raw.seed))
    return drawn.reshape(result.draws.n_chains, result.draws.n_draws, -1)


def _dataset(variables: Variables, coords: Mapping[str, Any], result: Sampled) -> Any:  # noqa: ANN401
    xarray = _import("xarray", "xarray")
    chains, draws = result.draws.n_chains, result.draws.n_draws
    sampled = any("chain" in dims for dims, _ in variables.values())
    index = {"chain": np.arange(chains), "draw": np.arange(draws)} if sampled else {}
    named = {name: np.asarray(values) for name, values in coords.items()}
    about = {
        "inference_library": result.raw.engine,
        "sampling_time": result.raw.seconds,
        "tuning_steps": result.raw.warmup,
        "modeling_library": "lmmformula",
    }
    return xarray.Dataset(variables, index | named, about)


def _safe(name: str) -> str:
    """Write a name without the sign that separates the groups of a tree."""
    return name.replace("/", "_")
