"""The estimates of a fit as a file holds them: what they are for each kind of fit, and how they are read back."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.conform import Layout, require
from lmmformula.design.design import Design
from lmmformula.families.table import family
from lmmformula.fit.glmm import GlmmFit
from lmmformula.fit.likelihood.response import CURVATURES
from lmmformula.fit.lmm import Fit
from lmmformula.ir.model import ModelIR

VERDICT: Layout = {"verdict": {"ok", "boundary", "failed"}, "message": str}
VECTORS: Layout = {"theta": [float], "beta": [float], "vcov": [[float]]}
BY_TERM: Layout = {"relative_covariance": [[[float]]], "modes": [[[float]]]}
LINEAR: Layout = {
    **dict.fromkeys(("sigma", "criterion", "log_det_RX", "log_det_L", "pwrss"), float),
    **VERDICT,
    **VECTORS,
    **BY_TERM,
}
GENERALIZED: Layout = {
    "parameters": {str: float}, "parameter_errors": {str: float}, "nagq": int, "curvature": set(CURVATURES),
    "criterion": float, "log_det_L": float, "penalty": float,
    **VERDICT, **VECTORS, "vcov_conditional": [[float]], "flat": [[float]],
    **BY_TERM, "mode_covariances": [[[[float]]]], "covariance_errors": [[[float]]],
}  # fmt: skip
VERSIONS: dict[int, Layout] = {1: {"reml": bool, **LINEAR}, 2: GENERALIZED}
"""
Version of a file -> what it holds of the estimates: of a linear mixed model, and of a generalised one.

Of the layout of the file; there is a new one when a reader of the old one could not read it.
"""


def version_of(fit: Fit | GlmmFit) -> int:
    """Return the version of a file that holds a fit."""
    return 1 if isinstance(fit, Fit) else 2


def fit_content(fit: Fit | GlmmFit) -> dict[str, Any]:
    """Write the estimates, in JSON's types."""
    return {name: _plain(getattr(fit, name)) for name in VERSIONS[version_of(fit)]}


def fit_from(version: int, saved: Mapping[str, Any], ir: ModelIR, design: Design) -> Fit | GlmmFit:
    """
    Read the estimates, which are as the layout of the version says.

    Working weights of a generalised model belong to rows, and are not in the file.
    """
    fields: dict[str, Any] = {name: saved[name] for name in VERSIONS[version]}
    p = design.n_fixed
    for name in fields.keys() & {"theta", "beta", "vcov", "vcov_conditional", "flat"}:
        fields[name] = np.array(saved[name], dtype=np.float64)
    for name in fields.keys() & {"vcov", "vcov_conditional"}:
        fields[name] = fields[name].reshape(p, p)
    for name, axes in (("relative_covariance", 1), ("modes", 1), ("mode_covariances", 2), ("covariance_errors", 1)):
        if name in fields:
            terms = zip(saved[name], design.random_terms, strict=True)
            fields[name] = tuple(_by_coefficient(values, [term.n_coefficients] * axes) for values, term in terms)
    if version == 1:
        return Fit(**fields)
    own = [parameter.name for parameter in family(ir.family.name, ir.family.link).parameters]
    for name in ("parameters", "parameter_errors"):
        require(set(saved[name]) == set(own), name)
        fields[name] = {parameter: saved[name][parameter] for parameter in own}
    fields["flat"] = fields["flat"].reshape(p, len(saved["flat"][0]) if p else 0)
    return GlmmFit(**fields, family=ir.family, weights=np.empty(0))


def _by_coefficient(values: object, axes: list[int]) -> FloatArray:
    """Make an array whose last axes are coefficients; also of nothing."""
    return np.array(values, dtype=np.float64).reshape(-1, *axes)


def _plain(value: Any) -> Any:  # noqa: ANN401 (a part of a fit)
    match value:
        case np.ndarray():
            return value.tolist()
        case tuple():
            return [part.tolist() for part in value]
        case _:
            return value
