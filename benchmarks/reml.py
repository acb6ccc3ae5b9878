"""
REML fits, timed: named workloads, our engine and any peers installed, interleaved.

Each engine fits each workload in a process of its own with one thread; the figure is the CPU time of the whole call,
from formula and data frame to the fitted object, best of several. Memory is the growth of the process's peak during
the fits. Run it with `make bench`; `--help` tells the options.
"""

import argparse
import json
import math
import os
import resource
import subprocess
import sys

from engines import installed, measure
from workloads import WORKLOADS, Workload

OURS = "lmmformula"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS", "POLARS_MAX_THREADS")
ONE_FACTOR_ONLY = {"statsmodels": {"W1"}}
"""Workloads that an engine is not made for are left out (statsmodels takes many minutes on the others)."""


def child(engine: str, workload: Workload, repeats: int) -> None:
    """Measure in this process, and print JSON."""
    data = workload.make()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = measure(engine, workload.formula, data, repeats)
    found["megabytes"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(json.dumps(found))


def run(engine: str, workload: Workload, limit: float) -> dict[str, float]:
    """Measure in a process of its own; NaN where it fails or takes too long."""
    call = [sys.executable, __file__, "--child", engine, workload.name]
    try:
        environment = os.environ | dict.fromkeys(THREADS, "1")
        done = subprocess.run(call, check=True, capture_output=True, text=True, timeout=limit, env=environment)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        print(f"  {engine} on {workload.name}: {type(error).__name__}", file=sys.stderr)
        return {"seconds": math.nan, "criterion": math.nan, "evaluations": math.nan, "megabytes": math.nan}
    return json.loads(done.stdout.splitlines()[-1])


def compare(workload: Workload, engines: list[str], rounds: int, limit: float) -> dict[str, dict[str, float]]:
    """Measure all engines in turn, several times round, and keep each one's best."""
    best: dict[str, dict[str, float]] = {}
    for _ in range(rounds):
        for engine in engines:
            if workload.name not in ONE_FACTOR_ONLY.get(engine, {workload.name}):
                continue
            if engine in best and not math.isfinite(best[engine]["seconds"]):
                continue
            found = run(engine, workload, limit)
            if engine not in best or found["seconds"] < best[engine]["seconds"]:
                best[engine] = found
    return best


def table(workload: Workload, found: dict[str, dict[str, float]]) -> str:
    """Return the rows of one workload: seconds, ratio to the fastest peer, criterion above the lowest, memory."""
    lowest = min(row["criterion"] for row in found.values() if math.isfinite(row["criterion"]))
    peers = [row["seconds"] for engine, row in found.items() if engine != OURS and math.isfinite(row["seconds"])]
    lines = []
    for engine, row in sorted(found.items(), key=lambda item: (item[0] != OURS, item[1]["seconds"])):
        if not math.isfinite(row["seconds"]):
            lines.append(f"| {workload.name} | {engine} | failed or over the limit | | | | |")
            continue
        ratio = f"{min(peers) / row['seconds']:.2g} x" if engine == OURS and peers else ""
        lines.append(
            f"| {workload.name} | {engine} | {row['seconds']:.4g} | {ratio} | {row['evaluations']:.0f} "
            f"| {(row['criterion'] - lowest) / abs(lowest):.1e} | {row['megabytes']:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("workloads", nargs="*", help="W1 .. W9; all if none")
    parser.add_argument("--engines", help="comma-separated; all that are installed if none")
    parser.add_argument("--rounds", type=int, default=2, help="how often the engines take turns")
    parser.add_argument("--limit", type=float, default=300, help="seconds after which a process is stopped")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    by_name = {w.name: w for w in WORKLOADS}
    if options.child:
        engine, name = options.child
        child(engine, by_name[name], by_name[name].repeats)
        return
    engines = options.engines.split(",") if options.engines else installed()
    print("| workload | engine | CPU s | fastest peer / ours | evaluations | criterion above lowest | peak MB |")
    print("|---|---|---|---|---|---|---|")
    for name in options.workloads or by_name:
        print(table(by_name[name], compare(by_name[name], engines, options.rounds, options.limit)), flush=True)


if __name__ == "__main__":
    main()
