"""Every source of data in parts gives the fit of the same data in one frame."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf
from lmmformula.data.chunks import files as chunks_files
from lmmformula.data.chunks.sources import as_chunks

FORMULA = "y ~ x + f + (1 + x | g)"


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    """700 rows in 23 groups, text and numbers, some of them missing."""
    rng = np.random.default_rng(3)
    n = 700
    g = rng.integers(0, 23, n)
    frame = pd.DataFrame(
        {"x": rng.normal(size=n), "f": rng.choice(["b", "a", "c"], n), "g": g, "unused": rng.normal(size=n)}
    )
    frame["y"] = 2 + frame["x"] + rng.normal(size=23)[g] + rng.normal(size=n)
    frame.loc[5, "x"] = np.nan
    frame.loc[[6, 40], "f"] = None
    return frame


class Stream:
    """An object that is nothing but a stream of Arrow batches."""

    def __init__(self, table: Any) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)


def _files(data: pd.DataFrame, folder: Path, suffix: str) -> str:
    for i, part in enumerate(np.array_split(np.arange(len(data)), 3)):
        own, path = data.iloc[part], folder / f"part{i}{suffix}"
        if suffix == ".parquet":
            own.to_parquet(path, row_group_size=50)
        else:
            own.to_csv(path, index=False)
    return str(folder / f"*{suffix}")


def _parquet(data: pd.DataFrame, folder: Path) -> object:
    return _files(data, folder, ".parquet")


def _csv(data: pd.DataFrame, folder: Path) -> object:
    return _files(data, folder, ".csv")


def _compressed(data: pd.DataFrame, folder: Path) -> object:
    return Path(_files(data, folder, ".csv.gz")).parent


def _paths(data: pd.DataFrame, folder: Path) -> object:
    _files(data, folder, ".parquet")
    return sorted(folder.glob("*.parquet"))


def _dataset(data: pd.DataFrame, folder: Path) -> object:
    _files(data, folder, ".parquet")
    return pytest.importorskip("pyarrow.dataset").dataset(folder)


def _partitioned(data: pd.DataFrame, folder: Path) -> object:
    dataset = pytest.importorskip("pyarrow.dataset")
    import pyarrow as pa

    table = pa.table({**data.drop(columns="f"), "f": pa.array(data["f"], pa.string())})
    partitioning = dataset.partitioning(pa.schema([("f", pa.string())]), flavor="hive")
    dataset.write_dataset(table, folder, format="parquet", partitioning=partitioning)
    return dataset.dataset(folder, partitioning=partitioning)


def _duckdb(data: pd.DataFrame, folder: Path) -> object:
    duckdb = pytest.importorskip("duckdb")
    return duckdb.sql(f"from '{_files(data, folder, '.parquet')}' where 1 = 1")


def _lazy(data: pd.DataFrame, folder: Path) -> object:
    return pytest.importorskip("polars").scan_parquet(_files(data, folder, ".parquet"))


def _stream(data: pd.DataFrame, _: Path) -> object:
    return Stream(pytest.importorskip("pyarrow").Table.from_pandas(data))


def _list(data: pd.DataFrame, _: Path) -> object:
    return [data[:100], data[100:100], data[100:]]


def _function(data: pd.DataFrame, _: Path) -> object:
    def frames() -> Iterator[pd.DataFrame]:
        yield data[:300]
        yield data[300:]

    return frames


def _batches(data: pd.DataFrame, _: Path) -> object:
    table = pytest.importorskip("pyarrow").Table.from_pandas(data)
    return lambda: table.to_reader(max_chunksize=90)


def _dask(data: pd.DataFrame, _: Path) -> object:
    return pytest.importorskip("dask.dataframe").from_pandas(data, npartitions=5)


SOURCES = {
    "Parquet files": _parquet, "CSV files": _csv, "a folder of compressed CSV files": _compressed,
    "a list of paths": _paths, "a pyarrow Dataset": _dataset, "a Dataset partitioned by a factor": _partitioned,
    "a DuckDB relation": _duckdb, "a polars LazyFrame": _lazy, "an Arrow stream": _stream,
    "a list of frames": _list, "a function": _function, "a function that opens a reader": _batches,
    "a Dask data frame": _dask,
}  # fmt: skip


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_gives_the_fit_of_one_frame(
    source: str, data: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Estimates, levels and counts of missing rows are those of the frame in memory."""
    monkeypatch.setattr(chunks_files, "BATCH_ROWS", 120)  # so that row groups and blocks of lines are really cut
    whole = lf.Model(FORMULA, data).fit()
    fit = lf.Model(FORMULA, SOURCES[source](data, tmp_path), progress=False).fit()
    np.testing.assert_allclose(fit.fixef, whole.fixef, rtol=1e-9)
    assert list(fit.fixef.index) == list(whole.fixef.index)
    assert fit.reml_criterion == pytest.approx(whole.reml_criterion, rel=1e-10)
    assert fit.design.n_given - fit.nobs == 3
    pd.testing.assert_frame_equal(fit.ranef()["g"], whole.ranef()["g"], rtol=1e-4, atol=1e-4)


