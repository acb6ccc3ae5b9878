"""Fits to start a sampler from, within an amount of work."""

from dataclasses import dataclass

from lmmformula.design.design import Design
from lmmformula.errors import FitError
from lmmformula.fit.glmm import GlmmFit, fit_glmm
from lmmformula.fit.lmm import Fit
from lmmformula.fit.response import can_fit
from lmmformula.fit.work import OutOfWork, work_of
from lmmformula.ir.family import Family

PILOT_WORK = 1e8
"""Work, as `lmmformula.fit.work` counts it, that a fit to start a sampler from may take: about a second ..."""
PILOT_PASSES = 200
"""... and as many passes over the rows more, so that data of millions of rows get a fair share."""


@dataclass(frozen=True)
class Pilot:
    """
    A fit to start a sampler from, and to choose its geometry by.

    fit : None where there is none, or none to be trusted: then the sampler starts by itself
    stopped : whether there is none because it would have taken too much work
    """

    fit: Fit | GlmmFit | None
    stopped: bool = False


def laplace_pilot(design: Design, family: Family) -> Pilot:
    """Fit by Laplace's method, within an amount of work that is the same on every machine."""
    if not can_fit(family) or not design.has_rows:
        return Pilot(None)
    columns = sum(term.n_coefficients for term in design.random_terms)
    try:
        fit = fit_glmm(design, family, most_work=PILOT_WORK + PILOT_PASSES * work_of(design.nobs, columns))
    except OutOfWork:
        return Pilot(None, stopped=True)
    except FitError:
        return Pilot(None)
    return Pilot(None if fit.verdict == "failed" else fit)
