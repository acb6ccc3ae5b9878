"""
Fits that grow with the data: rows in Parquet files, read in parts; CPU seconds, wall seconds, peak memory.

The data are made in chunks, one file per 5 million rows, and removed afterwards. Each fit runs in a process of its own.
`python benchmarks/scale.py 1 10 50` (millions of rows); `--dask 2` fits on a LocalCluster of so many workers.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

FORMULA = "y ~ x1 + x2 + (1 + x1 | g)"
LEVELS = 50_000
FILE_ROWS = 5_000_000
GROUP_ROWS = 1_000_000


def make(folder: Path, millions: float) -> None:
    """Write rows of W4's model, 50 000 groups with random intercepts and slopes, row group by row group."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(8)
    effects = rng.multivariate_normal([0, 0], [[1.0, 0.3], [0.3, 0.5]], size=LEVELS)
    left, number = int(millions * 1e6), 0
    while left > 0:
        rows = min(left, FILE_ROWS)
        writer = None
        for start in range(0, rows, GROUP_ROWS):
            n = min(GROUP_ROWS, rows - start)
            g = rng.integers(0, LEVELS, n)
            x1, x2 = rng.normal(size=n), rng.normal(size=n)
            y = 1 + 0.5 * x1 - 0.3 * x2 + effects[g, 0] + effects[g, 1] * x1 + rng.normal(size=n)
            table = pa.table({"y": y, "x1": x1, "x2": x2, "g": g.astype(np.int32)})
            writer = writer or pq.ParquetWriter(folder / f"rows{number:03d}.parquet", table.schema)
            writer.write_table(table)
        assert writer is not None
        writer.close()
        left, number = left - rows, number + 1


def measured(folder: str, workers: int) -> dict[str, float]:
    """Fit in this process; with workers, the CPU time is theirs, too."""
    import lmmformula as lf

    start, cpu = time.perf_counter(), _cpu()
    data, cluster = f"{folder}/*.parquet", None
    if workers:
        import dask.dataframe as dd
        from distributed import Client, LocalCluster

        cluster = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
        client = Client(cluster)
        data = dd.read_parquet(data)
    model = lf.Model(FORMULA, data, progress=False, keep_rows=False)
    read = time.perf_counter() - start
    fit = model.fit()
    found = {"wall": time.perf_counter() - start, "read": read, "criterion": fit.reml_criterion, "n": fit.nobs}
    if cluster is not None:
        client.close()
        cluster.close()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found | {"cpu": _cpu() - cpu, "peak": peak, "worker_peak": children.ru_maxrss / 1024}


def _cpu() -> float:
    """CPU seconds of this process and of those that have ended."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("millions", nargs="*", type=float, default=[1.0, 10.0])
    parser.add_argument("--dask", type=int, default=0, help="workers of a LocalCluster")
    parser.add_argument("--folder", help="where the data are made; a temporary folder if none")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measured(options.child, options.dask)))
        return
    print("| rows | CPU s | wall s | of which reading and summing | peak MB | of the largest worker | REML criterion |")
    print("|---|---|---|---|---|---|---|")
    for millions in options.millions:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            make(Path(folder), millions)
            call = [sys.executable, __file__, "--child", folder, "--dask", str(options.dask)]
            environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            done = subprocess.run(call, check=True, capture_output=True, text=True, env=environment)
            row = json.loads(done.stdout.splitlines()[-1])
        worker = f"{row['worker_peak']:.0f}" if options.dask else ""
        print(
            f"| {row['n']:,} | {row['cpu']:.1f} | {row['wall']:.1f} | {row['read']:.1f} | {row['peak']:.0f} "
            f"| {worker} | {row['criterion']:.4f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
