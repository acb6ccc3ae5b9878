"""
Profile intervals and parametric bootstrap, timed beside lme4's `confint` and `bootMer` where R has lme4.

CPU time with one thread, each engine in a process of its own, best of several for what is quick; run it with
`python benchmarks/inference.py [NAME ...]`. Large bootstraps are extrapolated from a few refits, and the table says so.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from workloads import crossed_slopes

import lmmformula as lf

THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True, slots=True)
class Case:
    """
    A model, and how many refits its bootstrap has.

    data : a data set of the package, or a workload
    ours, theirs : how many of the refits are made; the time is scaled up
    profiled : whether lme4's profile is run
    """

    data: str
    formula: str
    refits: int = 1000
    ours: int = 1000
    theirs: int = 200
    profiled: bool = True

    @property
    def frame(self) -> pd.DataFrame:
        """The data."""
        return crossed_slopes() if self.data == "W9" else lf.datasets.load(self.data)


CASES = [
    Case("sleepstudy", "Reaction ~ Days + (Days | Subject)"),
    Case("Machines", "score ~ Machine + (Machine | Worker)"),
    Case("Dyestuff", "Yield ~ 1 + (1 | Batch)"),
    Case("Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)", theirs=100),
    Case("W9", "y ~ x + (x | a) + (x | b)", ours=4, theirs=1, profiled=False),
]
"""One factor with two, three and one coefficients; crossed factors, which are refitted one by one, small and large."""

R_SCRIPT = """
suppressMessages(library(lme4))
arguments <- commandArgs(TRUE)
data <- read.csv(arguments[1], stringsAsFactors = TRUE)
for (name in strsplit(arguments[4], ",")[[1]]) data[[name]] <- factor(data[[name]])
fit <- lmer(as.formula(arguments[2]), data)
cpu <- function(expression) { t <- system.time(expression); unname(t[1] + t[2]) }
n <- as.integer(arguments[3])
profile <- NA
if (arguments[5] == "TRUE") profile <- cpu(bounds <- suppressWarnings(suppressMessages(confint(fit, quiet = TRUE))))
all <- function(fit) c(fixef(fit), as.data.frame(VarCorr(fit))$sdcor)
boot <- cpu(suppressWarnings(suppressMessages(bootMer(fit, all, nsim = n, seed = 1))))
cat(sprintf('{"profile": %s, "boot": %.6f}\\n', if (is.na(profile)) "null" else sprintf("%.6f", profile), boot))
"""


def ours(case: Case) -> dict[str, float]:
    """Measure in this process: profiles best of five, the bootstrap best of three; large ones once."""
    fit = lf.lmer(case.formula, case.frame)
    small = case.ours == case.refits
    if small:
        fit.confint(method="profile")

    def cpu(repeats: int, method: str) -> float:
        times = []
        for _ in range(repeats):
            start = time.process_time()
            fit.confint(method=method, n=case.ours, seed=1, workers=1)
            times.append(time.process_time() - start)
        return min(times)

    return {
        "profile": cpu(5 if small else 1, "profile"),
        "boot": cpu(3 if small else 1, "boot") * case.refits / case.ours,
    }


def in_process(case: Case) -> dict[str, float]:
    """Measure ours in a process of its own."""
    call = [sys.executable, __file__, "--child", case.data]
    done = subprocess.run(call, check=True, capture_output=True, text=True, env=os.environ | THREADS)
    return json.loads(done.stdout)


def lme4(case: Case) -> dict[str, float | None]:
    """Measure lme4; nothing where there is none."""
    data = case.frame
    factors = ",".join(name for name in data if data[name].dtype == "category")
    with tempfile.TemporaryDirectory() as folder:
        script, table = Path(folder) / "measure.R", Path(folder) / "data.csv"
        script.write_text(R_SCRIPT, encoding="utf-8")
        data.to_csv(table, index=False)
        options = [case.formula, str(case.theirs), factors, str(case.profiled).upper()]
        call = ["Rscript", str(script), str(table), *options]
        try:
            done = subprocess.run(call, check=True, capture_output=True, text=True, env=os.environ | THREADS)
        except (OSError, subprocess.CalledProcessError):
            return {"profile": None, "boot": None}
    found = json.loads(done.stdout.splitlines()[-1])
    return found | {"boot": found["boot"] * case.refits / case.theirs}


def main() -> None:
    """Print one row per model and method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="of the data; all by default")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(ours(next(case for case in CASES if case.data == options.child))))
        return
    print("| data | what | lmmformula, s | lme4, s | ratio |\n|---|---|---|---|---|")
    for case in CASES:
        if options.names and case.data not in options.names:
            continue
        mine, theirs = in_process(case), lme4(case)
        made = f"{case.refits} refits (made: {case.ours}; lme4 {case.theirs})"
        for what, label in (("profile", "profile intervals, all parameters"), ("boot", made)):
            other = theirs[what]
            peer = "not run | " if other is None else f"{other:.3g} | {other / mine[what]:.0f} x"
            print(f"| {case.data} | {label} | {mine[what]:.3g} | {peer} |", flush=True)


if __name__ == "__main__":
    main()
