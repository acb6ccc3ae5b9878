"""Data by name: a file, standard input, or a data set that ships with the package."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmmformula.errors import DataError, printable

if TYPE_CHECKING:
    import pandas as pd

READERS = {
    ".csv": "read_csv",
    ".tsv": "read_csv",
    ".txt": "read_csv",
    ".parquet": "read_parquet",
    ".feather": "read_feather",
    ".arrow": "read_feather",
}
"""How a file's name ends -> the function of pandas that reads it; other names are read as CSV."""


def read_source(source: str) -> "pd.DataFrame":
    """
    Read a file, `-` for CSV on standard input, or a data set of the package; where there are both, the file.

    >>> read_source("sleepstudy").shape
    (180, 3)
    """
    if is_dataset(source):
        from lmmformula import datasets

        try:
            return datasets.load(source)
        except DataError as error:
            raise DataError(f"there is no file and no data set '{printable(source)}'", hint=error.hint) from None
    import pandas as pd

    name, options = reader(source)
    readers: dict[str, Any] = {
        "read_csv": pd.read_csv,
        "read_parquet": pd.read_parquet,
        "read_feather": pd.read_feather,
    }
    try:
        frame: pd.DataFrame = readers[name](sys.stdin if source == "-" else source, **options)
    except (OSError, ValueError, ImportError) as error:
        raise DataError(f"can't read the data '{printable(source)}': {printable(str(error))}") from error
    frame.attrs["name"] = Path(source).name
    return frame


def is_dataset(source: str) -> bool:
    """Tell whether a source names a data set of the package rather than a file."""
    path = Path(source)
    return source != "-" and not path.suffix and not path.exists()


def reader(source: str) -> tuple[str, dict[str, str]]:
    """Return the name of the function of pandas that reads a file, and its options."""
    suffix = Path(source).suffix.lower()
    return READERS.get(suffix, "read_csv"), {"sep": "\t"} if suffix == ".tsv" else {}


def loading_code(source: str) -> str:
    r"""
    Write the Python that reads a source.

    >>> loading_code("a.tsv"), loading_code("coffee")
    ("pd.read_csv('a.tsv', sep='\\t')", "lf.datasets.load('coffee')")
    """
    if is_dataset(source):
        return f"lf.datasets.load({source!r})"
    name, options = reader(source)
    written = "".join(f", {key}={value!r}" for key, value in options.items())
    return f"pd.{name}({source!r}{written})"
