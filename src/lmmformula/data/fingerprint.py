"""A number that tells whether two passes have read the same rows, in whatever order and parts they came."""

from collections.abc import Iterable

import numpy as np

from lmmformula.arrays import AnyArray
from lmmformula.data.columns import Column, FactorColumn
from lmmformula.data.table import Table

WORD = 1 << 64
"""Fingerprints add up modulo this."""


def fingerprint(table: Table, names: Iterable[str]) -> int:
    """
    Sum up a hash of each row.

    Numbers count to the digits of a float32, for what a query computes can differ in the last ones from run to run.

    >>> from lmmformula.data.table import read_table
    >>> a, b, c = ({"x": x, "g": ["u", "v"]} for x in ([0.1, 2.0], [0.1 + 1e-12, 2.0], [2.0, 0.1]))
    >>> [fingerprint(read_table(data), ["x", "g"]) == fingerprint(read_table(a), ["x", "g"]) for data in (b, c)]
    [True, False]
    """
    if not table.n_rows:
        return 0
    rows = np.zeros(table.n_rows, dtype=np.uint64)
    for place, name in enumerate(names):
        rows += _hashes(table[name]) * np.uint64(2 * place + 1)
    return int(_mixed(rows).sum(dtype=np.uint64))


@np.errstate(all="ignore")
def _hashes(column: Column) -> AnyArray:
    if isinstance(column, FactorColumn):
        return _mixed(np.array([*column.levels, ""], dtype=object))[column.codes]
    values = column.values + 0.0  # there is one zero
    return _mixed(np.where(values == np.rint(values), values, values.astype(np.float32)))


def _mixed(values: AnyArray) -> AnyArray:
    from pandas.util import hash_array

    return hash_array(values)
