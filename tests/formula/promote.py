"""Rewrites the messages of bad.txt and doubtful.txt with what the code says now."""

import warnings
from pathlib import Path

from lmmformula.errors import FormulaError
from lmmformula.formula.parse import parse_text
from lmmformula.ir.lower.model import lower

HERE = Path(__file__).parent


def promote() -> None:
    """Keep the formulas of both tables, and put below each what is said of it."""
    for name in ("bad.txt", "doubtful.txt"):
        lines = []
        for row in (HERE / name).read_text(encoding="utf-8").split("\n"):
            if row.startswith("    "):
                continue
            lines.append(row)
            if row and not row.startswith("# "):
                lines += [f"    {line}" for line in said(row.replace("\\n", "\n")).split("\n")]
        (HERE / name).write_text("\n".join(lines), encoding="utf-8")


def said(formula: str) -> str:
    """Whatever is said about a formula."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            ir = lower(parse_text(formula))
        except FormulaError as error:
            return str(error)
    return "\n".join([str(ir), *(str(warning.message) for warning in caught)])
