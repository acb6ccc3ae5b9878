"""What a frequentist fit can tell a sampler."""

import numpy as np

from lmmformula.design.matrices import DesignMatrices
from lmmformula.fit.lmm import Fit
from lmmformula.stan.start import Estimates


def estimates_of(fit: Fit) -> Estimates:
    """Hand a fit over as estimates on the user's scale, from which chains start and take their metric."""
    return Estimates(
        beta=fit.beta,
        vcov=fit.vcov,
        sigma=fit.sigma,
        covariances=[fit.sigma**2 * relative for relative in fit.relative_covariance],
        modes=list(fit.modes),
    )


def information_of(design: DesignMatrices, fit: Fit) -> dict[str, float]:
    """
    Say by grouping factor what a typical level's rows tell of its effects: n_j tau^2 / sigma^2.

    n_j is the mean number of rows of a level. tau^2 is the smallest eigenvalue of the covariance matrices of its terms,
    in columns of unit mean square: what is told least of decides which geometry can be sampled.
    """
    information: dict[str, float] = {}
    for term, rows, relative in zip(
        design.random_terms, design.sample.random_terms, fit.relative_covariance, strict=True
    ):
        sizes = np.sqrt(np.mean(np.square(rows.covariates), axis=0))
        smallest = max(0.0, float(np.linalg.eigvalsh(relative * np.outer(sizes, sizes))[0]))
        told = smallest * design.nobs / term.n_levels
        information[term.group] = min(told, information.get(term.group, np.inf))
    return information
