"""
Fits as JSON: the model, its schema and its estimates, but no data and nothing that could run.

What a loaded fit can say without the data it says: coefficients, their tests, variance components, random effects,
criteria, marginal means, predictions for new rows. What needs the rows of the fit raises a FitError that says so.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from lmmformula.conform import conform
from lmmformula.covariances.table import of_record
from lmmformula.data.table import Table
from lmmformula.design.design import Design, RandomTermDesign
from lmmformula.design.rows import NOT_SAVED
from lmmformula.design.schema import Schema
from lmmformula.errors import FitError, printable
from lmmformula.fit.glmm import GlmmFit
from lmmformula.fit.lmm import Fit
from lmmformula.ir.model import ModelIR
from lmmformula.results.files.consistent import check_fit
from lmmformula.results.files.fitted_numbers import VERSIONS, fit_content, fit_from, version_of
from lmmformula.results.files.kept_numbers import NOTHING, Kept

FORMAT = "lmmformula fit"
NAMES = ("fixed_names", "fixed_assign", "fixed_terms", "dropped_names", "response_name", "n_given", "missing")
SIZES = ("nobs", "sum_log_weights", "has_offset", "has_weights", "has_loglik_weights", "categories")


NOT_WHOLE = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    MemoryError,
    AssertionError,
)
"""What comes of reading a file that is not what it should be, whoever made it."""

LAYOUT_OF_DESIGN = {
    "fixed_names": [str], "fixed_assign": [int], "fixed_terms": [str], "dropped_names": [str], "response_name": str,
    "n_given": int, "missing": {str: int}, "nobs": int, "sum_log_weights": float, "has_offset": bool,
    "has_weights?": bool, "has_loglik_weights?": bool, "categories?": [str],
    "random_terms": [
        {
            "group": str, "levels": [str], "coefficient_names": [str],
            "covariance": {"structure": str, "homogeneous": bool},
        }
    ],
}  # fmt: skip
"""What a file holds of a design."""

LAYOUT = {
    "data_name": str,
    "source": str,
    "model": dict,
    "schema": dict,
    "design": LAYOUT_OF_DESIGN,
    "kept?": dict,
}
"""What a file holds of a fit, beside the estimates."""


def read_design(saved: Mapping[str, Any], kept: Kept = NOTHING) -> Design:
    """
    Make a design of what `design_content` wrote: names, levels and sizes.

    kept : what was worked out from the rows
    """
    weighted = saved.get("has_weights", saved["sum_log_weights"] != 0)
    rows = NOT_SAVED(
        saved["nobs"], saved["sum_log_weights"], weighted, saved["has_offset"], saved.get("has_loglik_weights", False)
    )
    names: dict[str, Any] = {name: tuple(v) if isinstance(v := saved[name], list) else v for name in NAMES}
    terms = tuple(
        RandomTermDesign(
            term["group"], tuple(term["levels"]), tuple(term["coefficient_names"]), rows, of_record(term["covariance"])
        )
        for term in saved["random_terms"]
    )
    categories = tuple(saved.get("categories", ()))
    return Design(rows, **names, random_terms=terms, categories=categories, kept=kept)


def design_content(design: Design) -> dict[str, Any]:
    """Write the names and sizes of a design, which `read_design` reads."""
    sizes = {name: getattr(design, name) for name in (*NAMES, *SIZES)}
    terms = [
        {
            "group": term.group,
            "levels": term.levels,
            "coefficient_names": term.coefficient_names,
            "covariance": term.covariance.record(),
        }
        for term in design.random_terms
    ]
    return sizes | {"random_terms": terms}


def absent_columns(ir: ModelIR, design: Design) -> Table:
    """Return a table with the variables of a model, which says of each that its rows were not saved."""
    return design.absent_table(tuple(variable.name for variable in ir.variables()))


def to_json(
    ir: ModelIR, schema: Schema, design: Design, fit: Fit | GlmmFit, data_name: str, kept: Kept = NOTHING
) -> str:
    """
    Write a fit; every number reads back as it was.

    kept : what was worked out from the rows, which are not written
    """
    content = {
        "format": FORMAT,
        "version": version_of(fit),
        "data_name": data_name,
        "model": ir.to_dict(),
        "source": ir.source,
        "schema": schema.to_dict(),
        "design": design_content(design),
        "fit": fit_content(fit),
        "kept": kept.to_dict(),
    }
    content["checksum"] = checksum(content)
    return json.dumps(content, ensure_ascii=False, indent=1, default=_plain)


def checksum(content: Mapping[str, Any]) -> str:
    """Return a number that changes with the content, however that is laid out."""
    plain = json.loads(json.dumps(content, default=_plain))
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _plain(value: object) -> object:
    """Return what JSON knows for numpy's scalars."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"can't save a {type(value).__name__}")


def from_json(text: str, where: str) -> tuple[ModelIR, Schema, Design, Fit | GlmmFit, str]:
    """
    Read a fit.

    where : the file's name, for messages
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FitError(f"{where} is no JSON: {error}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise FitError(f"{where} holds no fit that lmmformula has saved")
    version = content.get("version")
    if version not in list(VERSIONS):  # whatever JSON has there
        raise FitError(
            f"{where} was saved in version {version} of the layout, and this reads {', '.join(map(str, VERSIONS))}",
            hint="install the version of lmmformula that saved it",
        )
    try:
        saved = content.pop("checksum", None)
        if saved != checksum(content):
            raise FitError(f"{where} is damaged: it is not what was saved", hint="save the fit again")
        return _read(content)
    except NOT_WHOLE as error:
        raise damaged(where, error) from error


def damaged(where: object, error: Exception) -> FitError:
    """Say that a file does not hold what it should."""
    return FitError(f"{printable(str(where))} is damaged: {error.__class__.__name__} {error}")


def _read(content: Mapping[str, Any]) -> tuple[ModelIR, Schema, Design, Fit | GlmmFit, str]:
    version = content["version"]
    conform(content, LAYOUT | {"version": int, "fit": VERSIONS[version]})
    ir = replace(ModelIR.from_dict(content["model"]), source=content["source"])
    design = read_design(content["design"], Kept.from_dict(content.get("kept", {})))
    fit, schema = fit_from(version, content["fit"], ir, design), Schema.from_dict(content["schema"])
    check_fit(ir, schema, design, fit)
    return ir, schema, design, fit, content["data_name"]
