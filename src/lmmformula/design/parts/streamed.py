"""The design of a model on data in parts: of one part its matrices, of all of them names, levels and cross-products."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NoReturn

import numpy as np

from lmmformula.arrays import AnyArray, FloatArray, IntArray
from lmmformula.covariances.structure import Covariance
from lmmformula.data.fingerprint import fingerprint
from lmmformula.data.table import Table, read_table
from lmmformula.design.build import fixed_columns_of
from lmmformula.design.coding.model_matrix import matrix
from lmmformula.design.columns.evaluated import Categorical, Numbers, recode
from lmmformula.design.columns.frame import Frame
from lmmformula.design.columns.inputs import Inputs, complete_cases
from lmmformula.design.columns.mergeable import columns_read
from lmmformula.design.columns.summaries import ColumnSummary, summary_from
from lmmformula.design.fixed import term_expressions
from lmmformula.design.matrices import DesignMatrices, RandomTermDesign
from lmmformula.design.schema import FactorVariable, Schema
from lmmformula.design.sums.added import PartialProducts
from lmmformula.design.sums.chosen_coordinates import InnerMap
from lmmformula.design.sums.crossproducts import raw_products
from lmmformula.design.sums.records import CrossProducts
from lmmformula.errors import DataError, FitError, printable
from lmmformula.ir.expressions import label
from lmmformula.ir.model import ModelIR

PLAIN = ("weights", "offset", "n_given", "n", "missing", "rows", "total")
"""Fields of `Frozen` that are in JSON's types as they are."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """
    What the first pass found out, and all that the second must know of it.

    weights, offset : names of columns
    inner : the coordinates in which products are summed
    n_given, n : rows, and complete rows
    missing : column or expression -> number of rows in which it is missing
    rows : the fingerprint of all rows
    summaries : the variables in a few numbers
    total : sum of the squares of the response less the offset, around the mean if there is an intercept
    sample : the design of some rows, with all columns of X; not in JSON
    columns : the columns of the data in these rows; not in JSON
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
    sample: DesignMatrices | None = field(default=None, repr=False, compare=False)
    columns: dict[str, AnyArray] = field(default_factory=dict, repr=False, compare=False)

    @property
    def has_offset(self) -> bool:
        """Whether a known part of the linear predictor was given."""
        return self.offset is not None or bool(self.ir.offsets)

    def levels(self) -> dict[str, dict[str, int]]:
        """Return by grouping factor the number of each level."""
        return {random.group: {name: i for i, name in enumerate(random.levels)} for random in self.schema.random}

    def terms(self) -> "tuple[StreamedTerm, ...]":
        """Return the random terms, without columns."""
        return tuple(
            StreamedTerm(random.group, random.levels, random.columns, self.ir.random[number].covariance)
            for number, random in zip(self.schema.order, self.schema.random, strict=True)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        same = {name: getattr(self, name) for name in PLAIN}
        own = {"ir": self.ir.to_dict(), "source": self.ir.source}
        own["summaries"] = {name: asdict(summary) for name, summary in self.summaries.items()}
        return own | {"schema": self.schema.to_dict(), "inner": self.inner.to_dict()} | same

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Frozen":
        """Return what `to_dict` (or JSON made of it) describes."""
        return cls(
            ir=replace(ModelIR.from_dict(data["ir"]), source=data["source"]),
            schema=Schema.from_dict(data["schema"]),
            inner=InnerMap.from_dict(data["inner"]),
            summaries={name: summary_from(summary) for name, summary in data["summaries"].items()},
            **{name: data[name] for name in PLAIN},
        )


@np.errstate(all="ignore")
def part_design(
    ir: ModelIR, schema: Schema, table: Table, *, weights: str | None, offset: str | None
) -> DesignMatrices:
    """Make the design of a part of the data: all columns of X, and of each grouping factor the levels that occur."""
    frame = Frame(table, ir.source, known=schema.columns, states=schema.states)
    inputs = complete_cases(frame, ir, weights, offset)
    n = len(inputs.y)
    values = {label(e): _in_schema(schema, label(e), inputs.values[label(e)]) for e in term_expressions(ir)}
    return DesignMatrices(
        y=inputs.y,
        X=matrix(schema.fixed, schema.variables, values, n=n, random=False),
        weights=inputs.weights,
        offset=inputs.offset,
        fixed_names=schema.fixed_columns,
        fixed_assign=(),
        fixed_terms=(),
        dropped_names=(),
        random_terms=_random_terms(ir, schema, inputs, values),
        response_name=schema.response,
        kept_rows=np.empty(0, dtype=np.intp),
        n_given=table.n_rows,
    )


def _random_terms(
    ir: ModelIR, schema: Schema, inputs: Inputs, values: Mapping[str, Numbers | Categorical]
) -> tuple[RandomTermDesign, ...]:
    n = len(inputs.y)
    return tuple(
        RandomTermDesign(
            group=random.group,
            levels=inputs.groups[ir.random[number].group].levels,
            codes=inputs.groups[ir.random[number].group].codes,
            coefficient_names=random.columns,
            covariates=matrix(random.terms, schema.variables, values, n=n, random=True),
            covariance=ir.random[number].covariance,
        )
        for number, random in zip(schema.order, schema.random, strict=True)
    )


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
    frozen: Frozen, levels: Mapping[str, Mapping[str, int]], table: Table, _: tuple[int, ...] = ()
) -> PartialProducts:
    """
    Sum the products of a part of the data.

    levels : by grouping factor, the number of each level
    """
    design = part_design(frozen.ir, frozen.schema, table, weights=frozen.weights, offset=frozen.offset)
    products = raw_products(frozen.inner.columns(design), design)
    numbers = [_numbers(factor.group, levels[factor.group], design, factor.terms[0]) for factor in products.factors]
    sizes = [len(levels[factor.group]) for factor in products.factors]
    rows = fingerprint(table, _columns_of(frozen))
    return PartialProducts.of(products, numbers, sizes, rows)


