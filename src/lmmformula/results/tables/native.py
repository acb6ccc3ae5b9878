"""Data frames of the library that the data came in: a pandas frame as one of another, and frames made of columns."""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from lmmformula.arrays import IntArray
from lmmformula.data.table import Library
from lmmformula.errors import FitError

if TYPE_CHECKING:
    import pandas as pd


def to_native(frame: "pd.DataFrame", library: Library) -> Any:  # noqa: ANN401 (a data frame of the library)
    """
    Return a pandas frame as one of another library, its named index as columns, NaN as missing values.

    >>> import pandas as pd
    >>> to_native(pd.DataFrame({"term": ["x", "z"], "df": [17.0, None]}), "polars")["df"].null_count()
    1
    """
    require_library(library)
    if library == "pandas":
        from lmmformula.results.tables.shown import Shown

        return Shown(frame)
    if frame.index.nlevels > 1 or frame.index.name is not None:
        frame = frame.reset_index()
    return assembled({str(name): as_column(str(name), frame[name], library) for name in frame.columns}, library)


def require_library(library: str) -> None:
    """Refuse a library that is not known, or not installed."""
    if str(library) not in get_args(Library):
        raise FitError(f"there are no data frames of {library!r}", hint=f"there are: {', '.join(get_args(Library))}")
    try:
        import_module(library)
    except ImportError as error:
        raise FitError(f"{library} is not installed", hint=f"pip install {library}") from error


def assembled(columns: Mapping[str, Any], library: str, index: IntArray | None = None) -> Any:  # noqa: ANN401 (a frame)
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

            from lmmformula.results.tables.shown import harmless

            return harmless(pd.DataFrame(dict(columns), index=index))


def as_column(name: str, values: Any, library: str) -> Any:  # noqa: ANN401 (a column of the library)
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
