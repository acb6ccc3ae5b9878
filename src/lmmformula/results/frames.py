"""Rows of results beside those of the data, under the names that R's broom gave them, in the library they came in."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.data.table import Library, Table
from lmmformula.results.effects import padded_rows
from lmmformula.results.estimates import Fitted, Sampled, Specified
from lmmformula.results.predict.posterior_prediction import response_means
from lmmformula.results.tables.native import as_column, assembled, require_library, to_native

if TYPE_CHECKING:
    import pandas as pd


def in_library(model: Specified, frame: "pd.DataFrame", library: Library | None) -> Any:  # noqa: ANN401 (a data frame)
    """Return a data frame as one of a library; of that which the data came in for None."""
    return to_native(frame, model.table.library if library is None else library)


def glance(result: Fitted) -> "pd.DataFrame":
    """One row: nobs, sigma, loglik, aic, bic, the criterion that was minimised, df_residual, and two verdicts."""
    import pandas as pd

    names = ("nobs", "sigma", "loglik", "aic", "bic", "reml_criterion" if result.reml else "deviance", "df_residual")
    return pd.DataFrame([{name: getattr(result, name) for name in (*names, "is_singular", "converged")}])


def augment(result: Fitted, more: Mapping[str, FloatArray] | None = None, library: Library | None = None) -> Any:  # noqa: ANN401 (a data frame of the library)
    """
    One row per observation used, or, for `na_action="exclude"`, per row of the data; in their order.

    The columns of the data as they came, then `fitted`, `population` (without random effects), `residual`, `scaled`
    and those of `more`; a column of the data that has the name of a computed one gives way to it. A pandas frame is
    indexed by the positions of the rows.

    more : name -> (n,) numbers of the rows used
    library : of the data frame; that of the data by default
    """
    computed = {
        "fitted": result.fitted,
        "population": result.predict(random="population"),
        "residual": result.residuals(),
        "scaled": result.residuals("scaled"),
    }
    numbers = {name: np.asarray(values, dtype=np.float64) for name, values in computed.items()}
    for name, values in (more or {}).items():
        numbers[name] = padded_rows(result, values)
    return beside_data(result, numbers, library)


def augment_draws(posterior: Sampled, library: Library | None = None) -> Any:  # noqa: ANN401 (a data frame)
    """
    Lay out the rows as `augment` does: `fitted`, `population` (without random effects) and `residual`, posterior means.

    `std_error` is the posterior standard deviation of what is fitted: of an ordinal response its category's number.

    library : of the data frame; that of the data by default
    """
    mean, sd = response_means(posterior)
    population, _ = response_means(posterior, random="population")
    columns = {"fitted": mean, "std_error": sd, "population": population, "residual": posterior.design.y - mean}
    return beside_data(posterior, {name: padded_rows(posterior, v) for name, v in columns.items()}, library)


def beside_data(model: Specified, numbers: Mapping[str, FloatArray], library: Library | None) -> Any:  # noqa: ANN401 (a data frame of the library)
    """Put columns of numbers, as long as `augment` says, beside those of the data."""
    wanted = model.table.library if library is None else library
    require_library(wanted)
    rows = np.arange(model.design.n_given) if model.na_action == "exclude" else model.design.kept_rows
    own = _own_columns(model.table, rows, wanted)
    return assembled(own | {name: as_column(name, values, wanted) for name, values in numbers.items()}, wanted, rows)


def _own_columns(table: Table, rows: IntArray, library: str) -> dict[str, Any]:
    """Return the user's columns at some rows; of those that share a name there is none to choose."""
    own: dict[str, Any] = {}
    for name, fetches in table.raw.items():
        if len(fetches) > 1:
            continue
        column = fetches[0]()
        if isinstance(column, np.ndarray):
            own[name] = as_column(name, column[rows], library)
            continue
        chosen = column if len(rows) == len(column) else column[rows.tolist()]
        if chosen.implementation.name.lower() == library:
            own[name] = chosen.to_native().set_axis(rows) if library == "pandas" else chosen.to_native()
        else:
            own[name] = _translated(name, chosen.to_list(), rows, library)
    return own


def _translated(name: str, values: list[Any], rows: IntArray, library: str) -> Any:  # noqa: ANN401 (a column of the library)
    """Make a column of the values of another library's, of the type that they have in common."""
    if library != "pandas":
        return as_column(name, np.array(values, dtype=object), library)
    import pandas as pd

    return pd.Series(values, index=rows)