def _numbers(group: str, levels: Mapping[str, int], design: DesignMatrices, term: int) -> IntArray:
    """Return the number of each of a part's levels among all."""
    own = design.random_terms[term].levels
    found = np.array([levels.get(name, -1) for name in own], dtype=np.intp)
    if len(found) and found.min() < 0:
        raise _changed(group, [name for name in own if name not in levels])
    return found


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


def arrays_of(frozen: Frozen) -> dict[str, AnyArray]:
    """Return the numbers and columns of the sample, which `with_sample` reads."""
    sample = frozen.sample
    assert sample is not None
    arrays: dict[str, AnyArray] = {"y": sample.y, "X": sample.X}
    arrays |= {name: array for name in ("weights", "offset") if (array := getattr(sample, name)) is not None}
    arrays |= {f"covariates{t}": term.covariates for t, term in enumerate(sample.random_terms)}
    names = _columns_of(frozen)
    texts = {name: values.dtype == object for name, values in frozen.columns.items()}
    return arrays | {
        f"column{i}": frozen.columns[name].astype(str) if texts[name] else frozen.columns[name]
        for i, name in enumerate(names)
        if name in frozen.columns
    }


def with_sample(frozen: Frozen, arrays: Mapping[str, AnyArray]) -> Frozen:
    """Put the sample back."""
    found = {name: arrays[f"column{i}"] for i, name in enumerate(_columns_of(frozen)) if f"column{i}" in arrays}
    columns = {name: values.astype(object) if values.dtype.kind == "U" else values for name, values in found.items()}
    return replace(frozen, sample=_sample_from(frozen, arrays), columns=columns)


def _columns_of(frozen: Frozen) -> tuple[str, ...]:
    return columns_read(frozen.ir, frozen.weights, frozen.offset)


def _sample_from(frozen: Frozen, arrays: Mapping[str, AnyArray]) -> DesignMatrices:
    """Return the design of some rows from their numbers; their levels are not known any more."""
    n = len(arrays["y"])
    nobody: IntArray = np.full(n, -1, dtype=np.intp)
    return DesignMatrices(
        y=arrays["y"],
        X=arrays["X"],
        weights=arrays.get("weights"),
        offset=arrays.get("offset"),
        fixed_names=frozen.schema.fixed_columns,
        fixed_assign=(),
        fixed_terms=(),
        dropped_names=(),
        random_terms=tuple(
            RandomTermDesign(term.group, (), nobody, term.coefficient_names, arrays[f"covariates{t}"], term.covariance)
            for t, term in enumerate(frozen.terms())
        ),
        response_name=frozen.schema.response,
        kept_rows=np.arange(n),
        n_given=n,
    )


