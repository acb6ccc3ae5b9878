"""Fits to start a sampler from, within an amount of work."""

from dataclasses import dataclass

from lmmformula.design.design import Design
from lmmformula.errors import FitError
from lmmformula.fit.glmm import GlmmFit, fit_glmm
from lmmformula.fit.likelihood.response import can_fit
from lmmformula.fit.lmm import Fit, fit_lmm
from lmmformula.fit.search.work import OutOfWork
from lmmformula.ir.family import Family

PILOT_WORK = 8e8
"""Work, as `lmmformula.fit.search.work` counts it, that a fit to start a sampler from may take: about a second ..."""
PILOT_WORK_OF_ROW = 1e4
"""... with as much for each row, so that data of millions of rows, which take long to sample, get a fair share."""


@dataclass(frozen=True)
class Pilot:
    """
    A fit to start a sampler from, and to choose its geometry by.

    fit : None where there is none, or none to be trusted: then the sampler starts by itself
    stopped : whether there is none because it would have taken too much work
    """

    fit: Fit | GlmmFit | None
    stopped: bool = False


def pilot_of(design: Design, family: Family, *, exact: bool) -> Pilot:
    """
    Fit within an amount of work that is the same on every machine.

    exact : whether there is a fit by REML; else it is by Laplace's method
    """
    most = PILOT_WORK + PILOT_WORK_OF_ROW * design.nobs
    try:
        if exact:
            return Pilot(fit_lmm(design, most_work=most))
        if not can_fit(family) or not design.has_rows:
            return Pilot(None)
        fit = fit_glmm(design, family, most_work=most)
    except OutOfWork:
        return Pilot(None, stopped=True)
    except FitError:
        if exact:
            raise
        return Pilot(None)
    return Pilot(None if fit.verdict == "failed" else fit)
