"""The parameters that have intervals: fixed effects, standard deviations, correlations, sigma and a family's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import FitError
from lmmformula.families.calculus.links import LINKS, Link
from lmmformula.families.table import family
from lmmformula.results.arguments import check_level
from lmmformula.results.glmm import GeneralizedMixedResult, MixedResult
from lmmformula.results.posteriors.draws import Quantity
from lmmformula.results.varcorr import unique_labels

Part = Literal["fixed", "sd", "cor", "sigma", "family"]
GROUPS = {"fixed": ("fixed",), "ran_pars": ("sd", "cor", "sigma", "family")}
"""Words that stand for several parameters, as in `tidy(effects=)`."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """
    One parameter of a fit.

    part : what it is; "family" for a parameter of another family than the Gaussian
    group : label of the random term, "Residual" for sigma, else empty
    name : of the coefficient, or of both, "(Intercept), x"; "*" where all coefficients share the parameter
    term : position of the random term, -1 if none
    row, column : place in the term's covariance matrix, column < row for a correlation; for a fixed effect and a
        parameter of the family row is its position among them
    """

    part: Part
    group: str
    name: str
    term: int
    row: int
    column: int

    @property
    def label(self) -> str:
        """Its name in one word, as a posterior's summary has it: `x`, `sd[group, x]`, `sigma`, `shape`."""
        return Quantity(self.part, self.group, self.name).label

    def of(self, result: MixedResult) -> float:
        """Return its estimate."""
        match self.part:
            case "fixed":
                return float(result.fit.beta[self.row])
            case "family":
                return own_parameters(result)[self.name]
            case "sigma":
                return result.sigma
            case "sd":
                return float(result.varcorr.terms[self.term].sds[self.row])
            case "cor":
                return float(result.varcorr.terms[self.term].correlation[self.row, self.column])


def own_parameters(result: MixedResult) -> dict[str, float]:
    """Return the estimates of the parameters that only the family has; a Gaussian fit's sigma is none of them."""
    return result.fit.parameters if isinstance(result, GeneralizedMixedResult) else {}


def parameters_of(result: MixedResult) -> list[Parameter]:
    """List the parameters: fixed effects, term by term standard deviations and correlations, sigma or the family's."""
    found = [Parameter("fixed", "", name, -1, i, i) for i, name in enumerate(result.design.fixed_names)]
    labels = unique_labels([term.group for term in result.design.random_terms])
    for t, (label, term) in enumerate(zip(labels, result.design.random_terms, strict=True)):
        elements = term.covariance.elements(term.coefficient_names)
        found += [Parameter(e.part, label, e.name, t, e.row, e.column) for e in elements]
    if not isinstance(result, GeneralizedMixedResult):
        return [*found, Parameter("sigma", "Residual", "", -1, 0, 0)]
    return [*found, *(Parameter("family", "", name, -1, i, i) for i, name in enumerate(own_parameters(result)))]


def own_link(result: GeneralizedMixedResult, name: str) -> Link:
    """Return the link of a parameter of the family: the scale on which nothing bounds it."""
    known = family(result.family.name, result.family.link).parameters
    return LINKS[next(parameter.link for parameter in known if parameter.name == name)]


def labels_of(wanted: str | Sequence[str]) -> list[str]:
    """Return the labels by which a user named parameters."""
    if not isinstance(wanted, (str, list, tuple, set)) or not all(isinstance(name, str) for name in wanted):
        raise FitError(f"parameters are chosen by a label or a list of labels, not by {wanted!r:.60}")
    if not wanted:
        raise FitError("no parameter is named", hint="None stands for all")
    return [wanted] if isinstance(wanted, str) else list(wanted)


def chosen(result: MixedResult, wanted: str | Sequence[str] | None) -> list[Parameter]:
    """
    Return the parameters that a user named.

    wanted : labels, or "fixed" or "ran_pars"; None for all
    """
    known = parameters_of(result)
    if wanted is None:
        return known
    found: list[Parameter] = []
    for name in labels_of(wanted):
        parts = GROUPS.get(name, ())
        matches = [p for p in known if p.label == name] or [p for p in known if p.part in parts]
        if not matches:
            labels = ", ".join(p.label for p in known)
            raise FitError(
                f"the model has no parameter {name!r:.60}", hint=f'they are: {labels}; or "fixed", "ran_pars"'
            )
        found += [p for p in matches if p not in found]
    return found


def tail(level: float) -> float:
    """Return the upper tail of a two-sided interval; FitError for what is not a level."""
    check_level(level)
    return (1.0 - level) / 2


MOST_ERROR = 2.0
"""Standard error of the logarithm of a standard deviation, from which Wald bounds would say nothing."""


def is_flat(value: float, error: float) -> bool:
    """Tell whether a standard deviation is so near zero, on the scale of its error, that it has no Wald bounds."""
    return not value > 0.0 or error / value > MOST_ERROR


def normal_quantile(level: float) -> float:
    """
    Return z with probability `level` between -z and z.

    >>> round(normal_quantile(0.95), 4)
    1.96
    """
    from scipy.special import ndtri

    return float(-ndtri(tail(level)))


def estimates(parameters: Sequence[Parameter], result: MixedResult) -> FloatArray:
    """Return the estimates of several parameters."""
    return np.array([p.of(result) for p in parameters])
