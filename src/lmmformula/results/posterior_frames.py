"""Posteriors as tidy data frames: one row for all of it, and one for each observation."""

from typing import TYPE_CHECKING, Any

from lmmformula.data.table import Library
from lmmformula.results.frames import beside_data, padded_rows
from lmmformula.results.posterior_prediction import response_means

if TYPE_CHECKING:
    import pandas as pd

    from lmmformula.results.posterior import PosteriorResult


def glance(posterior: "PosteriorResult") -> "pd.DataFrame":
    """One row: nobs, posterior mean of sigma, chains, draws of each, the worst diagnostics, and their verdict."""
    import pandas as pd

    found = posterior.diagnostics()
    numbers = {"nobs": posterior.nobs, "sigma": posterior.sigma, "chains": found.n_chains, "draws": found.n_draws}
    worst = {name: getattr(found, name) for name in ("rhat", "ess_bulk", "ess_tail", "divergent")}
    return pd.DataFrame([numbers | worst | {"converged": found.ok}])


def augment(posterior: "PosteriorResult", library: Library | None = None) -> Any:  # noqa: ANN401 (a data frame)
    """
    Lay out the rows as `augment` does: `fitted`, `population` (without random effects) and `residual`, posterior means.

    `std_error` is the posterior standard deviation of what is fitted: of an ordinal response its category's number.

    library : of the data frame; that of the data by default
    """
    mean, sd = response_means(posterior)
    population, _ = response_means(posterior, random="population")
    columns = {"fitted": mean, "std_error": sd, "population": population, "residual": posterior.design.y - mean}
    return beside_data(posterior, {name: padded_rows(posterior, v) for name, v in columns.items()}, library)
