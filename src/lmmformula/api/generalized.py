"""Generalised linear mixed models: fits by Laplace's method as a user holds them, and as a sampler needs them."""

from lmmformula.design.matrices import DesignMatrices
from lmmformula.errors import FitError
from lmmformula.fit.families import can_fit
from lmmformula.fit.glmm import GlmmFit, fit_glmm
from lmmformula.ir.family import Family


def laplace_pilot(design: DesignMatrices, family: Family) -> GlmmFit | None:
    """Fit to start a sampler from; None where there is no fit, or none to be trusted: then it starts by itself."""
    if not can_fit(family) or not design.has_rows:
        return None
    try:
        fit = fit_glmm(design, family)
    except FitError:
        return None
    return None if fit.verdict == "failed" else fit
