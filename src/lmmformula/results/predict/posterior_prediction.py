"""Predictions of a posterior with their uncertainty: the arguments are those of a fit's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import FitError
from lmmformula.ir.family import GAUSSIAN, Family
from lmmformula.results.estimates import Sampled
from lmmformula.results.families import category_probability, draw_from, mean_of, own_of_rows
from lmmformula.results.predict.prediction import Request, refuse_response_on_link
from lmmformula.results.predict.rows import (
    NewRows,
    OldRows,
    coefficients_used,
    pieces,
    random_covariates,
    rows_of,
    trials_of_rows,
)

if TYPE_CHECKING:
    import pandas as pd

SEED = 20
"""Of what is drawn for new levels and new responses: a prediction is the same each time it is asked for.

All rows share these draws, so that bounds are smooth along a variable; each row's are what they would be alone."""


NewLevels = Literal["error", "population", "sample"]


@dataclass(frozen=True, slots=True)
class PosteriorRequest(Request):
    """
    What is to be predicted; of a posterior, levels that were not seen can have effects from their distribution.

    new_levels : "error", "population" (no effect) or "sample" (drawn effects)
    """

    new_levels: NewLevels = "error"  # type: ignore[assignment]  # one choice more than a fit has

    LEVELS: ClassVar[tuple[str, ...]] = ("error", "population", "sample")


def flat(values: FloatArray) -> FloatArray:
    """Return draws of all chains, one after the other."""
    return values.reshape(values.shape[0] * values.shape[1], *values.shape[2:])


def response_means(posterior: Sampled, *, random: str = "conditional") -> tuple[FloatArray, FloatArray]:
    """Return (n,) posterior means and standard deviations of the mean response of the rows of the data."""
    rows = OldRows(posterior, random=random)
    found = _response(posterior, rows, None, PosteriorRequest(random, se_fit=True))
    return found["prediction"], found["std_error"]


def posterior_predictions(
    posterior: Sampled, newdata: object, request: PosteriorRequest
) -> "pd.Series[float] | pd.DataFrame":
    """
    Predict rows: posterior means, or with se_fit and interval standard deviations and quantiles of the draws.

    A level that was not seen has draws from the distribution of the levels in standard deviations and bounds; means
    are those without its effect (new_levels="population") or over these draws ("sample").
    """
    rows = rows_of(posterior, newdata, random=request.random, new_levels=request.new_levels)
    draws, family = posterior.draws, posterior.ir.family
    refuse_response_on_link(family, request)
    if request.scale == "response" and family.ordinal:
        return _by_category(posterior, rows, newdata, request)
    if request.scale == "response" and family != GAUSSIAN:
        columns = _response(posterior, rows, newdata, request)
    else:
        columns = {"prediction": rows.linear_predictor(draws.mean_beta, draws.mean_modes)}
        if not request.plain:
            columns |= _spread(posterior, rows, newdata, request)
    return request.chosen(rows.frame(columns))


def _by_category(posterior: Sampled, rows: NewRows, newdata: object, request: PosteriorRequest) -> "pd.DataFrame":
    """Predict the probability of each category: a column each, or a group of columns with standard errors or bounds."""
    design, family = posterior.design, posterior.ir.family
    if request.interval == "prediction":
        hint = "posterior_predictive() draws it; interval='confidence' is of probabilities"
        raise FitError("a new response is a category, which has no interval", hint=hint)
    chances = [partial(category_probability, family, category=k + 1) for k in range(len(design.categories))]
    found = [_response(posterior, rows, newdata, request, chance) for chance in chances]
    named = zip(design.categories, found, strict=True)
    frame = rows.frame({(category, name): values for category, of in named for name, values in of.items()})
    return frame.droplevel(1, axis=1) if request.plain else frame


def _spread(posterior: Sampled, rows: NewRows, newdata: object, request: PosteriorRequest) -> dict[str, FloatArray]:
    """Return standard deviations of the means' draws, and bounds where they are wanted."""
    m = len(rows.X)
    sd, bounds = np.empty(m), np.empty((2, m))
    tail = (1 - request.level) / 2
    for part in pieces(m, posterior.draws.n_all):
        means = linear_predictors(posterior, rows, part)
        sd[part] = means.std(axis=0, ddof=1)
        if request.interval == "prediction":
            means = means + _noise(posterior, newdata, request, part)
        bounds[:, part] = np.quantile(means, [tail, 1 - tail], axis=0)
    found = {"std_error": sd}
    return found if request.interval is None else found | {"conf_low": bounds[0], "conf_high": bounds[1]}


