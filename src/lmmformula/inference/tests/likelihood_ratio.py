"""Likelihood ratio tests: between fits, of dropped fixed terms, and of reduced random terms."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.design import Design
from lmmformula.errors import FitError, printable
from lmmformula.fit.lmm import Fit, fit_lmm
from lmmformula.inference.means.model_columns import without_term
from lmmformula.inference.table import ResultTable
from lmmformula.inference.tests.anova import droppable
from lmmformula.inference.tests.reduced_random_terms import Reduction, reductions
from lmmformula.results.lmm import LinearMixedResult

if TYPE_CHECKING:
    import pandas as pd

BOUNDARY = (
    "variances of zero lie on the boundary of their values, so these probabilities are too large:",
    "for a single variance (df = 1) by a factor of two",
)


@dataclass(frozen=True, slots=True)
class Likelihood:
    """A maximised log likelihood (restricted, for REML), and the number of parameters."""

    loglik: float
    npar: int

    @classmethod
    def of(cls, design: Design, fit: Fit) -> "Likelihood":
        """Return that of a fit, by whichever criterion it was fitted."""
        return cls(-fit.criterion / 2, design.n_fixed + design.n_variance_parameters + 1)


def compare_fits(
    results: Sequence[LinearMixedResult], *, refit: bool = True, names: Sequence[str] | None = None
) -> ResultTable:
    """
    Compare fits to the same data, each with the next smaller one, by likelihood ratios.

    names : of the fits, in their order; None for "model 1", "model 2", ...
    refit : fit REML fits again by ML, since restricted likelihoods compare only if the fixed effects are the same

    >>> import lmmformula as lf
    >>> data = lf.datasets.load("sleepstudy")
    >>> fits = [lf.lmer(f"Reaction ~ Days + {r}", data) for r in ("(1 | Subject)", "(Days | Subject)")]
    >>> print(compare_fits(fits))
    Likelihood ratio tests; REML fits were fitted again by ML
             npar     aic     bic   loglik  deviance   chisq  df  p_value
    model 1     4  1802.1  1814.9  -897.04    1794.1
    model 2     6  1763.9  1783.1  -875.97    1751.9  42.139   2  <0.0001
    model 1: Reaction ~ Days + (1 | Subject)
    model 2: Reaction ~ Days + (Days | Subject)
    """
    _refuse_unlike(results)
    any_reml = any(result.reml for result in results)
    again = refit and any_reml
    if any_reml and not refit:
        _refuse_restricted(results)
    found = [_likelihood(result, again=again, reml=any_reml and not again) for result in results]
    order = sorted(range(len(found)), key=lambda i: found[i].npar)
    called = names_of(results, names)
    frame = compared([found[i] for i in order], results[0].nobs, [called[i] for i in order])
    how = "; REML fits were fitted again by ML" if again else ", restricted likelihoods" if any_reml else ""
    notes = [f"{called[i]}: {results[i].ir.formula}" for i in order]
    return ResultTable(f"Likelihood ratio tests{how}", frame, tuple(notes))


def names_of(results: Sequence[object], given: Sequence[str] | None) -> list[str]:
    """Name the fits that are compared: as a user does, or by number."""
    if given is None:
        return [f"model {i + 1}" for i in range(len(results))]
    if isinstance(given, str) or len(given) != len(results) or len(set(given)) != len(given):
        raise FitError(f"names are one for each of the {len(results)} fits, all different, not {given!r:.60}")
    return [printable(str(name)) for name in given]


def drop_fixed_terms(result: LinearMixedResult) -> ResultTable:
    """
    Fit by ML without each fixed term that no other one contains, as lme4's `drop1`.

    >>> import lmmformula as lf
    >>> fit = lf.lmer("yield ~ nitro + (1 | Block/Variety)", lf.datasets.load("Oats"))
    >>> print(drop_fixed_terms(fit))
    Single term deletions, likelihood ratio tests of ML fits
            npar     aic     lrt  df  p_value
    <none>     5  614.23
    nitro      4  675.48  63.255   1  <0.0001
    """
    whole = _likelihood(result, again=True, reml=False)
    smaller = {}
    for term in droppable(result.ir.fixed.terms):
        design = without_term(result, term)
        smaller[term.label] = Likelihood.of(design, fit_lmm(design, reml=False, settings=result.fit.settings))
    frame = deletions(whole, smaller).drop(columns="loglik")
    return ResultTable("Single term deletions, likelihood ratio tests of ML fits", frame)


def reduce_random_terms(result: LinearMixedResult) -> ResultTable:
    """
    Fit without each random term, or without each of its slopes, as lmerTest's `ranova`.

    The criterion is the fit's own: restricted likelihoods for REML.

    >>> import lmmformula as lf
    >>> print(reduce_random_terms(lf.lmer("Reaction ~ Days + (Days | Subject)", lf.datasets.load("sleepstudy"))))
    Random terms, restricted likelihood ratio tests
                              npar   loglik     aic     lrt  df  p_value
    <none>                       6  -871.81  1755.6
    Days in (Days | Subject)     4  -893.23  1794.5  42.837   2  <0.0001
    variances of zero lie on the boundary of their values, so these probabilities are too large:
    for a single variance (df = 1) by a factor of two
    """
    if result.is_linear_model:
        raise FitError("the model has no random terms to test")
    reml = result.fit.reml
    smaller = {r.label: _fitted(result, r, reml=reml) for r in reductions(result)}
    frame = deletions(Likelihood.of(result.design, result.fit), smaller)
    kind = "restricted likelihood ratio tests" if reml else "likelihood ratio tests"
    return ResultTable(f"Random terms, {kind}", frame, BOUNDARY)


def _fitted(result: LinearMixedResult, reduction: Reduction, *, reml: bool) -> Likelihood:
    design = replace(result.design, random_terms=reduction.random_terms)
    return Likelihood.of(design, fit_lmm(design, reml=reml, settings=result.fit.settings))


def _likelihood(result: LinearMixedResult, *, again: bool, reml: bool) -> Likelihood:
    """Return a fit's likelihood, by ML for `again`; for linear models of the kind that is compared."""
    if again and result.reml:
        return Likelihood.of(result.design, fit_lmm(result.design, reml=False, settings=result.fit.settings))
    if result.is_linear_model and result.fit.reml != reml:
        return Likelihood.of(result.design, fit_lmm(result.design, reml=reml))
    return Likelihood.of(result.design, result.fit)


