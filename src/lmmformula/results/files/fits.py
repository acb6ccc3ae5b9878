"""
Fits as JSON: the model, its schema and its estimates, but no data and nothing that could run.

What a loaded fit can say without the data it says: coefficients, their tests, variance components, random effects,
criteria, marginal means, predictions for new rows. What needs the rows of the fit raises a FitError that says so.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np

from lmmformula.covariances.table import of_record
from lmmformula.data.table import Table
from lmmformula.design.matrices import DesignMatrices, RandomTermDesign
from lmmformula.design.parts.layout import conform
from lmmformula.design.schema import Schema
from lmmformula.errors import DataError, FitError, printable
from lmmformula.fit.glmm import GlmmFit
from lmmformula.fit.lmm import Fit
from lmmformula.ir.model import ModelIR
from lmmformula.results.files.consistent import check_fit
from lmmformula.results.files.fitted_numbers import VERSIONS, fit_content, fit_from, version_of
from lmmformula.results.files.kept_numbers import NOTHING, Kept

FORMAT = "lmmformula fit"
NAMES = ("fixed_names", "fixed_assign", "fixed_terms", "dropped_names", "response_name", "n_given", "missing")


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


def _known(name: str) -> Any:  # noqa: ANN401 (a property)
    """Make a property of what was saved."""
    return property(lambda self: self._saved[name], doc=f"`{name}` of the design that was saved.")


class SavedDesign(DesignMatrices):
    """
    The names and sizes of a design whose matrices were not saved.

    kept : what was worked out from them
    """

    kept: Kept

    def __init__(self, saved: Mapping[str, Any], kept: Kept = NOTHING) -> None:
        object.__setattr__(self, "kept", kept)
        for name in NAMES:
            value = saved[name]
            object.__setattr__(self, name, tuple(value) if isinstance(value, list) else value)
        object.__setattr__(self, "random_terms", tuple(SavedTerm(term) for term in saved["random_terms"]))
        object.__setattr__(self, "categories", tuple(saved.get("categories", ())))
        known = {"has_weights": saved["sum_log_weights"] != 0, "has_loglik_weights": False}  # of older files
        known |= {name: value for name, value in saved.items() if name not in (*NAMES, "random_terms")}
        object.__setattr__(self, "_saved", known)

    nobs = _known("nobs")
    sum_log_weights = _known("sum_log_weights")
    has_offset = _known("has_offset")
    has_weights = _known("has_weights")
    has_loglik_weights = _known("has_loglik_weights")

    @property
    def has_rows(self) -> bool:
        """The rows were not saved."""
        return False

    def __getattr__(self, name: str) -> NoReturn:
        _refuse(name)


class SavedTerm(RandomTermDesign):
    """The names and levels of a random term whose columns were not saved."""

    __slots__ = ()

    def __init__(self, saved: Mapping[str, Any]) -> None:
        object.__setattr__(self, "group", saved["group"])
        object.__setattr__(self, "levels", tuple(saved["levels"]))
        object.__setattr__(self, "coefficient_names", tuple(saved["coefficient_names"]))
        object.__setattr__(self, "covariance", of_record(saved["covariance"]))

    def __reduce__(self) -> tuple[type["SavedTerm"], tuple[dict[str, Any]]]:
        """Copy what is here; a copy of all fields would ask for the columns."""
        return SavedTerm, (term_content(self),)

    def __getattr__(self, name: str) -> NoReturn:
        _refuse(name)


def _refuse(name: str) -> NoReturn:
    """Raise the error that fits the absent attribute: only those of the data are known to users."""
    if name in DesignMatrices.__dataclass_fields__ or name in RandomTermDesign.__dataclass_fields__:
        raise FitError(
            "this needs the rows of the data, and it was loaded from a file, which holds none",
            hint="build the model on the data again and fit it with start=fit.theta: that takes one step; "
            "a posterior can be saved with data=True",
        )
    raise AttributeError(name)


def design_content(design: DesignMatrices) -> dict[str, Any]:
    """Write the names and sizes of a design, from which a `SavedDesign` is made."""
    sizes = {"nobs": design.nobs, "sum_log_weights": design.sum_log_weights}
    known = {name: getattr(design, name) for name in ("has_offset", "has_weights", "has_loglik_weights", "categories")}
    terms = [term_content(term) for term in design.random_terms]
    return {name: getattr(design, name) for name in NAMES} | sizes | known | {"random_terms": terms}


def term_content(term: RandomTermDesign) -> dict[str, Any]:
    """Write the names and levels of a random term, from which a `SavedTerm` is made."""
    return {
        "group": term.group,
        "levels": term.levels,
        "coefficient_names": term.coefficient_names,
        "covariance": term.covariance.record(),
    }


def absent_rows(ir: ModelIR) -> Table:
    """Return a table with the variables of a model, which says of each that its rows were not saved."""
    names = tuple(variable.name for variable in ir.variables())
    return Table(0, names, dict.fromkeys(names, (_absent,)))


def _absent() -> NoReturn:
    raise DataError(
        "this needs the rows of the data, and it was loaded from a file, which holds none",
        hint="build the model on the data again and fit it with start=fit.theta: that takes one step",
    )


def to_json(
    ir: ModelIR, schema: Schema, design: DesignMatrices, fit: Fit | GlmmFit, data_name: str, kept: Kept = NOTHING
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


def from_json(text: str, where: str) -> tuple[ModelIR, Schema, SavedDesign, Fit | GlmmFit, str]:
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


def _read(content: Mapping[str, Any]) -> tuple[ModelIR, Schema, SavedDesign, Fit | GlmmFit, str]:
    version = content["version"]
    conform(content, LAYOUT | {"version": int, "fit": VERSIONS[version]})
    ir = replace(ModelIR.from_dict(content["model"]), source=content["source"])
    design = SavedDesign(content["design"], Kept.from_dict(content.get("kept", {})))
    fit, schema = fit_from(version, content["fit"], ir, design), Schema.from_dict(content["schema"])
    check_fit(ir, schema, design, fit)
    return ir, schema, design, fit, content["data_name"]
