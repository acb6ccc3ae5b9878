"""One verdict on a fit: converged inside, converged on a boundary, or failed; where, and what to try."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.design import RandomTermDesign
from lmmformula.fit.search.settings import OptimizerLog, OptimizerSettings

Verdict = Literal["ok", "boundary", "failed"]

NOTICEABLE = 0.1
"""Least weight with which a coefficient counts as part of a combination."""

FLAT = 1e-6
"""Second derivative of the criterion in the logarithm of a covariance's size, below which it is flat."""

NEARLY_FLAT = 1e-2
"""From what it is in the optimiser's parameters, as what is left of the gradient bends it there, is it looked at."""

LEAST_SIZE = 0.03
"""Relative standard deviation from which a covariance's own size measures its parameters."""

NOTHING_LEFT = 1e6
"""Variance of random effects, in units of the residual's, beyond which a saturated model has no residual."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and what it is about."""

    verdict: Verdict
    message: str = ""


@dataclass(frozen=True, slots=True)
class Ridge:
    """
    A direction of the parameters of covariances in which the criterion is flat.

    group : grouping factor of the term that has most of it
    direction : of the length of the covariance's own size
    """

    group: str
    direction: FloatArray

    def judged(self, *, matters: bool) -> Judgement:
        """Return the verdict: failed if the fixed effects' standard errors depend on what can't be told."""
        where = f"the criterion is flat in the variances between the levels of '{self.group}': "
        if matters:
            message = "the data can't tell them, and standard errors depend on them. Do fixed effects tell the levels?"
            return Judgement("failed", f"{where}{message} Leave a term out.")
        return Judgement("ok", f"{where}another random term can take their place, and only their sum is estimated.")


def judge(
    terms: Sequence[RandomTermDesign],
    inner: Sequence[FloatArray],
    turns: Sequence[FloatArray],
    n_rows: int,
    log: OptimizerLog,
    settings: OptimizerSettings,
    more: Sequence[str] = (),
    flat: Judgement | None = None,
) -> Judgement:
    """
    Judge a fit.

    inner : per term, the relative covariance of its coefficients in columns of unit mean square
    turns : per term, the matrix U with Sigma_user = U Sigma_inner U'
    n_rows : number of rows of the fit
    more : what else is on a boundary
    flat : the verdict on a flat criterion
    """
    if _saturated(terms, inner, n_rows):
        message = "the residual standard deviation is driven to zero: the random effects can follow every row"
        return Judgement("failed", message + ". Leave a random term out, or fix what the residual is by priors.")
    if not log.converged and log.steps[-1].predicted > settings.gradient_tolerance:
        message = f"the optimiser did not converge: {log.reason}; a further step promises {log.steps[-1].predicted:.1e}"
        return Judgement("failed", message + " of deviance. Try a simpler random part, or `start` from another fit.")
    if flat is not None and flat.verdict == "failed":
        return flat
    every = zip(terms, inner, turns, strict=True)
    notes = [note for term, S, U in every if (note := _singular(term, S, U, settings.singular_deviation))]
    if notes:
        return Judgement("boundary", "; ".join([*notes, *more]) + ". Consider a simpler random part, or priors.")
    if more:
        return Judgement("boundary", "; ".join(more) + ": a simpler family is as good.")
    return flat or Judgement("ok")


def undetermined(
    terms: Sequence[RandomTermDesign],
    inner: Sequence[FloatArray],
    factors: Sequence[Sequence[int]],
    parameters: Sequence[Sequence[FloatArray]],
    hessian: FloatArray,
    straight: Callable[[FloatArray], float],
) -> Ridge | None:
    """
    Find in which term's covariance the criterion is flat.

    Beside a variance of zero a structure's correlation may be anything: singular terms with one are left out.

    inner : per term, the relative covariance of its coefficients in columns of unit mean square
    factors, parameters : per factor, the numbers of its terms and their parameters
    hessian : second derivatives of the criterion in all these parameters
    straight : gives that along the straight line of the covariances in a direction, as which a ridge runs
    """
    parts = list(zip(chain(*factors), chain(*parameters), strict=True))
    if not parts:
        return None
    owners = np.repeat([t for t, _ in parts], [len(own) for _, own in parts])
    sizes = np.concatenate([np.full(len(own), max(float(np.linalg.norm(own)), LEAST_SIZE)) for _, own in parts])
    told = [
        not term.covariance.tied or np.linalg.eigvalsh(S)[0] > np.finfo(np.float64).eps
        for term, S in zip(terms, inner, strict=True)
    ]
    free = np.array([told[t] for t in owners], dtype=np.bool_)
    values, vectors = np.linalg.eigh((hessian * np.outer(sizes, sizes))[np.ix_(free, free)])
    if not values.size or values[0] >= NEARLY_FLAT:
        return None
    direction = np.zeros(len(sizes))
    direction[free] = vectors[:, 0]
    if values[0] >= FLAT and straight(sizes * direction) >= FLAT:
        return None
    return Ridge(terms[owners[int(np.argmax(np.abs(direction)))]].group, sizes * direction)


def _saturated(terms: Sequence[RandomTermDesign], inner: Sequence[FloatArray], n_rows: int) -> bool:
    """Whether there are as many random effects as rows, and they leave next to nothing to the residual."""
    effects = sum(term.n_levels * term.n_coefficients for term in terms)
    return effects >= n_rows and max(float(np.abs(S).max()) for S in inner) > NOTHING_LEFT


def _singular(term: RandomTermDesign, inner: FloatArray, turn: FloatArray, least: float) -> str:
    """Say which standard deviation is zero or which coefficients are dependent, empty if none."""
    if np.linalg.eigvalsh(inner)[0] >= least**2:
        return ""
    user = turn @ inner @ turn.T
    deviations = np.sqrt(np.maximum(np.diag(user), 0.0))
    back = np.linalg.inv(turn)
    sizes = np.sqrt(np.einsum("ij,ij->j", back, back))  # root mean squares of the user's columns
    zero = deviations * sizes < least
    names = np.array([f"'{name}'" for name in term.coefficient_names])
    if zero.any():
        return (
            f"the variance of {' and of '.join(names[zero])} between the levels of '{term.group}' is estimated as zero"
        )
    correlation = user / np.outer(deviations, deviations)
    return term.covariance.dependence(correlation, term.coefficient_names, term.group)
