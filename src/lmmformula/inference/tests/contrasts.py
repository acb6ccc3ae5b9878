"""Linear functions of the fixed effects that a user names: estimates with t tests, or one F test of all together."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import FitError, printable
from lmmformula.inference.means.estimators import estimator_of
from lmmformula.inference.table import ResultTable
from lmmformula.inference.tests.linear_functions import (
    FLAT,
    NAMES,
    Ddf,
    chosen_ddf,
    frame_of,
    joint_test,
    method_of,
    t_tests,
    wald_table,
    with_estimate,
)
from lmmformula.inference.tests.linear_text import read_linear
from lmmformula.inference.tests.multiplicity import Adjustment, adjusted, refuse_unknown
from lmmformula.results.glmm import GeneralizedMixedResult, MixedResult
from lmmformula.results.posteriors.posterior import PosteriorResult

Hypothesis = str | Mapping[str, Any] | Sequence[Any] | FloatArray
"""
A text `f2b - f2a = 0`; weights by name `{"x": 1, "z": -1}`; a list of either; texts by label,
`{"b - a": "f2b - f2a"}`; or a matrix with a column per coefficient.
"""

CONTRADICTION = 1e-8
"""Distance between two sides of an equation that is more than rounding."""


def read_hypothesis(hypothesis: Hypothesis, names: Sequence[str]) -> tuple[FloatArray, FloatArray, list[str]]:
    """
    Return rows L, (r, p), what L beta is compared with, (r,), and (r,) labels.

    >>> L, null, labels = read_hypothesis(["x = 1", {"x": 1, "z": -1}], ["(Intercept)", "x", "z"])
    >>> L.tolist(), null.tolist(), labels
    ([[0.0, 1.0, 0.0], [0.0, 1.0, -1.0]], [1.0, 0.0], ['x = 1', 'x - z'])
    """
    match hypothesis:
        case str():
            rows = [_row(hypothesis, names)]
        case Mapping() if any(not _is_number(value) for value in hypothesis.values()):
            rows = [(*_row(value, names)[:2], str(label)) for label, value in hypothesis.items()]
        case Mapping():
            rows = [_row(hypothesis, names)]
        case list() | tuple() if any(isinstance(row, (str, Mapping)) for row in hypothesis):
            rows = [_row(row, names) for row in hypothesis]
        case _:
            rows = [_row(row, names) for row in _matrix(hypothesis, names)]
    weights, null, labels = zip(*rows, strict=True)
    return np.stack(weights), np.array(null), list(labels)


def contrast(
    result: MixedResult,
    hypothesis: Hypothesis,
    *,
    ddf: Ddf | None = None,
    adjust: Adjustment = "none",
    level: float = 0.95,
) -> ResultTable:
    """
    Estimate linear functions of the fixed effects, each with its t test and confidence interval.

    adjust : correct the probabilities for several tests: "holm" or "bonferroni"

    >>> import lmmformula as lf
    >>> fit = lf.lmer("effort ~ Type + (1 | Subject)", lf.datasets.load("ergoStool"))
    >>> print(contrast(fit, ["TypeT2 - TypeT3", "TypeT4 = 1"]))
    Linear hypotheses, Satterthwaite's degrees of freedom
                     estimate  std_error  df  statistic  p_value  conf_low  conf_high
    TypeT2 - TypeT3    1.6667    0.51868  24      3.213   0.0037   0.59616     2.7372
    TypeT4 = 1         0.6667    0.51868  24     -0.643   0.5265  -0.40384     1.7372
    """
    refuse_unknown(adjust, ("none", "holm", "bonferroni"))
    L, null, labels = read_hypothesis(hypothesis, result.design.fixed_names)
    L, ddf = with_estimate(result, L), chosen_ddf(result, ddf)
    tests = t_tests(method_of(result, ddf), L, result.fit.beta, null)
    frame = frame_of(tests, labels)
    frame["p_value"] = adjusted(adjust, tests.p_value)
    frame["conf_low"], frame["conf_high"] = tests.interval(level)
    notes = [] if adjust == "none" else [f"p values adjusted by {adjust} for {len(L)} tests"]
    notes += [FLAT] if np.isnan(L).any() else []
    return ResultTable(f"Linear hypotheses, {NAMES[ddf]}", frame, tuple(notes))


def contrast_draws(posterior: PosteriorResult, hypothesis: Hypothesis, *, level: float = 0.95) -> ResultTable:
    """
    Return the posterior of linear functions of the fixed effects: mean, sd, quantiles, and the share of draws above.

    "Above" is above zero, or above the value that a hypothesis such as `x = 1` names.
    """
    import pandas as pd

    L, null, labels = read_hypothesis(hypothesis, posterior.design.fixed_names)
    estimator = estimator_of(posterior, None, level)
    columns = estimator.estimates(L, np.zeros(len(L)), name="mean", level=level)
    above = (posterior.draws.beta.reshape(-1, L.shape[1]) @ L.T > null).mean(axis=0)
    frame = pd.DataFrame({**columns, "p_above": above}, index=pd.Index(labels))
    return ResultTable(f"Linear functions of the fixed effects, {estimator.description}", frame)


def linear_hypothesis(result: MixedResult, hypothesis: Hypothesis, *, ddf: Ddf | None = None) -> ResultTable:
    """
    Test several linear functions of the fixed effects together: by F, of other families by Wald's chi-squared.

    >>> import lmmformula as lf
    >>> fit = lf.lmer("effort ~ Type + (1 | Subject)", lf.datasets.load("ergoStool"))
    >>> print(linear_hypothesis(fit, ["TypeT2", "TypeT3", "TypeT4"]))
    Joint linear hypothesis, Satterthwaite's degrees of freedom
                                        num_df  den_df       f  p_value
    TypeT2 = 0, TypeT3 = 0, TypeT4 = 0       3      24  22.356  <0.0001
    """
    import pandas as pd

    L, null, labels = read_hypothesis(hypothesis, result.design.fixed_names)
    _refuse_contradiction(L, null)
    label = ", ".join(name if "=" in name else f"{name} = {value:g}" for name, value in zip(labels, null, strict=True))
    ddf = chosen_ddf(result, ddf)
    test = joint_test(result, method_of(result, ddf), L, null)
    if isinstance(result, GeneralizedMixedResult):
        return wald_table("Joint linear hypothesis, Wald's chi-squared test", {label: test})
    values = {"num_df": [test.num_df], "den_df": [test.den_df], "f": [test.f], "p_value": [test.p_value]}
    return ResultTable(f"Joint linear hypothesis, {NAMES[ddf]}", pd.DataFrame(values, index=pd.Index([label])))


def _refuse_contradiction(L: FloatArray, null: FloatArray) -> None:
    """Refuse equations that no coefficients fulfil: `x = 0, 2*x = 1`."""
    closest = np.linalg.lstsq(L, null, rcond=None)[0]
    if len(L) and np.abs(L @ closest - null).max() > CONTRADICTION * (1 + np.abs(null).max()):
        raise FitError("the hypotheses contradict each other", hint="leave one of them out")


def _row(row: object, names: Sequence[str]) -> tuple[FloatArray, float, str]:
    """Return weights, what they are compared with, and a label."""
    match row:
        case str():
            found = read_linear(row, names)
            _refuse_empty(found.weights, row)
            return found.weights, 0.0 - found.constant, row.strip()
        case Mapping():
            weights = np.zeros(len(names))
            for name, value in row.items():
                weights += _number(value, name) * read_linear(_quoted(str(name), names), names).weights
            _refuse_empty(weights, str(dict(row)))
            return weights, 0.0, label_of(weights, names)
        case _:
            weights = _matrix([row], names)[0]
            return weights, 0.0, label_of(weights, names)


def label_of(weights: FloatArray, names: Sequence[str]) -> str:
    """
    Write weights as a sum.

    >>> label_of(np.array([0.0, 0.5, -1.0]), ["(Intercept)", "x", "z"])
    '0.5*x - z'
    """
    parts = []
    for weight, name in zip(weights, names, strict=True):
        if weight:
            size = "" if abs(weight) == 1 else f"{abs(weight):g}*"
            parts.append(f"{'- ' if weight < 0 else '+ '}{size}{name}")
    text = " ".join(parts)
    return text.removeprefix("+ ") if text.startswith("+") else "-" + text.removeprefix("- ")


def _quoted(name: str, names: Sequence[str]) -> str:
    return f"`{name}`" if name in names else name


def _matrix(values: object, names: Sequence[str]) -> FloatArray:
    try:
        matrix = np.atleast_2d(np.asarray(values, dtype=np.float64))
    except (TypeError, ValueError):
        matrix = np.empty(0)
    if matrix.ndim != 2 or matrix.shape[1] != len(names) or not len(matrix) or not np.isfinite(matrix).all():
        raise FitError(
            f"a hypothesis is a text, weights by name, or finite numbers in {len(names)} columns",
            hint=f"the coefficients are: {', '.join(map(printable, names[:12]))}",
        )
    return matrix


def _number(value: object, name: object) -> float:
    if not _is_number(value) or not np.isfinite(float(value)):  # type: ignore[arg-type]
        raise FitError(f"the weight of {name!r} must be a number, not {value!r:.60}")
    return float(value)  # type: ignore[arg-type]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def _refuse_empty(weights: FloatArray, text: str) -> None:
    if not weights.any():
        raise FitError(f"no coefficient is left in the hypothesis '{printable(text)}'")
