"""Text files of columns with separators between them: found out from their first lines, and read by R's rules."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from re import compile as pattern
from typing import TYPE_CHECKING, Any, TextIO

from lmmformula.errors import DataError, is_text, printable

if TYPE_CHECKING:
    import pandas as pd

Source = str | PathLike[str] | TextIO

MISSING_WORD = "NA"
"""What stands for a missing value unless something else is said, as in R; an empty cell always does."""

NOT_A_NUMBER = ("NaN", "nan")
"""Words that are missing numbers in a column of numbers; in one of text they are text."""

SEPARATORS = {",": "','", ";": "';'", "\t": "tabs", "|": "'|'", " ": "spaces"}
"""What can be found between columns -> what a message calls it."""

NAMED = {"tab": "\t", "\\t": "\t", "space": " "}
"""Separators that are hard to type."""

LOOKED_AT = 50
"""Lines from which the separator is found out."""

NEVER = "\x1f"
"""A separator that no file has: between it there are whole lines."""

_COMMA_NUMBER, _POINT_NUMBER = pattern(r"\s*[-+]?\d*,\d+\s*"), pattern(r"\s*[-+]?\d*\.\d+\s*")


@dataclass(frozen=True, slots=True)
class TextOptions:
    """
    How text files are read.

    sep : what separates columns, also "tab"; found out from the first lines where None
    na : the words that stand for a missing value in the place of `NA`
    """

    sep: str | None = None
    na: str | Sequence[str] | None = None

    def __post_init__(self) -> None:
        if self.sep is not None and not (is_text(self.sep) and len(self.separator or "") == 1):
            raise DataError(f"sep is {self.sep!r:.60}", hint='it is one character, as in sep=";", or "tab"')
        if self.na is not None and not all(map(is_text, self.words)):
            raise DataError(f"na is {self.na!r:.60}", hint='it is a word or a list of words, as in na=["NA", "-9"]')

    @property
    def separator(self) -> str | None:
        """What separates columns; None if it is to be found out."""
        return None if self.sep is None else NAMED.get(self.sep, self.sep)

    @property
    def words(self) -> tuple[str, ...]:
        """The words that stand for a missing value, beside the empty cell."""
        if self.na is None:
            return (MISSING_WORD,)
        return (self.na,) if isinstance(self.na, str) else tuple(self.na)


@dataclass(frozen=True, slots=True)
class Delimited:
    """
    How one text file is written.

    names : its columns
    separator, decimal : between columns, and in numbers
    missing : what stands for a missing value
    found_out : whether the separator was found out and is not the usual one
    """

    names: tuple[str, ...]
    separator: str
    decimal: str
    missing: tuple[str, ...]
    found_out: bool = False

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of pandas' `read_csv`."""
        own = {"sep": self.separator} if self.separator != "," else {}
        own |= {"decimal": self.decimal} if self.decimal != "." else {}
        return own | {"keep_default_na": False, "na_values": list(self.missing)}

    @property
    def remark(self) -> str:
        """What was found out of how it is written; nothing if it is written as usual."""
        if not self.found_out:
            return ""
        decimals = ", decimals by ','" if self.decimal == "," else ""
        return f"columns are separated by {SEPARATORS[self.separator]}{decimals}"

    def frame(self, source: Source) -> "pd.DataFrame":
        """Read all of it."""
        import pandas as pd

        try:
            return self._mended(pd.read_csv(source, low_memory=False, **self.options))
        except Exception as error:
            raise unreadable(source, error) from error

    def blocks(self, source: Source, rows: int) -> "Iterator[pd.DataFrame]":
        """Read it in blocks of so many rows; each knows only its own types."""
        import pandas as pd

        try:
            with pd.read_csv(source, low_memory=False, chunksize=rows, **self.options) as blocks:
                yield from map(self._mended, blocks)
        except Exception as error:
            raise unreadable(source, error) from error

    def _mended(self, frame: "pd.DataFrame") -> "pd.DataFrame":
        """Make numbers of columns that are text only because of a NaN among them."""
        from pandas.api.types import is_string_dtype

        texts = [name for name in frame.columns if is_string_dtype(frame[name].dtype)]
        found = {name: numbers for name in texts if (numbers := self._numbers(frame[name])) is not None}
        return frame.assign(**found) if found else frame

    def _numbers(self, column: "pd.Series[Any]") -> "pd.Series[Any] | None":
        import pandas as pd

        words = column.isin(NOT_A_NUMBER)
        if not words.any():
            return None
        rest = column.mask(words)
        if self.decimal != ".":
            rest = rest.str.replace(self.decimal, ".", regex=False)
        try:
            return pd.to_numeric(rest)
        except (ValueError, TypeError):
            return None


