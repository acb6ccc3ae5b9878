"""Covariance structures of one random term, as data."""

from dataclasses import dataclass
from typing import Literal

Structure = Literal["us", "diag", "cs", "ar1"]

STRUCTURES: dict[str, Structure] = {"us": "us", "diag": "diag", "cs": "cs", "ar1": "ar1"}
"""The functions that may stand around a random-effects term."""


@dataclass(frozen=True, slots=True)
class Covariance:
    """
    The covariance structure of the random coefficients of one term, as lme4 2.x names them.

    structure : "us" unstructured, "diag" diagonal, "cs" compound symmetry, "ar1" autoregressive of order one
    homogeneous : one standard deviation for all coefficients (`hom = TRUE`); not for "us"
    """

    structure: Structure = "us"
    homogeneous: bool = False


UNSTRUCTURED = Covariance()
