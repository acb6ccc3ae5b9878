"""Contrasts: how the levels of a factor become columns of a model matrix."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.errors import DataError, is_text, printable
from lmmformula.newcomers import answers_newcomers

ContrastKind = Literal["treatment", "SAS", "sum", "helmert", "poly", "matrix"]
KINDS = tuple(kind for kind in get_args(ContrastKind) if kind != "matrix")
LARGEST = 1000
"""Levels of a contrast matrix that a formula spells out."""

INDICATORS = ("treatment", "SAS")


@answers_newcomers()
@dataclass(frozen=True, slots=True)
class Contrast:
    """
    How the levels of a factor become columns.

    `contrasts={"f": "sum"}` means what lmer's argument of that name does: it codes the columns of X only.
    `contrasts={"f": Contrast("sum", random=True)}` means what `contrasts(f) <- "contr.sum"` does in R: it codes the
    columns of random terms, too.

    kind : "treatment", "SAS", "sum", "helmert", "poly", or "matrix"
    base : number of the reference level, from 1; for "treatment" and "SAS"
    how_many : number of columns kept, the first ones; None for all
    matrix : one row per level, for "matrix"
    names : names of the columns of `matrix`; numbers if empty
    random : whether the columns of random terms are coded so, too; then a `matrix` of fewer than J - 1 columns is
        completed, as in R
    numbered : whether columns that indicate levels are named by the levels' numbers, as R does in C(f, contr.SAS)

    >>> Contrast("sum").coding(("a", "b", "c")).names
    ('1', '2')
    """

    kind: ContrastKind
    base: int | None = None
    how_many: int | None = None
    matrix: tuple[tuple[float, ...], ...] = ()
    names: tuple[str, ...] = ()
    random: bool = False
    numbered: bool = False

    def __post_init__(self) -> None:
        if not is_text(self.kind) or self.kind not in (*KINDS, "matrix"):
            raise _unknown_kind(self.kind)
        if not isinstance(self.base, int | None):
            raise DataError(
                f"base is the number of a level, from 1, not {self.base!r:.60}", hint="relevel(f, ref = 'b') names it"
            )
        how_many: object = 1 if self.how_many is None else self.how_many
        if not isinstance(how_many, int) or how_many < 1:
            raise DataError("contrasts have at least one column; how_many is their number")

    def coding(self, levels: tuple[str, ...]) -> "Coding":
        """Return the columns for a factor with these levels."""
        if self.kind in INDICATORS:
            base = (1 if self.kind == "treatment" else len(levels)) if self.base is None else self.base
            if not 1 <= base <= len(levels):
                raise DataError(f"there is no level number {base} among {len(levels)} levels")
            kept = [i for i in range(len(levels)) if i != base - 1]
            names = tuple(str(i + 1) if self.numbered else levels[i] for i in kept)
            coding = Coding(names, indicators=tuple(kept))
        else:
            matrix = self._explicit(levels) if self.kind == "matrix" else _formulaic_matrix(self.kind, len(levels))
            names = self.names or tuple(_number_name(self.kind, i) for i in range(matrix.shape[1]))
            coding = Coding(names, matrix=matrix)
        return coding if self.how_many is None else coding.first(self.how_many)

    def _explicit(self, levels: tuple[str, ...]) -> FloatArray:
        matrix = np.array(self.matrix, dtype=np.float64)
        if len(matrix) != len(levels):
            raise DataError(
                f"the contrast matrix has {len(matrix)} rows, but the factor has {len(levels)} levels in the rows used"
            )
        return complete(matrix) if self.random and self.how_many is None else matrix


@dataclass(frozen=True, slots=True, eq=False)
class Coding:
    """
    The columns that a factor contributes to one kind of term.

    names : (k,) what is appended to the factor's name
    indicators : (k,) the level that each column indicates, where the columns are indicators
    matrix : (J, k) values by level, where they are not
    """

    names: tuple[str, ...]
    indicators: tuple[int, ...] = ()
    matrix: FloatArray | None = None

    def first(self, how_many: int) -> "Coding":
        """Keep the first columns."""
        matrix = None if self.matrix is None else self.matrix[:, :how_many]
        return Coding(self.names[:how_many], self.indicators[:how_many], matrix)

    def dense(self, n_levels: int) -> FloatArray:
        """Return the values by level, (J, k)."""
        return np.eye(n_levels)[:, list(self.indicators)] if self.matrix is None else self.matrix

    def column(self, j: int, codes: IntArray) -> FloatArray:
        """Return column j, (n,), NaN where the code is -1."""
        if self.matrix is None:
            column = np.equal(codes, self.indicators[j]).astype(np.float64)
            if len(codes) and codes.min() < 0:
                column[codes < 0] = np.nan
            return column
        extended: FloatArray = np.append(self.matrix[:, j], np.nan)
        return extended[codes]  # code -1 reads the last entry


def full_coding(levels: tuple[str, ...]) -> Coding:
    """Return one indicator column per level."""
    return Coding(levels, indicators=tuple(range(len(levels))))


def complete(matrix: FloatArray) -> FloatArray:
    """Fill a contrast matrix up to J - 1 columns, orthogonally to those given, as R's `contrasts<-` does."""
    n_levels, n_given = matrix.shape
    if n_given >= n_levels - 1:
        return matrix[:, : n_levels - 1]
    given = np.column_stack([np.ones(n_levels), matrix])
    if np.linalg.matrix_rank(given) < n_given + 1:
        raise DataError("the columns of the contrast matrix depend on each other, or on the mean")
    filled: FloatArray = np.linalg.qr(given, mode="complete")[0][:, 1:]
    filled[:, :n_given] = matrix
    return filled


