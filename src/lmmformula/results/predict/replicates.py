"""Responses drawn from a posterior, for the rows of the data or for new ones."""

from typing import TYPE_CHECKING

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.data.table import Table, read_table
from lmmformula.design.random import group_column, grouping
from lmmformula.errors import FitError
from lmmformula.results.estimates import Sampled
from lmmformula.results.families import own_of_rows
from lmmformula.results.predict.posterior_prediction import (
    PosteriorRequest,
    flat,
    new_effects,
    responses,
)
from lmmformula.results.predict.rows import NewRows, OldRows, trials_of_rows

if TYPE_CHECKING:
    import numpy.typing as npt


def replicates(
    posterior: Sampled,
    newdata: object,
    request: PosteriorRequest,
    *,
    rng: np.random.Generator,
    draws: int | None = None,
    trials: "npt.ArrayLike | None" = None,
) -> FloatArray:
    """Draw (draws, m) responses; see `PosteriorResult.posterior_predictive`."""
    chosen = _chosen(posterior, draws)
    if newdata is None:
        rows: NewRows = OldRows(posterior, random=request.random)
        drawn = []
    else:
        rows = NewRows(posterior, newdata, random=request.random, new_levels=request.new_levels)
        table = read_table(newdata)
        drawn = _drawn(posterior, table, rows, chosen, rng) if request.new_levels == "sample" else []
    tried = trials_of_rows(posterior, newdata, trials)
    beta = flat(posterior.draws.beta)[chosen]
    modes = [flat(values)[chosen] for values in posterior.draws.modes]
    own = {name: flat(values)[chosen] for name, values in posterior.draws.own.items()}
    replicated = np.empty((len(chosen), len(rows.X)))
    for i in range(len(chosen)):
        eta = rows.linear_predictor(beta[i], [values[i] for values in modes])
        for z, codes, effects in drawn:
            eta = eta + np.einsum("mk,mk->m", z, effects[i, codes])
        of_draw = {name: values[i] for name, values in own.items()}
        of_rows = own_of_rows(posterior.design, of_draw) if newdata is None else of_draw
        replicated[i] = responses(posterior.ir.family, eta, of_rows, rng, tried)
    return replicated


def _chosen(posterior: Sampled, draws: int | None) -> IntArray:
    """Spread so many draws evenly over all of them."""
    total = posterior.draws.n_all
    if draws is None:
        return np.arange(total)
    wanted: object = draws
    if not isinstance(wanted, int | np.integer) or not 1 <= wanted <= total:
        raise FitError(f"there are {total} draws to choose from, and {wanted!r:.60} were asked for")
    return np.linspace(0, total - 1, int(wanted)).round().astype(np.intp)


def _drawn(
    posterior: Sampled, table: Table, rows: NewRows, chosen: IntArray, rng: np.random.Generator
) -> list[tuple[FloatArray, IntArray, FloatArray]]:
    """
    Draw the effects of the levels that were not seen, the same for all rows of a level.

    Returns
    -------
    per term (covariates, codes, effects)
        (m, k), zero in rows whose level was seen; (m,) numbers of levels; (draws, levels, k)
    """
    made = []
    for t, (z, codes) in enumerate(rows.random):
        term = posterior.ir.random[posterior.schema.order[t]]
        columns = [group_column(table, variable, posterior.ir.source) for variable in term.group]
        new = np.flatnonzero((codes < 0) & np.logical_and.reduce([column.codes >= 0 for column in columns]))
        if not len(new):
            continue
        found = grouping(columns, new)
        covariates, numbers = np.zeros_like(z), np.zeros(len(z), dtype=np.intp)
        covariates[new], numbers[new] = z[new], found.codes
        sds, correlations = flat(posterior.draws.sds[t])[chosen], flat(posterior.draws.correlations[t])[chosen]
        made.append((covariates, numbers, new_effects(sds, correlations, rng, len(found.levels))))
    return made
