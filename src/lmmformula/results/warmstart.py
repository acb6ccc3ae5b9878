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

    n_j is the mean number of rows of a level, and tau^2 / sigma^2 the mean over rows of z' (relative covariance) z.
    """
    information: dict[str, float] = {}
    for term, relative in zip(design.random_terms, fit.relative_covariance, strict=True):
        z = term.covariates
        ratio = float(np.mean(np.einsum("ni,ij,nj->n", z, relative, z)))
        information[term.group] = information.get(term.group, 0.0) + ratio * design.nobs / term.n_levels
    return information
