"""A fit and a posterior of one model, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from lmmformula.arrays import AnyArray, FloatArray
from lmmformula.design.design import Design
from lmmformula.errors import FitError
from lmmformula.results.glmm import MixedResult
from lmmformula.results.lmm import LinearMixedResult
from lmmformula.results.posteriors.draws import Quantity, parameters_of, random_effects_of
from lmmformula.results.posteriors.posterior import PosteriorResult
from lmmformula.results.varcorr import unique_labels

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class ComparisonResult:
    """
    Estimates beside posterior means; `difference` is mean - estimate, and `in_sds` the same in posterior sds.

    fit, posterior : of the same model on the same data
    """

    fit: MixedResult
    posterior: PosteriorResult

    def __post_init__(self) -> None:
        require_same_model(self.fit, self.posterior)

    @cached_property
    def fixed(self) -> "pd.DataFrame":
        """Fixed effects: estimate, se, mean, sd, difference, in_sds."""
        p = self.fit.design.n_fixed
        return self._parameters.iloc[:p].drop(columns=["group", "q5", "q95"]).set_index("name")

    @cached_property
    def variance(self) -> "pd.DataFrame":
        """Standard deviations, correlations and sigma: estimate, mean, sd, q5, q95, difference, in_sds."""
        p = self.fit.design.n_fixed
        return self._parameters.iloc[p:].drop(columns="se").set_index(["group", "name"])

    @cached_property
    def random(self) -> "pd.DataFrame":
        """Random effects by grouping factor, level and coefficient, in the columns of `fixed`."""
        import pandas as pd

        from lmmformula.results.tables.shown import harmless

        terms = self.fit.design.random_terms
        labels = unique_labels([term.group for term in terms])
        keys = [
            (label, level, name)
            for label, term in zip(labels, terms, strict=True)
            for level in term.levels
            for name in term.coefficient_names
        ]
        _, draws = random_effects_of(self.fit.design, self.posterior.draws)
        estimates = [modes.ravel() for modes in self.fit.fit.modes]
        frame = _side_by_side(np.concatenate(estimates) if estimates else np.empty(0), draws)
        frame.insert(1, "se", self._conditional_sds())
        columns = list(zip(*keys, strict=True)) or [(), (), ()]
        frame.index = pd.MultiIndex.from_arrays(columns, names=["group", "level", "name"])
        return harmless(frame.drop(columns=["q5", "q95"]))

    @cached_property
    def explained(self) -> tuple[float, float]:
        """Explained variance: of the fit, and the posterior's mean; of a gaussian model only."""
        return self.fit.explained_variance(), self.posterior.explained_variance()

    def largest(self) -> tuple[str, float]:
        """Find the quantity, among parameters and random effects, whose two estimates differ most in posterior sds."""
        parameters = self._parameters["in_sds"].to_numpy()
        quantities, _ = parameters_of(self.fit.design, self.posterior.draws)
        effects, _ = random_effects_of(self.fit.design, self.posterior.draws)
        labels = [quantity.label for quantity in (*quantities, *effects)]
        sizes = np.abs(np.concatenate([parameters, self.random["in_sds"].to_numpy()]))
        worst = int(np.argmax(np.nan_to_num(sizes)))
        return labels[worst], float(sizes[worst])

    @cached_property
    def _parameters(self) -> "pd.DataFrame":
        from lmmformula.results.tables.shown import harmless

        quantities, draws = parameters_of(self.fit.design, self.posterior.draws)
        frame = _side_by_side(self._estimates(quantities), draws)
        errors = np.full(len(frame), np.nan)
        errors[: self.fit.design.n_fixed] = self.fit.std_errors
        frame.insert(1, "se", errors)
        names = [q.name if q.part == "fixed" else f"{q.part} {q.name}".strip() for q in quantities]
        frame.insert(0, "name", names)
        frame.insert(0, "group", [q.group for q in quantities])
        return harmless(frame)

    def _estimates(self, quantities: Sequence[Quantity]) -> FloatArray:
        """Estimates in the order of `parameters_of`."""
        values = [*self.fit.fixef]
        for term, design in zip(self.fit.varcorr, self.fit.design.random_terms, strict=True):
            values += list(term.sds)
            if design.covariance.correlated:
                values += [term.correlation[j, i] for j in range(len(term.names)) for i in range(j)]
        own = {} if isinstance(self.fit, LinearMixedResult) else self.fit.fit.parameters
        rest = quantities[len(values) :]
        return np.array([*values, *(self.fit.sigma if q.part == "sigma" else own[q.name] for q in rest)])

    def _conditional_sds(self) -> FloatArray:
        """Conditional standard deviations of the random effects, in the order of `random_effects_of`."""
        from lmmformula.fit.lmm import conditional_covariances

        if isinstance(self.fit, LinearMixedResult):
            covariances = conditional_covariances(self.fit.design, self.fit.fit)
        else:
            covariances = self.fit.fit.mode_covariances
        diagonals = [np.sqrt(np.diagonal(c, axis1=1, axis2=2)).ravel() for c in covariances]
        return np.concatenate(diagonals) if diagonals else np.empty(0)


