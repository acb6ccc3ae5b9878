"""The engines that sample from a program, behind one protocol: stanli (embedded) and CmdStan (through cmdstanpy)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import index
from secrets import randbelow
from typing import Any, Protocol

from lmmformula.errors import NOWHERE, EngineError, Span
from lmmformula.stan.draws import Draws
from lmmformula.stan.generate import StanProgram
from lmmformula.stan.start import StartingPoint

Progress = bool | Callable[[int, int], object]
"""Whether to show a bar where there is a terminal; or what to call with (iterations done, iterations in all)."""
LARGEST = 2**31 - 1
ADAPT_DELTA = 0.9
"""Acceptance that the step size is tuned to by default: above Stan's 0.8, for standard deviations of few levels."""


@dataclass(frozen=True, slots=True)
class Run:
    """
    What to sample.

    chains, warmup, draws : numbers of chains and, for each, of iterations before the first draw and of draws
    seed : the same seed gives the same draws from the same engine
    start : where chains start; by default at random
    progress : see `Progress`
    options : those of the engine; "adapt_delta" and "max_treedepth" both have
    """

    chains: int
    warmup: int
    draws: int
    seed: int
    start: StartingPoint | None = None
    progress: Progress = False
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def iterations(self) -> int:
        """Number of iterations of all chains."""
        return self.chains * (self.warmup + self.draws)


class Engine(Protocol):
    """Something that samples."""

    name: str

    def sample(self, program: StanProgram, run: Run) -> Draws:
        """
        Draw from the posterior distribution.

        Raises
        ------
        EngineError
            The engine is missing, or fails to compile or to sample.
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

    engine : "auto" (stanli), "stanli", "cmdstan", or an engine of one's own
    seed : None picks one, which the draws record

    Raises
    ------
    EngineError
        The engine is missing or does not know an option, or it fails to compile or to sample.
    """
    if options.get("adapt_engaged", True):
        options.setdefault("adapt_delta", ADAPT_DELTA)
    delta = options.get("adapt_delta", ADAPT_DELTA)
    if not 0 < delta < 1:
        raise EngineError(f"adapt_delta must lie between 0 and 1, not {delta!r}")
    run = Run(
        chains=_whole("chains", chains, 1),
        warmup=_whole("warmup", warmup, 0),
        draws=_whole("draws", draws, 1),
        seed=1 + randbelow(LARGEST) if seed is None else _whole("seed", seed, 0),
        start=start,
        progress=progress,
        options=options,
    )
    chosen = engine_named(engine) if isinstance(engine, str) else engine
    return chosen.sample(program, run)


def _whole(what: str, value: int, least: int) -> int:
    """Refuse what is not a whole number in its range."""
    try:
        number = index(value)
    except TypeError:
        number = -1
    if not least <= number <= LARGEST:
        raise EngineError(f"{what} must be a whole number between {least} and {LARGEST}, not {value!r}")
    return number


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
    place = "" if span == NOWHERE else f" (line {code.count(chr(10), 0, span.start) + 1})"
    return EngineError(f"{engine} does not accept the Stan program{place}: {text}", text=code, span=span)


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
