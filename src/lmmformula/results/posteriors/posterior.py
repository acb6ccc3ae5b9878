"""A posterior under the accessor names of a fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.data.table import Library, Table
from lmmformula.design.build import NaAction
from lmmformula.design.design import Design
from lmmformula.design.schema import Schema
from lmmformula.errors import FitError
from lmmformula.ir.family import GAUSSIAN
from lmmformula.ir.model import ModelIR
from lmmformula.results.accessors import Accessors
from lmmformula.results.arguments import check_flag, check_group
from lmmformula.results.files.posteriors import save_posterior
from lmmformula.results.frames import augment_draws, in_library
from lmmformula.results.posteriors.arviz import loo, to_arviz, to_xarray
from lmmformula.results.posteriors.draws import (
    ParameterDraws,
    Quantity,
    draws_frame,
    parameters_of,
    random_effects_of,
    read_draws,
)
from lmmformula.results.posteriors.likelihood import log_likelihood
from lmmformula.results.predict.posterior_prediction import (
    NewLevels,
    PosteriorRequest,
    flat,
    posterior_predictions,
    response_means,
)
from lmmformula.results.predict.prediction import Interval, Scale, generator
from lmmformula.results.predict.replicates import replicates
from lmmformula.results.varcorr import TermVariation, VarCorr, unique_labels
from lmmformula.stan.diagnostics import summarise
from lmmformula.stan.draws import Diagnostics, Draws
from lmmformula.stan.generate import StanProgram

if TYPE_CHECKING:
    from os import PathLike

    import numpy.typing as npt
    import pandas as pd

SUMMARY_COLUMNS = ["mean", "sd", "mcse", "q5", "q95", "ess_bulk", "ess_tail", "rhat"]


@dataclass(frozen=True, eq=False)
class PosteriorResult(Accessors):
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
    design: Design
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
        return self._by_coefficient(self._beta, "mean")

    @cached_property
    def std_errors(self) -> "pd.Series[float]":
        """(p,) posterior standard deviations of the fixed effects."""
        return self._by_coefficient(self.draws.beta.std(axis=(0, 1), ddof=1), "sd")

    @cached_property
    def vcov(self) -> "pd.DataFrame":
        """(p, p) posterior covariance matrix of the fixed effects."""
        flat = self.draws.beta.reshape(-1, self.design.n_fixed)
        return self._between_coefficients(np.atleast_2d(np.cov(flat, rowvar=False)))

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

    @cached_property
    def fitted(self) -> "pd.Series[float]":
        """(n,) posterior means of each row's mean response (a category's number), by the positions of the rows used."""
        if self.ir.family.link != "identity" or self.ir.family.name == "lognormal":
            return self._by_row(response_means(self)[0], "fitted")
        return self._by_row(self._eta, "fitted")

    def explained_variance(self) -> float:
        """Posterior mean of what a fit calls so; for a linear model, of var(X beta) / (var(X beta) + sigma^2)."""
        if self.ir.family != GAUSSIAN:
            raise FitError(f"the share of explained variance is not defined here for the family {self.ir.family.name}")
        if self.design.random_terms:
            return float(self.draws.explained().mean())
        spread = np.einsum("cdi,ij,cdj->cd", self.draws.beta, np.atleast_2d(np.cov(self.design.X.T)), self.draws.beta)
        return float(np.mean(spread / (spread + self.draws.sigma**2)))

    def icc(self, group: str | None = None) -> float:
        """
        Posterior mean of the intraclass correlation, of which a fit's `icc` is the estimate.

        group : the grouping factor whose share is asked for; None for all of them together
        """
        if self.ir.family != GAUSSIAN:
            raise FitError(f"the intraclass correlation is not defined here for the family {self.ir.family.name}")
        if group is not None:
            check_group(group, list(self.ngroups))
        asked = total = np.zeros_like(self.draws.sigma)
        for t, (term, sds, r) in enumerate(
            zip(self.design.random_terms, self.draws.sds, self.draws.correlations, strict=True)
        ):
            between = np.einsum("ij,cdi,cdij,cdj->cd", self.design.mean_square(t), sds, r, sds)
            asked, total = asked + between * (group in (None, term.group)), total + between
        return float(np.mean(asked / (total + self.draws.sigma**2)))

    def summary(self, *, random: bool = False) -> "pd.DataFrame":
        """
        One row per parameter: mean, sd, mcse, q5, q95, ess_bulk, ess_tail, rhat.

        random : include the random effects
        """
        import pandas as pd

        quantities, values = self._quantities(random=random)
        found = summarise(values)
        columns = {name: getattr(found, name) for name in SUMMARY_COLUMNS}
        if self.raw.approximation:  # without chains, which these would judge
            columns |= {name: np.full(len(quantities), np.nan) for name in ("mcse", "ess_bulk", "ess_tail", "rhat")}
        return pd.DataFrame(columns, index=pd.Index([q.label for q in quantities], name="parameter"))

    def draws_frame(self, *, random: bool = False) -> "pd.DataFrame":
        """
        One row per draw, one column per parameter, indexed by chain and draw.

        random : include the random effects
        """
        quantities, values = self._quantities(random=random)
        return draws_frame(values, [q.label for q in quantities])

    def glance(self, *, frame: Library | None = None) -> Any:  # noqa: ANN401 (a data frame of the library)
        """One row: nobs, sigma, chains, draws, the worst rhat, ess_bulk and ess_tail, divergent, converged."""
        import pandas as pd

        found = self.diagnostics()
        numbers = {"nobs": self.nobs, "sigma": self.sigma, "chains": found.n_chains, "draws": found.n_draws}
        worst = {name: getattr(found, name) for name in ("rhat", "ess_bulk", "ess_tail", "divergent")}
        return in_library(self, pd.DataFrame([numbers | worst | {"converged": found.ok}]), frame)

    def augment(self, *, frame: Library | None = None) -> Any:  # noqa: ANN401 (as above)
        """
        One row per observation: the columns of the data; fitted, std_error, population, residual from the draws.

        Rows that were left out are there, with missing values beside them, where `na_action` is "exclude".
        """
        return augment_draws(self, frame)

    @cached_property
    def _diagnostics(self) -> Diagnostics:
        return self.raw.diagnose(called=self.program.parameters.called)

    def diagnostics(self) -> Diagnostics:
        """Sum up divergences, R-hat, effective draws and E-BFMI of all variables in one verdict."""
        return self._diagnostics

    def to_xarray(
        self,
        *,
        log_likelihood: bool = False,
        posterior_predictive: bool = False,
        prior: "PosteriorResult | None" = None,
    ) -> Any:  # noqa: ANN401 (an xarray.DataTree: xarray is not always installed)
        """
        Lay out the draws as an `xarray.DataTree`, with the names of coefficients and levels as coordinates.

        Groups: posterior, sample_stats, observed_data; log_likelihood and posterior_predictive, if the program was
        run with log_lik or y_rep, or if they are asked for here, which works them out from the draws.

        prior : draws of `sample_prior`, which become the groups prior, prior_predictive and sample_stats_prior
        """
        return to_xarray(self, log_likelihood=log_likelihood, posterior_predictive=posterior_predictive, prior=prior)

    def to_arviz(
        self,
        *,
        log_likelihood: bool = False,
        posterior_predictive: bool = False,
        prior: "PosteriorResult | None" = None,
    ) -> Any:  # noqa: ANN401 (an InferenceData or a DataTree: ArviZ is not always installed)
        """Convert to ArviZ: `InferenceData` before ArviZ 1.0, a `DataTree` since; arguments as in `to_xarray`."""
        return to_arviz(self, log_likelihood=log_likelihood, posterior_predictive=posterior_predictive, prior=prior)

    def save(self, path: "str | PathLike[str]", *, data: bool = False) -> None:
        """
        Write the posterior to a netCDF file that `load` reads: model, program, draws, and the sampler's statistics.

        data : whether to write the rows of the model, too; without them a loaded posterior predicts new rows, and says
            so of what needs the old ones
        """
        save_posterior(self, path, data=data)

    def log_likelihood(self) -> FloatArray:
        """Return (chains, draws, n) log densities of the rows, given the random effects."""
        return log_likelihood(self)

    def loo(self, **options: Any) -> Any:  # noqa: ANN401 (ArviZ's ELPDData)
        """
        Estimate by leave-one-out cross-validation how well new rows of the same groups are predicted; needs ArviZ.

        `arviz.compare({"a": a.loo(), "b": b.loo()})` compares models of the same rows.

        options : those of `arviz.loo`
        """
        return loo(self, **options)

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

        new_levels : "error", or for levels that were not seen "population", a mean without their effect, or "sample", a
            mean over effects drawn from their distribution; intervals always have the latter, as a fit's
        scale : "response", or "link" for the linear predictor

        Of an ordinal response the probability of each category is predicted, in a column for each; with se_fit or
        interval that column is a group of columns.

        The linear predictor is linear in fixed and random effects, so their posterior means give it exactly. Standard
        errors are posterior standard deviations, intervals have quantiles of the draws as their bounds.
        """
        return posterior_predictions(
            self, newdata, PosteriorRequest(random, new_levels, se_fit, interval, level, scale)
        )

    def posterior_predictive(
        self,
        seed: int | None = None,
        *,
        newdata: object = None,
        draws: int | None = None,
        random: str = "conditional",
        new_levels: NewLevels = "error",
        trials: "npt.ArrayLike | None" = None,
    ) -> FloatArray:
        """
        Draw responses for the rows of the data, or of new data: (draws, n), one row per draw of the parameters.

        Those of a binomial family are shares of its trials, as `design.y` is, those of an ordinal response the numbers
        of its categories, from 1. Where something is missing in a row of
        new data, its response is NaN.

        draws : how many draws of the parameters to use, spread evenly; None for all
        random : "conditional" on the effects of each row's levels, "population" for none, or a formula of those used
        new_levels : levels that were not seen are an "error", have no effect ("population"), or in each draw one from
            their distribution ("sample"), which all rows of the level share
        trials : of new rows in a binomial family; not needed where the new data have the response's columns
        """
        request = PosteriorRequest(random, new_levels)
        return replicates(self, newdata, request, rng=generator(seed), draws=draws, trials=trials)

    def _quantities(self, *, random: bool) -> tuple[list[Quantity], FloatArray]:
        check_flag("random", random)
        quantities, values = parameters_of(self.design, self.draws)
        if not random:
            return quantities, values
        more, effects = random_effects_of(self.design, self.draws)
        return [*quantities, *more], np.concatenate([values, effects], axis=2)

    @property
    def _beta(self) -> FloatArray:
        return self.draws.mean_beta

    @property
    def _modes(self) -> Sequence[FloatArray]:
        return self.draws.mean_modes

    @property
    def _mode_covariances(self) -> Sequence[FloatArray]:
        apart = [np.subtract(flat(draws), mean) for draws, mean in zip(self.draws.modes, self._modes, strict=True)]
        return [np.einsum("dja,djb->jab", d, d) / (len(d) - 1) for d in apart]
