"""Responses drawn from a fit, and refits of its model to many of them: all at once where its structure allows."""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray
from lmmformula.design.design import Design
from lmmformula.design.response import check_support
from lmmformula.design.sums.many_responses import each_response
from lmmformula.errors import FitError
from lmmformula.fit.glmm import GlmmFit
from lmmformula.fit.lmm import Fit, explained, fit_lmm, fit_problem
from lmmformula.fit.refit import Refits, collected
from lmmformula.fit.reml.problem import Problem, prepare
from lmmformula.inference.refits.batch import basis_of, refit_batch
from lmmformula.results.glmm import GeneralizedMixedResult, MixedResult
from lmmformula.results.predict.prediction import population_means, simulated

if TYPE_CHECKING:
    import pandas as pd


def drawn(result: MixedResult, n: int, rng: np.random.Generator) -> FloatArray:
    """Draw (nobs, n) responses, random effects anew for each; how many at a time has no part in what is drawn."""
    if isinstance(result, GeneralizedMixedResult):
        return np.column_stack([result.draw(rng) for _ in range(n)])
    return simulated(result.design, result.fit, population_means(result.design, result.fit.beta), n, rng)


def estimates_of_each(result: MixedResult, responses: Any) -> "pd.DataFrame":  # noqa: ANN401 (a matrix, a frame)
    """
    Fit a model to each of m responses: a row of estimates for each.

    responses : (n, m) matrix or data frame, with a row for each row used, or for each row of the data that were given
    """
    import pandas as pd

    from lmmformula.results.tables.shown import harmless

    try:
        Y = np.asarray(responses, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise FitError("the new responses must be numbers, a column for each fit") from None
    design = result.design
    if len(Y) == design.n_given != design.nobs:
        Y = Y[design.kept_rows]
    if len(Y) != design.nobs or not bool(np.isfinite(Y).all()):
        raise FitError(f"the responses must be finite numbers, {design.nobs} rows and a column for each fit")
    names = [*design.fixed_names, *design.theta_names]
    if isinstance(result, GeneralizedMixedResult):
        for y in Y.T:
            check_support(y, result.ir.response, result.family)
        fits = LaplaceRefitter(design, result.fit).whole(Y)
        found, own = collected(fits), {name: [fit.parameters[name] for fit in fits] for name in result.fit.parameters}
    else:
        found = refits(design, Y, result.fit)
        own = {"sigma": found.sigma.tolist()}
    frame = pd.DataFrame(np.hstack([found.beta, found.theta]), columns=names).assign(**own, criterion=found.criterion)
    frame["is_singular"], frame["converged"] = found.boundary, ~found.failed
    return harmless(frame.set_axis(list(getattr(responses, "columns", range(Y.shape[1])))))


def refits(design: Design, Y: FloatArray, fit: Fit, *, reml: bool | None = None) -> Refits:
    """
    Fit the model of a design to each column of Y, (n, m).

    fit : a fit of the model, or its assumed parameters: near it the estimates are sought
    reml : REML or ML; None for that of `fit`
    """
    return Refitter(design, fit, fit.reml if reml is None else reml)(Y)


LIFT = 0.01
"""Added to the inner covariances to start at: at zero the criterion is stationary, least or not."""

ROWS = 50_000
"""Rows of all responses of a job together, where responses are fitted one by one."""

TOGETHER = 250
"""Most responses of a job: what bounds the memory."""


@dataclass(frozen=True)
class Refitter:
    """
    Fits the model of a design to other responses, and remembers what does not depend on them.

    fit : a fit of the model, or its assumed parameters: near it the estimates are sought
    reml : REML or ML
    """

    design: Design
    fit: Fit
    reml: bool

    def __call__(self, Y: FloatArray) -> Refits:
        """Return the estimates for each column of Y, (n, m)."""
        responses = np.ascontiguousarray(Y)
        if self.basis is None:
            return collected(self.fits(responses))
        with explained():
            products = list(each_response(self.design, self.problem.products, responses))
            lifted = [S + LIFT * np.eye(len(S)) for S in self.problem.inner(self.fit.relative_covariance)]
        try:
            start = self.problem.nearest(lifted)
            some, found = refit_batch(self.problem, self.basis, products, start, self.fit.settings)
        except np.linalg.LinAlgError:  # one of the responses is beyond what can be factorised: they go one by one
            return collected(self.fits(responses))
        return some if found.all() else _completed(some, collected(self.fits(responses[:, ~found])), found)

    def fits(self, Y: FloatArray) -> list[Fit]:
        """Return whole fits to each column of Y, (n, m), made one by one."""
        settings = self.fit.settings
        if not self.design.random_terms:
            return [fit_lmm(self.design.with_rows(y=y), reml=self.reml, settings=settings) for y in Y.T]
        with explained():
            return [
                fit_problem(
                    replace(self.problem, products=new, objective=self.problem.objective.with_response(new)),
                    None,
                    settings,
                )
                for new in each_response(self.design, self.problem.products, Y)
            ]

    def sizes(self, n: int, *, whole: bool = False) -> list[int]:
        """
        Return into how many responses each n of them are divided: as many as are fitted together, or a few.

        whole : whether whole fits are wanted, which are made one by one
        """
        alone = whole or (self.basis is None and bool(self.design.random_terms))
        size = min(TOGETHER, max(1, ROWS // self.design.nobs)) if alone else TOGETHER
        return [min(size, n - first) for first in range(0, n, size)]

    @cached_property
    def problem(self) -> Problem:
        """The prepared design."""
        with explained():
            return prepare(self.design, reml=self.reml)

    @cached_property
    def basis(self) -> FloatArray | None:
        """Of the root of the one grouping factor's covariance; None where responses are fitted one by one."""
        return basis_of(self.problem) if self.design.random_terms else None

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave out what is prepared: the factors of sparse matrices can't be copied to another process."""
        return Refitter, (self.design, self.fit, self.reml)


@dataclass(frozen=True, slots=True)
class LaplaceRefitter:
    """Does the same for a model of another family, one response at a time, each started where a fit ended."""

    design: Design
    fit: GlmmFit

    def __call__(self, Y: FloatArray) -> Refits:
        """Return the estimates for each column of Y, (n, m); NaN where there are none."""
        return collected(self.whole(Y))

    def whole(self, Y: FloatArray) -> list[GlmmFit]:
        """Return fits to each column of Y, (n, m), of NaN where there is none."""
        return [self._nothing if fit is None else fit for fit in self.fits(Y)]

    def fits(self, Y: FloatArray) -> list[GlmmFit | None]:
        """Return whole fits to each column of Y, (n, m), None where there is none."""
        return [self._fitted(np.ascontiguousarray(y)) for y in Y.T]

    def sizes(self, n: int, *, whole: bool = False) -> list[int]:  # noqa: ARG002 (all are whole)
        """Return into how many responses each n of them are divided."""
        return [1] * n

    def _fitted(self, y: FloatArray) -> GlmmFit | None:
        try:
            return self.fit.again(self.design.with_rows(y=y), start=self.fit.theta)
        except FitError:
            return None

    @property
    def _nothing(self) -> GlmmFit:
        p = self.design.n_fixed
        beta, vcov, theta = np.full(p, np.nan), np.full((p, p), np.nan), np.full(len(self.fit.theta), np.nan)
        own = dict.fromkeys(self.fit.parameters, np.nan)
        return replace(self.fit, beta=beta, vcov=vcov, theta=theta, parameters=own, criterion=np.nan, verdict="failed")


def refitter_of(result: MixedResult, *, reml: bool | None = None) -> Refitter | LaplaceRefitter:
    """Return what fits the model of a fit to other responses; reml None for the fit's own criterion."""
    if isinstance(result, GeneralizedMixedResult):
        return LaplaceRefitter(result.design, result.fit)
    return Refitter(result.design, result.fit, result.fit.reml if reml is None else reml)


def _completed(some: Refits, others: Refits, found: BoolArray) -> Refits:
    """Fill in the responses that had to be fitted by themselves."""
    columns = {}
    for field in fields(Refits):
        column = getattr(some, field.name).copy()
        column[~found] = getattr(others, field.name)
        columns[field.name] = column
    return Refits(**columns)