def contrast_of_size(name: str, n_levels: int, base: int | None) -> Contrast:
    """
    Return the matrix that a call such as contr.treatment(3, base = 2) makes, its columns named by number as in R.

    >>> contrast_of_size("contr.treatment", 3, 2).names
    ('1', '3')
    """
    if not 2 <= n_levels <= LARGEST:
        raise DataError(f"{name}() makes contrasts for 2 to {LARGEST} levels")
    coding = Contrast(contrast_by_name(name).kind, base).coding(tuple(str(i + 1) for i in range(n_levels)))
    return Contrast("matrix", matrix=tuple(map(tuple, coding.dense(n_levels).tolist())), names=coding.names)


def default_contrast(*, ordered: bool) -> Contrast:
    """Return R's default: polynomials for ordered factors, treatment for others."""
    return Contrast("poly") if ordered else Contrast("treatment")


def contrast_by_name(name: str) -> Contrast:
    """
    Return the contrast that R calls "contr.sum", or "sum" for short.

    >>> contrast_by_name("contr.SAS").kind
    'SAS'
    """
    short = name.removeprefix("contr.")
    for kind in KINDS:
        if short == kind or short.lower() == kind.lower():
            return Contrast(kind)
    raise _unknown_kind(name)


def _unknown_kind(name: object) -> DataError:
    return DataError(f"'{printable(str(name))}' is no kind of contrasts", hint="the kinds are: " + ", ".join(KINDS))


def read_contrasts(given: Mapping[str, Any] | None) -> dict[str, Contrast]:
    """
    Read the `contrasts` argument: names of factors -> name, matrix or `Contrast`.

    >>> read_contrasts({"f": "contr.sum"})["f"].kind
    'sum'
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise DataError("contrasts must be a dictionary", hint="for example contrasts={'f': 'sum'}")
    return {name: _read_contrast(name, value) for name, value in given.items()}


def _read_contrast(name: str, value: Any) -> Contrast:  # noqa: ANN401 (what a user gave)
    if isinstance(value, Contrast):
        return value
    if isinstance(value, str):
        return contrast_by_name(value)
    names = tuple(map(str, value.columns)) if hasattr(value, "columns") and hasattr(value, "to_numpy") else ()
    try:
        matrix = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        matrix = np.empty(0)
    if matrix.ndim != 2 or not np.isfinite(matrix).all():
        raise DataError(
            f"contrasts of '{printable(str(name))}' must be a name or a matrix of numbers with one row per level",
            hint="the names are: " + ", ".join(KINDS),
        )
    return Contrast("matrix", matrix=tuple(map(tuple, matrix.tolist())), names=names)


@lru_cache(maxsize=64)
def _formulaic_matrix(kind: str, n_levels: int) -> FloatArray:
    from formulaic.transforms.contrasts import HelmertContrasts, PolyContrasts, SumContrasts

    contrasts = {"sum": SumContrasts, "helmert": HelmertContrasts, "poly": PolyContrasts}[kind]()
    matrix: FloatArray = contrasts.get_coding_matrix(range(n_levels), reduced_rank=True).to_numpy(dtype=np.float64)
    matrix.flags.writeable = False
    return matrix


def _number_name(kind: str, index: int) -> str:
    if kind == "poly":
        return (".L", ".Q", ".C")[index] if index < 3 else f"^{index + 1}"
    return str(index + 1)
