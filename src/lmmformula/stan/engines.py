"""The engines that sample from a program, behind one protocol: stanli (embedded) and CmdStan (through cmdstanpy)."""

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from secrets import randbelow
from typing import Any, Protocol

from lmmformula.errors import NOWHERE, EngineError, Span
from lmmformula.stan.draws import Draws
from lmmformula.stan.edited import declarations
from lmmformula.stan.generate import StanProgram
from lmmformula.stan.metric import ADAPTS, kept
from lmmformula.stan.options import LARGEST, choice, required, whole
from lmmformula.stan.start import StartingPoint

Progress = bool | Callable[[int, int], object]
"""Whether to show a bar where there is a terminal; or what to call with (iterations done, iterations in all)."""
ADAPT_DELTA = 0.9
"""Acceptance that the step size is tuned to by default: above Stan's 0.8, for standard deviations of few levels."""
EASY = 0.8
"""The same where all effects are integrated out and each factor has `MANY` levels, which say enough of their spread."""
MANY = 50


@dataclass(frozen=True, slots=True)
class Run:
    """
    What to sample.

    chains, warmup, draws : numbers of chains and, for each, of iterations before the first draw and of draws;
        approximations have one chain and no warm-up
    seed : the same seed gives the same draws from the same engine
    start : where chains start; by default at random
    progress : see `Progress`
    options : those of the engine
    algorithm : "nuts", "pathfinder", "laplace"; or "optimize", whose one draw is the mode of the posterior
    keep_metric : whether warm-up adapts the step size alone, and leaves the metric of `start` as it is
    """

    chains: int
    warmup: int
    draws: int
    seed: int
    start: StartingPoint | None = None
    progress: Progress = False
    options: Mapping[str, Any] = field(default_factory=dict)
    algorithm: str = "nuts"
    keep_metric: bool = False

    @property
    def each(self) -> int:
        """Number of iterations of a chain."""
        return self.warmup + self.draws

    @property
    def iterations(self) -> int:
        """Number of iterations of all chains."""
        return self.chains * self.each


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
            return kept(start.inverse_metric, warmup)
        case "dense_e":
            return start.dense is not None and kept(start.dense, warmup)
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
            from lmmformula.stan.stanli_engine import StanliEngine

            return StanliEngine()
        case "cmdstan" | "cmdstanpy":
            from lmmformula.stan.cmdstan_engine import CmdStanEngine

            return CmdStanEngine()
        case _:
            raise EngineError(f"there is no engine '{name}'", hint="choose 'stanli' or 'cmdstan'")


def compile_error(engine: str, code: str, message: str) -> EngineError:
    """
    Make an error of what a compiler said, with a caret under the place in our program.

    message : ends with the reason, which stanc gives below an excerpt of the program between two rules
    """
    *_, reason = re.split(r"-{20,}\n", message)
    text = " ".join(line.strip() for line in reason.splitlines() if line.strip())
    span = place_in(code, message)
    place = line_of(code, span)
    return EngineError(f"{engine} does not accept the Stan program{place}: {text}", text=code, span=span)


def data_error(engine: str, code: str, message: str) -> EngineError:
    """
    Make an error of what an engine said of the data, with a caret under the variable's declaration.

    message : names the variable as Stan does: "variable name=y" or "y is -1, but must be"
    """
    text = re.sub(r"^stanli [\w ]+: ", "", message)
    named = re.search(r"variable name=(\w+)|data variable (\w+)|^(\w+)(?:\[[\d, ]*\])? is ", text)
    declared = declarations(code).get("data", {}).get(next(filter(None, named.groups())) if named else "")
    span = declared.span if declared else NOWHERE
    return EngineError(f"{engine} does not accept the data{line_of(code, span)}: {text}", text=code, span=span)


def line_of(code: str, span: Span) -> str:
    """Say in brackets which line of a program a place is in; nothing for nowhere."""
    return "" if span == NOWHERE else f" (line {code.count(chr(10), 0, span.start) + 1})"


def same_place(code: str, span: Span, other: str) -> Span:
    r"""
    Find a place of one program in another that differs from it in comments and blanks only.

    >>> same_place("data { int N; }", Span(11, 12), "// title\ndata {\n  int N; // rows\n}")
    Span(start=22, end=23)
    """
    if span == NOWHERE or code == other:
        return span
    words, others = ([word.start() for word in re.finditer(r"\S+", _without_comments(text))] for text in (code, other))
    number = bisect_right(words, span.start) - 1
    if len(words) != len(others) or number < 0:
        return NOWHERE
    moved = others[number] - words[number]
    return Span(span.start + moved, span.end + moved)


def _without_comments(code: str) -> str:
    return re.sub(r"//[^\n]*", lambda comment: " " * len(comment[0]), code)


def place_in(code: str, message: str) -> Span:
    r"""
    Find the place in a program that a message names.

    >>> place_in("data {\n  int n;\n}", "not a name (in 'model.stan', line 2, column 6 to column 7)")
    Span(start=13, end=14)
    """
    found = re.search(r"line (\d+), column (\d+)(?: to column (\d+))?", message)
    if found is None:
        return NOWHERE
    before = sum(map(len, code.splitlines(keepends=True)[: int(found[1]) - 1]))
    start = before + int(found[2])
    return Span(start, max(before + int(found[3] or 0), start + 1))
