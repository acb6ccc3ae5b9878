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

    def n_parameters(self, k: int) -> int:
        """
        Return the number of parameters for k coefficients: standard deviations and correlations, not entries of theta.

        >>> Covariance().n_parameters(3), Covariance("cs").n_parameters(3), Covariance("ar1", True).n_parameters(3)
        (6, 4, 2)
        """
        deviations = 1 if self.homogeneous else k
        match self.structure:
            case "us":
                return k * (k + 1) // 2
            case "diag":
                return deviations
            case "cs" | "ar1":
                return deviations + (k > 1)


UNSTRUCTURED = Covariance()
