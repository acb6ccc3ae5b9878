"""Draws from a posterior distribution, from whichever engine."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.stan.diagnostics import MAX_RHAT, MAX_RHAT_OF_ANY, MIN_EBFMI, MIN_ESS_PER_CHAIN, ebfmi, summarise

ROUNDING = 1e-12
"""Relative range up to which a quantity is constant, as the diagonal of a correlation matrix is."""


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
    """

    arrays: dict[str, FloatArray] = field(repr=False)
    statistics: dict[str, FloatArray] = field(repr=False)
    engine: str
    seed: int
    seconds: float
    warmup: int
    max_treedepth: int = 10
    algorithm: str = "nuts"

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

    def diagnose(self, names: tuple[str, ...] | None = None) -> "Diagnostics":
        """
        Check the chains.

        names : the variables to look at, all by default
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
        chosen = [np.asarray(self.arrays[n]).reshape(self.n_chains, self.n_draws, -1) for n in names or self]
        columns = np.concatenate(chosen, axis=-1)
        varies = np.ptp(columns, axis=(0, 1)) > ROUNDING * np.max(np.abs(columns), axis=(0, 1))
        columns = columns[..., varies]
        summary = summarise(columns)
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
        )


def _all_but_one_in_a_hundred(values: FloatArray) -> float:
    """Return the largest value, of 100 or more the next to largest, of 200 or more the next; NaN counts as large."""
    return float(np.sort(values)[-1 - len(values) // 100]) if len(values) else 0.0


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """
    Whether draws can be trusted.

    rhat, ess_bulk, ess_tail, ebfmi : the worst over all quantities (chains, for ebfmi)
    rhat_of_most : what R-hat of all but one in a hundred quantities stays below: of thousands of random effects some
        exceed any limit by chance
    divergent, saturated : numbers of draws at which the sampler diverged, or reached the limit of its trees
    approximation : the algorithm where there are no chains to judge; all other fields are then empty
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

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, one phrase each."""
        if self.approximation:
            return (f"draws from an approximation ({self.approximation}), whose error nothing here tells",)
        wanted = MIN_ESS_PER_CHAIN * self.n_chains
        total = self.n_chains * self.n_draws
        checks = {
            f"{self.divergent} of {total} draws diverged": self.divergent > 0,
            f"R-hat is {self.rhat:.3f} (should be below {MAX_RHAT})": not (
                self.rhat_of_most < MAX_RHAT and self.rhat < MAX_RHAT_OF_ANY
            ),
            f"bulk ESS is {self.ess_bulk:.0f} (should be {wanted:.0f} or more)": not self.ess_bulk >= wanted,
            f"tail ESS is {self.ess_tail:.0f} (should be {wanted:.0f} or more)": not self.ess_tail >= wanted,
            f"{self.saturated} of {total} draws reached the limit of the tree depth": self.saturated > 0,
            f"E-BFMI is {self.ebfmi:.2f} (should be {MIN_EBFMI} or more)": self.ebfmi < MIN_EBFMI,
        }
        return tuple(text for text, wrong in checks.items() if wrong)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def __str__(self) -> str:
        """Return the verdict in one line."""
        if self.ok:
            ess = min(self.ess_bulk, self.ess_tail)
            return f"converged: no divergences, largest R-hat {self.rhat:.3f}, smallest ESS {ess:.0f}"
        return ("" if self.approximation else "not to be trusted yet: ") + "; ".join(self.problems)
