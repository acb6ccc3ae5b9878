"""The two kinds of columns that a model can use: numbers and levels."""

from dataclasses import dataclass
from typing import Literal

from lmmformula.arrays import FloatArray, IntArray

Kind = Literal["factor", "string", "logical", "date"]


@dataclass(frozen=True, slots=True)
class NumericColumn:
    """
    Numbers.

    values : (n,) float64, NaN where missing
    """

    name: str
    values: FloatArray


@dataclass(frozen=True, slots=True)
class FactorColumn:
    """
    Levels.

    codes : (n,) index into `levels`, -1 where missing
    levels : distinct labels: declared order of a categorical, else sorted; ("FALSE", "TRUE") for booleans
    ordered : whether the levels are ordered (polynomial contrasts)
    kind : "factor", "string", "logical" or "date", for messages
    """

    name: str
    codes: IntArray
    levels: tuple[str, ...]
    ordered: bool = False
    kind: Kind = "factor"


Column = NumericColumn | FactorColumn
