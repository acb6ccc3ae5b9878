"""
Cross-products as a monoid: those of parts of the rows add up to those of all rows.

Sums are kept by level and by pair of levels, as sparse as they come, so that parts that know only some of the levels
can be added in any order: on one machine, on a cluster, by sites that may not share their rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np

from lmmformula.arrays import AnyArray, FloatArray, IntArray
from lmmformula.data.fingerprint import WORD
from lmmformula.design.sums.records import Coordinates, CrossProducts, FactorProducts, PairProducts
from lmmformula.errors import FitError
from lmmformula.files import as_arrays, path_of, write_files


@dataclass(frozen=True, slots=True)
class Keyed:
    """
    Sums by key.

    keys : (m,) ascending, each once
    values : (r, m)
    """

    keys: IntArray
    values: FloatArray

    @classmethod
    def of(cls, keys: IntArray, values: FloatArray) -> "Keyed":
        """Bring distinct keys into order."""
        if bool(np.all(keys[1:] > keys[:-1])):
            return cls(keys, values)
        order = np.argsort(keys)
        return cls(keys[order], values[:, order])

    def __add__(self, other: "Keyed") -> "Keyed":
        if np.array_equal(self.keys, other.keys):
            return Keyed(self.keys, self.values + other.values)
        both = np.concatenate([self.keys, other.keys])
        both.sort(kind="stable")  # two runs: a merge
        keys = both[np.concatenate([[True], both[1:] != both[:-1]])] if len(both) else both
        values = np.zeros((len(self.values), len(keys)))
        for part in (self, other):
            values[:, np.searchsorted(keys, part.keys)] += part.values
        return Keyed(keys, values)

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        return self.keys.nbytes + self.values.nbytes


@dataclass(frozen=True, slots=True)
class FactorSums:
    """
    The sums of one grouping factor.

    group, terms, sizes : as in `FactorProducts`
    n_levels : number J of its levels in all rows
    by_level : level -> its (k, k) Z'Z and (k, p+1) Z'[X y], flattened one behind the other
    """

    group: str
    terms: tuple[int, ...]
    sizes: tuple[int, ...]
    n_levels: int
    by_level: Keyed

    @property
    def k(self) -> int:
        """Number of random coefficients per level."""
        return sum(self.sizes)


@dataclass(frozen=True, slots=True)
class PartialProducts:
    """
    Cross-products of some of the rows, in coordinates that all parts share.

    n : rows
    A : (p+1, p+1) [X y]'[X y]
    factors : grouping factors, in order of their first term
    pairs : (f, g), f < g -> the products by pair of levels, with keys row * J_g + column
    rows : the fingerprint of the rows
    """

    n: int
    A: FloatArray
    factors: tuple[FactorSums, ...]
    pairs: dict[tuple[int, int], Keyed]
    sum_log_weights: float = 0.0
    rows: int = 0

    @classmethod
    def of(
        cls, products: CrossProducts, levels: Sequence[IntArray], n_levels: Sequence[int], rows: int = 0
    ) -> "PartialProducts":
        """
        Place the products of a part of the rows among those of all rows.

        levels : per factor, the number among all levels of each level that the part knows
        n_levels : per factor, the number of all levels
        """
        factors = tuple(
            FactorSums(factor.group, factor.terms, factor.sizes, size, Keyed.of(own, _flat(factor.C, factor.B)))
            for factor, own, size in zip(products.factors, levels, n_levels, strict=True)
        )
        pairs = {
            (f, g): Keyed.of(levels[f][pair.rows] * n_levels[g] + levels[g][pair.columns], _flat(pair.values))
            for (f, g), pair in products.pairs.items()
        }
        return cls(products.n, products.A, factors, pairs, products.sum_log_weights, rows)

    def __add__(self, other: "PartialProducts") -> "PartialProducts":
        factors = tuple(
            FactorSums(a.group, a.terms, a.sizes, a.n_levels, a.by_level + b.by_level)
            for a, b in zip(self.factors, other.factors, strict=True)
        )
        return PartialProducts(
            n=self.n + other.n,
            A=self.A + other.A,
            factors=factors,
            pairs={key: self.pairs[key] + other.pairs[key] for key in self.pairs},
            sum_log_weights=self.sum_log_weights + other.sum_log_weights,
            rows=(self.rows + other.rows) % WORD,
        )

    @property
    def nbytes(self) -> int:
        """Memory that the sums take."""
        return sum(f.by_level.nbytes for f in self.factors) + sum(pair.nbytes for pair in self.pairs.values())

    def products(self, coordinates: Coordinates) -> CrossProducts:
        """Return the sums of all rows as cross-products, not yet whitened."""
        p = len(self.A) - 1
        factors = []
        for factor in self.factors:
            k, J = factor.k, factor.n_levels
            if len(factor.by_level.keys) < J:
                missing = J - len(factor.by_level.keys)
                raise FitError(
                    f"{missing} of the {J} levels of '{factor.group}' have no rows in the second pass",
                    hint="did the data change between the passes, or is a part missing?",
                )
            both = factor.by_level.values.reshape(k, k + p + 1, J)
            C, B = np.ascontiguousarray(both[:, :k]), np.ascontiguousarray(both[:, k:])
            factors.append(FactorProducts(factor.group, factor.terms, factor.sizes, C, B))
        return CrossProducts(
            n=self.n,
            p=p,
            A=self.A,
            factors=tuple(factors),
            pairs={(f, g): self._pair(f, g) for f, g in self.pairs},
            sum_log_weights=self.sum_log_weights,
            coordinates=coordinates,
        )

    def _pair(self, f: int, g: int) -> PairProducts:
        """Return the products of two factors; one is nested in the other if it has no more pairs than levels."""
        left, right, sums = self.factors[f], self.factors[g], self.pairs[f, g]
        rows, columns = np.divmod(sums.keys, right.n_levels)
        return PairProducts(
            rows,
            columns,
            sums.values.reshape(left.k, right.k, len(rows)),
            nested=len(rows) == left.n_levels,
            contains=len(rows) == right.n_levels,
        )

    def arrays(self) -> dict[str, AnyArray]:
        """Return the sums as named arrays, which `from_arrays` reads."""
        out: dict[str, AnyArray] = {"n": np.array(self.n), "A": self.A, "log": np.array(self.sum_log_weights)}
        out["rows"] = np.array(self.rows, dtype=np.uint64)
        for i, factor in enumerate(self.factors):
            out |= {f"factor{i}.keys": factor.by_level.keys, f"factor{i}.values": factor.by_level.values}
        for (f, g), pair in self.pairs.items():
            out |= {f"pair{f}.{g}.keys": pair.keys, f"pair{f}.{g}.values": pair.values}
        return out

    def about(self) -> list[dict[str, Any]]:
        """Say in JSON's types what the factors are."""
        return [{"group": f.group, "terms": f.terms, "sizes": f.sizes, "n_levels": f.n_levels} for f in self.factors]

    @classmethod
    def from_arrays(cls, arrays: dict[str, AnyArray], about: Sequence[dict[str, Any]]) -> "PartialProducts":
        """Return the sums that `arrays` and `about` describe."""
        factors = tuple(
            FactorSums(
                part["group"], tuple(part["terms"]), tuple(part["sizes"]), part["n_levels"],
                Keyed(arrays[f"factor{i}.keys"], arrays[f"factor{i}.values"]),
            )
            for i, part in enumerate(about)
        )  # fmt: skip
        count = len(factors)
        pairs = {
            (f, g): Keyed(arrays[f"pair{f}.{g}.keys"], arrays[f"pair{f}.{g}.values"])
            for g in range(count)
            for f in range(g)
        }
        return cls(int(arrays["n"]), arrays["A"], factors, pairs, float(arrays["log"]), int(arrays["rows"]))

    def save(self, path: str | Path) -> None:
        """Write the sums to `path`, an .npz file without pickles, with the factors beside them as JSON text."""
        import json

        write_files({path_of(path): as_arrays(about=np.array(json.dumps(self.about())), **self.arrays())})

    @classmethod
    def load(cls, path: str | Path) -> "PartialProducts":
        """Read what `save` wrote."""
        import json

        try:
            with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files if name != "about"}
                return cls.from_arrays(arrays, json.loads(str(stored["about"])))
        except Exception as error:
            raise FitError(f"{path} holds no sums that can be read: {error}") from error


