"""The design of a model on its data: a frozen record of arrays with every shape said."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.ir.covariance import UNSTRUCTURED, Covariance


@dataclass(frozen=True, slots=True)
class RandomTermDesign:
    """
    One random term on the data: k coefficients for each of J levels.

    group : the grouping factor's name, "b:a" for an interaction
    levels : (J,) labels of the levels that occur in the rows used
    codes : (n,) level of each row
    coefficient_names : (k,) names of the columns, "(Intercept)", "x"
    covariates : (n, k) their values, C-contiguous along rows within a column (Fortran order)
    covariance : structure of the k x k covariance matrix
    """

    group: str
    levels: tuple[str, ...]
    codes: IntArray
    coefficient_names: tuple[str, ...]
    covariates: FloatArray
    covariance: Covariance = UNSTRUCTURED

    @property
    def n_levels(self) -> int:
        """J."""
        return len(self.levels)

    @property
    def n_coefficients(self) -> int:
        """Number k of random coefficients per level."""
        return len(self.coefficient_names)


@dataclass(frozen=True)
class DesignMatrices:
    """
    Everything numerical that a formula makes of a data frame. Rows with a missing value in a used column are gone.

    y : (n,) response, as given (offset not subtracted)
    X : (n, p) fixed effects, aliased columns dropped; Fortran order
    weights : (n,) precision weights, None for all ones: the residual variance of row i is sigma^2 / weights[i]
    offset : (n,) known part of the linear predictor, None for zero
    fixed_names : (p,) names of the columns of X, as R names them
    fixed_assign : (p,) number of the term each column belongs to, 0 for the intercept, as R's attr(X, "assign")
    fixed_terms : labels of the fixed terms, so that term number i is fixed_terms[i - 1]
    dropped_names : names of the aliased columns that were dropped
    random_terms : in lme4's order: by decreasing number of levels (see ir.lower / ALGORITHM)
    response_name : label of the response
    kept_rows : (n,) positions, in the data that were given, of the rows that were used
    n_given : number of rows that were given
    missing : column or expression -> number of rows in which it is missing
    """

    y: FloatArray
    X: FloatArray
    weights: FloatArray | None
    offset: FloatArray | None
    fixed_names: tuple[str, ...]
    fixed_assign: tuple[int, ...]
    fixed_terms: tuple[str, ...]
    dropped_names: tuple[str, ...]
    random_terms: tuple[RandomTermDesign, ...]
    response_name: str
    kept_rows: IntArray
    n_given: int
    missing: dict[str, int] = field(default_factory=dict)

    @property
    def nobs(self) -> int:
        """Number n of rows used."""
        return len(self.y)

    @property
    def n_fixed(self) -> int:
        """Number p of columns of X."""
        return len(self.fixed_names)

    @property
    def n_random(self) -> int:
        """Number q of random effects, the rows of Zt."""
        return sum(term.n_levels * term.n_coefficients for term in self.random_terms)

    @cached_property
    def Zt(self) -> Any:  # noqa: ANN401 (scipy.sparse.csr_array, imported on use)
        """
        (q, n) transposed random-effects matrix, CSR.

        Terms one below the other, in a term level by level, in a level coefficient by coefficient, as lme4's Zt.
        """
        raise NotImplementedError

    @cached_property
    def theta_names(self) -> tuple[str, ...]:
        """(n_theta,) names as lme4 gives them, lower triangle by columns: "g.(Intercept)", "g.x.(Intercept)", "g.x"."""
        raise NotImplementedError
