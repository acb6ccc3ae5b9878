"""From data of any kind, in one frame or in parts, to the design of a model."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lmmformula.api.newcomers import unknown_argument
from lmmformula.data.chunks import as_chunks
from lmmformula.data.table import Table, library_of, read_table
from lmmformula.design.build import build_design
from lmmformula.design.matrices import DesignMatrices
from lmmformula.design.schema import Schema
from lmmformula.errors import DataError
from lmmformula.ir.model import ModelIR

OPTIONS = frozenset({"memory_limit", "progress", "checkpoint"})
"""Arguments of `Model` for data in parts: the fields of `StreamSettings`."""


def designed(
    ir: ModelIR,
    data: object,
    streaming: Mapping[str, Any],
    **choices: Any,  # noqa: ANN401 (their readers check them)
) -> tuple[Table, ModelIR, Schema, DesignMatrices]:
    """
    Read data and make the design of a model on them.

    streaming : fields of `StreamSettings`, for data in parts
    choices : weights, offset, contrasts and na_action
    """
    chunks = as_chunks(data)
    unknown = streaming.keys() - OPTIONS
    if unknown:
        raise unknown_argument("Model()", min(unknown), (*choices, "family", "priors", *sorted(OPTIONS)))
    if chunks is None:
        if streaming:
            raise DataError(f"{min(streaming)} is for data that come in parts", hint="these are read at once")
        table = read_table(data)
        bound = ir.bind(table.names)
        return table, bound, *build_design(bound, table, **choices)
    from lmmformula.design.passes import StreamSettings
    from lmmformula.design.streaming import absent_rows, stream_design

    bound = ir.bind(chunks.names)
    absent = replace(absent_rows(chunks), library=library_of(data))
    return absent, bound, *stream_design(bound, chunks, settings=StreamSettings(**streaming), **choices)
