"""
Two passes over data in parts: the first learns the schema, the second sums; what comes out is a design without rows.

Each pass computes something of every part and adds it up in a fixed order, here or on a Dask cluster.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from lmmformula.arrays import BoolArray
from lmmformula.data.chunks.records import Chunks, other_rows
from lmmformula.data.table import read_table
from lmmformula.design.build import NaAction, make_schema, refuse_constant_response, warn_of_correlated, warn_of_dropped
from lmmformula.design.coding.contrasts import read_contrasts
from lmmformula.design.coding.factors import MAKE_LEVELS
from lmmformula.design.columns.inputs import refuse_missing
from lmmformula.design.columns.mergeable import calls, refuse_unmergeable
from lmmformula.design.design import Design
from lmmformula.design.limits import memory_share
from lmmformula.design.parts.checkpoint import Checkpoint
from lmmformula.design.parts.first_pass import (
    Learned,
    Plan,
    learn,
    learn_levels,
    level_columns,
    merged_inputs,
    summaries,
    with_levels,
)
from lmmformula.design.parts.memory import needs_of
from lmmformula.design.parts.passes import Passes, StreamSettings
from lmmformula.design.parts.second_pass import FirstPass, part_design, part_products, summed_design
from lmmformula.design.schema import Schema
from lmmformula.design.sums.added import PartialProducts
from lmmformula.design.sums.chosen_coordinates import InnerMap, learn_map
from lmmformula.design.sums.coordinates import refuse_exact_response
from lmmformula.design.sums.records import CrossProducts
from lmmformula.errors import DataError, FitError, LmmFormulaError, printable, warn
from lmmformula.ir.model import ModelIR

DEPENDENT = 1e-11
"""Part of a column's squared length below which what others leave of it, in sums over all rows, is rounding."""


def stream_design(
    ir: ModelIR,
    chunks: Chunks,
    *,
    weights: object = None,
    offset: object = None,
    contrasts: Mapping[str, Any] | None = None,
    na_action: NaAction = "omit",
    loglik_weights: object = None,
    settings: StreamSettings | None = None,
) -> tuple[Schema, Design]:
    """
    Make the design of a model on data in parts; the arguments are those of `build_design`.

    weights, offset : names of columns
    loglik_weights : None; no sums are made of them
    """
    settings = settings or StreamSettings()
    if ir.family.name != "gaussian":
        raise FitError("only gaussian models can be summed part by part", hint="give a data frame that fits in memory")
    if loglik_weights is not None:
        raise FitError(
            "rows with loglik_weights are not summed part by part", hint="give a data frame that fits in memory"
        )
    if na_action not in ("omit", "fail"):
        raise DataError(
            f"na_action={na_action!r} is not for data that come in parts", hint="it can be 'omit' or 'fail'"
        )
    plan = Plan(ir, _column_name("weights", weights), _column_name("offset", offset))
    passes = Passes(chunks, plan.columns, settings)
    try:
        refuse_unmergeable(ir)
        identity = {"model": ir.to_dict(), "weights": weights, "offset": offset, "contrasts": repr(contrasts)}
        identity |= {"data": (chunks.name, chunks.names, chunks.n_parts, chunks.identity)}
        checkpoint = None if settings.checkpoint is None else Checkpoint(settings.checkpoint, identity)
        first = None if checkpoint is None else checkpoint.first_pass()
        if first is None:
            first = first_pass(plan, passes, contrasts, na_action)
            if checkpoint is not None:
                checkpoint.keep_first_pass(first)
        warn_of_correlated(ir, first.schema)
        products = _second_pass(first, passes, checkpoint)
        return _finished(first, products)
    except LmmFormulaError as error:
        raise error.located(ir.source) from None


def _column_name(what: str, given: object) -> str | None:
    if given is None or isinstance(given, str):
        return given
    raise DataError(f"{what} must be the name of a column, as the data come in parts")


def first_pass(plan: Plan, passes: Passes, contrasts: Mapping[str, Any] | None, na_action: NaAction) -> FirstPass:
    """Learn the schema, and coordinates from a sample of the rows."""
    ir = plan.ir
    plan = _with_levels(plan, passes)
    learned = passes.total("learning", partial(learn, plan))
    if learned is None:
        raise DataError("the data have no rows")
    refuse_missing(learned.missing, learned.n, learned.n_given, na_action)
    _tell_of_invented(learned)
    refuse_constant_response(ir, learned.response.lowest, learned.response.highest, learned.n)
    inputs = merged_inputs(plan, learned)
    schema = make_schema(ir, inputs, read_contrasts(contrasts), plan.offset, n_rows=learned.n)
    table = read_table(learned.sample.columns)
    sample = part_design(ir, schema, table, weights=plan.weights, offset=plan.offset)
    needs = needs_of(schema, sample, learned.n)
    needs.refuse_above(passes.settings.memory_limit or memory_share())
    passes.say(f"{learned.n:,} rows; {needs}")
    inner = _map_of(ir, schema, sample)
    return FirstPass(
        ir,
        schema,
        inner,
        plan.weights,
        plan.offset,
        n_given=learned.n_given,
        n=learned.n,
        missing=dict(learned.missing),
        rows=learned.rows,
        summaries=summaries(plan, learned),
        total=learned.response.squares + (0.0 if ir.fixed.intercept else learned.n * learned.response.mean**2),
        columns=learned.sample.columns,
    )


