"""The engines that the benchmarks compare: ours, and each peer that happens to be installed."""

import importlib.util
import json
import re
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pandas as pd

Measurement = dict[str, float]
"""seconds (CPU, best of the repeats), criterion (REML), evaluations."""

SLOW = 10.0
"""CPU seconds after which a fit is not repeated."""

R_SCRIPT = """
suppressMessages(library(lme4)); a <- commandArgs(TRUE)
d <- read.csv(a[1], stringsAsFactors = TRUE)
for (name in strsplit(a[2], ",")[[1]]) d[[name]] <- factor(d[[name]])
times <- c()
while (length(times) < as.integer(a[4]) && sum(times) < 10)
  times <- c(times, sum(system.time(m <- suppressWarnings(suppressMessages(lmer(as.formula(a[3]), d))))[1:2]))
cat(sprintf('{"seconds": %.6g, "criterion": %.17g, "evaluations": %d}',
            min(times), REMLcrit(m), m@optinfo$feval))
"""


def best_of(repeats: int, fit: Callable[[], object]) -> tuple[float, object]:
    """Return the least CPU seconds of several calls (of one, if it is slow), and what the last of them returned."""
    seconds, result = [], None
    while len(seconds) < repeats and sum(seconds) < SLOW:
        start = time.process_time()
        result = fit()
        seconds.append(time.process_time() - start)
    return min(seconds), result


def ours(formula: str, data: pd.DataFrame, repeats: int) -> Measurement:
    """Time `Model(formula, data).fit()`."""
    import lmmformula as lf

    seconds, fit = best_of(repeats, lambda: lf.Model(formula, data).fit())
    return {"seconds": seconds, "criterion": fit.reml_criterion, "evaluations": fit.fit.log.evaluations}


def glmm(formula: str, data: pd.DataFrame, repeats: int) -> Measurement:
    """Time the glmm package (Rust), without degrees of freedom."""
    import glmm as peer

    plain = data.assign(**{name: data[name].astype(str) for name in data if data[name].dtype == "category"})
    seconds, fit = best_of(repeats, lambda: peer.fit(plain, formula, satterthwaite=False))
    return {"seconds": seconds, "criterion": -2 * fit.loglik, "evaluations": fit.n_eval}


def mixedlm(formula: str, data: pd.DataFrame, repeats: int) -> Measurement:
    """Time the mixedlm package (Rust)."""
    import mixedlm as peer

    seconds, fit = best_of(repeats, lambda: peer.lmer(formula, data))
    return {"seconds": seconds, "criterion": peer.REMLcrit(fit), "evaluations": fit.function_evals}


def lme_python(formula: str, data: pd.DataFrame, repeats: int) -> Measurement:
    """Time the lme-python package (Rust)."""
    import lme_python as peer
    import polars as pl

    frame = pl.from_pandas(data)
    seconds, fit = best_of(repeats, lambda: peer.lmer(formula, frame))
    return {"seconds": seconds, "criterion": fit.reml_criterion, "evaluations": fit.iterations}


def statsmodels(formula: str, data: pd.DataFrame, repeats: int) -> Measurement:
    """Time statsmodels' mixedlm; only one grouping factor."""
    import statsmodels.formula.api as peer

    fixed, random, group = re.fullmatch(r"(.*?) \+ \((.*) \| (\w+)\)", formula).groups()
    seconds, fit = best_of(
        repeats, lambda: peer.mixedlm(fixed, data, groups=data[group], re_formula="~ " + random).fit(reml=True)
    )
    return {"seconds": seconds, "criterion": -2 * fit.llf, "evaluations": float("nan")}


def lme4(formula: str, data: pd.DataFrame, repeats: int) -> Measurement:
    """Time `lmer(formula, data)` in R."""
    with tempfile.TemporaryDirectory() as folder:
        file, script = Path(folder) / "data.csv", Path(folder) / "time.R"
        data.to_csv(file, index=False)
        script.write_text(R_SCRIPT)
        factors = ",".join(name for name in data if data[name].dtype == "category")
        call = ["Rscript", str(script), str(file), factors, formula, str(min(repeats, 5))]
        done = subprocess.run(call, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


ENGINES: dict[str, Callable[[str, pd.DataFrame, int], Measurement]] = {
    "lmmformula": ours,
    "glmm": glmm,
    "mixedlm": mixedlm,
    "lme_python": lme_python,
    "statsmodels": statsmodels,
    "lme4": lme4,
}


def installed() -> list[str]:
    """Return the engines that can run here."""
    if shutil.which("Rscript"):
        call = ["Rscript", "-e", "quit(status = !requireNamespace('lme4', quietly = TRUE))"]
        has_lme4 = subprocess.run(call, check=False, capture_output=True).returncode == 0
    else:
        has_lme4 = False
    return [e for e in ENGINES if (has_lme4 if e == "lme4" else importlib.util.find_spec(e) is not None)]


def measure(engine: str, formula: str, data: pd.DataFrame, repeats: int) -> Measurement:
    """Run one engine, its warnings unheard, after a small model that warms it up."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ENGINES[engine](formula, data, repeats)
