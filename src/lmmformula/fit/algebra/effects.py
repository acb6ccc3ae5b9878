"""Vectors with an entry for each random effect, several side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import FloatArray

Roots = Sequence[FloatArray]
"""Per factor, a (k, k) matrix T with TT' = Sigma; it may be singular."""


@dataclass(frozen=True, slots=True)
class Effects:
    """
    Some vectors side by side.

    parts : per factor, (k, w, J): coefficient, vector, level
    """

    parts: tuple[FloatArray, ...]

    @property
    def width(self) -> int:
        """Number w of vectors."""
        return int(self.parts[0].shape[1])

    def __add__(self, other: "Effects") -> "Effects":
        return Effects(tuple(a + b for a, b in zip(self.parts, other.parts, strict=True)))

    def __sub__(self, other: "Effects") -> "Effects":
        return Effects(tuple(a - b for a, b in zip(self.parts, other.parts, strict=True)))

    def __rmul__(self, factor: float) -> "Effects":
        return Effects(tuple(factor * a for a in self.parts))

    def times(self, matrix: FloatArray) -> "Effects":
        """Return the combinations of the vectors by the columns of a (w, v) matrix."""
        return Effects(tuple(np.matmul(matrix.T, part) for part in self.parts))

    def gram(self, other: "Effects") -> FloatArray:
        """Return (w, v) inner products."""
        out = np.zeros((self.width, other.width))
        for a, b in zip(self.parts, other.parts, strict=True):
            out += np.tensordot(a, b, axes=((0, 2), (0, 2)))
        return out

    def dot(self, other: "Effects") -> float:
        """Return the sum of the products of all entries."""
        return sum(float(np.vdot(a, b)) for a, b in zip(self.parts, other.parts, strict=True))

    def by(self, matrices: Sequence[FloatArray]) -> "Effects":
        """Return the products of the factors' own (k, k) matrices with the vectors, level by level."""
        return Effects(
            tuple(
                np.tensordot(matrix, part, axes=1) if len(matrix) != 1 else float(matrix[0, 0]) * part
                for matrix, part in zip(matrices, self.parts, strict=True)
            )
        )


def nothing(shapes: Sequence[tuple[int, int]], width: int = 1) -> Effects:
    """Return zeros for factors of (k, J)."""
    return Effects(tuple(np.zeros((k, width, J)) for k, J in shapes))


def rows_of(part: FloatArray) -> FloatArray:
    """Return (k J, w) of (k, w, J): coefficient a of level j in row a J + j."""
    k, w, J = part.shape
    return np.ascontiguousarray(part.transpose(0, 2, 1)).reshape(k * J, w)


def part_of(rows: FloatArray, k: int) -> FloatArray:
    """Return (k, w, J) of (k J, w) rows."""
    return np.ascontiguousarray(rows.reshape(k, len(rows) // k, -1).transpose(0, 2, 1))
