"""
Profile intervals and parametric bootstrap, timed beside lme4's `confint` and `bootMer` where R has lme4.

CPU time with one thread, each engine in a process of its own, best of several for what is quick; run it with
`python benchmarks/inference.py`.
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

import lmmformula as lf

THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True, slots=True)
class Case:
    """
    A model, and how many refits its bootstrap has.

    r_refits : how many of them R makes, whose time is scaled up
    """

    data: str
    formula: str
    refits: int = 1000
    r_refits: int = 200


CASES = [
    Case("sleepstudy", "Reaction ~ Days + (Days | Subject)"),
    Case("Machines", "score ~ Machine + (Machine | Worker)"),
    Case("Dyestuff", "Yield ~ 1 + (1 | Batch)"),
    Case("Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)", refits=200, r_refits=100),
]
"""One factor with two, three and one coefficients; crossed factors, which are refitted one by one."""

R_SCRIPT = """
suppressMessages(library(lme4))
arguments <- commandArgs(TRUE)
data <- read.csv(arguments[1], stringsAsFactors = TRUE)
for (name in strsplit(arguments[4], ",")[[1]]) data[[name]] <- factor(data[[name]])
fit <- lmer(as.formula(arguments[2]), data)
cpu <- function(expression) { t <- system.time(expression); unname(t[1] + t[2]) }
n <- as.integer(arguments[3])
profile <- cpu(bounds <- suppressWarnings(suppressMessages(confint(fit, quiet = TRUE))))
all <- function(fit) c(fixef(fit), as.data.frame(VarCorr(fit))$sdcor)
boot <- cpu(suppressWarnings(suppressMessages(bootMer(fit, all, nsim = n, seed = 1))))
cat(sprintf('{"profile": %.6f, "boot": %.6f}\\n', profile, boot))
"""


def ours(case: Case) -> dict[str, float]:
    """Measure in this process: profiles best of five, the bootstrap best of three."""
    fit = lf.lmer(case.formula, lf.datasets.load(case.data))
    fit.confint(method="profile")

    def cpu(repeats: int, method: str) -> float:
        times = []
        for _ in range(repeats):
            start = time.process_time()
            fit.confint(method=method, n=case.refits, seed=1)
            times.append(time.process_time() - start)
        return min(times)

    return {"profile": cpu(5, "profile"), "boot": cpu(3, "boot")}


def in_process(case: Case) -> dict[str, float]:
    """Measure ours in a process of its own."""
    call = [sys.executable, __file__, "--child", case.data]
    done = subprocess.run(call, check=True, capture_output=True, text=True, env=os.environ | THREADS)
    return json.loads(done.stdout)


def lme4(case: Case) -> dict[str, float] | None:
    """Measure lme4; None where there is none."""
    data = lf.datasets.load(case.data)
    factors = ",".join(name for name in data if data[name].dtype == "category")
    with tempfile.TemporaryDirectory() as folder:
        script, table = Path(folder) / "measure.R", Path(folder) / "data.csv"
        script.write_text(R_SCRIPT, encoding="utf-8")
        data.to_csv(table, index=False)
        call = ["Rscript", str(script), str(table), case.formula, str(case.r_refits), factors]
        try:
            done = subprocess.run(call, check=True, capture_output=True, text=True, env=os.environ | THREADS)
        except (OSError, subprocess.CalledProcessError):
            return None
    found = json.loads(done.stdout.splitlines()[-1])
    return found | {"boot": found["boot"] * case.refits / case.r_refits}


def main() -> None:
    """Print one row per model and method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(ours(next(case for case in CASES if case.data == options.child))))
        return
    print("| data | what | lmmformula, s | lme4, s | ratio |\n|---|---|---|---|---|")
    for case in CASES:
        mine, theirs = in_process(case), lme4(case)
        for what, label in (("profile", "profile intervals, all parameters"), ("boot", f"{case.refits} refits")):
            peer = "not there | " if theirs is None else f"{theirs[what]:.3g} | {theirs[what] / mine[what]:.0f} x"
            print(f"| {case.data} | {label} | {mine[what]:.3g} | {peer} |", flush=True)


if __name__ == "__main__":
    main()