def _refuse_unlike(results: Sequence[LinearMixedResult]) -> None:
    """Refuse what are no fits, or fits to different rows, responses or weights: their likelihoods don't compare."""
    for result in results:
        if not isinstance(result, LinearMixedResult):
            raise FitError(
                f"only fits can be compared, and one is a {result.__class__.__name__}", hint="make one by model.fit()"
            )
    if len(results) < 2:
        raise FitError("comparing needs at least two fits")
    first = results[0].design
    for number, design in enumerate((result.design for result in results[1:]), start=2):
        if design.nobs != first.nobs:
            raise FitError(
                f"model 1 was fitted to {first.nobs} rows and model {number} to {design.nobs}",
                hint="are values missing in a variable of only one of them? leave those rows out of the data",
            )
        mine, theirs = first.sample, design.sample
        for name, a, b in (("responses", mine.y, theirs.y), ("weights", mine.weights, theirs.weights)):
            if not _same(a, b):
                raise FitError(f"model 1 and model {number} have different {name}, so their likelihoods don't compare")


def _refuse_restricted(results: Sequence[LinearMixedResult]) -> None:
    """Refuse to compare restricted likelihoods of different fixed effects, or of ML fits."""
    if any(not result.reml and not result.is_linear_model for result in results):
        raise FitError("REML and ML fits don't compare", hint="leave `refit` at True")
    first = results[0].design.sample.X
    for number, result in enumerate(results[1:], start=2):
        if not _same(first, result.design.sample.X):
            raise FitError(
                f"models 1 and {number} have different fixed effects, so their restricted likelihoods don't compare",
                hint="leave `refit` at True",
            )


def _same(left: FloatArray | None, right: FloatArray | None) -> bool:
    if left is None or right is None:
        return left is right
    return left.shape == right.shape and bool(np.array_equal(left, right))


def compared(found: Sequence[Likelihood], n: int, names: Sequence[str]) -> "pd.DataFrame":
    """Lay out fits, each compared with the one before."""
    import pandas as pd

    loglik = np.array([one.loglik for one in found])
    npar = np.array([one.npar for one in found])
    chisq = np.append(np.nan, np.maximum(2 * np.diff(loglik), 0.0))
    df = np.append(np.nan, np.diff(npar))
    columns: dict[str, Any] = {
        "npar": npar,
        "aic": 2 * npar - 2 * loglik,
        "bic": np.log(n) * npar - 2 * loglik,
        "loglik": loglik,
        "deviance": -2 * loglik,
        "chisq": chisq,
        "df": df,
        "p_value": _p_values(chisq, df),
    }
    return pd.DataFrame(columns, index=pd.Index(names))


def deletions(whole: Likelihood, smaller: dict[str, Likelihood]) -> "pd.DataFrame":
    """Lay out a fit and smaller ones, each compared with the whole."""
    import pandas as pd

    found = [whole, *smaller.values()]
    loglik = np.array([one.loglik for one in found])
    npar = np.array([one.npar for one in found])
    lrt, df = 2 * (whole.loglik - loglik), (whole.npar - npar).astype(float)
    lrt[0] = df[0] = np.nan
    columns = {
        "npar": npar,
        "loglik": loglik,
        "aic": 2 * npar - 2 * loglik,
        "lrt": lrt,
        "df": df,
        "p_value": _p_values(lrt, df),
    }
    return pd.DataFrame(columns, index=pd.Index(["<none>", *smaller]))


def _p_values(chisq: FloatArray, df: FloatArray) -> FloatArray:
    """Probabilities of larger chi-squared values; NaN without degrees of freedom."""
    from scipy.special import chdtrc

    known = df > 0
    p: FloatArray = np.where(
        known, chdtrc(np.where(known, df, 1.0), np.where(known, np.maximum(chisq, 0.0), 0.0)), np.nan
    )
    return p
