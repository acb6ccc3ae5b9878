"""The design of a model on its data: a frozen record of arrays with every shape said."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.covariances.structure import Covariance
from lmmformula.covariances.unstructured import UNSTRUCTURED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lmmformula.data.table import Table
    from lmmformula.design.columns.summaries import ColumnSummary
    from lmmformula.design.sums.records import CrossProducts


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

    @property
    def n_parameters(self) -> int:
        """Number of parameters of the covariance matrix; theta has more entries where they depend on each other."""
        return self.covariance.n_parameters(self.n_coefficients)

    @property
    def theta_names(self) -> tuple[str, ...]:
        """Names of the distinct entries of the relative covariance factor, as lme4 gives them."""
        return self.covariance.theta_names(self.group, self.coefficient_names)


@dataclass(frozen=True)
class DesignMatrices:
    """
    Everything numerical that a formula makes of a data frame. Rows with a missing value in a used column are gone.

    y : (n,) response, as given (offset not subtracted)
    X : (n, p) fixed effects, aliased columns dropped; Fortran order
    weights : (n,) precision weights, None for all ones: the residual variance of row i is sigma^2 / weights[i]; of a
        binomial family trials
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
    categories : of an ordinal response, whose numbers from 1 up are in y; X has no intercept then
    loglik_weights : (n,) factors of the log density of each row, None for all ones
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
    categories: tuple[str, ...] = ()
    loglik_weights: FloatArray | None = None

    @property
    def nobs(self) -> int:
        """Number n of rows used."""
        return len(self.y)

    @property
    def sum_log_weights(self) -> float:
        """Sum of the logarithms of the weights, 0 without weights."""
        return 0.0 if self.weights is None else float(np.sum(np.log(self.weights)))

    @property
    def has_offset(self) -> bool:
        """Whether a known part of the linear predictor was given."""
        return self.offset is not None

    @property
    def has_rows(self) -> bool:
        """Whether the rows are here; not so in a design that was loaded from a file, or read in parts."""
        return True

    @property
    def has_weights(self) -> bool:
        """Whether there are precision weights, or trials."""
        return self.weights is not None

    @property
    def has_loglik_weights(self) -> bool:
        """Whether the log densities of the rows have factors."""
        return self.loglik_weights is not None

    @property
    def sample(self) -> "DesignMatrices":
        """Rows that show the size and spread of the columns: all, or some of them where the data came in parts."""
        return self

    @property
    def summaries(self) -> "Mapping[str, ColumnSummary] | None":
        """The variables in a few numbers, where these were found without keeping the rows."""
        return None

    @property
    def sample_table(self) -> "Table | None":
        """The variables of the rows of `sample`, where the data came in parts and these are known."""
        return None

    @property
    def total_squares(self) -> float | None:
        """Sum of squares of the response less the offset, around the mean if there is an intercept; None with rows."""
        return None

    @property
    def has_criterion(self) -> bool:
        """Whether the criterion can be evaluated anew: the rows are here, or their cross-products."""
        return self.has_rows or self.products is not None

    @property
    def products(self) -> "CrossProducts | None":
        """The cross-products, where they were formed without the rows; None if the rows are here."""
        return None

    @property
    def n_fixed(self) -> int:
        """Number p of columns of X."""
        return len(self.fixed_names)

    @property
    def n_random(self) -> int:
        """Number q of random effects, the rows of Zt."""
        return sum(term.n_levels * term.n_coefficients for term in self.random_terms)

    @property
    def n_variance_parameters(self) -> int:
        """Number of parameters of all covariance matrices, sigma apart."""
        return sum(term.n_parameters for term in self.random_terms)

    def fixed_variance(self, beta: FloatArray) -> float:
        """Return the variance of X beta over the rows, with n - 1 in the denominator."""
        return float(np.var(self.X @ beta, ddof=1))

    def mean_square(self, term: int) -> FloatArray:
        """Return the (k, k) mean of z z' over the rows of a random term."""
        z = self.random_terms[term].covariates
        found: FloatArray = z.T @ z / self.nobs
        return found

    @cached_property
    def Zt(self) -> Any:  # noqa: ANN401 (scipy.sparse.csr_array, imported on use)
        """
        (q, n) transposed random-effects matrix, CSR.

        Terms one below the other, in a term level by level, in a level coefficient by coefficient, as lme4's Zt.
        """
        from scipy.sparse import csc_array, csr_array

        terms = self.random_terms
        if not terms:
            return csr_array((0, self.nobs))
        heights = [term.n_levels * term.n_coefficients for term in terms]
        first_rows = np.cumsum([0, *heights[:-1]])
        indices = [
            start + term.codes[:, None] * term.n_coefficients + np.arange(term.n_coefficients)
            for start, term in zip(first_rows, terms, strict=True)
        ]
        values = np.hstack([term.covariates for term in terms])
        ends = np.arange(self.nobs + 1) * values.shape[1]
        # each column of Z' is a row of data: its entries in order are the terms' covariates of that row
        columns = csc_array((values.ravel(), np.hstack(indices).ravel(), ends), shape=(sum(heights), self.nobs))
        columns.eliminate_zeros()
        return columns.tocsr()

    @cached_property
    def theta_names(self) -> tuple[str, ...]:
        """(n_theta,) names as lme4 gives them, lower triangle by columns: "g.(Intercept)", "g.x.(Intercept)", "g.x"."""
        return tuple(name for term in self.random_terms for name in term.theta_names)
