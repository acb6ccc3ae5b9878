"""Draws from a posterior distribution, from whichever engine."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import legible
from lmmformula.screen import paged
from lmmformula.stan.diagnostics import MAX_RHAT, MAX_RHAT_OF_ANY, MIN_EBFMI, MIN_ESS_PER_CHAIN, ebfmi, summarise

ROUNDING = 1e-12
"""Relative range up to which a quantity is constant, as the diagonal of a correlation matrix is."""


Naming = Callable[[str, tuple[int, ...]], str]
"""(variable, index counted from 0) -> what that element is called."""


def element_name(variable: str, index: tuple[int, ...]) -> str:
    """
    Name an element of a variable as Stan does, counting from 1.

    >>> element_name("sigma", ()), element_name("L_group", (1, 0))
    ('sigma', 'L_group[2,1]')
    """
    return f"{variable}[{','.join(str(i + 1) for i in index)}]" if index else variable


@dataclass(frozen=True)
class Draws(Mapping[str, FloatArray]):
    """
    Draws of every variable of a program: a mapping variable -> (chains, draws, ...) array.

    arrays : parameters, transformed parameters and generated quantities
    statistics : of the sampler, each (chains, draws): "lp", "accept_stat", "stepsize", "treedepth", "n_leapfrog",
        "divergent", "energy"; of an approximation "lp" and the log density of the approximation, "lp_approx"
    engine : "stanli" or "cmdstan"
    seed : the seed that gives the same draws again
    seconds : time the sampling took, without compilation
    warmup : iterations before the first draw
    max_treedepth : limit that the sampler's trees had
    algorithm : "nuts"; "pathfinder" or "laplace", which approximate; "optimize" for a mode, its only draw
    jacobian : whether a mode is that on the sampler's scale, or else of the parameters as they are declared
    """

    arrays: dict[str, FloatArray] = field(repr=False)
    statistics: dict[str, FloatArray] = field(repr=False)
    engine: str
    seed: int
    seconds: float
    warmup: int
    max_treedepth: int = 10
    algorithm: str = "nuts"
    jacobian: bool = True

    def __getitem__(self, name: str) -> FloatArray:
        return self.arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)

    @property
    def n_chains(self) -> int:
        """Number of chains."""
        return len(self.statistics["lp"])

    @property
    def n_draws(self) -> int:
        """Number of draws of each chain."""
        return len(self.statistics["lp"][0])

    @property
    def approximation(self) -> str:
        """The algorithm where it draws from an approximation, and so there are no chains to judge; else empty."""
        return "" if self.algorithm == "nuts" else self.algorithm

    def diagnose(self, names: tuple[str, ...] | None = None, called: Naming = element_name) -> "Diagnostics":
        """
        Check the chains.

        names : the variables to look at, all by default
        called : what to call an element of a variable; as Stan does, by default
        """
        if self.approximation:
            return Diagnostics(
                n_chains=self.n_chains,
                n_draws=self.n_draws,
                rhat=math.nan,
                rhat_of_most=math.nan,
                ess_bulk=math.nan,
                ess_tail=math.nan,
                ebfmi=math.nan,
                divergent=0,
                saturated=0,
                approximation=self.approximation,
            )
        chosen = {name: np.asarray(self.arrays[name]) for name in names or sorted(self)}
        columns = np.concatenate([a.reshape(self.n_chains, self.n_draws, -1) for a in chosen.values()], axis=-1)
        alone = self.n_chains * self.n_draws == 1  # of which nobody can say what varies
        varies = alone | (np.ptp(columns, axis=(0, 1)) > ROUNDING * np.max(np.abs(columns), axis=(0, 1)))
        columns = columns[..., varies]
        summary = summarise(columns)
        places = [(name, index) for name, array in chosen.items() for index in np.ndindex(array.shape[2:])]
        own = [place for place, moves in zip(places, varies, strict=True) if moves]

        def worst(values: FloatArray) -> str:
            return called(*own[int(np.argmax(np.where(np.isnan(values), np.inf, values)))]) if own else ""

        return Diagnostics(
            n_chains=self.n_chains,
            n_draws=self.n_draws,
            rhat=float(np.max(summary.rhat, initial=0.0)),
            rhat_of_most=_all_but_one_in_a_hundred(summary.rhat),
            ess_bulk=float(np.min(summary.ess_bulk, initial=np.inf)),
            ess_tail=float(np.min(summary.ess_tail, initial=np.inf)),
            ebfmi=float(np.min(ebfmi(self.statistics["energy"]))),
            divergent=int(np.sum(self.statistics["divergent"])),
            saturated=int(np.sum(self.statistics["treedepth"] >= self.max_treedepth)),
            rhat_of=worst(summary.rhat),
            ess_bulk_of=worst(-summary.ess_bulk),
            ess_tail_of=worst(-summary.ess_tail),
        )


def _all_but_one_in_a_hundred(values: FloatArray) -> float:
    """Return the largest value, of 100 or more the next to largest, of 200 or more the next; NaN counts as large."""
    return float(np.sort(values)[-1 - len(values) // 100]) if len(values) else 0.0


def _of(quantity: str) -> str:
    return f" of {quantity}" if quantity else ""


@dataclass(frozen=True, slots=True, repr=False)
class Diagnostics:
    """
    Whether draws can be trusted.

    rhat, ess_bulk, ess_tail, ebfmi : the worst over all quantities (chains, for ebfmi)
    rhat_of_most : what R-hat of all but one in a hundred quantities stays below: of thousands of random effects some
        exceed any limit by chance
    divergent, saturated : numbers of draws at which the sampler diverged, or reached the limit of its trees
    approximation : the algorithm where there are no chains to judge; all other fields are then empty
    rhat_of, ess_bulk_of, ess_tail_of : which quantity is the worst, "" where that is not known
    """

    n_chains: int
    n_draws: int
    rhat: float
    rhat_of_most: float
    ess_bulk: float
    ess_tail: float
    ebfmi: float
    divergent: int
    saturated: int
    approximation: str = ""
    rhat_of: str = ""
    ess_bulk_of: str = ""
    ess_tail_of: str = ""

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, one phrase each."""
        if self.approximation:
            return (f"draws from an approximation ({self.approximation}), whose error nothing here tells",)
        wanted = MIN_ESS_PER_CHAIN * self.n_chains
        enough = f"(should be {wanted:.0f} or more)"
        total = self.n_chains * self.n_draws
        checks = {
            f"{self.divergent} of {total} draws diverged": self.divergent > 0,
            f"R-hat{_of(self.rhat_of)} is {self.rhat:.4f} (should be below {MAX_RHAT})": not (
                self.rhat_of_most < MAX_RHAT and self.rhat < MAX_RHAT_OF_ANY
            ),
            f"bulk ESS{_of(self.ess_bulk_of)} is {self.ess_bulk:.0f} {enough}": not self.ess_bulk >= wanted,
            f"tail ESS{_of(self.ess_tail_of)} is {self.ess_tail:.0f} {enough}": not self.ess_tail >= wanted,
            f"{self.saturated} of {total} draws reached the limit of the tree depth": self.saturated > 0,
            f"E-BFMI is {self.ebfmi:.2f} (should be {MIN_EBFMI} or more)": self.ebfmi < MIN_EBFMI,
        }
        return tuple(text for text, wrong in checks.items() if wrong)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    @property
    def verdict(self) -> str:
        """Whether they can, and what is wrong, in one line."""
        if self.ok:
            ess = min(self.ess_bulk, self.ess_tail)
            return f"converged: no divergences, largest R-hat {self.rhat:.3f}, smallest ESS {ess:.0f}"
        return legible(("" if self.approximation else "not to be trusted yet: ") + "; ".join(self.problems))

    def __str__(self) -> str:
        return paged(self.verdict)

    __repr__ = __str__
