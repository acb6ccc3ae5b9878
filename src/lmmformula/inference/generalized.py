"""
What is asked of a generalised linear mixed model after its fit: z tests, Wald intervals, likelihood ratios.

Standard errors come from the second derivatives of the criterion in all parameters. Intervals of standard deviations
and of a family's positive parameters are taken by their logarithms, of probabilities by logits, of correlations by
Fisher's z = atanh(r).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lmmformula.errors import FitError
from lmmformula.inference.intervals.interval_table import Intervals
from lmmformula.inference.intervals.parameters import GROUPS, is_flat, labels_of, normal_quantile, parameters_of
from lmmformula.inference.table import ResultTable
from lmmformula.inference.tests.likelihood_ratio import Likelihood, compared, names_of
from lmmformula.inference.tidy import Effects, Part, broom_name, levels_of, numbers_of, stacked, wanted_effects
from lmmformula.results.glmm import GeneralizedMixedResult

if TYPE_CHECKING:
    import pandas as pd

NEARLY_ONE = 1 - 1e-8
"""A correlation beyond this is on its boundary."""


@dataclass(frozen=True, slots=True)
class Estimated:
    """
    One parameter.

    part : "fixed", "sd", "cor" or "family"
    group, name : as in a posterior's summary
    label : in one word, `x`, `sd[group, x]`, `shape`
    value, error : estimate and standard error
    """

    part: str
    group: str
    name: str
    label: str
    value: float
    error: float

    def bounds(self, z: float) -> tuple[float, float]:
        """Return estimate -+ z standard errors, on the scale that suits the parameter; NaN where there are none."""
        if self.part == "fixed" and np.isfinite(self.error):
            return self.value - z * self.error, self.value + z * self.error
        if not (np.isfinite(self.error) and self.error > 0.0) or (self.part == "cor" and abs(self.value) > NEARLY_ONE):
            return np.nan, np.nan
        if self.part == "sd" and is_flat(self.value, self.error):
            return np.nan, np.nan
        there, slope, back = _scale(self.part, self.name, self.value)
        with np.errstate(over="ignore"):  # a shape that may be anything has bounds of zero and infinity
            return float(back(there - z * slope * self.error)), float(back(there + z * slope * self.error))


def _scale(part: str, name: str, value: float) -> tuple[float, float, Callable[[float], float]]:
    """Return a parameter on an unbounded scale, the slope of that scale there, and the way back."""
    if part == "cor":
        return float(np.arctanh(value)), 1 / (1 - value**2), np.tanh
    if name == "zi":
        return float(np.log(value / (1 - value))), 1 / (value * (1 - value)), lambda x: 1 / (1 + np.exp(-x))
    return float(np.log(value)), 1 / value, np.exp


def estimated(result: GeneralizedMixedResult) -> list[Estimated]:
    """List fixed effects, then term by term standard deviations and correlations, then the family's parameters."""
    one: Any = result
    out = []
    for p in parameters_of(one):
        if p.part == "fixed":
            error = float(result.std_errors.iloc[p.row])
        elif p.part != "sigma":
            error = float(result.fit.covariance_errors[p.term][p.row, p.column])
        else:
            continue
        out.append(Estimated(p.part, p.group, p.name, p.label, p.of(one), error))
    for name, value in result.fit.parameters.items():
        out.append(Estimated("family", "", name, name, value, result.fit.parameter_errors[name]))
    return out


def wald_intervals(
    result: GeneralizedMixedResult, parameters: str | Sequence[str] | None = None, *, level: float = 0.95
) -> Intervals:
    """
    Return Wald intervals; NaN where a variance parameter is on its boundary or near it, or the likelihood is flat.

    parameters : labels, or "fixed" or "ran_pars" (with the family's); None for all
    """
    z = normal_quantile(level)
    wanted = chosen(estimated(result), parameters)
    low, high = np.array([p.bounds(z) for p in wanted]).reshape(-1, 2).T
    values = np.array([p.value for p in wanted])
    flat = any(p.part == "fixed" and np.isinf(p.error) for p in wanted)
    method = "Wald; NaN can't be estimated, the likelihood is flat" if flat else "Wald"
    return Intervals(tuple(p.label for p in wanted), values, low, high, level, method)


def chosen(known: list[Estimated], wanted: str | Sequence[str] | None) -> list[Estimated]:
    """Return the parameters that a user named."""
    if wanted is None:
        return known
    found: list[Estimated] = []
    for name in labels_of(wanted):
        parts = (*GROUPS.get(name, ()), *(("family",) if name == "ran_pars" else ()))
        matches = [p for p in known if p.label == name] or [p for p in known if p.part in parts]
        if not matches:
            labels = ", ".join(p.label for p in known)
            raise FitError(
                f"the model has no parameter {name!r:.60}", hint=f'they are: {labels}; or "fixed", "ran_pars"'
            )
        found += [p for p in matches if p not in found]
    return found


