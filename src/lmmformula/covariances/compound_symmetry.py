"""One correlation for all pairs: `cs(...)`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lmmformula.arrays import IntArray
from lmmformula.covariances.one_correlation import OneCorrelation
from lmmformula.covariances.structure import ALL, Covariance


@dataclass(frozen=True)
class CompoundSymmetry(OneCorrelation):
    """
    C_ij = rho, -1 / (k - 1) <= rho <= 1.

    >>> CompoundSymmetry().n_parameters(3), CompoundSymmetry(homogeneous=True).n_parameters(3)
    (4, 2)
    """

    name: ClassVar[str] = "cs"
    over_pairs: ClassVar[bool] = True
    explained: ClassVar[str] = "one correlation for all pairs"
    described: ClassVar[str] = "with one correlation"
    stan_comment: ClassVar[str] = "of any two"
    stan_function: ClassVar[str] = """\
  // Cholesky factor of the k x k matrix with correlation rho everywhere.
  matrix cholesky_cs(real rho, int k) {
    matrix[k, k] L = rep_matrix(0, k, k);
    for (j in 1 : k) {
      real before = 1 + (j - 2) * rho;
      L[j, j] = sqrt((1 - rho) * (1 + (j - 1) * rho) / before);
      for (i in j + 1 : k) {
        L[i, j] = rho * (1 - rho) / (before * L[j, j]);
      }
    }
    return L;
  }"""

    def lags(self, k: int) -> IntArray:
        """Return 1 beside the diagonal."""
        return 1 - np.eye(k, dtype=np.intp)

    def lowest(self, k: int) -> float:
        """Return the correlation of k numbers whose sum is 0."""
        return -1.0 / (k - 1)

    def cells(self, k: int) -> list[tuple[int, int]]:
        """Return the lower triangle; of the homogeneous form one on and one below the diagonal of each column."""
        every = Covariance.cells(self, k)
        return [(i, j) for i, j in every if i - j < 2] if self.homogeneous else every

    def theta_names(self, group: str, names: Sequence[str]) -> tuple[str, ...]:
        """Name entries; what stands for all below the diagonal of a column has no row."""
        if not self.homogeneous:
            return Covariance.theta_names(self, group, names)
        cells = self.cells(len(names))
        return tuple(f"{group}.{names[j]}" if i == j else f"{group}.{ALL}.{names[j]}" for i, j in cells)

    def latex_correlation(self, rho: str, i: int, j: int) -> str:  # noqa: ARG002
        """Write rho."""
        return rho
