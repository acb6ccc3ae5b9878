"""Where else the optimiser of a structured model starts."""

import numpy as np
import pytest

import lmmformula as lf
from corpus import dataset
from lmmformula.fit.reml.problem import prepare
from lmmformula.fit.search.more_starts import lowest, more_starts


@pytest.mark.parametrize(
    ("random", "n"),
    [
        ("(Days | Subject)", 0),
        ("(Days || Subject)", 0),
        ("cs(Days | Subject)", 1),
        ("diag(Days | Subject) + (1 | g)", 3),
    ],
)
def test_structures_alone_have_more_starts(random: str, n: int) -> None:
    """All terms alike, and each of several alone; none where any covariance matrix may come out."""
    data = dataset("sleepstudy").assign(g=lambda d: d["Days"] % 4)
    problem = prepare(lf.Model(f"Reaction ~ Days + {random}", data).design, reml=True)
    found = list(more_starts(problem.terms, problem.by_factor, problem.parameters, lambda x: problem.evaluate(x).value))
    assert len(found) == n
    assert all(np.isfinite(problem.evaluate(x).value) for x in found)


def test_the_lowest_counts() -> None:
    """Starts that can't be computed are passed over, and rounding is no gain."""

    def descend(x: np.ndarray) -> tuple[float, str]:
        if x[0] < 0:
            raise np.linalg.LinAlgError
        return float(x[0]), f"at {x[0]:g}"

    starts = [np.array([v]) for v in (-1.0, 3.0, 2.0, 2.0 - 1e-9)]
    assert lowest("first", starts, descend, 2.5) == "at 2"
    assert lowest("first", starts, descend, 1.0) == "first"
