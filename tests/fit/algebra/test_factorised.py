"""Every elimination against dense matrices."""

from itertools import combinations

import numpy as np
import pytest

from lmmformula.fit.algebra.border import largest
from lmmformula.fit.algebra.crossed import Crossed
from lmmformula.fit.algebra.dense import Dense
from lmmformula.fit.algebra.effects import Effects, rows_of
from lmmformula.fit.algebra.factorised import Elimination
from lmmformula.fit.algebra.gram import Gram, Pair
from lmmformula.fit.algebra.nested import Nested, chain_of
from lmmformula.fit.algebra.single import Single
from lmmformula.fit.algebra.sparse import Sparse

N = 600


def gram_of(codes: list[np.ndarray], sizes: list[int], rng: np.random.Generator) -> Gram:
    """Return Z'WZ of some factors with random columns and weights."""
    w = rng.uniform(0.2, 2, N)
    columns, levels = [rng.normal(size=(k, N)) for k in sizes], [int(c.max()) + 1 for c in codes]
    own = tuple(
        np.array([[np.bincount(c, w * a * b, J) for b in Z] for a in Z])
        for c, Z, J in zip(codes, columns, levels, strict=True)
    )
    pairs = {}
    for f, g in combinations(range(len(codes)), 2):
        found, cells = np.unique(codes[f] * levels[g] + codes[g], return_inverse=True)
        rows, others = np.divmod(found, levels[g])
        values = np.array([[np.bincount(cells, w * a * b, len(rows)) for b in columns[g]] for a in columns[f]])
        nested, contains = len(rows) == levels[f], len(rows) == levels[g]
        pairs[f, g] = Pair((levels[f], levels[g]), rows, others, values, nested, contains)
    return Gram(own, pairs)


def factors(kind: str, rng: np.random.Generator) -> tuple[list[np.ndarray], list[int]]:
    """Return levels of the rows, and numbers of coefficients."""
    fine = rng.permutation(np.arange(N) % 60)
    b, c = rng.integers(0, 12, N), rng.integers(0, 7, N)
    return {
        "single": ([fine], [2]),
        "finest first": ([fine, fine // 4, fine // 20], [1, 2, 1]),
        "coarsest first": ([fine // 20, fine, fine // 4], [1, 2, 1]),
        "crossed": ([fine, b, c], [2, 1, 2]),
        "largest last": ([c, b, fine], [1, 2, 1]),
        "two": ([b, fine], [2, 1]),
        "nested and crossed": ([fine, fine // 4, b], [1, 1, 2]),
    }[kind]


def eliminations(gram: Gram) -> dict[str, Elimination]:
    """Return all that there are for a gram."""
    if len(gram.own) == 1:
        return {"single": Single()}
    first, chain = largest(gram), chain_of(gram)
    out: dict[str, Elimination] = {
        "dense": Dense.of(gram),
        "crossed, once": Crossed.of(gram, first, often=False),
        "crossed, often": Crossed.of(gram, first, often=True),
        "sparse": Sparse.of(gram, first),
    }
    return out if chain is None else out | {"nested": Nested.of(gram, chain, often=False)}


def dense_matrices(gram: Gram, roots: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[slice, ...]]:
    """Return C, M, V, and the rows of each factor."""
    plan = Dense.of(gram)
    C = plan.matrix(gram)
    root = np.zeros_like(C)
    for here, T in zip(plan.places, roots, strict=True):
        root[here, here] = np.kron(T, np.eye((here.stop - here.start) // len(T)))
    M = np.eye(len(C)) + root.T @ C @ root
    return C, M, root @ np.linalg.solve(M, root.T), plan.places


CASES = [
    (kind, singular)
    for kind in ("single", "finest first", "coarsest first", "crossed", "largest last", "two", "nested and crossed")
    for singular in (False, True)
]


@pytest.mark.parametrize(("kind", "singular"), CASES)
def test_every_elimination_is_that_of_dense_matrices(kind: str, *, singular: bool) -> None:
    """Log determinant, products with V, its blocks in all cells, and sums of K, for regular and singular roots."""
    rng = np.random.default_rng(5)
    gram = gram_of(*factors(kind, rng), rng)
    roots = [np.tril(rng.normal(size=(k, k))) for k, _ in gram.shapes]
    for T in roots:
        if singular and len(T) == 2:
            T[:, -1] = 0.0
    C, M, V, places = dense_matrices(gram, roots)
    K = C - C @ V @ C
    right = Effects(tuple(rng.normal(size=(k, 3, J)) for k, J in gram.shapes))
    stacked = np.concatenate([rows_of(part) for part in right.parts])
    for name, way in eliminations(gram).items():
        found = way.factor(gram, roots)
        sums = found.level_sums()
        moved = 1e-11 if name != "sparse" else 2e-4 if singular else 1e-7  # differences of log|M|
        assert found.log_det == pytest.approx(np.linalg.slogdet(M)[1], rel=1e-12)
        applied = np.concatenate([rows_of(part) for part in found.apply(right).parts])
        np.testing.assert_allclose(applied, V @ stacked, atol=1e-12)
        np.testing.assert_allclose(
            np.concatenate([rows_of(part) for part in gram.times(right).parts]), C @ stacked, atol=1e-10
        )
        for f, (k, J) in enumerate(gram.shapes):
            block = V[places[f], places[f]].reshape(k, J, k, J)
            np.testing.assert_allclose(found.diagonal_blocks()[f], np.einsum("ajbj->abj", block), atol=1e-12)
            total = np.einsum("ajbj->ab", K[places[f], places[f]].reshape(k, J, k, J))
            for each, exact in ((sums[f], moved if singular else 1e-11), (found.sum_K(f), moved)):
                np.testing.assert_allclose(each, total, rtol=exact, atol=exact * np.abs(total).max())
        for (f, g), pair in gram.pairs.items():
            (k, J), (h, H) = gram.shapes[f], gram.shapes[g]
            cells = V[places[f], places[g]].reshape(k, J, h, H)[:, pair.rows, :, pair.columns].transpose(1, 2, 0)
            np.testing.assert_allclose(found.link_blocks(f, g), cells, atol=1e-12)


def test_a_matrix_that_is_not_positive_definite_is_refused() -> None:
    """Negative weights make M indefinite in each elimination."""
    rng = np.random.default_rng(6)
    for kind in ("single", "finest first", "crossed"):
        plain = gram_of(*factors(kind, rng), rng)
        gram = Gram(
            tuple(-C for C in plain.own), {key: pair.replaced(-pair.values) for key, pair in plain.pairs.items()}
        )
        for way in eliminations(gram).values():
            with pytest.raises(np.linalg.LinAlgError):
                way.factor(gram, [np.eye(k) for k, _ in gram.shapes])