def _response(
    posterior: Sampled,
    rows: NewRows,
    newdata: object,
    request: PosteriorRequest,
    mean_response: Callable[[FloatArray, Mapping[str, FloatArray]], FloatArray] | None = None,
) -> dict[str, FloatArray]:
    """
    Return means, standard deviations and bounds of the mean response, or bounds of a new one, from all draws.

    mean_response : what to take for it, of the linear predictor and the parameters of the family
    """
    family = posterior.ir.family
    mean_of_rows = mean_response or partial(mean_of, family)
    draws_of_own = {name: flat(values)[:, None] for name, values in posterior.draws.own.items()}
    new = request.interval == "prediction"
    if new:
        _refuse_left_out(posterior, request)
    trials, m = trials_of_rows(posterior, newdata) if new else 1.0, len(rows.X)
    mean, sd, bounds = np.empty(m), np.empty(m), np.empty((2, m))
    tail = (1 - request.level) / 2
    without = request.new_levels != "sample"
    rng = np.random.default_rng(SEED)
    for part in pieces(m, posterior.draws.n_all):
        eta = linear_predictors(posterior, rows, part)
        own = own_of_rows(posterior.design, draws_of_own, part) if newdata is None else draws_of_own
        means = mean_of_rows(eta, own)
        with np.errstate(over="ignore", invalid="ignore"):  # a wide prior has infinite means, and so no spread
            mean[part], sd[part] = means.mean(axis=0), means.std(axis=0, ddof=1)
            if without and any((codes[part] < 0).any() for _, codes in rows.random):
                mean[part] = mean_of_rows(linear_predictors(posterior, rows, part, unseen=False), own).mean(axis=0)
            if new:
                means = responses(family, eta, own, rng, trials if isinstance(trials, float) else trials[part])
            if request.interval is not None:
                bounds[:, part] = np.quantile(means, [tail, 1 - tail], axis=0)
    found = {"prediction": mean}
    if not request.plain:
        found["std_error"] = sd
    return found if request.interval is None else found | {"conf_low": bounds[0], "conf_high": bounds[1]}


def _refuse_left_out(posterior: Sampled, request: PosteriorRequest) -> None:
    """Refuse new responses that would need effects that were left out."""
    if not all(mask.all() for mask in coefficients_used(posterior, request.random)):
        message = f"new responses of the family {posterior.ir.family.name} are drawn given all random effects"
        raise FitError(message, hint='random="conditional"')


def linear_predictors(posterior: Sampled, rows: NewRows, part: slice, *, unseen: bool = True) -> FloatArray:
    """
    Return (draws, m) linear predictors of some rows.

    unseen : whether levels that were not seen have effects, drawn from their distribution, or none
    """
    draws = posterior.draws
    offset = rows.offset if isinstance(rows.offset, float) else rows.offset[part]
    means: FloatArray = flat(draws.beta) @ rows.X[part].T + offset
    for t, (z, codes) in enumerate(rows.random):
        effects = flat(draws.modes[t])[:, codes[part], :]
        new = np.flatnonzero(codes[part] < 0)
        if len(new):
            effects[:, new] = _shared_effects(posterior, t) if unseen else 0.0
        means = means + np.einsum("mk,dmk->dm", z[part], effects)
    return means


def new_effects(sds: FloatArray, correlations: FloatArray, rng: np.random.Generator, levels: int = 1) -> FloatArray:
    """
    Draw (draws, levels, k) effects of levels that were not seen, from N(0, Sigma) of each draw.

    sds, correlations : (draws, k) and (draws, k, k)
    """
    values, vectors = np.linalg.eigh(correlations)
    roots = sds[:, :, None] * vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
    noise = rng.standard_normal((len(sds), levels, sds.shape[1]))
    out: FloatArray = noise @ roots.transpose(0, 2, 1)
    return out


def responses(
    family: Family, eta: FloatArray, own: Mapping[str, Any], rng: np.random.Generator, trials: FloatArray | float
) -> FloatArray:
    """Draw a response for each element of a linear predictor, NaN where that or the number of trials is."""
    known = np.isfinite(eta + trials)
    drawn = draw_from(family, np.where(known, eta, 0.0), own, rng, np.where(np.isfinite(trials), trials, 1.0))
    return np.where(known, drawn, np.nan)


def _shared_effects(posterior: Sampled, t: int) -> FloatArray:
    """Draw (draws, 1, k) effects of a level of a term that was not seen, the same whichever level and row it is."""
    draws = posterior.draws
    return new_effects(flat(draws.sds[t]), flat(draws.correlations[t]), np.random.default_rng([SEED, t]))


def _noise(posterior: Sampled, newdata: object, request: PosteriorRequest, part: slice) -> FloatArray:
    """Draw what a response has around its mean, (draws, m): residual, and random effects that were left out."""
    sigma, design = flat(posterior.draws.sigma)[:, None], posterior.design
    masks = coefficients_used(posterior, request.random)
    weights = design.weights if newdata is None else None
    scale = 1.0 if weights is None else 1 / np.sqrt(weights[part])
    columns = [] if all(mask.all() for mask in masks) else random_covariates(posterior, newdata)
    noise: FloatArray = sigma * scale * np.random.default_rng(SEED).standard_normal((len(sigma), 1))
    for t, (z, mask) in enumerate(zip(columns, masks, strict=False)):
        if not mask.all():
            noise = noise + _shared_effects(posterior, t)[:, 0] @ (z[part] * ~mask).T
    return noise
