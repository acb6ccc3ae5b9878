"""From data of any kind, in one frame or in parts, to the design of a model."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lmmformula.data.chunks.records import Chunks
from lmmformula.data.chunks.sources import as_chunks
from lmmformula.data.delimited import TextOptions
from lmmformula.data.table import Table, library_of, read_table
from lmmformula.design.build import build_design
from lmmformula.design.design import Design
from lmmformula.design.schema import Schema
from lmmformula.design.times import read_times, refuse_uneven
from lmmformula.errors import DataError, LmmFormulaError
from lmmformula.ir.model import ModelIR
from lmmformula.newcomers import unknown_argument

STREAMING = frozenset({"memory_limit", "progress", "checkpoint", "keep_rows"})
"""Arguments of `Model` for data in parts: the fields of `StreamSettings`."""

TEXT = frozenset({"sep", "na"})
"""Arguments of `Model` for text files: the fields of `TextOptions`."""


@dataclass(frozen=True, slots=True)
class Designed:
    """
    A model's design, and the data it was made of.

    data, options : what another model on the same data is made of
    remarks : what should be known of how they were read
    """

    table: Table
    ir: ModelIR
    schema: Schema
    design: Design
    data: object
    options: Mapping[str, Any]
    remarks: tuple[str, ...] = ()


def designed(
    ir: ModelIR,
    data: object,
    options: Mapping[str, Any],
    **choices: Any,  # noqa: ANN401 (their readers check them)
) -> Designed:
    """
    Read data and make the design of a model on them.

    options : fields of `StreamSettings` and `TextOptions`, for data in parts
    choices : weights, offset, contrasts and na_action
    """
    if unknown := options.keys() - STREAMING - TEXT:
        known = (*choices, "family", "priors", *sorted(STREAMING | TEXT))
        raise unknown_argument("Model()", min(unknown), known)
    chunks = as_chunks(data, TextOptions(**{name: options[name] for name in TEXT & options.keys()}))
    if chunks is None:
        if options:
            kind = "data that come in parts" if options.keys() & STREAMING else "text files"
            raise DataError(f"{min(options)} is for {kind}", hint="these are read at once")
        table = read_table(data)
        bound = ir.bind(table.names)
        bound, schema, design = _in_memory(bound, table, choices)
        return Designed(table, bound, schema, design, table, {})
    return _of_chunks(ir, chunks, data, options, choices)


def _in_memory(bound: ModelIR, table: Table, choices: Mapping[str, Any]) -> tuple[ModelIR, Schema, Design]:
    """Make the design of rows; numbers in equal steps are read as times where a structure asks for them."""
    read = read_times(bound, table)
    schema, design = build_design(read, table, **choices)
    refuse_uneven(bound, read, schema.variables)
    return read, schema, design


def _of_chunks(
    ir: ModelIR, chunks: Chunks, data: object, options: Mapping[str, Any], choices: Mapping[str, Any]
) -> Designed:
    """Read parts into memory if they are small, else sum them up."""
    from lmmformula.design.parts.gathering import gathered, in_part, remark_on
    from lmmformula.design.parts.passes import Passes, StreamSettings
    from lmmformula.design.parts.two_passes import stream_design

    settings = StreamSettings(**{name: options[name] for name in STREAMING & options.keys()})
    again = {name: option for name, option in options.items() if name != "checkpoint"}  # which is of one model alone
    bound = ir.bind(chunks.names)
    given = [
        name for name in (choices["weights"], choices["loglik_weights"], choices["offset"]) if isinstance(name, str)
    ]
    needed = [*(variable.name for variable in bound.variables()), *given]
    passes = Passes(chunks, needed, settings)
    for remark in chunks.remarks:
        passes.say(remark)
    schema: Schema
    design: Design
    table = gathered(passes)
    if table is None:
        schema, design = stream_design(bound, chunks, settings=settings, **choices)
        absent = replace(design.absent_table(chunks.names), library=library_of(data))
        return Designed(absent, bound, schema, design, data, again, chunks.remarks)
    table = replace(table, library=library_of(data))
    try:
        bound, schema, design = _in_memory(bound, table, choices)
    except LmmFormulaError as error:
        raise in_part(error, bound, passes) from None
    remark = remark_on(table)
    passes.say(remark)
    whole = len(table.names) == len(chunks.names)
    return Designed(
        table, bound, schema, design, table if whole else data, {} if whole else again, (*chunks.remarks, remark)
    )