def _map_of(ir: ModelIR, schema: Schema, sample: Any) -> InnerMap:  # noqa: ANN401
    firsts = tuple(bool(random.terms) and not random.terms[0].variables for random in schema.random)
    return learn_map(sample, intercept=ir.fixed.intercept, random_intercepts=firsts)


def _with_levels(plan: Plan, passes: Passes) -> Plan:
    """Find the levels of columns that functions are applied to, in a pass of its own where there are any."""
    names = level_columns(plan.ir)
    made = calls(plan.ir, MAKE_LEVELS)
    if not names:
        return plan
    if not made:
        first = passes.first(partial(learn_levels, names))
        if first is not None and all(levels.nature == "numbers" for levels in first.levels.values()):
            return plan
    found = passes.total("levels", partial(learn_levels, names, of_numbers=bool(made)))
    return plan if found is None else with_levels(plan, found)


def _tell_of_invented(learned: Learned) -> None:
    """Warn of rows that are dropped although no value of theirs was missing in the data."""
    for name, count in learned.invented.items():
        warn(f"`{printable(name)}` has no value where its columns have one, in {count} rows; they are dropped")


def _second_pass(first: FirstPass, passes: Passes, checkpoint: Checkpoint | None) -> PartialProducts:
    """Sum the products of all rows."""
    limit = passes.settings.memory_limit or memory_share()

    def check(sums: PartialProducts) -> None:
        if sums.nbytes > limit:
            raise DataError(
                f"the sums have grown to {sums.nbytes / 1e9:.1f} GB, beyond the limit of {limit / 1e9:.1f} GB",
                hint="leave out a crossed grouping factor, or raise memory_limit",
            )

    kernel = partial(part_products, first, first.levels())
    found = passes.total("summing", kernel, checkpoint=checkpoint, check=check)
    if found is None or found.n != first.n:
        raise DataError(
            f"the second pass found {0 if found is None else found.n} complete rows, the first {first.n}",
            hint="did the data change between the passes?",
        )
    if found.rows != first.rows:
        raise other_rows("the second pass read other rows than the first")
    return found


def _finished(first: FirstPass, sums: PartialProducts) -> tuple[Schema, Design]:
    """Drop the columns of X that depend on earlier ones, and bring the products into their final coordinates."""
    products = sums.products(first.inner.coordinates)
    _refuse_overflow(products, first.schema.fixed_columns)
    independent = _independent(products, first.inner)
    if not independent.all():
        schema = replace(first.schema, aliased=tuple(np.flatnonzero(~independent).tolist()))
        first = replace(first, schema=schema)
        warn_of_dropped(schema)
    _refuse_exact(products, first.inner, independent)
    return first.schema, summed_design(first, products)


def _refuse_overflow(products: CrossProducts, names: Sequence[str]) -> None:
    """Refuse columns whose squares are beyond the range of a float."""
    for size, name in zip(np.diag(products.A), (*names, "the response"), strict=True):
        if not np.isfinite(size):
            raise DataError(f"`{printable(name)}` is too large for a float in some rows", hint="rescale its variables")


def _independent(products: CrossProducts, inner: InnerMap) -> BoolArray:
    """Eliminate column by column; what is independent in a sample of the rows is so in all of them."""
    p = products.p
    lengths = np.sqrt(np.diag(products.A)[:p])
    rest = products.A[:p, :p] / np.outer(lengths, lengths).clip(np.finfo(float).tiny)
    found = inner.independent.copy()
    for j in range(p):
        pivot = rest[j, j]
        found[j] |= bool(pivot > DEPENDENT)
        if found[j]:
            rest[j + 1 :, j + 1 :] -= np.outer(rest[j + 1 :, j], rest[j, j + 1 :] / pivot)
    return found


def _refuse_exact(products: CrossProducts, inner: InnerMap, independent: BoolArray) -> None:
    """Refuse a response that the fixed effects fit but for rounding."""
    A, keep = products.A, np.flatnonzero(independent)
    Xy = A[keep, -1]
    left = A[-1, -1] - float(Xy @ np.linalg.solve(A[np.ix_(keep, keep)], Xy))
    response = np.append(inner.pilot, inner.y_scale)  # the response itself, in inner columns
    refuse_exact_response(max(left, 0.0) * inner.y_scale**2, float(response @ A @ response))
