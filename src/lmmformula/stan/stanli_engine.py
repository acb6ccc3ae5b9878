"""The embedded engine: stanli compiles and samples inside this process, without a C++ toolchain."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import TextIOBase
from time import perf_counter
from types import ModuleType
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import EngineError
from lmmformula.stan.draws import Draws
from lmmformula.stan.engines import Run, compile_error
from lmmformula.stan.generate import StanProgram
from lmmformula.stan.progress import Report, reporter

RENAMED = {"adapt_delta": "delta", "max_treedepth": "max_depth"}
OPTIONS = (
    "adapt_delta", "max_treedepth", "thin", "init_radius", "pathfinder_init", "parallel_chains", "threads_per_chain",
    "metric", "step_size", "adapt_engaged",
)  # fmt: skip
UPDATES = 50
"""Reports of progress by each chain."""


class StanliEngine:
    """Samples with stanli."""

    name = "stanli"

    def sample(self, program: StanProgram, run: Run) -> Draws:
        """Draw from the posterior distribution."""
        options = _options(run)
        stanli = _stanli()
        model = self._model(stanli, program)
        if run.start is not None:
            options |= _start(model, run)
        began = perf_counter()
        with reporter(run.progress, run.iterations) as report, _listening(report, run) as refresh:
            try:
                fit = model.sample(
                    chains=run.chains, seed=run.seed, warmup=run.warmup, samples=run.draws, refresh=refresh, **options
                )
            except (RuntimeError, ValueError, TypeError, OverflowError) as error:
                raise EngineError(f"stanli could not sample: {error}") from error
        statistics = {
            name.removesuffix("__"): fit.sampler_stats[:, :, column]
            for column, name in enumerate(stanli.SAMPLER_COLUMNS)
        }
        return Draws(
            arrays={name: fit.draws(name) for name in fit.variables},
            statistics=statistics,
            engine=self.name,
            seed=run.seed,
            seconds=perf_counter() - began,
            warmup=run.warmup,
            max_treedepth=fit.max_depth,
        )

    @staticmethod
    def _model(stanli: ModuleType, program: StanProgram) -> Any:  # noqa: ANN401 (stanli has no types)
        try:
            return stanli.Model(stan_code=program.code, data=program.data)
        except RuntimeError as error:
            raise compile_error("stanli", program.code, str(error)) from error


def _stanli() -> ModuleType:
    try:
        import stanli
    except ImportError as error:
        hint = "install it with `pip install stanli`, or use engine='cmdstan'"
        raise EngineError("the engine stanli is not installed", hint=hint) from error
    return stanli  # type: ignore[no-any-return]


def _options(run: Run) -> dict[str, Any]:
    for name in run.options:
        if name not in OPTIONS:
            raise EngineError(f"stanli has no option '{name}'", hint="it has " + ", ".join(OPTIONS))
    return {RENAMED.get(name, name): value for name, value in run.options.items()}


def _start(model: Any, run: Run) -> dict[str, Any]:  # noqa: ANN401
    """Bring a start to the unconstrained scale; scatter the chains around it by the spread it expects there."""
    assert run.start is not None
    values = {name: np.asarray(value) for name, value in run.start.values.items()}
    try:  # stanli takes containers flat, the first index fastest
        middle: FloatArray = model.unconstrain({n: v.ravel(order="F") if v.ndim else v for n, v in values.items()})
    except ValueError as error:
        raise EngineError(f"the chains can't start there: {error}") from error
    if run.start.inverse_metric is None:
        return {"inits": middle}
    return {"inits": scattered(middle, run.start.inverse_metric, run), "inv_metric": run.start.inverse_metric}


def scattered(middle: FloatArray, variances: FloatArray, run: Run) -> FloatArray:
    """Draw a start for each chain, one posterior standard deviation around the middle, so that R-hat can tell."""
    noise = np.random.default_rng(run.seed).standard_normal((run.chains, len(middle)))
    return middle + np.sqrt(variances) * noise


class _Listener(TextIOBase):
    """Reads stanli's printed progress and reports the sum over chains."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.done: dict[str, int] = {}

    def write(self, text: str) -> int:
        for chain, iteration in re.findall(r"Chain \[(\d+)\] Iteration:\s*(\d+)", text):
            self.done[chain] = int(iteration)
            self.report(sum(self.done.values()))
        return len(text)


@contextmanager
def _listening(report: Report | None, run: Run) -> Iterator[int]:
    """Give the number of iterations between reports, 0 for none; printed ones reach `report`, not the terminal."""
    if report is None:
        yield 0
        return
    with redirect_stdout(_Listener(report)):
        yield max((run.warmup + run.draws) // UPDATES, 1)
