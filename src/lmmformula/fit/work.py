"""How much work a fit may take: counted, not timed, so that it is the same on every machine."""

from dataclasses import dataclass
from math import inf

from lmmformula.errors import FitError

EACH = 10_000
"""Work of a pass over no rows at all."""

SMALL = 20
"""Elements of the small matrices of a level whose handling doubles that."""

DENSE = 100
"""Products of elements of a large dense matrix that cost as much as a row."""


class OutOfWork(FitError):  # noqa: N818 (it is a limit, and nobody's error)
    """A fit took more work than it was allowed."""


@dataclass(slots=True)
class Budget:
    """
    Work that is left: rows passed over, each counted once for every column that it meets.

    left : no limit by default
    """

    left: float = inf

    def spend(self, work: float) -> None:
        """
        Take work away.

        Raises
        ------
        OutOfWork
            Nothing is left.
        """
        self.left -= work
        if self.left < 0:
            raise OutOfWork("the fit takes more work than it was allowed")


def work_of(rows: int, columns: int, eliminated: int = 0, dense: int = 0) -> float:
    """
    Return the work of one pass over the rows, and of what is solved after it.

    columns : random-effects columns that each row meets
    eliminated, dense : numbers of effects that are eliminated level by level, and of all others together

    >>> work_of(20_000, 2), work_of(120, 1)
    (71509.0, 10741.0)
    """
    elements = columns * (columns + 1) / 2
    small = EACH * (1 + elements / SMALL) + elements**2
    return small + rows * (1 + columns) + dense**2 * (eliminated + dense) / DENSE
