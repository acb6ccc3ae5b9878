"""Frames of one kind, one below the other; each library joins its own."""

from collections.abc import Mapping, Sequence
from typing import Any

from lmmformula.errors import DataError, printable


def size_of(frame: Any) -> float:  # noqa: ANN401 (any frame)
    """Return the bytes that a frame takes, as far as its library tells."""
    if hasattr(frame, "memory_usage"):
        return float(frame.memory_usage(deep=True).sum())
    if hasattr(frame, "estimated_size"):
        return float(frame.estimated_size())
    return float(getattr(frame, "nbytes", 0))


def joined(frames: Sequence[Any]) -> Any:  # noqa: ANN401 (any frame)
    """
    Put frames one below the other.

    Categories that are not declared alike become text; DataError where they are ordered, or where a column is of
    several kinds.
    """
    if not frames:
        return {}
    if len(frames) == 1:
        return frames[0]
    library = type(frames[0]).__module__.partition(".")[0]
    join = {"pyarrow": _of_arrow, "polars": _of_polars}.get(library, _of_pandas)
    try:
        return join(frames)
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"the parts of the data don't fit together: {printable(str(error))}") from error


def _of_arrow(frames: Sequence[Any]) -> Any:  # noqa: ANN401 (pyarrow tables or batches)
    import pyarrow as pa

    tables = [pa.Table.from_batches([frame]) if isinstance(frame, pa.RecordBatch) else frame for frame in frames]
    whole = pa.concat_tables(tables, promote_options="permissive")
    for number, field in enumerate(whole.schema):
        if pa.types.is_dictionary(field.type):
            declared = {tuple(chunk.dictionary.to_pylist()) for chunk in whole.column(number).chunks if len(chunk)}
            if len(declared) > 1:
                _refuse_ordered(field.name, ordered=field.type.ordered)
                whole = whole.set_column(number, field.name, whole.column(number).cast(field.type.value_type))
    return whole


def _of_polars(frames: Sequence[Any]) -> Any:  # noqa: ANN401 (polars' frames)
    import polars as pl

    return pl.concat(frames, how="vertical_relaxed")


def _of_pandas(frames: Sequence[Any]) -> Any:  # noqa: ANN401 (pandas' frames, mappings, or what pandas understands)
    import pandas as pd

    own = [pd.DataFrame(dict(frame)) if isinstance(frame, Mapping) else frame for frame in frames]
    own = [frame for frame in own if len(frame)] or own[:1]
    for name in own[0].select_dtypes("category").columns:
        dtypes = [frame.dtypes[name] for frame in own]
        if len({tuple(getattr(dtype, "categories", ())) for dtype in dtypes}) > 1:
            _refuse_ordered(str(name), ordered=any(getattr(dtype, "ordered", False) for dtype in dtypes))
            own = [frame.astype({name: object}) for frame in own]
    return pd.concat(own, ignore_index=True)


def _refuse_ordered(name: str, *, ordered: bool) -> None:
    if ordered:
        raise DataError(
            f"column '{printable(name)}': its ordered categories differ between parts of the data",
            hint="declare the same ones everywhere",
        )
