"""A posterior under the accessor names of a fit."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.data.table import Table
from lmmformula.design.build import NaAction
from lmmformula.design.matrices import DesignMatrices
from lmmformula.design.schema import Schema
from lmmformula.errors import FitError
from lmmformula.ir.family import GAUSSIAN
from lmmformula.ir.model import ModelIR
from lmmformula.results.draws import (
    ParameterDraws,
    Quantity,
    draws_frame,
    parameters_of,
    random_effects_of,
    read_draws,
)
from lmmformula.results.effects import by_row, coefficients_by_group, modes_by_group
from lmmformula.results.families import draw_from
from lmmformula.results.posterior_prediction import (
    Scale,
    own_of_rows,
    posterior_predictions,
    response_means,
    trials_of,
)
from lmmformula.results.prediction import Interval, Request, generator
from lmmformula.results.rows import NewLevels, random_part
from lmmformula.results.varcorr import TermVariation, VarCorr, unique_labels
from lmmformula.stan.diagnostics import summarise
from lmmformula.stan.draws import Diagnostics, Draws
from lmmformula.stan.generate import StanProgram

if TYPE_CHECKING:
    import pandas as pd

SUMMARY_COLUMNS = ["mean", "sd", "mcse", "q5", "q95", "ess_bulk", "ess_tail", "rhat"]


@dataclass(frozen=True, eq=False)
class PosteriorResult:
    """
    Draws from the posterior of a linear mixed model; the accessors give posterior means.

    ir, schema, design : the model, its variables, its matrices
    program : the Stan program that was run
    raw : what the engine gave, under the names of the Stan program
    table : the data that were given
    data_name : what the data are called; may be empty
    na_action : "exclude" gives rows that were left out as NaN in fitted values
    """

    ir: ModelIR
    schema: Schema
    design: DesignMatrices
    program: StanProgram
    raw: Draws
    table: Table
    data_name: str = ""
    na_action: NaAction = "omit"

    @cached_property
    def draws(self) -> ParameterDraws:
        """Draws of fixed effects, standard deviations, correlations, sigma and random effects, as arrays."""
        return read_draws(self.program, self.raw)

    @cached_property
    def fixef(self) -> "pd.Series[float]":
        """(p,) posterior means of the fixed effects."""
        return self._by_coefficient(self._mean_beta, "mean")

    @cached_property
    def std_errors(self) -> "pd.Series[float]":
        """(p,) posterior standard deviations of the fixed effects."""
        return self._by_coefficient(self.draws.beta.std(axis=(0, 1), ddof=1), "sd")

    @cached_property
    def vcov(self) -> "pd.DataFrame":
        """(p, p) posterior covariance matrix of the fixed effects."""
        import pandas as pd

        names = list(self.design.fixed_names)
        flat = self.draws.beta.reshape(-1, len(names))
        return pd.DataFrame(np.atleast_2d(np.cov(flat, rowvar=False)), index=names, columns=names)

    def ranef(self) -> "dict[str, pd.DataFrame]":
        """Posterior means of the random effects: grouping factor -> levels x coefficients."""
        return modes_by_group(self.design.random_terms, self._mean_modes)

    def coef(self) -> "dict[str, pd.DataFrame]":
        """Add fixed effects and random effects: grouping factor -> levels x coefficients."""
        return coefficients_by_group(self.fixef, self.ranef())

    @cached_property
    def varcorr(self) -> VarCorr:
        """Posterior means of the standard deviations and correlations."""
        terms = self.design.random_terms
        labels = unique_labels([term.group for term in terms])
        parts = zip(labels, terms, self.draws.sds, self.draws.correlations, strict=True)
        means = (
            TermVariation(label, term.group, term.coefficient_names, sds.mean(axis=(0, 1)), r.mean(axis=(0, 1)))
            for label, term, sds, r in parts
        )
        return VarCorr(tuple(means), self.sigma)

    @property
    def sigma(self) -> float:
        """Posterior mean of the residual standard deviation; NaN in a family that has none."""
        return float(self.draws.sigma.mean())

    @property
    def nobs(self) -> int:
        """Number n of rows used."""
        return self.design.nobs

    @property
    def ngroups(self) -> dict[str, int]:
        """Grouping factor -> number of its levels."""
        return {term.group: term.n_levels for term in self.design.random_terms}

    @cached_property
    def fitted(self) -> "pd.Series[float]":
        """(n,) posterior means of each row's mean response, indexed by the positions of the rows used."""
        if self.ir.family.link != "identity" or self.ir.family.name == "lognormal":
            return self._by_row(response_means(self), "fitted")
        return self._by_row(self._population + random_part(self.design.random_terms, self._mean_modes), "fitted")

    def explained_variance(self) -> float:
        """Posterior mean of what a fit calls so; for a linear model, of var(X beta) / (var(X beta) + sigma^2)."""
        if self.ir.family != GAUSSIAN:
            raise FitError(f"the share of explained variance is not defined here for the family {self.ir.family.name}")
        if self.design.random_terms:
            return float(self.draws.explained().mean())
        spread = np.einsum("cdi,ij,cdj->cd", self.draws.beta, np.atleast_2d(np.cov(self.design.X.T)), self.draws.beta)
        return float(np.mean(spread / (spread + self.draws.sigma**2)))

    def summary(self, *, random: bool = False) -> "pd.DataFrame":
        """
        One row per parameter: mean, sd, mcse, q5, q95, ess_bulk, ess_tail, rhat.

        random : include the random effects
        """
        import pandas as pd

        quantities, values = self._quantities(random=random)
        found = summarise(values)
        columns = {name: getattr(found, name) for name in SUMMARY_COLUMNS}
        return pd.DataFrame(columns, index=pd.Index([q.label for q in quantities], name="parameter"))

    def draws_frame(self, *, random: bool = False) -> "pd.DataFrame":
        """
        One row per draw, one column per parameter, indexed by chain and draw.

        random : include the random effects
        """
        quantities, values = self._quantities(random=random)
        return draws_frame(values, [q.label for q in quantities])

    @cached_property
    def _diagnostics(self) -> Diagnostics:
        return self.raw.diagnose()

    def diagnostics(self) -> Diagnostics:
        """Sum up divergences, R-hat, effective draws and E-BFMI of all variables in one verdict."""
        return self._diagnostics

    def to_arviz(self) -> Any:  # noqa: ANN401 (an InferenceData or a DataTree: ArviZ is not always installed)
        """Convert to ArviZ: `InferenceData` before ArviZ 1.0, a `DataTree` since."""
        from lmmformula.results.arviz import to_arviz

        return to_arviz(self)

    def predict(
        self,
        newdata: object = None,
        *,
        random: str = "conditional",
        new_levels: NewLevels = "error",
        se_fit: bool = False,
        interval: Interval | None = None,
        level: float = 0.95,
        scale: Scale = "response",
    ) -> Any:  # noqa: ANN401 (a series, or a data frame with se_fit or interval)
        """
        Predict the response's posterior mean; the arguments are those of a fit's `predict`.

        scale : "response", or "link" for the linear predictor

        The linear predictor is linear in fixed and random effects, so their posterior means give it exactly. Standard
        errors are posterior standard deviations, intervals have quantiles of the draws as their bounds.
        """
        return posterior_predictions(self, newdata, Request(random, new_levels, se_fit, interval, level), scale)

    def posterior_predictive(self, seed: int | None = None, *, draws: int | None = None) -> FloatArray:
        """
        Draw responses for the rows of the data: (draws, n), one row per draw of the parameters.

        Those of a binomial family are shares of its trials, as `design.y` is.

        draws : how many draws of the parameters to use, spread evenly; None for all
        """
        rng = generator(seed)
        total = self.draws.n_chains * self.draws.n_draws
        if draws is not None and not 1 <= draws <= total:
            raise FitError(f"there are {total} draws to choose from, and {draws} were asked for")
        chosen = np.arange(total) if draws is None else np.linspace(0, total - 1, draws).round().astype(int)
        beta = self.draws.beta.reshape(total, -1)[chosen]
        modes = [values.reshape(total, *values.shape[2:])[chosen] for values in self.draws.modes]
        offset = 0.0 if self.design.offset is None else self.design.offset
        replicated = np.empty((len(chosen), self.nobs))
        for i, draw in enumerate(chosen):
            eta = self.design.X @ beta[i] + offset + random_part(self.design.random_terms, [b[i] for b in modes])
            own = own_of_rows(self, {name: values.reshape(total)[draw] for name, values in self.draws.own.items()})
            replicated[i] = draw_from(self.ir.family, eta, own, rng, trials_of(self))
        return replicated

    def _quantities(self, *, random: bool) -> tuple[list[Quantity], FloatArray]:
        quantities, values = parameters_of(self.design, self.draws)
        if not random:
            return quantities, values
        more, effects = random_effects_of(self.design, self.draws)
        return [*quantities, *more], np.concatenate([values, effects], axis=2)

    @cached_property
    def _mean_beta(self) -> FloatArray:
        mean: FloatArray = self.draws.beta.mean(axis=(0, 1))
        return mean

    @cached_property
    def _mean_modes(self) -> list[FloatArray]:
        return [values.mean(axis=(0, 1)) for values in self.draws.modes]

    @cached_property
    def _population(self) -> FloatArray:
        """(n,) X beta + offset at the posterior mean."""
        fixed: FloatArray = self.design.X @ self._mean_beta
        return fixed if self.design.offset is None else fixed + self.design.offset

    def _by_coefficient(self, values: FloatArray, name: str) -> "pd.Series[float]":
        import pandas as pd

        return pd.Series(values, index=list(self.design.fixed_names), name=name)

    def _by_row(self, values: FloatArray, name: str) -> "pd.Series[float]":
        return by_row(self.design, values, name, padded=self.na_action == "exclude")
