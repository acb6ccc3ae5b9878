"""Every Gaussian model of R's reference records as a Stan program, in both forms."""

from functools import cache

import numpy as np
import pytest
import stanli

from corpus import records
from designs import data_of as rows_of
from designs import design_of, model
from lmmformula.data.table import read_table
from lmmformula.fit.lmm import fit_lmm
from lmmformula.results.posteriors.warmstart import estimates_of, information_of
from lmmformula.stan.generate import stan_program
from lmmformula.stan.start import starting_point

MODELS = {record["id"]: record for kind in ("lmm", "lmm_structured") for record in records(kind)}
SAMPLE = sorted(MODELS)[::12]
"""One in twelve, for the fast suite."""


@cache
def parts(identifier: str) -> tuple:
    """Return the IR, design and fit of a record."""
    record = MODELS[identifier]
    ir = model(record["formula"], read_table(rows_of(record)).names)
    design = design_of(record)[1]
    return ir, design, fit_lmm(design)


@pytest.mark.parametrize("form", ["auto", "conditional"])
@pytest.mark.parametrize(
    "identifier", [pytest.param(i, marks=[] if i in SAMPLE else [pytest.mark.slow]) for i in sorted(MODELS)]
)
def test_models_of_records_are_programs(identifier: str, form: str) -> None:
    """Each program compiles, takes its data, and has a finite density and gradient where the fit says to start."""
    ir, design, fit = parts(identifier)
    program = stan_program(ir, design, form=form, information=information_of(design, fit))
    model = stanli.Model(stan_code=program.code, data=program.data)
    start = starting_point(program, estimates_of(fit))
    point = model.unconstrain({n: v.ravel(order="F") if np.ndim(v) else float(v) for n, v in start.values.items()})
    density, gradient = model.log_prob_grad(point)
    assert np.isfinite(density)
    assert np.all(np.isfinite(gradient))
