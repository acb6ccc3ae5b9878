"""Tables as text for other programs: JSON, CSV, Markdown."""
# ruff: noqa: T201 (a command line prints)

import json
import math
import sys
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from lmmformula.errors import DataError, printable
from lmmformula.files import write_text

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = {".csv": "csv", ".json": "json", ".md": "markdown"}
"""How a file's name ends -> the format that is written to it."""


def show(options: Namespace, text: str, table: "pd.DataFrame") -> None:
    """Print the text, or the table where a format was asked for; write the table where a file was named."""
    if options.output is not None:
        kind = SUFFIXES.get(options.output.suffix.lower())
        if kind is None:
            raise DataError(f"can't tell the format of '{options.output}'", hint=f"it can end in {', '.join(SUFFIXES)}")
        write_text(options.output, formatted(table, kind))
    print(text if options.format is None else formatted(table, options.format).rstrip("\n"))


def note(text: str) -> None:
    """Tell what should be known of the data, beside what is printed."""
    print(f"note: {text}", file=sys.stderr)


def formatted(table: "pd.DataFrame", kind: str) -> str:
    """Write a table in full precision; missing values are empty, in JSON null."""
    match kind:
        case "json":
            return json.dumps(_records(table), indent=2, ensure_ascii=False) + "\n"
        case "markdown":
            return _markdown(table)
        case _:
            return table.to_csv(index=False)


def _records(table: "pd.DataFrame") -> list[dict[str, Any]]:
    names = [str(name) for name in table.columns]
    return [
        {name: _plain(value) for name, value in zip(names, row, strict=True)}
        for row in table.itertuples(index=False, name=None)
    ]


def _plain(value: Any) -> Any:  # noqa: ANN401 (a cell)
    """Make a cell what JSON has."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value if isinstance(value, (bool, int, float, str)) or value is None else str(value)


def _markdown(table: "pd.DataFrame") -> str:
    """Write a pipe table; numbers to six digits, to the right."""
    from pandas.api.types import is_numeric_dtype

    aligned = ["---:" if is_numeric_dtype(dtype) else "---" for dtype in table.dtypes]
    rows = [[_cell(value) for value in row] for row in table.itertuples(index=False, name=None)]
    lines = [[str(name) for name in table.columns], aligned, *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(value: Any) -> str:  # noqa: ANN401 (a cell)
    value = _plain(value)
    if value is None:
        return ""
    text = f"{value:.6g}" if isinstance(value, float) else printable(str(value))
    return text.replace("|", "\\|")
