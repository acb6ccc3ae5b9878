"""The design of a model on its data: names and levels, with rows, or sums over rows, or what was kept of either."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from lmmformula.arrays import AnyArray, FloatArray, IntArray
from lmmformula.covariances.structure import Covariance
from lmmformula.covariances.unstructured import UNSTRUCTURED
from lmmformula.data.table import Table, read_table
from lmmformula.design.columns.summaries import ColumnSummary
from lmmformula.design.rows import AbsentRows, Rows, TermRows, need_rows
from lmmformula.design.sums.records import CrossProducts


@dataclass(frozen=True, slots=True)
class RandomTermDesign:
    """
    One random term on the data: k coefficients for each of J levels.

    group : the grouping factor's name, "b:a" for an interaction
    levels : (J,) labels of the levels that occur in the rows used
    coefficient_names : (k,) names of the columns, "(Intercept)", "x"
    rows : levels and columns of the rows, if they are here
    covariance : structure of the k x k covariance matrix
    """

    group: str
    levels: tuple[str, ...]
    coefficient_names: tuple[str, ...]
    rows: TermRows | AbsentRows
    covariance: Covariance = UNSTRUCTURED

    @property
    def codes(self) -> IntArray:
        """(n,) level of each row."""
        return need_rows(self.rows).codes

    @property
    def covariates(self) -> FloatArray:
        """(n, k) values of the columns."""
        return need_rows(self.rows).covariates

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


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """
    Sums over rows that have passed by, and what was seen of the rows on the way.

    products : the cross-products of all rows
    sample : the design on some of the rows, which show the size and spread of the columns
    columns : the columns of the data in these rows
    summaries : the variables in a few numbers
    total_squares : of the response less the offset, around the mean if there is an intercept; None with weights
    """

    products: CrossProducts
    sample: "Design"
    columns: Mapping[str, AnyArray]
    summaries: Mapping[str, ColumnSummary]
    total_squares: float | None

    @property
    def table(self) -> Table:
        """The columns of the data in the rows of `sample`."""
        return read_table(self.columns)

    def fixed_variance(self, beta: FloatArray) -> float:
        """Return the variance of X beta over the rows, beside an intercept and without weights."""
        # inner columns are orthogonal, and the first is constant: the others have mean zero
        inner = np.linalg.solve(self.products.coordinates.fixed, beta)[1:]
        return float(inner @ self.products.A[1 : len(beta), 1 : len(beta)] @ inner) / (self.products.n - 1)

    def mean_square(self, term: int) -> FloatArray:
        """Return the (k, k) mean of z z' over the rows of a random term, without weights."""
        factor = next(f for f in self.products.factors if term in f.terms)
        place = factor.slices()[factor.terms.index(term)]
        back = np.linalg.inv(self.products.coordinates.random[term])
        found: FloatArray = back.T @ (factor.C[place, place].sum(axis=2) / self.products.n) @ back
        return found