def test_eager_frames_are_not_taken_for_data_in_parts(data: pd.DataFrame) -> None:
    """Frames that fit into memory keep their rows, although some of them export Arrow streams."""
    polars, pyarrow = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    frames: list[Any] = [data, polars.from_pandas(data), pyarrow.Table.from_pandas(data), {"x": [1.0]}]
    assert [as_chunks(frame) for frame in frames] == [None] * 4


ONCE: dict[str, Callable[[pd.DataFrame], object]] = {
    "RecordBatchReader": lambda data: pytest.importorskip("pyarrow").Table.from_pandas(data).to_reader(),
    "iterator": lambda data: iter([data, data]),
    "generator": lambda data: (part for part in [data, data]),
}


@pytest.mark.parametrize("what", ONCE)
def test_what_can_be_read_only_once_is_refused(what: str, data: pd.DataFrame) -> None:
    """Two passes need data that can be read twice; the message says what to give instead."""
    with pytest.raises(lf.DataError, match="read only once") as refused:
        lf.Model(FORMULA, ONCE[what](data))
    assert "a function that returns a new" in refused.value.hint


def test_options_of_streaming_are_refused_for_a_frame(data: pd.DataFrame) -> None:
    """A checkpoint of data that are read at once would be an empty promise."""
    with pytest.raises(lf.DataError, match="checkpoint is for data that come in parts"):
        lf.Model(FORMULA, data, checkpoint="somewhere")


BAD_PATHS = {
    "nowhere/*.parquet": "there is no file",
    "notes.md": "neither Parquet nor CSV",
    "broken.parquet": "can't be read",
}


@pytest.mark.parametrize("name", BAD_PATHS)
def test_bad_paths_are_named(name: str, tmp_path: Path) -> None:
    """No library's own error reaches a user."""
    (tmp_path / "notes.md").write_text("# notes", encoding="utf-8")
    (tmp_path / "broken.parquet").write_text("PAR1", encoding="utf-8")
    with pytest.raises(lf.DataError, match=BAD_PATHS[name]):
        lf.Model(FORMULA, str(tmp_path / name))


@pytest.mark.parametrize("pattern", ["", "/**/*.csv"])
def test_a_search_that_finds_too_much_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str) -> None:
    """A folder or a pattern of very many files is refused instead of walked to its end."""
    monkeypatch.setattr(chunks_files, "MOST_ENTRIES", 3)
    for i in range(4):
        (tmp_path / f"{i}.csv").write_text("x\n1\n")
    with pytest.raises(lf.DataError, match="more than 3 files"):
        as_chunks(f"{tmp_path}{pattern}")