def tidy(
    result: GeneralizedMixedResult,
    effects: Effects | Sequence[Effects] = ("fixed", "ran_pars"),
    *,
    conf_int: bool = True,
    level: float = 0.95,
) -> "pd.DataFrame":
    """
    Tidy a fit: the columns are those of a linear mixed model's `tidy`, the tests of fixed effects are z tests.

    Parameters that only the family has are among the "ran_pars", under their own names.
    """
    z = normal_quantile(level) if conf_int else np.nan
    parts: dict[Effects, Part] = {}
    for name in wanted_effects(effects):
        if name == "ran_vals":
            parts[name] = levels_of(result.design), _modes(result, z)
            continue
        wanted = [p for p in estimated(result) if (p.part == "fixed") == (name == "fixed")]
        labels = {
            "group": [p.group for p in wanted],
            "level": [""] * len(wanted),
            "term": [p.name if p.part in ("fixed", "family") else broom_name(p.part, p.name) for p in wanted],
        }
        values, errors = (np.array([getattr(p, column) for p in wanted]) for column in ("value", "error"))
        low, high = np.array([p.bounds(z) for p in wanted]).reshape(-1, 2).T
        parts[name] = (
            labels,
            numbers_of(values, errors, low, high, z_tests(values, errors) if name == "fixed" else None),
        )
    return stacked(parts, conf_int=conf_int)


def _modes(result: GeneralizedMixedResult, z: float) -> Any:  # noqa: ANN401 (numbers of the modes)
    b = np.concatenate([np.empty(0), *(m.ravel() for m in result.fit.modes)])
    sds = np.concatenate(
        [np.empty(0), *(np.sqrt(np.einsum("jaa->ja", V)).ravel() for V in result.fit.mode_covariances)]
    )
    return numbers_of(b, sds, b - z * sds, b + z * sds)


def z_tests(values: Any, errors: Any) -> tuple[Any, Any, Any]:  # noqa: ANN401 (arrays)
    """Return z = estimate / error, infinite degrees of freedom, and two-sided normal probabilities."""
    from scipy.special import ndtr

    with np.errstate(divide="ignore", invalid="ignore"):
        z = values / errors
    return z, np.full(len(z), np.inf), 2 * ndtr(-np.abs(z))


def compare_fits(results: Sequence[GeneralizedMixedResult], names: Sequence[str] | None = None) -> ResultTable:
    """
    Compare fits to the same response, each with the next smaller one, by likelihood ratios.

    names : of the fits, in their order; None for "model 1", "model 2", ...

    >>> import lmmformula as lf
    >>> data = lf.datasets.load("cbpp")
    >>> y = "cbind(incidence, size - incidence)"
    >>> fits = [lf.glmer(f"{y} ~ {x} + (1 | herd)", data, family="binomial") for x in ("1", "period")]
    >>> print(compare_fits(fits))
    Likelihood ratio tests, Laplace's approximation
             npar     aic     bic   loglik  deviance   chisq  df  p_value
    model 1     2  213.66  217.71  -104.83    209.66
    model 2     5  194.05  204.18   -92.03    184.05  25.610   3  <0.0001
    model 1: cbind(incidence, size - incidence) ~ 1 + (1 | herd)
    model 2: cbind(incidence, size - incidence) ~ period + (1 | herd)
    """
    _refuse_unlike(results)
    order = sorted(range(len(results)), key=lambda i: results[i].n_parameters)
    found = [Likelihood(results[i].loglik, results[i].n_parameters) for i in order]
    called = names_of(results, names)
    frame = compared(found, results[0].nobs, [called[i] for i in order])
    families = [f", {r.family.name}({r.family.link})" for r in results]
    shown = families if len(set(families)) > 1 else [""] * len(results)
    notes = [f"{name}: {r.ir.formula}{family}" for name, r, family in zip(called, results, shown, strict=True)]
    first = results[0].fit
    how = "Laplace's approximation" if first.nagq == 1 else f"quadrature with {first.nagq} nodes"
    how += ", expected curvature" if first.curvature == "expected" else ""
    return ResultTable(f"Likelihood ratio tests, {how}", frame, tuple(notes))


def _refuse_unlike(results: Sequence[GeneralizedMixedResult]) -> None:
    """Refuse fits whose likelihoods don't compare: of other rows, or of a family with another kind of response."""
    first = results[0]
    for number, result in enumerate(results, start=1):
        if not isinstance(result, GeneralizedMixedResult):
            raise FitError(
                f"model {number} is a {result.__class__.__name__}, and model 1 a fit of another kind",
                hint="likelihoods compare between fits by Laplace's method to the same response",
            )
        names = ("y", "weights", "loglik_weights")
        if not all(_same(getattr(result.design, name), getattr(first.design, name)) for name in names):
            raise FitError(
                f"models 1 and {number} have different responses or weights, so their likelihoods don't compare",
                hint="are values missing in a variable of only one of them? leave those rows out of the data",
            )
        refuse_unlike_approximations(first, result, f"models 1 and {number}")


def refuse_unlike_approximations(first: GeneralizedMixedResult, other: GeneralizedMixedResult, named: str) -> None:
    """Refuse to compare likelihoods that are approximated in different ways."""
    for name in ("nagq", "curvature"):
        if getattr(first.fit, name) != getattr(other.fit, name):
            raise FitError(
                f"the likelihoods of {named} are approximated in different ways ({name})",
                hint=f"fit both with the same {name}",
            )


def _same(left: Any, right: Any) -> bool:  # noqa: ANN401 (arrays or None)
    return left is right if left is None or right is None else bool(np.array_equal(left, right))
