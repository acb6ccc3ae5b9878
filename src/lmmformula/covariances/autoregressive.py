"""Correlations that fall with distance: `ar1(...)`."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lmmformula.arrays import IntArray
from lmmformula.covariances.one_correlation import OneCorrelation
from lmmformula.covariances.structure import Covariance, raised


@dataclass(frozen=True)
class Autoregressive(OneCorrelation):
    """
    C_ij = rho^|i-j|, -1 <= rho <= 1.

    >>> Autoregressive().n_parameters(3), Autoregressive(homogeneous=True).n_parameters(3)
    (4, 2)
    """

    name: ClassVar[str] = "ar1"
    homogeneous_by_default: ClassVar[bool] = True
    over_times: ClassVar[bool] = True
    explained: ClassVar[str] = "correlation falling with distance, r^|i-j|"
    described: ClassVar[str] = "with correlations that fall with distance"
    stan_comment: ClassVar[str] = "of neighbours"
    stan_function: ClassVar[str] = """\
  // Cholesky factor of the k x k matrix of correlations rho^|i - j|.
  matrix cholesky_ar1(real rho, int k) {
    matrix[k, k] L = rep_matrix(0, k, k);
    L[1, 1] = 1;
    for (i in 2 : k) {
      L[i, 1] = rho ^ (i - 1);
      for (j in 2 : i) {
        L[i, j] = rho ^ (i - j) * sqrt(1 - square(rho));
      }
    }
    return L;
  }"""

    def lags(self, k: int) -> IntArray:
        """Return the distances."""
        out: IntArray = np.abs(np.subtract.outer(np.arange(k), np.arange(k)))
        return out

    def lowest(self, k: int) -> float:  # noqa: ARG002
        """Return -1."""
        return -1.0

    def cells(self, k: int) -> list[tuple[int, int]]:
        """Return the lower triangle; in the homogeneous form the third and later columns repeat the second."""
        every = Covariance.cells(self, k)
        return [(i, j) for i, j in every if j < 2] if self.homogeneous else every

    def latex_correlation(self, rho: str, i: int, j: int) -> str:
        """Write a power of rho."""
        return raised(rho, abs(i - j))
