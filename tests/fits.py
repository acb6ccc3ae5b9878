"""Models of R's records, fitted at R's theta: what is printed and derived then owes nothing to an optimizer."""

import warnings
from functools import cache
from typing import Any

import pandas as pd

import lmmformula as lf
from corpus import dataset, record, records
from lmmformula.fit.lmm import evaluate_at

SUBSETS = {"f4 != 'W' & x > -1.5": "f4 != 'W' and x > -1.5"}
"""R's subset expressions -> pandas'."""


def usable(kind: str) -> list[str]:
    """Ids of the records whose call the package can express: contrasts set on a column have no counterpart."""
    return [r["id"] for r in records(kind) if not r.get("factor_contrasts")]


def data_of(about: dict[str, Any]) -> pd.DataFrame:
    """Return the rows a record was computed on."""
    data = dataset(about["dataset"])
    return data.query(SUBSETS[about["subset"]]).reset_index(drop=True) if about["subset"] else data


@cache
def model_of(identifier: str) -> lf.Model:
    """Return the model of a record of kind lmm."""
    about = record("lmm", identifier)
    arguments = {name: about[name] for name in ("weights", "offset", "contrasts")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lf.FitWarning)  # that columns were dropped is what some records are about
        return lf.Model(about["formula"], data_of(about), **arguments)


@cache
def fit_of(identifier: str) -> lf.LinearMixedFit:
    """Return the fit of a record of kind lmm, at the record's theta."""
    about = record("lmm", identifier)
    model = model_of(identifier)
    fit = evaluate_at(model.design, about["theta"], reml=about["REML"])
    return lf.LinearMixedFit(model.ir, model.schema, model.design, fit, model.table, about["dataset"])


@cache
def posterior_of(identifier: str) -> lf.Posterior:
    """Return a posterior of the model of a record of kind lmm; half as many draws as users get."""
    return model_of(identifier).sample(seed=20, draws=500, progress=False)
