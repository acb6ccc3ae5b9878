"""Structures with fewer correlations than pairs: standard deviations around a matrix that a few numbers make up."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.covariances.diagonal import Diagonal
from lmmformula.covariances.maps import CovarianceMap
from lmmformula.covariances.matrices import inverse
from lmmformula.covariances.scaled import Correlations, Scaled
from lmmformula.covariances.structure import ALL, Covariance


@dataclass(frozen=True)
class Tied(Covariance):
    """A structure of standard deviations and a matrix of correlations; of a single coefficient, a diagonal one."""

    tied: ClassVar[bool] = True
    stan_letter: ClassVar[str] = "rho"

    @abstractmethod
    def correlations(self, k: int, *, natural: bool = False) -> Correlations:
        """
        Return the map to the matrix of correlations of k coefficients, k at least 2.

        natural : its parameters are correlations themselves, not numbers without bounds
        """

    def free_map(self, k: int) -> CovarianceMap:
        """Return roots of the standard deviations, or the one for all, and unbounded parameters of the correlations."""
        if k == 1:
            return Diagonal().free_map(k)
        return Scaled(self.correlations(k), self.homogeneous, k, squares=not self.homogeneous)

    def natural_map(self, k: int, turn: FloatArray) -> CovarianceMap:
        """Return standard deviations and correlations."""
        if k == 1:
            return Diagonal().natural_map(k, turn)
        return Scaled(self.correlations(k, natural=True), self.homogeneous, k, unit=np.diag(inverse(turn)))

    def absolute_map(self, order: tuple[int, ...], *, held: bool) -> CovarianceMap:
        """Return standard deviations and unbounded parameters of the correlations."""
        k = len(order)
        if k == 1:
            return Diagonal().absolute_map(order, held=held)
        return Scaled(self.correlations(k), self.homogeneous, k, squares=held and not self.homogeneous)

    def natural_values(self, theta: FloatArray, sigma: FloatArray) -> FloatArray:
        """Return standard deviations and correlations; a correlation with what does not vary is 0."""
        if len(sigma) == 1:
            return theta
        s, values = np.sqrt(np.diag(sigma)), []
        for element in self.elements([""] * len(sigma)):
            size = s[element.row] * s[element.column]
            correlation = sigma[element.row, element.column] / size if size > 0 else 0.0
            values.append(s[element.row] if element.part == "sd" else correlation)
        return np.array(values)

    def natural_names(self, group: str, names: Sequence[str]) -> tuple[str, ...]:
        """Name standard deviations and correlations."""
        if len(names) == 1:
            return self.theta_names(group, names)
        called = {"sd": f"sd[{group}, {{}}]", "cor": f"rho[{group}, {{}}]"}
        found = [(element.part, element.name) for element in self.elements(names)]
        return tuple(
            f"rho[{group}]" if (part, name) == ("cor", ALL) else called[part].format(name) for part, name in found
        )
