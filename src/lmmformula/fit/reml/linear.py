"""A model without random terms: (weighted) least squares."""

import math
from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.design import Design
from lmmformula.design.sums.crossproducts import cross_products
from lmmformula.fit.reml.objective import profile


@dataclass(frozen=True, slots=True)
class LeastSquares:
    """
    y = X beta + e, Var(e_i) = sigma^2 / w_i; the fields mean what they mean in `Fit`.

    sigma : residual standard deviation with n - p degrees of freedom for REML (as R's lm), n for ML
    """

    beta: FloatArray
    sigma: float
    vcov: FloatArray
    criterion: float
    log_det_RX: float
    pwrss: float


def least_squares(design: Design, *, reml: bool) -> LeastSquares:
    """Solve the normal equations in coordinates that keep their digits."""
    products = cross_products(design)
    coordinates = products.coordinates
    found = profile(products.A, 0.0, n=products.n, reml=reml)
    sigma = coordinates.y_scale * math.sqrt(found.pwrss / found.degrees)
    half = sigma * (coordinates.fixed @ found.inverse_R)
    return LeastSquares(
        beta=coordinates.beta(found.beta),
        sigma=sigma,
        vcov=half @ half.T,
        criterion=coordinates.criterion(
            found.value, degrees=found.degrees, reml=reml, sum_log_weights=products.sum_log_weights
        ),
        log_det_RX=float(np.log(np.diag(found.R)).sum()) - coordinates.log_det_fixed,
        pwrss=coordinates.y_scale**2 * found.pwrss,
    )