def _flat(*arrays: FloatArray) -> FloatArray:
    """Put (a, b, J) arrays of the same a side by side, and flatten all but the last axis; J may be zero."""
    joined = np.concatenate(arrays, axis=1)
    a, b, J = joined.shape
    return joined.reshape(a * b, J)


class Summable(Protocol):
    """What can be added to its like."""

    def __add__(self, other: Self, /) -> Self: ...


S = TypeVar("S", bound=Summable)


@dataclass(slots=True)
class PairwiseSum(Generic[S]):
    """
    A sum formed in pairs, then pairs of pairs.

    Rounding grows with the logarithm of the number of summands, and large sums are merged seldom. The order is that of
    the summands, so the result is the same in every run.

    waiting : sums of 2^rank summands each, in falling order of rank

    >>> tally = PairwiseSum[int]()
    >>> for value in (1, 2, 3):
    ...     tally.add(value)
    >>> tally.total(), [rank for rank, _ in tally.waiting]
    (6, [1, 0])
    """

    waiting: list[tuple[int, S]] = field(default_factory=list)

    def add(self, value: S) -> None:
        """Add a summand behind the others."""
        rank = 0
        while self.waiting and self.waiting[-1][0] == rank:
            value = self.waiting.pop()[1] + value
            rank += 1
        self.waiting.append((rank, value))

    def total(self) -> S | None:
        """Return the sum of all, None of nothing."""
        found = None
        for _, value in reversed(self.waiting):
            found = value if found is None else value + found
        return found

    def __iter__(self) -> Iterator[S]:
        return (value for _, value in self.waiting)
