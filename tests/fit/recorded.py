"""Designs of the models that R fitted."""

import warnings
from functools import cache
from typing import Any

from corpus import dataset, record
from lmmformula.data.table import read_table
from lmmformula.design.build import build_design
from lmmformula.design.coding.contrasts import Contrast
from lmmformula.design.design import Design
from lmmformula.fit.lmm import Fit, fit_lmm
from lmmformula.formula.parse import parse_text
from lmmformula.ir.lower.model import lower


@cache
def recorded_design(kind: str, identifier: str) -> Design:
    """Build the design of a record."""
    about = record(kind, identifier)
    data = dataset(about["dataset"])
    if about["subset"]:
        data = data[(data["f4"] != "W") & (data["x"] > -1.5)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dropped rows and columns are reported; their numbers are tested here
        _, design = build_design(
            lower(parse_text(about["formula"])),
            read_table(data),
            weights=about["weights"],
            offset=about["offset"],
            contrasts=_contrasts(about),
        )
    return design


def _contrasts(about: dict[str, Any]) -> dict[str, Any]:
    """Return what lmer's argument, or an attribute of the column, says of contrasts."""
    given = {name: kind.removeprefix("contr.") for name, kind in (about["contrasts"] or {}).items()}
    own = {
        name: Contrast(kind.removeprefix("contr."), random=True)
        for name, kind in (about["factor_contrasts"] or {}).items()
    }
    return given | own


@cache
def recorded_fit(kind: str, identifier: str) -> Fit:
    """Fit the model of a record."""
    return fit_lmm(recorded_design(kind, identifier), reml=record(kind, identifier)["REML"])
