"""Which variable of a program holds which quantity of the model, for readers of draws."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.design import Design
from lmmformula.stan.draws import element_name
from lmmformula.stan.program.record import Program

Draws = Mapping[str, FloatArray]
"""Variable -> (chains, draws, ...) its values, as `lmmformula.stan.draws.Draws` gives them."""


@dataclass(frozen=True, slots=True)
class FixedEffects:
    """
    The fixed effects, on the user's scale.

    names : (p,) names of the columns of X, in the design's order
    slopes : for each the element of `b` that it is, -1 for the intercept
    """

    names: tuple[str, ...]
    slopes: tuple[int, ...]

    def of(self, draws: Draws) -> FloatArray:
        """Read (chains, draws, p) coefficients."""
        columns = [draws["Intercept"] if i < 0 else draws["b"][..., i] for i in self.slopes]
        return np.stack(columns, axis=-1) if columns else np.empty((*next(iter(draws.values())).shape[:2], 0))


@dataclass(frozen=True, slots=True)
class RandomEffects:
    """
    One random term: k coefficients for each of J levels.

    group, levels, coefficient_names : as in the design's term
    sd, effects : the variables of its factor's standard deviations and effects
    correlation : the variable of its factor's correlation matrix, "" if nothing is correlated
    start, stop : the term's columns among those of the factor
    scalar : whether the factor has but one column, so that its variables have no axis for columns
    """

    group: str
    levels: tuple[str, ...]
    coefficient_names: tuple[str, ...]
    sd: str
    effects: str
    correlation: str
    start: int
    stop: int
    scalar: bool

    def sds_of(self, draws: Draws) -> FloatArray:
        """Read (chains, draws, k) standard deviations."""
        values = draws[self.sd]
        return values[..., np.newaxis] if self.scalar else values[..., self.start : self.stop]

    def correlations_of(self, draws: Draws) -> FloatArray:
        """Read (chains, draws, k, k) correlation matrices."""
        if self.correlation:
            return draws[self.correlation][..., self.start : self.stop, self.start : self.stop]
        sds = self.sds_of(draws)
        return np.broadcast_to(np.eye(sds.shape[-1]), (*sds.shape, sds.shape[-1]))

    def effects_of(self, draws: Draws) -> FloatArray:
        """Read (chains, draws, J, k) random effects u."""
        values = draws[self.effects]
        return values[..., np.newaxis] if self.scalar else values[..., self.start : self.stop]

    def called(self, variable: str, index: tuple[int, ...]) -> str:
        """Name an element of a variable if it is one of this term: `sd[group, x]`, `cor[group, a, b]`; else ""."""
        kinds = {self.sd: "sd", self.correlation: "cor", self.effects: "random"}
        if not variable or variable not in kinds:
            return ""
        levels, columns = (index[:1], index[1:]) if variable == self.effects else ((), index)
        columns = (0,) if self.scalar else columns
        if not all(self.start <= i < self.stop for i in columns):
            return ""
        names = [self.levels[j] for j in levels] + [self.coefficient_names[i - self.start] for i in columns]
        return f"{kinds[variable]}[{', '.join([self.group, *names])}]"


@dataclass(frozen=True, slots=True)
class Parameters:
    """
    Where the quantities of a model are found in draws from its program, whichever form that has.

    random : in the order of the design's random terms
    sigma : the variable of the residual standard deviation, "" where there is none
    family : the variables of the family's other parameters, "shape", and the vector "cutpoint" of an ordinal one
    """

    fixed: FixedEffects
    random: tuple[RandomEffects, ...]
    sigma: str = "sigma"
    family: tuple[str, ...] = ()

    def called(self, variable: str, index: tuple[int, ...]) -> str:
        """
        Name an element of a variable as targets of priors are written, `sd[group, x]`; as Stan does if it has no other.

        index : counted from 0
        """
        if variable == "Intercept":
            return "(Intercept)"
        if variable == "b":
            return self.fixed.names[self.fixed.slopes.index(index[0])]
        for term in self.random:
            if name := term.called(variable, index):
                return name
        return element_name(variable, index)


def describe_parameters(program: Program, design: Design) -> Parameters:
    """Say which variable of a program holds which quantity of the model."""
    slopes = {column: number for number, column in enumerate(program.fixed.columns)}
    placed = {block.term: (factor, block) for factor in program.factors for block in factor.blocks}
    random = []
    for position, term in enumerate(design.random_terms):
        factor, block = placed[position]
        random.append(
            RandomEffects(
                group=term.group,
                levels=term.levels,
                coefficient_names=term.coefficient_names,
                sd=factor.name("sd"),
                effects=factor.name("u"),
                correlation=factor.name("cor") if block.correlation else "",
                start=block.start - 1,
                stop=block.stop,
                scalar=factor.k == 1,
            )
        )
    fixed = FixedEffects(design.fixed_names, tuple(slopes.get(column, -1) for column in range(design.n_fixed)))
    sigma = "sigma" if "sigma" in program.own else ""
    others = [name for name in program.own if name != "sigma"] + ["cutpoint"] * bool(program.fixed.categories)
    return Parameters(fixed, tuple(random), sigma, tuple(others))
