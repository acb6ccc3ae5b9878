"""A run: what an engine is asked to sample."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lmmformula.stan.start import StartingPoint

Progress = bool | Callable[[int, int], object]
"""Whether to show a bar where there is a terminal; or what to call with (iterations done, iterations in all)."""


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
