"""Results as tidy data frames, under the names that R's broom gave them, in the library the data came in."""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.data.table import Library, Table
from lmmformula.errors import FitError

if TYPE_CHECKING:
    import pandas as pd

    from lmmformula.results.glmm import GeneralizedMixedResult
    from lmmformula.results.lmm import LinearMixedResult
    from lmmformula.results.posterior import PosteriorResult
    from lmmformula.results.varcorr import VarCorr


def tidy(fixef: "pd.Series[float]", std_errors: "pd.Series[float]", varcorr: "VarCorr") -> "pd.DataFrame":
    """
    One row per parameter: effect ("fixed" or "random"), group, term, estimate, std_error, statistic.

    Random rows are `sd__x` and `cor__(Intercept).x`; they have no standard error.
    """
    import pandas as pd

    nan = float("nan")
    rows = [
        ("fixed", "", name, estimate, se, estimate / se)
        for name, estimate, se in zip(fixef.index, fixef, std_errors, strict=True)
    ]
    for term in varcorr:
        for j, name in enumerate(term.names):
            rows.append(("random", term.label, f"sd__{name}", term.sds[j], nan, nan))
            rows += [
                ("random", term.label, f"cor__{term.names[i]}.{name}", term.correlation[j, i], nan, nan)
                for i in range(j)
            ]
    rows.append(("random", "Residual", "sd__Observation", varcorr.sigma, nan, nan))
    return pd.DataFrame(rows, columns=["effect", "group", "term", "estimate", "std_error", "statistic"])


def glance(result: "LinearMixedResult | GeneralizedMixedResult") -> "pd.DataFrame":
    """One row: nobs, sigma, loglik, aic, bic, the criterion that was minimised, df_residual, and two verdicts."""
    import pandas as pd

    criterion = {"reml_criterion": result.reml_criterion} if result.reml else {"deviance": result.deviance}
    numbers = {
        "nobs": result.nobs,
        "sigma": result.sigma,
        "loglik": result.loglik,
        "aic": result.aic,
        "bic": result.bic,
    }
    verdicts = {"is_singular": result.is_singular, "converged": result.converged}
    return pd.DataFrame([numbers | criterion | {"df_residual": result.df_residual} | verdicts])


def augment(
    result: "LinearMixedResult | GeneralizedMixedResult",
    more: Mapping[str, FloatArray] | None = None,
    library: Library | None = None,
) -> Any:  # noqa: ANN401 (a data frame of the library)
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


def padded_rows(
    result: "LinearMixedResult | GeneralizedMixedResult | PosteriorResult", values: FloatArray
) -> FloatArray:
    """Return numbers of the rows used, with NaN for those that were left out where these are excluded."""
    if result.na_action != "exclude":
        return values
    out = np.full(result.design.n_given, np.nan)
    out[result.design.kept_rows] = values
    return out


def beside_data(
    result: "LinearMixedResult | GeneralizedMixedResult | PosteriorResult",
    numbers: Mapping[str, FloatArray],
    library: Library | None,
) -> Any:  # noqa: ANN401 (a data frame of the library)
    """Put columns of numbers, as long as `augment` says, beside those of the data."""
    wanted = result.table.library if library is None else library
    require_library(wanted)
    rows = np.arange(result.design.n_given) if result.na_action == "exclude" else result.design.kept_rows
    own = _own_columns(result.table, rows, wanted)
    return _assembled(own | {name: _column(name, values, wanted) for name, values in numbers.items()}, wanted, rows)


def to_native(frame: "pd.DataFrame", library: Library) -> Any:  # noqa: ANN401 (a data frame of the library)
    """
    Return a pandas frame as one of another library, its named index as columns, NaN as missing values.

    >>> import pandas as pd
    >>> to_native(pd.DataFrame({"term": ["x", "z"], "df": [17.0, None]}), "polars")["df"].null_count()
    1
    """
    require_library(library)
    if library == "pandas":
        from lmmformula.results.shown import Shown

        return Shown(frame)
    if frame.index.nlevels > 1 or frame.index.name is not None:
        frame = frame.reset_index()
    return _assembled({str(name): _column(str(name), frame[name], library) for name in frame.columns}, library)


def require_library(library: str) -> None:
    """Refuse a library that is not known, or not installed."""
    if str(library) not in get_args(Library):
        raise FitError(f"there are no data frames of {library!r}", hint=f"there are: {', '.join(get_args(Library))}")
    try:
        import_module(library)
    except ImportError as error:
        raise FitError(f"{library} is not installed", hint=f"pip install {library}") from error


def _assembled(columns: Mapping[str, Any], library: str, index: IntArray | None = None) -> Any:  # noqa: ANN401 (a frame)
    """
    Make a data frame of columns.

    index : of a pandas frame
    """
    match library:
        case "polars":
            import polars as pl

            return pl.DataFrame(dict(columns))
        case "pyarrow":
            import pyarrow as pa

            return pa.table(dict(columns))
        case _:
            import pandas as pd

            return pd.DataFrame(dict(columns), index=index)


def _column(name: str, values: Any, library: str) -> Any:  # noqa: ANN401 (a column of the library)
    """Make a column of an array or a pandas series; what is NaN there is missing here."""
    array = np.asarray(values)
    if library == "pandas":
        return array
    if array.dtype.kind not in "fiub":
        return [None if value != value else value for value in array.tolist()]  # noqa: PLR0124 (NaN)
    if library == "polars":
        import polars as pl

        return pl.Series(name, array, nan_to_null=True)
    import pyarrow as pa

    return pa.array(array, from_pandas=True)


def _own_columns(table: Table, rows: IntArray, library: str) -> dict[str, Any]:
    """Return the user's columns at some rows; of those that share a name there is none to choose."""
    own: dict[str, Any] = {}
    for name, fetches in table.raw.items():
        if len(fetches) > 1:
            continue
        column = fetches[0]()
        if isinstance(column, np.ndarray):
            own[name] = _column(name, column[rows], library)
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
        return _column(name, np.array(values, dtype=object), library)
    import pandas as pd

    return pd.Series(values, index=rows)