def require_same_model(fit: MixedResult, posterior: PosteriorResult) -> None:
    """Refuse a fit and a posterior of different formulas or different data."""
    if fit.design.response_name != posterior.design.response_name or _shape(fit.design) != _shape(posterior.design):
        raise FitError(
            "the fit and the posterior are of different models",
            hint=f"the fit is of   {fit.ir.formula}\nthe posterior of  {posterior.ir.formula}",
        )
    if fit.ir.family != posterior.ir.family:
        raise FitError(
            f"the fit is of the family {fit.ir.family.name}, the posterior of {posterior.ir.family.name}",
            hint="make both from one model: compare(model.fit(), model.sample())",
        )
    if not _same_data(fit.design, posterior.design):
        raise FitError(
            "the fit and the posterior are of one formula, but not of the same data",
            hint="make both from one model: compare(model.fit(), model.sample())",
        )


def _shape(design: Design) -> tuple[object, ...]:
    terms = tuple((term.group, term.coefficient_names, term.covariance) for term in design.random_terms)
    return design.fixed_names, terms


def _same_data(a: Design, b: Design) -> bool:
    if a is b:
        return True
    arrays: list[tuple[AnyArray | None, AnyArray | None]] = [
        (a.y, b.y),
        (a.X, b.X),
        (a.weights, b.weights),
        (a.loglik_weights, b.loglik_weights),
        (a.offset, b.offset),
    ]
    arrays += [(s.covariates, t.covariates) for s, t in zip(a.random_terms, b.random_terms, strict=True)]
    arrays += [(s.codes, t.codes) for s, t in zip(a.random_terms, b.random_terms, strict=True)]
    if any(s.levels != t.levels for s, t in zip(a.random_terms, b.random_terms, strict=True)):
        return False
    return all(x is y or (x is not None and y is not None and np.array_equal(x, y)) for x, y in arrays)


def _side_by_side(estimates: FloatArray, draws: FloatArray) -> "pd.DataFrame":
    """
    Put estimates beside the posterior's moments.

    estimates : (variables,);  draws : (C, D, variables)
    """
    import pandas as pd

    mean, sd = draws.mean(axis=(0, 1)), draws.std(axis=(0, 1), ddof=1)
    chains, length, variables = draws.shape
    low, high = np.quantile(draws.reshape(chains * length, variables), [0.05, 0.95], axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        in_sds = (mean - estimates) / sd
    columns = {"estimate": estimates, "mean": mean, "sd": sd, "q5": low, "q95": high}
    return pd.DataFrame(columns | {"difference": mean - estimates, "in_sds": in_sds})
