"""stanli in this process: it is loaded, compiles a program, and samples from it or finds its mode."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from io import TextIOBase
from threading import Lock, Thread, current_thread, get_ident, main_thread
from time import perf_counter
from traceback import walk_tb
from types import ModuleType
from typing import Any, TextIO

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import NOWHERE, EngineError, warn
from lmmformula.stan.draws import Draws
from lmmformula.stan.engines.interrupted import usable_chains, warn_of_interrupt
from lmmformula.stan.engines.places import compile_error, data_error, place_in
from lmmformula.stan.engines.progress import Report, Tally
from lmmformula.stan.engines.run import Run
from lmmformula.stan.generate import StanProgram
from lmmformula.stan.start import StartingPoint

NAME = "stanli"
RENAMED = {"adapt_delta": "delta", "max_treedepth": "max_depth", "iterations": "iter"}
"""Options that stanli has another name for."""
LEFT_TO_GAIN = 0.1
"""Twice the log density that Newton's step from a mode may promise to gain, g'Vg with gradient g and variances V."""
FAILURES = (RuntimeError, ValueError, TypeError, OverflowError, MemoryError, NotImplementedError)
"""What stanli raises."""
LOADING = Lock()
_loader: list[Thread] = []
"""The main thread, if it is the one in which the package has loaded stanli."""


def loaded() -> ModuleType:
    """Load stanli, and note the thread that does: stanli can take gradients in this one alone, and in its own."""
    with LOADING:
        first = "stanli" not in sys.modules
        try:
            import stanli
        except ImportError as error:
            hint = "install it with `pip install stanli`, or use engine='cmdstan'"
            raise EngineError("the engine stanli is not installed", hint=hint) from error
        if first and current_thread() is main_thread():
            _loader.append(current_thread())
    return stanli  # type: ignore[no-any-return]


def can_run_here(run: Run) -> bool:
    """
    Tell whether a run is safe in this thread; elsewhere than in the thread that loaded it, stanli ends the process.

    Safe everywhere are chains that run in parallel: each has a thread that stanli has made for it.
    """
    if current_thread() in _loader:
        return True
    return run.algorithm == "nuts" and min(run.chains, _parallel(run)) > 1 and "pathfinder_init" not in run.options


def _parallel(run: Run) -> int:
    """Return how many chains run at once: as many as there are processors, but not one by one."""
    return int(run.options.get("parallel_chains", max(2, min(run.chains, os.cpu_count() or 1))))


def draws_here(program: StanProgram, run: Run, report: Report | None) -> Draws:
    """Sample in this process."""
    options = {RENAMED.get(name, name): value for name, value in run.options.items()}
    stanli = loaded()
    model = _model(stanli, program)
    if run.algorithm == "optimize":
        return _mode(stanli, model, run, options)
    options |= _start(model, run, options.get("metric", "diag_e")) | {"parallel_chains": _parallel(run)}
    if "pathfinder_init" in options:
        options.pop("inits", None)
    began = perf_counter()
    fit = _fit(stanli, model, run, options, report)
    statistics = {
        name.removesuffix("__"): fit.sampler_stats[:, :, column] for column, name in enumerate(stanli.SAMPLER_COLUMNS)
    }
    return Draws(
        arrays={name: fit.draws(name) for name in fit.variables},
        statistics=statistics,
        engine=NAME,
        seed=run.seed,
        seconds=perf_counter() - began,
        warmup=run.warmup,
        max_treedepth=fit.max_depth,
    )


def _model(stanli: ModuleType, program: StanProgram) -> Any:  # noqa: ANN401 (stanli has no types)
    try:
        return stanli.Model(stan_code=program.code, data=program.data)
    except RuntimeError as error:
        if place_in(program.code, str(error)) == NOWHERE:
            raise data_error("stanli", program.code, str(error)) from error
        raise compile_error("stanli", program.code, str(error)) from error


def _fit(stanli: ModuleType, model: Any, run: Run, options: dict[str, Any], report: Report | None) -> Any:  # noqa: ANN401
    """Sample; after an interrupt, gather what has been drawn by then."""
    tally = Tally(run.chains, run.each)
    with _listening(tally, report) as refresh:
        try:
            fit = model.sample(
                chains=run.chains, seed=run.seed, warmup=run.warmup, samples=run.draws, refresh=refresh, **options
            )
        except FAILURES as error:
            if error is tally.failure:
                raise
            raise EngineError(f"stanli could not sample: {error}") from error
        except KeyboardInterrupt as interrupt:
            return _what_there_is(stanli, interrupt, tally, run)
    if report is not None:
        tally.reached = dict.fromkeys(range(1, run.chains + 1), run.each)
        tally.tell(report)
    return fit


def _mode(stanli: ModuleType, model: Any, run: Run, options: dict[str, Any]) -> Draws:  # noqa: ANN401
    """Find the posterior mode."""
    if run.start is not None:
        options["init"] = _middle(model, run)
    if options.get("jacobian") is False:
        hint = "engine='cmdstan' has it; jacobian=True is the mode on the sampler's scale"
        raise EngineError("stanli has no mode of the parameters as they are declared", hint=hint)
    began = perf_counter()
    try:
        mode = model.optimize(seed=run.seed, **options)
    except FAILURES as error:
        raise EngineError(f"stanli could not find a mode: {error}") from error
    if run.start is not None and run.start.inverse_metric is not None:
        _, gradient = model.log_prob_grad(mode.unconstrained)
        if gradient @ (run.start.inverse_metric * gradient) > LEFT_TO_GAIN:
            warn("the search has stopped before it reached the mode")
    # As a fit of one draw: the result's own way to variables turns matrices over.
    point = np.array([[list(mode.values())]])
    fit = stanli.Fit(list(mode), point, np.zeros((1, 1, len(stanli.SAMPLER_COLUMNS))), 0, run.seed, ())
    return Draws(
        arrays={name: fit.draws(name) for name in fit.variables},
        statistics={"lp": np.full((1, 1), mode.lp)},
        engine=NAME,
        seed=run.seed,
        seconds=perf_counter() - began,
        warmup=0,
        algorithm=run.algorithm,
    )


def _start(model: Any, run: Run, metric: str) -> dict[str, Any]:  # noqa: ANN401
    """Scatter the chains around a start by the spread it expects there, and give that to the metric that is asked."""
    if run.start is None:
        return {}
    middle = _middle(model, run)
    if run.start.inverse_metric is None:
        return {"inits": middle}
    starts = {"inits": scattered_points(middle, run.start, run)}
    if metric == "unit_e":
        return starts
    return starts | {"inv_metric": run.start.matrix if metric == "dense_e" else run.start.inverse_metric}


def _middle(model: Any, run: Run) -> FloatArray:  # noqa: ANN401
    """Bring a start to the unconstrained scale."""
    assert run.start is not None
    values = {name: np.asarray(value) for name, value in run.start.values.items()}
    try:  # stanli takes containers flat, the first index fastest
        middle: FloatArray = model.unconstrain({n: v.ravel(order="F") if v.ndim else v for n, v in values.items()})
    except ValueError as error:
        raise EngineError(f"the chains can't start there: {error}") from error
    return middle


def scattered_points(middle: FloatArray, start: StartingPoint, run: Run) -> FloatArray:
    """Draw a start for each chain, one posterior standard deviation around the middle, so that R-hat can tell."""
    return middle + start.steps(np.random.default_rng(run.seed).standard_normal((run.chains, len(middle))))


def _what_there_is(stanli: ModuleType, interrupt: KeyboardInterrupt, tally: Tally, run: Run) -> Any:  # noqa: ANN401
    """
    Make a fit of the draws that an interrupted run has written; raise the interrupt again where there are too few.

    stanli fills arrays as it samples, but after an interrupt returns none. They are found where they were left: in
    the frame of its function that the interrupt came through. What the tally knows to be done is filled.
    """
    for frame, _ in walk_tb(interrupt.__traceback__):
        left = frame.f_locals
        if frame.f_code.co_name == "sample" and {"names", "out", "stats", "opts"} <= left.keys():
            # An iteration is printed when it begins, and every so manieth is stored.
            done = [max(tally.reached.get(c + 1, 0) - 1 - run.warmup, 0) for c in range(run.chains)]
            chains, draws = usable_chains([-(-count // left["opts"].thin) for count in done])
            if not chains:
                break
            warn_of_interrupt(chains, draws, left["out"].shape[:2])
            values, statistics = (left[name][chains, :draws].copy() for name in ("out", "stats"))
            return stanli.Fit(left["names"], values, statistics, left["opts"].max_depth, run.seed, ())
    raise interrupt


class _Listener(TextIOBase):
    """
    Stands in for the standard output while stanli samples, and hears its progress.

    What other threads print goes on to where it should.
    """

    def __init__(self, hear: Callable[[str], bool], stream: TextIO | None) -> None:
        self.hear = hear
        self.stream = stream
        self.own = {get_ident()}  # the thread that called stanli, and those that stanli calls back from

    def write(self, text: str) -> int:
        if self.hear(text):
            self.own.add(get_ident())
        if get_ident() in self.own or self.stream is None:
            return len(text)
        return self.stream.write(text)

    def flush(self) -> None:
        if self.stream is not None:
            self.stream.flush()


LISTENING = Lock()
"""Held while the standard output is replaced: of two runs at once, the second stays unheard."""


@contextmanager
def _listening(tally: Tally, report: Report | None) -> Iterator[int]:
    """Give the number of iterations after which stanli is to print, 0 for never; what it prints is not shown."""

    def hear(line: str) -> bool:
        heard = tally.hear(line)
        if heard and report is not None:
            tally.tell(report)
        return heard

    if not LISTENING.acquire(blocking=False):
        yield 0
        return
    try:
        with redirect_stdout(_Listener(hear, sys.stdout)):
            yield tally.refresh
    finally:
        LISTENING.release()
