"""What every covariance structure of a random term can say of itself."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar, Literal

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.covariances.maps import Angle, CovarianceMap
from lmmformula.covariances.matrices import root

ALL = "*"
"""The name of what all coefficients share."""

NOTICEABLE = 0.1
"""Coefficient of a dependent combination from which it is named."""


@dataclass(frozen=True, slots=True)
class Element:
    """
    One standard deviation or correlation that is a parameter of its own.

    name : of the coefficient, or of both, "(Intercept), x"; "*" where all coefficients share it
    row, column : where it stands in the matrix, column < row for a correlation
    """

    part: Literal["sd", "cor"]
    name: str
    row: int
    column: int


@dataclass(frozen=True, slots=True)
class StanCorrelations:
    """
    The parameter of a Stan program that k coefficients' correlations are made of.

    base, size : its type, as in `vector[size]`; size is "" for a number
    comment : what it is
    prior : distribution and arguments of its default prior
    bounds : of each number in it
    matrix : whether the prior is of a matrix
    """

    base: str
    size: str
    comment: str
    prior: tuple[str, tuple[float, ...]]
    bounds: tuple[float, float] = (-inf, inf)
    matrix: bool = False


@dataclass(frozen=True)
class Covariance(ABC):
    """
    The covariance structure of the random coefficients of one term.

    homogeneous : one standard deviation for all coefficients (`hom = TRUE`)

    A structure has a name, which is the function that may stand around a term; what it may stand around; words for what
    it is; and its part of a Stan program: the letter of its parameter, "" where nothing is correlated, and the function
    that makes the Cholesky factor of it, "" where the parameter is that factor.
    """

    homogeneous: bool = False

    name: ClassVar[str]
    has_homogeneous: ClassVar[bool] = True
    homogeneous_by_default: ClassVar[bool] = False
    correlated: ClassVar[bool] = True
    any_matrix: ClassVar[bool] = False
    tied: ClassVar[bool] = False
    over_times: ClassVar[bool] = False
    over_pairs: ClassVar[bool] = False
    explained: ClassVar[str]
    described: ClassVar[str]
    stan_letter: ClassVar[str] = ""
    stan_function: ClassVar[str] = ""

    # --- what is counted and named

    def elements(self, names: Sequence[str]) -> tuple[Element, ...]:
        """List the standard deviations, then the correlations, that are parameters."""
        if self.homogeneous and len(names) > 1:
            return (Element("sd", ALL, 0, 0), *self._correlations(names))
        return (*(Element("sd", name, i, i) for i, name in enumerate(names)), *self._correlations(names))

    @abstractmethod
    def _correlations(self, names: Sequence[str]) -> tuple[Element, ...]:
        """List the correlations that are parameters."""

    def n_parameters(self, k: int) -> int:
        """Return the number of parameters for k coefficients: standard deviations and correlations."""
        return len(self.elements([""] * k))

    # --- maps

    @abstractmethod
    def free_map(self, k: int) -> CovarianceMap:
        """Return the map whose parameters the optimiser moves, for k coefficients."""

    @abstractmethod
    def natural_map(self, k: int, turn: FloatArray) -> CovarianceMap:
        """
        Return the map from the parameters that people read: lme4's theta, or standard deviations and correlations.

        turn : (k, k) matrix U with Sigma_user = U Sigma_inner U'; the map leads to Sigma_inner
        """

    @abstractmethod
    def absolute_map(self, order: tuple[int, ...], *, held: bool) -> CovarianceMap:
        """
        Return the map whose parameters are standard deviations and what makes up the correlations.

        order : the coefficients; the correlation of the first two is a parameter itself
        held : whether that correlation is to be held
        """

    def angle(self, k: int, row: int, column: int) -> Angle:
        """Return where the absolute map has a correlation; `column` and `row` are first in the map's order."""
        raise NotImplementedError(k, row, column)

    def natural_values(self, theta: FloatArray, sigma: FloatArray) -> FloatArray:  # noqa: ARG002
        """Return the parameters of the natural map of a (k, k) relative covariance and its theta."""
        return theta

    def natural_names(self, group: str, names: Sequence[str]) -> tuple[str, ...]:
        """Name the parameters of the natural map."""
        return self.theta_names(group, names)

    # --- lme4's theta: the distinct entries of L with LL' = Sigma and diagonal >= 0

    def cells(self, k: int) -> list[tuple[int, int]]:
        """Return the places (row, column) of L that theta holds, in its order: the lower triangle by columns."""
        return [(i, j) for j in range(k) for i in range(j, k)]

    def theta_names(self, group: str, names: Sequence[str]) -> tuple[str, ...]:
        """Name the entries of theta as lme4 does: "g.(Intercept)", "g.x.(Intercept)", "g.x"."""
        return tuple(f"{group}.{names[i]}" + (f".{names[j]}" if i != j else "") for i, j in self.cells(len(names)))

    def theta_size(self, k: int) -> int:
        """Return the length of theta for k coefficients."""
        return len(self.cells(k))

    def theta_of(self, sigma: FloatArray) -> FloatArray:
        """Return theta of a (k, k) relative covariance matrix."""
        L = root(sigma)
        return np.array([L[i, j] for i, j in self.cells(len(sigma))])

    def sigma_of(self, theta: FloatArray, k: int) -> FloatArray:
        """Return the (k, k) relative covariance matrix of theta."""
        L = np.zeros((k, k))
        L[*np.array(self.cells(k)).T] = theta
        return L @ L.T

    # --- changes of the coefficients' columns that the structure can take up

    def scales(self, sizes: FloatArray) -> FloatArray:
        """Return by what columns of given sizes may be divided: one scale per column, or the largest for all."""
        return np.full(len(sizes), sizes.max()) if self.homogeneous else sizes

    def turn(self, mean: FloatArray) -> FloatArray:
        """
        Return the (k, k) matrix that makes columns of unit mean square, as far as the structure allows.

        mean : (k, k) mean of their products, no column zero
        """
        size = np.sqrt(np.diag(mean))
        if self.homogeneous:
            return np.eye(len(mean)) / float(np.sqrt(np.mean(size**2)))
        return np.diag(1 / size)

    # --- words

    def text(self, inside: str) -> str:
        """Write a term as a formula has it, `cs(x | g, hom = TRUE)`, from what stands inside."""
        option = f", hom = {str(self.homogeneous).upper()}" if self.homogeneous != self.homogeneous_by_default else ""
        return f"{self.name}({inside}{option})"

    def latex_correlation(self, rho: str, i: int, j: int) -> str:  # noqa: ARG002
        """Write the correlation of coefficients i and j, "" for none."""
        return ""

    def explanation(self) -> str:
        """Say what is free."""
        return self.explained + (", one standard deviation for all" if self.homogeneous else "")

    def description(self) -> str:
        """Say in a few words how coefficients vary together."""
        return self.described + (" and one standard deviation" if self.homogeneous else "")

    def dependence(self, correlation: FloatArray, names: Sequence[str], group: str) -> str:
        """Say which coefficients depend on each other, from their singular matrix of correlations."""
        direction = np.linalg.eigh(correlation)[1][:, 0]
        noticed = np.abs(direction) > NOTICEABLE
        involved = [f"'{name}'" for name, is_in in zip(names, noticed, strict=True) if is_in]
        if len(involved) == 2:
            sign = "1" if direction[noticed].prod() < 0 else "-1"
            return f"the correlation of {involved[0]} and {involved[1]} between the levels of '{group}' is {sign}"
        return f"a combination of {', '.join(involved)} does not vary between the levels of '{group}'"

    def record(self) -> dict[str, Any]:
        """Return what a file keeps of it."""
        return {"structure": self.name, "homogeneous": self.homogeneous}

    # --- Stan

    def stan_correlations(self, k: int) -> StanCorrelations:
        """Return the parameter that the correlations of k coefficients are made of."""
        raise NotImplementedError(k)

    def stan_start(self, correlation: FloatArray, root: FloatArray, within: float) -> tuple[FloatArray, float]:
        """
        Return a value of that parameter near a matrix of correlations, and a factor for its variance.

        root : the Cholesky factor of a positive definite matrix near that one
        within : part of the way to its bounds that it may go
        """
        raise NotImplementedError(within, len(correlation), len(root))


def raised(symbol: str, exponent: int) -> str:
    r"""
    Write a power in LaTeX.

    >>> raised(r"\rho", 2), raised(r"\rho", 1)
    ('\\rho^2', '\\rho')
    """
    if exponent == 1:
        return symbol
    return rf"\left({symbol}\right)^{exponent}" if "^" in symbol else f"{symbol}^{exponent}"
