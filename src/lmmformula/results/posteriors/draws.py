"""Posterior draws under the model's own names, whatever the Stan program called them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from lmmformula.arrays import AnyArray, FloatArray
from lmmformula.design.design import Design
from lmmformula.results.varcorr import unique_labels
from lmmformula.stan.draws import Draws
from lmmformula.stan.generate import StanProgram

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class ParameterDraws:
    """
    Draws of everything that a linear mixed model estimates. C chains of D draws.

    beta : (C, D, p) fixed effects
    sds : per random term, (C, D, k) standard deviations
    correlations : per random term, (C, D, k, k)
    sigma : (C, D) residual standard deviation, NaN in a family that has none
    modes : per random term, (C, D, J, k) random effects
    family : other parameters of the family -> (C, D); cutpoints -> (C, D, K - 1)
    """

    beta: FloatArray
    sds: tuple[FloatArray, ...]
    correlations: tuple[FloatArray, ...]
    sigma: FloatArray
    modes: tuple[FloatArray, ...]
    family: dict[str, FloatArray] = field(default_factory=dict)

    @property
    def own(self) -> dict[str, FloatArray]:
        """Parameters of the family -> their draws, the residual standard deviation among them where there is one."""
        return ({} if np.isnan(self.sigma).all() else {"sigma": self.sigma}) | self.family

    @property
    def n_chains(self) -> int:
        """C."""
        return len(self.sigma)

    @property
    def n_draws(self) -> int:
        """Number D of draws of each chain."""
        return int(self.sigma.shape[1])

    @property
    def n_all(self) -> int:
        """Number of draws of all chains."""
        return int(self.sigma.size)

    @cached_property
    def mean_beta(self) -> FloatArray:
        """(p,) posterior means of the fixed effects."""
        mean: FloatArray = self.beta.mean(axis=(0, 1))
        return mean

    @cached_property
    def mean_modes(self) -> list[FloatArray]:
        """Per random term, (J, k) posterior means of the random effects."""
        return [values.mean(axis=(0, 1)) for values in self.modes]

    def explained(self) -> FloatArray:
        """(C, D) share of the variance components that belongs to the random effects."""
        explained = sum((np.sum(sd**2, axis=-1) for sd in self.sds), np.zeros_like(self.sigma))
        share: FloatArray = explained / (explained + self.sigma**2)
        return share


def read_draws(program: StanProgram, draws: Draws) -> ParameterDraws:
    """Find the model's parameters among the variables of its Stan program."""
    where = program.parameters
    beta = where.fixed.of(draws)
    return ParameterDraws(
        beta=beta,
        sds=tuple(term.sds_of(draws) for term in where.random),
        correlations=tuple(term.correlations_of(draws) for term in where.random),
        sigma=draws[where.sigma] if where.sigma else np.full(beta.shape[:2], np.nan),
        modes=tuple(term.effects_of(draws) for term in where.random),
        family={name: draws[name] for name in where.family},
    )


@dataclass(frozen=True, slots=True)
class Quantity:
    """
    One scalar of the posterior: what part of the model it belongs to, which group, and its name.

    part : "fixed", "sd", "cor", "sigma", "family" or "random"
    """

    part: str
    group: str
    name: str

    @property
    def label(self) -> str:
        """Its name in one word, as the targets of priors are written: `b[x]`, `sd[group, x]`, `sigma`."""
        match self.part:
            case "fixed" | "family":
                return self.name
            case "sigma":
                return "sigma"
            case part:
                return f"{part}[{self.group}, {self.name}]"


def parameters_of(design: Design, draws: ParameterDraws) -> tuple[list[Quantity], FloatArray]:
    """List fixed effects, standard deviations, correlations, sigma and others, stack them (C, D, variables)."""
    quantities = [Quantity("fixed", "", name) for name in design.fixed_names]
    columns = [draws.beta]
    labels = unique_labels([term.group for term in design.random_terms])
    for label, term, sds, correlations in zip(labels, design.random_terms, draws.sds, draws.correlations, strict=True):
        names = term.coefficient_names
        quantities += [Quantity("sd", label, name) for name in names]
        columns.append(sds)
        if not term.covariance.correlated:
            continue
        for j, name in enumerate(names):
            quantities += [Quantity("cor", label, f"{names[i]}, {name}") for i in range(j)]
            columns += [correlations[:, :, j, i, None] for i in range(j)]
    for name, values in draws.own.items():
        if values.ndim == 3:
            quantities += [Quantity("family", "", cutpoint) for cutpoint in cutpoint_names(design)]
            columns.append(values)
            continue
        quantities.append(Quantity("sigma", "Residual", "") if name == "sigma" else Quantity("family", "", name))
        columns.append(values[:, :, None])
    return quantities, np.concatenate(columns, axis=2)


def cutpoint_names(design: Design) -> list[str]:
    """Name the cutpoints of an ordinal response by the categories that they part: `low|medium`."""
    return [f"{below}|{above}" for below, above in pairwise(design.categories)]


def random_effects_of(design: Design, draws: ParameterDraws) -> tuple[list[Quantity], FloatArray]:
    """List the random effects, term by term, level by level, and stack their draws (C, D, variables)."""
    quantities: list[Quantity] = []
    columns = [np.empty((draws.n_chains, draws.n_draws, 0))]
    labels = unique_labels([term.group for term in design.random_terms])
    for label, term, modes in zip(labels, design.random_terms, draws.modes, strict=True):
        quantities += [
            Quantity("random", label, f"{level}, {name}") for level in term.levels for name in term.coefficient_names
        ]
        columns.append(modes.reshape(draws.n_chains, draws.n_draws, -1))
    return quantities, np.concatenate(columns, axis=2)


def draws_frame(values: AnyArray, names: Sequence[str]) -> "pd.DataFrame":
    """
    Lay out draws (C, D, variables) as a data frame: one row per draw, indexed by chain and draw, from 1.

    names : of the variables
    """
    import pandas as pd

    from lmmformula.results.tables.shown import harmless

    chains, draws, count = values.shape
    index = pd.MultiIndex.from_product([range(1, chains + 1), range(1, draws + 1)], names=["chain", "draw"])
    return harmless(pd.DataFrame(values.reshape(chains * draws, count), index=index, columns=list(names)))
