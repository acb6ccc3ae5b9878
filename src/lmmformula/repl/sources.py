"""Data by name: a file, standard input, or a data set that ships with the package."""

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmmformula.data.chunks.files import TEXT, suffix_of
from lmmformula.data.delimited import Delimited, Source, TextOptions, delimited
from lmmformula.errors import DataError, printable

if TYPE_CHECKING:
    import pandas as pd

BINARY = {".parquet": "read_parquet", ".feather": "read_feather", ".arrow": "read_feather"}
"""How a file's name ends -> the function of pandas that reads it; other names are read as text."""

READERS = (*TEXT, *BINARY)
"""How the names of files of data end."""


def read_source(source: str, text: TextOptions | None = None) -> "pd.DataFrame":
    """
    Read a file, `-` for CSV on standard input, or a data set of the package; where there are both, the file.

    The frame's `attrs` are its name, the Python that reads it, and a remark on how it is written.

    text : how text files are read

    >>> read_source("sleepstudy").shape
    (180, 3)
    """
    if is_dataset(source):
        from lmmformula import datasets

        try:
            frame = datasets.load(source)
        except DataError as error:
            raise DataError(f"there is no file and no data set '{printable(source)}'", hint=error.hint) from None
        return _with(frame, name=source, code=f"lf.datasets.load({source!r})")
    if (reader := BINARY.get(Path(source).suffix.lower())) is not None:
        return _with(_binary(source, reader), name=Path(source).name, code=f"pd.{reader}({source!r})")
    given: Source = source
    if source == "-":
        given = io.StringIO(_standard_input())
    written = delimited(given, TEXT.get(suffix_of(Path(source)), ","), text or TextOptions())
    frame = written.frame(given)
    return _with(frame, name=Path(source).name, code=_text_code(source, written), remark=written.remark)


def _with(frame: "pd.DataFrame", **about: str) -> "pd.DataFrame":
    frame.attrs |= about
    return frame


def _binary(source: str, reader: str) -> "pd.DataFrame":
    import pandas as pd

    try:
        frame: pd.DataFrame = getattr(pd, reader)(source)
    except Exception as error:
        raise DataError(f"can't read the data '{printable(source)}': {printable(str(error))}") from error
    return frame


def _standard_input() -> str:
    """Read UTF-8, as from a file, whatever the terminal's own encoding is."""
    raw = getattr(sys.stdin, "buffer", None)
    try:
        return sys.stdin.read() if raw is None else str(raw.read(), "utf-8-sig")
    except UnicodeDecodeError:
        raise DataError("standard input is no UTF-8 text", hint="save it as UTF-8") from None


def is_dataset(source: str) -> bool:
    """Tell whether a source names a data set of the package rather than a file."""
    path = Path(source)
    return source != "-" and not path.suffix and not path.exists()


def _text_code(source: str, written: Delimited) -> str:
    """Write the Python that reads a text file."""
    options: dict[str, Any] = written.options
    return f"pd.read_csv({source!r}{''.join(f', {name}={value!r}' for name, value in options.items())})"
