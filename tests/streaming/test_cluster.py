"""A Dask data frame on a real cluster: each partition is summed where it is, and only sums travel."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf

pytest.importorskip("distributed", reason="needs the extra 'dask'")
import dask.dataframe as dd
from distributed import Client, LocalCluster

pytestmark = [
    pytest.mark.slow,  # starting two workers takes seconds
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"),
]
FORMULA = "y ~ scale(x) * f + (x | g) + (1 | h)"
N = 20_000


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    """Rows of a model with two crossed factors, some values missing."""
    rng = np.random.default_rng(9)
    g, h, x = rng.integers(0, 200, N), rng.integers(0, 12, N), rng.normal(size=N) + 1e6
    y = x + rng.normal(size=200)[g] + rng.normal(size=12)[h] + rng.normal(size=N)
    frame = pd.DataFrame({"y": y, "x": x, "f": rng.choice(["u", "v", "w"], N), "g": g, "h": h})
    frame.loc[::97, "x"] = np.nan
    return frame


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A cluster of two workers, processes of their own."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        yield client


def same(fit: Any, whole: Any) -> None:
    """Hold a fit to that of one frame."""
    assert fit.nobs == whole.nobs
    assert fit.reml_criterion == pytest.approx(whole.reml_criterion, rel=1e-10)
    np.testing.assert_allclose((fit.fixef - whole.fixef) / whole.std_errors, 0, atol=1e-6)


def test_a_cluster_gives_the_fit_of_one_frame(data: pd.DataFrame, client: Client) -> None:
    """Two workers, eleven partitions: the numbers of one frame in memory."""
    assert len(client.scheduler_info()["workers"]) == 2
    fit = lf.Model(FORMULA, dd.from_pandas(data, npartitions=11, sort=False)).fit()
    same(fit, lf.Model(FORMULA, data).fit())


def _dies_once(frame: pd.DataFrame, mark: str, passes: int) -> pd.DataFrame:
    """Kill the worker that reads this partition in a given pass, once."""
    with Path(mark).open("a", encoding="utf-8") as file:
        file.write("x")
    if Path(mark).stat().st_size == passes:
        os.kill(os.getpid(), signal.SIGKILL)
    return frame


@pytest.mark.parametrize("passes", [1, 2])
def test_a_worker_killed_in_either_pass_is_replaced(
    passes: int, data: pd.DataFrame, client: Client, tmp_path: Path
) -> None:
    """Its partitions are computed again, and counted once."""
    frame = dd.from_pandas(data, npartitions=6, sort=False)
    mark = str(tmp_path / "reads")

    def read(part: pd.DataFrame, partition_info: Any = None) -> pd.DataFrame:
        return _dies_once(part, mark, passes) if partition_info and partition_info["number"] == 4 else part

    deadly = frame.map_partitions(read, meta=frame._meta)
    fit = lf.Model(FORMULA, deadly).fit()
    assert Path(mark).stat().st_size > passes, "the partition was read again after the kill"
    same(fit, lf.Model(FORMULA, data).fit())
    client.wait_for_workers(2, timeout=60)


def test_an_error_on_a_worker_names_the_partition(data: pd.DataFrame, client: Client) -> None:
    """What is wrong with the data is told as it would be here."""
    assert client.status == "running"
    bad = data.assign(y=np.where(np.arange(N) == 15_000, np.inf, data["y"]))
    with pytest.raises(lf.DataError, match=r"`y` is infinite in 1 row .*\(in partition 3\)") as refused:
        lf.Model(FORMULA, dd.from_pandas(bad, npartitions=4, sort=False))
    assert "^" in str(refused.value)
