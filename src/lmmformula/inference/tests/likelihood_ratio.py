"""Likelihood ratio tests: between fits, of dropped fixed terms, and of reduced random terms."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.design import Design
from lmmformula.errors import FitError, printable
from lmmformula.fit.glmm import GlmmFit
from lmmformula.fit.lmm import Fit, fit_lmm
from lmmformula.inference.means.model_columns import without_term
from lmmformula.inference.table import ResultTable
from lmmformula.inference.tests.anova import droppable
from lmmformula.inference.tests.reduced_random_terms import reductions
from lmmformula.results.glmm import GeneralizedMixedResult, MixedResult
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
    def of(cls, design: Design, fit: Fit | GlmmFit) -> "Likelihood":
        """Return that of a fit, by whichever criterion it was fitted."""
        own = len(fit.parameters) if isinstance(fit, GlmmFit) else 1
        return cls(-fit.criterion / 2, design.n_fixed + design.n_variance_parameters + own)


def compare_fits(
    results: Sequence[MixedResult], *, refit: bool = True, names: Sequence[str] | None = None
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
    shown = range(len(results)) if isinstance(results[0], GeneralizedMixedResult) else order
    texts = _texts(results)
    notes = [f"{called[i]}: {texts[i]}" for i in shown]
    return ResultTable(f"Likelihood ratio tests{_approximation(results[0], any_reml, again)}", frame, tuple(notes))


def _texts(results: Sequence[MixedResult]) -> list[str]:
    """Return the formulas of fits, with their families where these differ."""
    families = [f", {r.ir.family.name}({r.ir.family.link})" for r in results]
    shown = families if len(set(families)) > 1 else [""] * len(results)
    return [f"{r.ir.formula}{family}" for r, family in zip(results, shown, strict=True)]


def _approximation(first: MixedResult, any_reml: bool, again: bool) -> str:  # noqa: FBT001 (facts)
    """Say which likelihoods are compared."""
    if not isinstance(first, GeneralizedMixedResult):
        return "; REML fits were fitted again by ML" if again else ", restricted likelihoods" if any_reml else ""
    fit = first.fit
    how = ", Laplace's approximation" if fit.nagq == 1 else f", quadrature with {fit.nagq} nodes"
    return how + (", expected curvature" if fit.curvature == "expected" else "")


def names_of(results: Sequence[object], given: Sequence[str] | None) -> list[str]:
    """Name the fits that are compared: as a user does, or by number."""
    if given is None:
        return [f"model {i + 1}" for i in range(len(results))]
    if isinstance(given, str) or len(given) != len(results) or len(set(given)) != len(given):
        raise FitError(f"names are one for each of the {len(results)} fits, all different, not {given!r:.60}")
    return [printable(str(name)) for name in given]


def drop_fixed_terms(result: MixedResult) -> ResultTable:
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
    terms = droppable(result.ir.fixed.terms)
    smaller = {term.label: _again(result, without_term(result, term), reml=False) for term in terms}
    frame = deletions(whole, smaller).drop(columns="loglik")
    of = "" if isinstance(result, GeneralizedMixedResult) else " of ML fits"
    return ResultTable(f"Single term deletions, likelihood ratio tests{of}", frame)


def reduce_random_terms(result: MixedResult) -> ResultTable:
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
    design = result.design
    if not design.random_terms:
        raise FitError("the model has no random terms to test")
    smaller = {
        r.label: _again(result, replace(design, random_terms=r.random_terms), reml=result.reml)
        for r in reductions(result)
    }
    frame = deletions(Likelihood.of(design, result.fit), smaller)
    kind = "restricted likelihood ratio tests" if result.reml else "likelihood ratio tests"
    return ResultTable(f"Random terms, {kind}", frame, BOUNDARY)


def _again(result: MixedResult, design: Design, *, reml: bool) -> Likelihood:
    """Fit another design to the same response, by the same approximation."""
    if isinstance(result, GeneralizedMixedResult):
        return Likelihood.of(design, result.fit.again(design))
    return Likelihood.of(design, fit_lmm(design, reml=reml, settings=result.fit.settings))


def _likelihood(result: MixedResult, *, again: bool, reml: bool) -> Likelihood:
    """Return a fit's likelihood, by ML for `again`; for linear models of the kind that is compared."""
    restricted = isinstance(result, LinearMixedResult) and result.fit.reml
    if (again and result.reml) or (result.is_linear_model and restricted != reml):
        return _again(result, result.design, reml=reml and not again)
    return Likelihood.of(result.design, result.fit)


def _refuse_unlike(results: Sequence[MixedResult]) -> None:
    """Refuse what are no fits, or fits to different rows, responses or weights: their likelihoods don't compare."""
    if len(results) < 2:
        raise FitError("comparing needs at least two fits")
    first = results[0]
    for number, result in enumerate(results, start=1):
        if not isinstance(result, LinearMixedResult | GeneralizedMixedResult):
            kind = result.__class__.__name__
            raise FitError(f"only fits can be compared, and one is a {kind}", hint="make one by model.fit()")
        if isinstance(result, GeneralizedMixedResult) != isinstance(first, GeneralizedMixedResult):
            raise FitError(
                f"model {number} is a {result.__class__.__name__}, and model 1 a fit of another kind",
                hint="likelihoods compare between fits by one method to the same response",
            )
        _refuse_other_rows(first.design, result.design, number)
        if isinstance(first, GeneralizedMixedResult) and isinstance(result, GeneralizedMixedResult):
            refuse_unlike_approximations(first, result, f"models 1 and {number}")


def _refuse_other_rows(first: Design, design: Design, number: int) -> None:
    if design.nobs != first.nobs:
        raise FitError(
            f"model 1 was fitted to {first.nobs} rows and model {number} to {design.nobs}: different responses",
            hint="are values missing in a variable of only one of them? leave those rows out of the data",
        )
    mine, theirs = first.sample, design.sample
    for what, name in (("responses", "y"), ("weights", "weights"), ("responses or weights", "loglik_weights")):
        if not _same(getattr(mine, name), getattr(theirs, name)):
            raise FitError(f"model 1 and model {number} have different {what}, so their likelihoods don't compare")


def refuse_unlike_approximations(first: GeneralizedMixedResult, other: GeneralizedMixedResult, named: str) -> None:
    """Refuse to compare likelihoods that are approximated in different ways."""
    for name in ("nagq", "curvature"):
        if getattr(first.fit, name) != getattr(other.fit, name):
            raise FitError(
                f"the likelihoods of {named} are approximated in different ways ({name})",
                hint=f"fit both with the same {name}",
            )


def _refuse_restricted(results: Sequence[MixedResult]) -> None:
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
