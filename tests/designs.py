"""Designs of R's records: the data as R had them, the formula as a design."""

import warnings
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from corpus import dataset, weights_of
from lmmformula.data.table import read_table
from lmmformula.design.build import build_design
from lmmformula.design.coding.contrasts import Contrast
from lmmformula.design.design import Design
from lmmformula.design.schema import Schema
from lmmformula.errors import FitWarning
from lmmformula.formula.parse import parse_text
from lmmformula.ir.family import GAUSSIAN, Family
from lmmformula.ir.lower.model import lower
from lmmformula.ir.model import ModelIR

SUBSETS = {"f4 != 'W' & x > -1.5": lambda data: data[(data.f4 != "W") & (data.x > -1.5)]}
"""R's subset expressions, by hand."""


@cache
def model(formula: str, names: tuple[str, ...] = ()) -> ModelIR:
    """Return the IR of a formula; a dot stands for the names."""
    ir = lower(parse_text(formula))
    return ir.bind(names) if ir.fixed.dot else ir


def design(formula: str, data: Any, family: Family = GAUSSIAN, **options: Any) -> tuple[Schema, Design]:
    """Make schema and design of a formula on data, warnings of dropped columns and rows left aside."""
    table = read_table(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        return build_design(replace(model(formula, table.names), family=family), table, **options)


def data_of(record: dict[str, Any]) -> pd.DataFrame:
    """Return the rows that R's call used."""
    data = dataset(record["dataset"])
    return SUBSETS[record["subset"]](data) if record.get("subset") else data


def design_of(record: dict[str, Any]) -> tuple[Schema, Design]:
    """Make schema and design of a record."""
    contrasts: dict[str, Any] = dict(record.get("contrasts") or {})
    contrasts |= {
        name: Contrast(contrast.removeprefix("contr."), random=True)
        for name, contrast in (record.get("factor_contrasts") or {}).items()
    }
    action = {"na.exclude": "exclude"}.get(record.get("na_action") or "", "omit")
    return design(
        record["formula"],
        data_of(record),
        Family(record.get("family") or "gaussian", record.get("link") or "identity"),
        **weights_of(record),
        offset=record.get("offset"),
        contrasts=contrasts or None,
        na_action=action,
    )


def wsum(matrix: np.ndarray) -> float:
    """Sum of value * row * column, counted from 1."""
    n, p = matrix.shape
    return float(np.arange(1, n + 1) @ matrix @ np.arange(1, p + 1))
