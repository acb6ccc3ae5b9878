"""The laws of sums: they may be added in any order, grouped in any way, and nothing adds nothing."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lmmformula.design.columns.summaries import SampleMoments
from lmmformula.design.sums.added import Keyed, PairwiseSum

WHOLE = st.integers(-1000, 1000).map(float)  # sums of whole numbers are exact, so that laws hold to the bit


@st.composite
def keyed(draw: st.DrawFn) -> Keyed:
    """Draw sums of two numbers for some keys."""
    keys = sorted(draw(st.sets(st.integers(0, 12))))
    values = draw(hnp.arrays(np.float64, (2, len(keys)), elements=WHOLE))
    return Keyed(np.array(keys, dtype=np.intp), values)


def same(a: Keyed, b: Keyed) -> bool:
    """Whether two sums are equal."""
    return np.array_equal(a.keys, b.keys) and np.array_equal(a.values, b.values)


NOTHING = Keyed(np.empty(0, dtype=np.intp), np.empty((2, 0)))


@given(keyed(), keyed(), keyed())
def test_sums_by_key_are_a_commutative_monoid(a: Keyed, b: Keyed, c: Keyed) -> None:
    """Associative, commutative, with a neutral element."""
    assert same((a + b) + c, a + (b + c))
    assert same(a + b, b + a)
    assert same(a + NOTHING, a)


@given(keyed(), keyed())
def test_every_key_has_its_sum(a: Keyed, b: Keyed) -> None:
    """Each key of either side is there once, with the sum of both sides."""
    total = dict(zip((a + b).keys.tolist(), (a + b).values.T.tolist(), strict=True))
    sides = [dict(zip(s.keys.tolist(), s.values.T, strict=True)) for s in (a, b)]
    assert total.keys() == sides[0].keys() | sides[1].keys()
    for key, value in total.items():
        assert value == sum(side[key] for side in sides if key in side).tolist()  # type: ignore[union-attr]


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=40))
def test_a_tally_is_a_sum(values: list[int]) -> None:
    """Whatever the number of summands, each is counted once; few sums wait."""
    tally = PairwiseSum[int]()
    for value in values:
        tally.add(value)
    assert tally.total() == sum(values)
    assert len(tally.waiting) == len(values).bit_count()


@given(st.lists(hnp.arrays(np.float64, st.integers(0, 9), elements=WHOLE), min_size=1, max_size=8))
def test_moments_of_parts_are_those_of_all(parts: list[np.ndarray]) -> None:
    """Numbers, mean, squared deviations and range, by Chan's formula and at once."""
    total = SampleMoments()
    for part in parts:
        total = total + SampleMoments.of(part)
    whole = SampleMoments.of(np.concatenate(parts))
    assert (total.n, total.lowest, total.highest) == (whole.n, whole.lowest, whole.highest)
    np.testing.assert_allclose(total.mean, whole.mean, atol=1e-9)
    np.testing.assert_allclose(total.squares, whole.squares, rtol=1e-9, atol=1e-6)