def delimited(source: Source, usual: str, asked: TextOptions) -> Delimited:
    """
    Find out how a text file is written.

    source : a path, also of a compressed file, or a text stream that can be read twice
    usual : the separator that its name promises

    Raises
    ------
    DataError
        It can't be read, or its header has a name twice.
    """
    lines = _first_lines(source)
    separator = asked.separator or _separator(lines, usual)
    rows = _rows(lines, separator)
    if not rows or rows[0] == [""]:
        raise DataError(f"{_named(source)} has no header", hint="the first line names the columns")
    _refuse_twice(source, rows[0])
    names = tuple(name or f"Unnamed: {i}" for i, name in enumerate(rows[0]))  # pandas' word for it
    cells = [cell for row in rows[1:] for cell in row]
    decimal = "," if separator not in {",", " "} and _has_decimal_commas(cells) else "."
    missing = ("", *asked.words)
    found_out = asked.separator is None and (separator != usual or decimal != ".")
    return Delimited(names, separator, decimal, missing, found_out)


def unreadable(source: Source, error: Exception) -> DataError:
    """Say that a file can't be read; what a library says of it becomes our error."""
    if isinstance(error, DataError):
        return error
    if isinstance(error, UnicodeDecodeError):
        return DataError(f"{_named(source)} is no UTF-8 text", hint="save it as UTF-8")
    if isinstance(error, EOFError):
        return DataError(f"{_named(source)} ends too early: it was cut off", hint="copy or make the file again")
    reason = printable(getattr(error, "strerror", None) or str(error).strip())
    if isinstance(error, FileNotFoundError):
        return DataError(f"can't read the data '{_named(source)}': {reason}")
    return DataError(f"{_named(source)} can't be read: {reason}")


def _named(source: Source) -> str:
    return printable(fspath(source)) if isinstance(source, (str, PathLike)) else "standard input"


def _first_lines(source: Source) -> list[str]:
    """Return the first lines as they are; blank ones count as little as they do later."""
    import pandas as pd

    try:
        read = pd.read_csv(
            source, sep=NEVER, header=None, names=["line"], nrows=LOOKED_AT, dtype=str, keep_default_na=False,
            quoting=csv.QUOTE_NONE,
        )  # fmt: skip
    except pd.errors.EmptyDataError:
        return []
    except Exception as error:
        raise unreadable(source, error) from error
    finally:
        if not isinstance(source, (str, PathLike)):
            source.seek(0)
    return [line.removeprefix("\ufeff") for line in read["line"]]


def _rows(lines: Iterable[str], separator: str) -> list[list[str]]:
    try:
        return list(csv.reader((f"{line}\n" for line in lines), delimiter=separator))
    except csv.Error:
        return []


def _separator(lines: Sequence[str], usual: str) -> str:
    """Choose the separator that cuts all lines into as many columns as the header, and that into the most."""

    def merit(separator: str) -> tuple[bool, int]:
        rows = _rows(lines, separator)
        if len(lines) == LOOKED_AT:
            rows = rows[:-1]  # whose quotes may be open still
        columns = len(rows[0]) if rows else 0
        alike = {len(row) for row in rows[1:]} <= {columns, columns + 1}  # R's row names have no name in the header
        return alike and columns > 1, columns

    found = max((usual, *(own for own in SEPARATORS if own != " ")), key=merit)  # the first of equals
    return " " if not merit(found)[0] and merit(" ")[0] else found  # spaces are in the text of other files, too


def _has_decimal_commas(cells: Sequence[str]) -> bool:
    """Tell whether numbers are written as 1,5, and none as 1.5."""
    return any(map(_COMMA_NUMBER.fullmatch, cells)) and not any(map(_POINT_NUMBER.fullmatch, cells))


def _refuse_twice(source: Source, names: Sequence[str]) -> None:
    twice = [name for name in dict.fromkeys(names) if name and names.count(name) > 1]
    if twice:
        shown = ", ".join(f"'{printable(name)}'" for name in twice[:5])
        message = f"the header of {_named(source)} has {shown} more than once"
        raise DataError(message, hint="rename all of these columns but one")
