"""What a frequentist fit can tell a sampler."""

import re
from collections.abc import Iterator

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.design import Design
from lmmformula.fit.glmm import GlmmFit
from lmmformula.fit.lmm import Fit
from lmmformula.ir.family import GAUSSIAN
from lmmformula.stan.generate import StanProgram
from lmmformula.stan.start import Estimates, population

LEAST_VARIANCE = 1e-10
"""Part of the largest variance of a term that counts as none."""

FAR = 3.0
"""Standard deviations between a default prior and an estimate that are more than chance."""


def estimates_of(fit: Fit | GlmmFit) -> Estimates:
    """Hand a fit over as estimates on the user's scale, from which chains start and take their metric."""
    if isinstance(fit, GlmmFit):
        return Estimates(
            beta=fit.beta,
            vcov=fit.vcov,
            sigma=float(1 / np.sqrt(fit.weights.mean())),
            covariances=list(fit.relative_covariance),
            modes=list(fit.modes),
            own={name: (value, fit.parameter_errors[name]) for name, value in fit.parameters.items()},
            information=[_learnt(S, V) for S, V in zip(fit.relative_covariance, fit.mode_covariances, strict=True)],
        )
    return Estimates(
        beta=fit.beta,
        vcov=fit.vcov,
        sigma=fit.sigma,
        covariances=[fit.sigma**2 * relative for relative in fit.relative_covariance],
        modes=list(fit.modes),
    )


def _learnt(S: FloatArray, V: FloatArray) -> FloatArray:
    """Return (J, k) tau^2 / v - 1 from (k, k) prior and (J, k, k) conditional covariances."""
    prior, left = np.diag(S), np.einsum("jaa->ja", V)
    floor = LEAST_VARIANCE * max(float(prior.max()), 1e-300)
    out: FloatArray = np.where(prior > floor, prior / np.maximum(left, floor) - 1, 0.0)
    return out


def information_of(design: Design, fit: Fit | GlmmFit) -> dict[str, float]:
    """
    Say by grouping factor what is known of a typical level's effects beyond their distribution.

    What is told least of decides which geometry can be sampled: in a linear model n_j tau^2 / sigma^2, with n_j the
    mean number of rows of a level, and tau^2 the smallest eigenvalue of the covariance matrices of its terms, in
    columns of unit mean square; in other families the smallest eigenvalue of V^-1 Sigma - I, with V the mean of the
    conditional covariances, which tells what is left to know beside the other random effects.
    """
    told = _known_of(fit) if isinstance(fit, GlmmFit) else _rows_tell(design, fit)
    information: dict[str, float] = {}
    for term, value in zip(design.random_terms, told, strict=True):
        information[term.group] = min(value, information.get(term.group, np.inf))
    return information


def _rows_tell(design: Design, fit: Fit) -> list[float]:
    """Return per random term n_j tau^2 / sigma^2."""
    out = []
    for term, rows, relative in zip(
        design.random_terms, design.sample.random_terms, fit.relative_covariance, strict=True
    ):
        sizes = np.sqrt(np.mean(np.square(rows.covariates), axis=0))
        smallest = max(0.0, float(np.linalg.eigvalsh(relative * np.outer(sizes, sizes))[0]))
        out.append(smallest * design.nobs / term.n_levels)
    return out


def _known_of(fit: GlmmFit) -> list[float]:
    """Return per random term the smallest eigenvalue of V^-1 Sigma - I, 0 where Sigma is singular."""
    out = []
    for S, V in zip(fit.relative_covariance, fit.mode_covariances, strict=True):
        sizes = np.sqrt(np.maximum(np.diag(S), 1e-300))
        values, vectors = np.linalg.eigh(S / np.outer(sizes, sizes))
        if values[0] <= LEAST_VARIANCE:
            out.append(0.0)
            continue
        whitened = (
            (vectors / np.sqrt(values)).T @ (V.mean(axis=0) / np.outer(sizes, sizes)) @ (vectors / np.sqrt(values))
        )
        out.append(max(0.0, 1 / float(np.linalg.eigvalsh(whitened)[-1]) - 1))
    return out


def contradicted(program: StanProgram, estimates: Estimates) -> list[str]:
    """
    List the default priors that lie far from the estimates, as text: target, prior, estimate.

    Far is measured in standard deviations of the prior and of the estimate's error together: an estimate of which the
    data say next to nothing contradicts no prior.
    """
    known = dict(_estimated(program, estimates))
    told = []
    for row in program.priors:
        location, scale = _location_scale(row.distribution)
        value, error = known.get(row.target, (location, 0.0))
        if row.default and abs(value - location) > FAR * np.hypot(scale, error):
            told.append(f"{row.target} ~ {_short(row.distribution)} (estimate {value:.4g})")
    return told


def _estimated(program: StanProgram, estimates: Estimates) -> Iterator[tuple[str, tuple[float, float]]]:
    """Give the estimates and standard errors that there are, by target of a prior."""
    fixed, found = program.program.fixed, population(program, estimates)
    if fixed.intercept:
        guess = found[fixed.intercept_name]
        yield "Intercept", (float(guess.value), float(np.sqrt(guess.variance)))
    if fixed.K:
        for label, value, variance in zip(fixed.labels, found["b"].value, found["b"].variance, strict=True):
            yield f"b[{label}]", (float(value), float(np.sqrt(variance)))
    for factor in program.program.factors:
        for block in factor.blocks:
            sds = np.sqrt(np.diag(estimates.covariances[block.term])).tolist()
            labels = [covariate.label for covariate in factor.covariates[block.start - 1 : block.stop]]
            for label, sd in zip(labels, sds, strict=True):
                yield f"sd[{factor.label}, {label}]", (sd, 0.0)
    if program.program.family == GAUSSIAN.name:
        yield "sigma", (estimates.sigma, 0.0)


def _location_scale(distribution: str) -> tuple[float, float]:
    """Return mean and standard deviation of a default prior; an infinite one for those that are of no such kind."""
    name, _, numbers = distribution.removesuffix(")").partition("(")
    values = [float(number) for number in numbers.split(",")]
    match name:
        case "normal":
            return values[0], values[1]
        case "student_t" if values[0] > 2:
            return values[1], values[2] * float(np.sqrt(values[0] / (values[0] - 2)))
        case _:
            return 0.0, np.inf


def _short(distribution: str) -> str:
    """Round the numbers of a prior to be read."""
    return re.sub(r"[\d.]+(e[+-]?\d+)?", lambda number: f"{float(number[0]):.4g}", distribution)
