"""The design of a model on data in parts: of one part its matrices, of all of them names, levels and cross-products."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from lmmformula.arrays import AnyArray, IntArray
from lmmformula.data.fingerprint import fingerprint
from lmmformula.data.table import Table, read_table
from lmmformula.design.build import design_of, named_design
from lmmformula.design.coding.model_matrix import matrix
from lmmformula.design.columns.evaluated import Categorical, Numbers, recode
from lmmformula.design.columns.frame import Frame
from lmmformula.design.columns.inputs import complete_cases
from lmmformula.design.columns.mergeable import columns_read
from lmmformula.design.columns.summaries import ColumnSummary, summary_from
from lmmformula.design.design import Design, Sums
from lmmformula.design.fixed import term_expressions
from lmmformula.design.rows import NOT_KEPT
from lmmformula.design.schema import FactorVariable, Schema
from lmmformula.design.sums.added import PartialProducts
from lmmformula.design.sums.chosen_coordinates import InnerMap
from lmmformula.design.sums.crossproducts import raw_products, whitened
from lmmformula.design.sums.records import CrossProducts
from lmmformula.errors import DataError, printable
from lmmformula.ir.expressions import label
from lmmformula.ir.model import ModelIR

PLAIN = ("weights", "offset", "n_given", "n", "missing", "rows", "total")
"""Fields of `FirstPass` that are in JSON's types as they are."""