class StreamedDesign(DesignMatrices):
    """A design whose rows have passed by: what a fit needs is here, and what needs the rows raises a FitError."""

    def __init__(self, frozen: Frozen, products: CrossProducts) -> None:
        ir, schema = frozen.ir, frozen.schema
        columns = fixed_columns_of(ir, schema)
        self.__dict__.update(
            fixed_names=tuple(name for name, _ in columns),
            fixed_assign=tuple(number for _, number in columns),
            fixed_terms=tuple(term.label for term in ir.fixed.terms),
            dropped_names=schema.dropped,
            random_terms=frozen.terms(),
            response_name=schema.response,
            n_given=frozen.n_given,
            missing=frozen.missing,
            _products=products,
            _frozen=frozen,
        )
        if frozen.weights is None:
            self.__dict__["weights"] = None
        if not frozen.has_offset:
            self.__dict__["offset"] = None

    @property
    def nobs(self) -> int:
        """Number n of rows used."""
        return self.products.n

    @property
    def sum_log_weights(self) -> float:
        """Sum of the logarithms of the weights."""
        return self.products.sum_log_weights

    @property
    def has_offset(self) -> bool:
        """Whether a known part of the linear predictor was given."""
        return self._first_pass.has_offset

    @property
    def has_weights(self) -> bool:
        """Whether there are precision weights."""
        return self._first_pass.weights is not None

    @property
    def sample(self) -> DesignMatrices:
        """Some of the rows, which show the size and spread of the columns."""
        frozen = self._first_pass
        if frozen.sample is None:
            _refuse("X")
        names = {name: getattr(self, name) for name in ("fixed_names", "fixed_assign", "fixed_terms")}
        X = frozen.sample.X[:, list(frozen.schema.kept)]
        return replace(frozen.sample, X=X, kept_rows=np.arange(len(X)), **names)

    @property
    def sample_table(self) -> Table | None:
        """The columns of the data in the rows of `sample`."""
        columns = self._first_pass.columns
        return read_table(columns) if columns else None

    @property
    def summaries(self) -> dict[str, ColumnSummary]:
        """The variables in a few numbers."""
        return self._first_pass.summaries

    @property
    def total_squares(self) -> float:
        """Sum of the squares of the response less the offset, around the mean if there is an intercept."""
        if self.has_weights:
            _refuse("weights")
        return self._first_pass.total

    @property
    def _first_pass(self) -> Frozen:
        found: Frozen = self.__dict__["_frozen"]
        return found

    @property
    def has_rows(self) -> bool:
        """The rows are not kept."""
        return False

    @property
    def products(self) -> CrossProducts:
        """The cross-products of all rows."""
        found: CrossProducts = self.__dict__["_products"]
        return found

    def fixed_variance(self, beta: FloatArray) -> float:
        """Return the variance of X beta over the rows; FitError if the sums are weighted, or know no means."""
        if self.has_weights or 0 not in self.fixed_assign:
            _refuse("X")
        # inner columns are orthogonal, and the first is constant: the others have mean zero
        inner = np.linalg.solve(self.products.coordinates.fixed, beta)[1:]
        return float(inner @ self.products.A[1 : len(beta), 1 : len(beta)] @ inner) / (self.nobs - 1)

    def mean_square(self, term: int) -> FloatArray:
        """Return the (k, k) mean of z z' over the rows of a random term; FitError if the sums are weighted."""
        if self.has_weights:
            _refuse("weights")
        factor = next(f for f in self.products.factors if term in f.terms)
        place = factor.slices()[factor.terms.index(term)]
        back = np.linalg.inv(self.products.coordinates.random[term])
        found: FloatArray = back.T @ (factor.C[place, place].sum(axis=2) / self.nobs) @ back
        return found

    def __getattr__(self, name: str) -> NoReturn:
        _refuse(name)


class StreamedTerm(RandomTermDesign):
    """A random term whose columns were not kept."""

    __slots__ = ()

    def __init__(self, group: str, levels: tuple[str, ...], names: tuple[str, ...], covariance: Covariance) -> None:
        known = {"group": group, "levels": levels, "coefficient_names": names, "covariance": covariance}
        for name, value in known.items():
            object.__setattr__(self, name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        return StreamedTerm, (self.group, self.levels, self.coefficient_names, self.covariance)

    def __getattr__(self, name: str) -> NoReturn:
        _refuse(name)


def _refuse(name: str) -> NoReturn:
    """Say of the fields of a design that they need the rows; other attributes are just not there."""
    if name in DesignMatrices.__dataclass_fields__ or name in RandomTermDesign.__dataclass_fields__:
        raise FitError(
            "this needs the rows of the data, which were read in parts and not kept",
            hint="predict(newdata) works; for the rest, keep_rows=True reads the data into memory",
        )
    raise AttributeError(name)