@dataclass(frozen=True)
class Design:
    """
    All that a formula makes of data. Rows with a missing value in a used column are gone.

    rows : the rows used, or what is known of them where they are not here
    fixed_names : (p,) names of the columns of X, as R names them
    fixed_assign : (p,) number of the term each column belongs to, 0 for the intercept, as R's attr(X, "assign")
    fixed_terms : labels of the fixed terms, so that term number i is fixed_terms[i - 1]
    dropped_names : names of the aliased columns that were dropped
    random_terms : in lme4's order: by decreasing number of levels (see ir.lower / ALGORITHM)
    response_name : label of the response
    n_given : number of rows that were given
    missing : column or expression -> number of rows in which it is missing
    categories : of an ordinal response, whose numbers from 1 up are in y; X has no intercept then
    sums : over rows that have passed by
    kept : what a file has of results that were worked out from rows or sums
    """

    rows: Rows | AbsentRows
    fixed_names: tuple[str, ...]
    fixed_assign: tuple[int, ...]
    fixed_terms: tuple[str, ...]
    dropped_names: tuple[str, ...]
    random_terms: tuple[RandomTermDesign, ...]
    response_name: str
    n_given: int
    missing: dict[str, int] = field(default_factory=dict)
    categories: tuple[str, ...] = ()
    sums: Sums | None = None
    kept: object = None

    # --- rows ---

    @property
    def has_rows(self) -> bool:
        """Whether the rows are here; not so in a design that was loaded from a file, or read in parts."""
        return isinstance(self.rows, Rows)

    def need_rows(self, what: str = "this", instead: str = "") -> Rows:
        """Return the rows; FitError where they are not here (see `rows.need_rows`)."""
        return need_rows(self.rows, what, instead)

    def absent_table(self, names: tuple[str, ...]) -> Table:
        """Return a table that says of each of its columns that the rows are not here."""
        return Table(0, names, dict.fromkeys(names, (partial(need_rows, self.rows),)))

    def with_rows(self, **arrays: AnyArray | None) -> "Design":
        """Return the design with other arrays of the rows, `y=...`."""
        return replace(self, rows=replace(self.need_rows(), **arrays))  # type: ignore[arg-type]

    def take(self, places: AnyArray) -> "Design":
        """Return the design on some of its rows, by their places or by a mask; levels without rows stay."""
        terms = [replace(term, rows=need_rows(term.rows).take(places)) for term in self.random_terms]
        return replace(self, rows=self.need_rows().take(places), random_terms=tuple(terms))

    def with_columns(self, places: list[int]) -> "Design":
        """Return the design with some of the columns of X."""
        return replace(
            self.with_rows(X=np.asfortranarray(self.X[:, places])),
            fixed_names=tuple(self.fixed_names[j] for j in places),
            fixed_assign=tuple(self.fixed_assign[j] for j in places),
        )

    @property
    def y(self) -> FloatArray:
        """(n,) response, as given."""
        return self.need_rows().y

    @property
    def X(self) -> FloatArray:
        """(n, p) fixed effects."""
        return self.need_rows().X

    @property
    def kept_rows(self) -> IntArray:
        """(n,) positions of the rows used."""
        return self.need_rows().places

    @property
    def weights(self) -> FloatArray | None:
        """(n,) precision weights, or trials; None without."""
        return self.need_rows().weights if self.has_weights else None

    @property
    def offset(self) -> FloatArray | None:
        """(n,) known part of the linear predictor; None without."""
        return self.need_rows().offset if self.has_offset else None

    @property
    def loglik_weights(self) -> FloatArray | None:
        """(n,) factors of the log density; None without."""
        return self.need_rows().loglik_weights if self.has_loglik_weights else None

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

    # --- what is known with and without them ---

    @property
    def nobs(self) -> int:
        """Number n of rows used."""
        return self.rows.nobs

    @property
    def sum_log_weights(self) -> float:
        """Sum of the logarithms of the weights, 0 without weights."""
        return self.rows.sum_log_weights

    @property
    def has_weights(self) -> bool:
        """Whether there are precision weights, or trials."""
        return self.rows.has_weights

    @property
    def has_offset(self) -> bool:
        """Whether a known part of the linear predictor was given."""
        return self.rows.has_offset

    @property
    def has_loglik_weights(self) -> bool:
        """Whether the log densities of the rows have factors."""
        return self.rows.has_loglik_weights

    @property
    def has_criterion(self) -> bool:
        """Whether the criterion can be evaluated anew: the rows are here, or sums over them."""
        return self.has_rows or self.sums is not None

    @property
    def sample(self) -> "Design":
        """The design on rows that show the size and spread of the columns: some of them where all are summed."""
        return self if self.sums is None else self.sums.sample

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

    @cached_property
    def theta_names(self) -> tuple[str, ...]:
        """(n_theta,) names as lme4 gives them, lower triangle by columns: "g.(Intercept)", "g.x.(Intercept)", "g.x"."""
        return tuple(name for term in self.random_terms for name in term.theta_names)

    def fixed_variance(self, beta: FloatArray) -> float:
        """Return the variance of X beta over the rows, with n - 1 in the denominator."""
        if self.sums is not None and not self.has_weights and 0 in self.fixed_assign:
            return self.sums.fixed_variance(beta)
        return float(np.var(self.X @ beta, ddof=1))

    def mean_square(self, term: int) -> FloatArray:
        """Return the (k, k) mean of z z' over the rows of a random term."""
        if self.sums is not None and not self.has_weights:
            return self.sums.mean_square(term)
        z = self.random_terms[term].covariates
        found: FloatArray = z.T @ z / self.nobs
        return found