@dataclass(frozen=True, slots=True)
class FirstPass:
    """
    What the first pass found out, and all that the second must know of it.

    weights, offset : names of columns
    inner : the coordinates in which products are summed
    n_given, n : rows, and complete rows
    missing : column or expression -> number of rows in which it is missing
    rows : the fingerprint of all rows
    summaries : the variables in a few numbers
    total : sum of the squares of the response less the offset, around the mean if there is an intercept
    columns : the columns of the data in some of the complete rows, the sample; not in JSON
    """

    ir: ModelIR
    schema: Schema
    inner: InnerMap
    weights: str | None = None
    offset: str | None = None
    n_given: int = 0
    n: int = 0
    missing: dict[str, int] = field(default_factory=dict)
    rows: int = 0
    summaries: dict[str, ColumnSummary] = field(default_factory=dict)
    total: float = 0.0
    columns: dict[str, AnyArray] = field(default_factory=dict, repr=False, compare=False)

    @property
    def columns_read(self) -> tuple[str, ...]:
        """Names of the columns that the model reads."""
        return columns_read(self.ir, self.weights, self.offset)

    def levels(self) -> dict[str, dict[str, int]]:
        """Return by grouping factor the number of each level."""
        return {random.group: {name: i for i, name in enumerate(random.levels)} for random in self.schema.random}

    def sample(self) -> Design:
        """Make the design of the sample, with the columns of X that are kept."""
        schema, table = replace(self.schema, aliased=()), read_table(self.columns)
        whole = part_design(self.ir, schema, table, weights=self.weights, offset=self.offset)
        return whole.with_columns(list(self.schema.kept))

    def to_dict(self) -> dict[str, Any]:
        """Return it in JSON's types, but for the sample."""
        same = {name: getattr(self, name) for name in PLAIN}
        own = {"ir": self.ir.to_dict(), "source": self.ir.source}
        own["summaries"] = {name: asdict(summary) for name, summary in self.summaries.items()}
        return own | {"schema": self.schema.to_dict(), "inner": self.inner.to_dict()} | same

    def arrays(self) -> dict[str, AnyArray]:
        """Return the columns of the sample in numpy's own types."""
        columns = [self.columns[name] for name in self.columns_read]
        return {f"column{i}": c.astype(str) if c.dtype == object else c for i, c in enumerate(columns)}

    @classmethod
    def read(cls, data: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> "FirstPass":
        """Return what `to_dict` (or JSON made of it) and `arrays` describe."""
        found = cls(
            ir=replace(ModelIR.from_dict(data["ir"]), source=data["source"]),
            schema=Schema.from_dict(data["schema"]),
            inner=InnerMap.from_dict(data["inner"]),
            summaries={name: summary_from(summary) for name, summary in data["summaries"].items()},
            **{name: data[name] for name in PLAIN},
        )
        columns = [arrays[f"column{i}"] for i in range(len(found.columns_read))]
        columns = [values.astype(object) if values.dtype.kind == "U" else values for values in columns]
        return replace(found, columns=dict(zip(found.columns_read, columns, strict=True)))


@np.errstate(all="ignore")
def part_design(ir: ModelIR, schema: Schema, table: Table, *, weights: str | None, offset: str | None) -> Design:
    """Make the design of a part of the data: all columns of X, and of each grouping factor the levels that occur."""
    frame = Frame(table, ir.source, known=schema.columns, states=schema.states)
    inputs = complete_cases(frame, ir, weights, offset)
    values = {label(e): _in_schema(schema, label(e), inputs.values[label(e)]) for e in term_expressions(ir)}
    random = tuple(
        replace(own, levels=inputs.groups[ir.random[number].group].levels)
        for number, own in zip(schema.order, schema.random, strict=True)
    )
    X = matrix(schema.fixed, schema.variables, values, n=len(inputs.y), random=False)
    return design_of(ir, replace(schema, random=random), replace(inputs, values=values), X)


def _in_schema(schema: Schema, name: str, value: Numbers | Categorical) -> Numbers | Categorical:
    """Express a factor in the model's levels."""
    variable = schema.variables[name]
    if not isinstance(variable, FactorVariable) or not isinstance(value, Categorical):
        return value
    found, unseen = recode(value, variable.levels)
    if unseen:
        raise _changed(name, unseen)
    return found


def _changed(name: str, unseen: Sequence[str]) -> DataError:
    return DataError(
        f"`{printable(name)}` has levels that it did not have in the first pass: {printable(', '.join(unseen[:5]))}",
        hint="did the data change between the passes?",
    )


def part_products(
    found: FirstPass, levels: Mapping[str, Mapping[str, int]], table: Table, _: tuple[int, ...] = ()
) -> PartialProducts:
    """
    Sum the products of a part of the data.

    levels : by grouping factor, the number of each level
    """
    design = part_design(found.ir, found.schema, table, weights=found.weights, offset=found.offset)
    products = raw_products(found.inner.columns(design), design)
    numbers = [_numbers(factor.group, levels[factor.group], design, factor.terms[0]) for factor in products.factors]
    sizes = [len(levels[factor.group]) for factor in products.factors]
    rows = fingerprint(table, found.columns_read)
    return PartialProducts.of(products, numbers, sizes, rows)


def _numbers(group: str, levels: Mapping[str, int], design: Design, term: int) -> IntArray:
    """Return the number of each of a part's levels among all."""
    own = design.random_terms[term].levels
    places = np.array([levels.get(name, -1) for name in own], dtype=np.intp)
    if len(places) and places.min() < 0:
        raise _changed(group, [name for name in own if name not in levels])
    return places


def without_columns(products: CrossProducts, kept: Sequence[int]) -> CrossProducts:
    """
    Leave out columns of X.

    They must not enter others (see `inner.learn_map`), so that the coordinates of the rest stay as they are.
    """
    keep = list(kept)
    both = [*keep, products.p]
    old = products.coordinates
    basis = old.fixed[np.ix_(keep, keep)]
    return replace(
        products,
        p=len(keep),
        A=products.A[np.ix_(both, both)],
        factors=tuple(replace(f, B=np.ascontiguousarray(f.B[:, both])) for f in products.factors),
        coordinates=replace(old, fixed=basis, pilot=old.pilot[keep], log_det_fixed=float(np.linalg.slogdet(basis)[1])),
    )


def summed_design(found: FirstPass, products: CrossProducts) -> Design:
    """
    Make the design of rows that have passed by.

    products : those of all columns of X, in the coordinates in which they were summed
    """
    ir, schema, weighted = found.ir, found.schema, found.weights is not None
    offset = found.offset is not None or bool(ir.offsets)
    rows = NOT_KEPT(products.n, products.sum_log_weights, has_weights=weighted, has_offset=offset)
    design = named_design(ir, schema, rows, [rows] * len(schema.random), found.n_given, found.missing)
    sums = Sums(
        products=whitened(without_columns(products, schema.kept), design.random_terms),
        sample=found.sample(),
        columns=found.columns,
        summaries=found.summaries,
        total_squares=None if weighted else found.total,
    )
    return replace(design, sums=sums)
