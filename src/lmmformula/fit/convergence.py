"""One verdict on a fit: converged inside, converged on a boundary, or failed; where, and what to try."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.matrices import RandomTermDesign
from lmmformula.fit.settings import OptimizerLog, OptimizerSettings

Verdict = Literal["ok", "boundary", "failed"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and what it is about."""

    verdict: Verdict
    message: str = ""


def judge(
    terms: Sequence[RandomTermDesign],
    inner: Sequence[FloatArray],
    log: OptimizerLog,
    settings: OptimizerSettings,
) -> Judgement:
    """
    Judge a fit.

    inner : per term, the relative covariance of its coefficients in columns of unit mean square
    """
    if not log.converged and log.steps[-1].predicted > settings.gradient_tolerance:
        message = f"the optimiser did not converge: {log.reason}; a further step promises {log.steps[-1].predicted:.1e}"
        return Judgement("failed", message + " of deviance. Try a simpler random part, or `start` from another fit.")
    notes = [note for term, S in zip(terms, inner, strict=True) if (note := _singular(term, S, settings))]
    if notes:
        return Judgement("boundary", "; ".join(notes) + ". Consider a simpler random part, or priors.")
    return Judgement("ok")


def _singular(term: RandomTermDesign, inner: FloatArray, settings: OptimizerSettings) -> str:
    """Say which standard deviation is zero or which coefficients are dependent, empty if none."""
    least = settings.singular_deviation
    deviations = np.sqrt(np.maximum(np.diag(inner), 0.0))
    names = [f"'{name}'" for name, sd in zip(term.coefficient_names, deviations, strict=True) if sd < least]
    if names:
        return f"in the random term for '{term.group}' the variance of {', '.join(names)} is estimated as zero"
    values, vectors = np.linalg.eigh(inner)
    if values[0] >= least**2:
        return ""
    heavy = np.flatnonzero(np.abs(vectors[:, 0]) > 0.1)
    involved = ", ".join(f"'{term.coefficient_names[i]}'" for i in heavy)
    return f"in the random term for '{term.group}' a combination of {involved} does not vary (correlation at a bound)"
