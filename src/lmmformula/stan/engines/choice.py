"""The engines that sample from a program, behind one protocol: stanli (embedded) and CmdStan (through cmdstanpy)."""

from collections.abc import Mapping
from secrets import randbelow
from typing import Any, Protocol

from lmmformula.errors import EngineError
from lmmformula.stan.draws import Draws
from lmmformula.stan.engines.cmdstan_engine import CmdStanEngine
from lmmformula.stan.engines.options import LARGEST, choice, required, whole
from lmmformula.stan.engines.run import Progress, Run
from lmmformula.stan.engines.stanli_engine import StanliEngine
from lmmformula.stan.generate import StanProgram
from lmmformula.stan.metric import ADAPTS, beats_adaptation
from lmmformula.stan.start import StartingPoint

ADAPT_DELTA = 0.9
"""Acceptance that the step size is tuned to by default: above Stan's 0.8, for standard deviations of few levels."""
EASY = 0.8
"""The same where all effects are integrated out and each factor has `MANY` levels, which say enough of their spread."""
MANY = 50


class Engine(Protocol):
    """Something that samples."""

    name: str

    def sample(self, program: StanProgram, run: Run) -> Draws:
        """
        Draw from the posterior distribution.

        Raises
        ------
        EngineError
            The engine is missing or lacks the algorithm, or it fails to compile or to sample.
        """


def sample(
    program: StanProgram,
    *,
    engine: str | Engine = "auto",
    chains: int = 4,
    warmup: int = 1000,
    draws: int = 1000,
    seed: int | None = None,
    start: StartingPoint | None = None,
    progress: Progress = True,
    **options: Any,  # noqa: ANN401 (whatever the engine knows)
) -> Draws:
    """
    Sample from a program's posterior distribution.

    An interrupt from the keyboard ends it early: what has been drawn by then is returned, with a warning.

    engine : "auto" (stanli), "stanli", "cmdstan", or an engine of one's own
    seed : None picks one, which the draws record
    options : those of the engine; and "algorithm": "nuts", or an approximation, "pathfinder" or "laplace", which has
        no chains and no warm-up

    Raises
    ------
    EngineError
        The engine is missing or does not know an option, or it fails to compile or to sample.
    """
    algorithm = required("algorithm", options.pop("algorithm", "nuts"), choice("nuts", "pathfinder", "laplace"))
    chains, warmup = required("chains", chains, whole(1)), required("warmup", warmup, whole(0))
    if algorithm != "nuts":
        chains, warmup = 1, 0
    elif warmup == 0 and options.get("adapt_engaged", True) is not False:
        hint = "give adapt_engaged=False, and a step_size, if that is what you want"
        raise EngineError("without warm-up there is nothing to adapt the sampler in", hint=hint)
    elif options.get("adapt_engaged", True):
        options.setdefault("adapt_delta", default_adapt_delta(program))
        if start is not None and start.dense is not None and (start.shared or warmup >= ADAPTS * len(start.dense)):
            options.setdefault("metric", "dense_e")
    run = Run(
        chains=chains,
        warmup=warmup,
        draws=required("draws", draws, whole(1)),
        seed=_seed(seed),
        start=start,
        progress=_progress(progress),
        options=options,
        algorithm=algorithm,
        keep_metric=algorithm == "nuts" and _keeps_metric(start, warmup, options),
    )
    return _chosen(engine).sample(program, run)


def _keeps_metric(start: StartingPoint | None, warmup: int, options: Mapping[str, Any]) -> bool:
    """Tell whether the metric of a start is better than what adaptation would make of it."""
    own_windows = any(name.startswith("adapt_") and name != "adapt_delta" for name in options)
    if start is None or start.inverse_metric is None or own_windows:
        return False
    match options.get("metric", "diag_e"):
        case "diag_e":
            return beats_adaptation(start.inverse_metric, warmup)
        case "dense_e":
            return start.dense is not None and beats_adaptation(start.dense, warmup)
        case _:
            return False


def default_adapt_delta(program: StanProgram) -> float:
    """Return the acceptance to tune the step size to: higher where few levels make a standard deviation vague."""
    factors = program.program.factors
    easy = bool(factors) and all(factor.integrated and factor.n_levels >= MANY for factor in factors)
    return EASY if easy else ADAPT_DELTA


def optimize(
    program: StanProgram,
    *,
    engine: str | Engine = "auto",
    seed: int | None = None,
    start: StartingPoint | None = None,
    progress: Progress = True,
    **options: Any,  # noqa: ANN401 (whatever the engine knows)
) -> Draws:
    """
    Find the mode of a program's posterior distribution: one chain of one draw, whose "lp" is the log density there.

    It is the mode on the sampler's scale, where parameters have no bounds, as all of CmdStan's algorithms use it;
    `jacobian=False` asks for that of the parameters as they are declared. There is no bar, but a terminal is told of a
    program that is compiled.

    Raises
    ------
    EngineError
        The engine is missing or does not know an option, or it fails to compile or to find a mode.
    """
    run = Run(
        chains=1,
        warmup=0,
        draws=1,
        seed=_seed(seed),
        start=start,
        progress=_progress(progress),
        options=options,
        algorithm="optimize",
    )
    return _chosen(engine).sample(program, run)


def _seed(seed: int | None) -> int:
    return 1 + randbelow(LARGEST) if seed is None else int(required("seed", seed, whole(0)))


def _progress(progress: Progress) -> Progress:
    if not isinstance(progress, bool) and not callable(progress):
        raise EngineError(f"progress must be True, False or a function, not {progress!r:.60}")
    return progress


def _chosen(engine: str | Engine) -> Engine:
    if isinstance(engine, str):
        return engine_named(engine)
    if not callable(getattr(engine, "sample", None)):
        hint = "choose 'stanli' or 'cmdstan', or give an object with a method sample(program, run)"
        raise EngineError(f"engine must be a name or an engine, not {engine!r:.60}", hint=hint)
    return engine


def engine_named(name: str) -> Engine:
    """
    Return an engine by its name; "auto" is stanli.

    Raises
    ------
    EngineError
        There is no engine of that name.
    """
    match name:
        case "auto" | "stanli":
            return StanliEngine()
        case "cmdstan" | "cmdstanpy":
            return CmdStanEngine()
        case _:
            raise EngineError(f"there is no engine '{name}'", hint="choose 'stanli' or 'cmdstan'")
