"""
Small linear algebra on many blocks at once: component axes first, the blocks along the last axis.

A Cholesky factor of 50 000 2 x 2 blocks is six vector operations this way, where a loop over blocks would make 50 000
calls. Symmetric and triangular blocks are packed, (k (k+1) / 2, J): element (i, j), i >= j, is in row
packed_index(k)[i, j].
"""

from functools import cache

import numpy as np

from lmmformula.arrays import FloatArray, IntArray

LARGE = 50
"""Coefficients beyond which blocks are treated one by one: what is fast for many small ones takes k^4 numbers."""


@cache
def lower(k: int) -> tuple[IntArray, IntArray]:
    """Return rows and columns of the packed elements of a (k, k) symmetric matrix."""
    rows, columns = np.tril_indices(k)
    return rows, columns


@cache
def packed_index(k: int) -> IntArray:
    """
    Return the (k, k) positions of the elements of a packed symmetric matrix.

    >>> packed_index(3)
    array([[0, 1, 3],
           [1, 2, 4],
           [3, 4, 5]])
    """
    index = np.empty((k, k), dtype=np.intp)
    low = lower(k)
    index[low] = np.arange(len(low[0]))
    index.T[low] = index[low]
    return index


def pack(blocks: FloatArray) -> FloatArray:
    """Return the lower triangles of (k, k, J) blocks, packed."""
    return np.ascontiguousarray(blocks[lower(len(blocks))])


def unpack(packed: FloatArray) -> FloatArray:
    """Return the (k, k, ...) symmetric blocks of packed ones."""
    k = int((2 * len(packed)) ** 0.5)
    out: FloatArray = packed[packed_index(k)]
    return out


def penalized(T: FloatArray, packed: FloatArray) -> FloatArray:
    """Return packed T'CT + I of packed blocks C."""
    k = len(T)
    if k > LARGE:
        M = pack(multiply(T.T, multiply(T.T, unpack(packed)).transpose(1, 0, 2)))
    else:
        M = congruence_matrix(T) @ packed
    M[np.diag(packed_index(k))] += 1.0
    return M


def congruence_matrix(T: FloatArray) -> FloatArray:
    """Return the matrix D with pack(T'CT) = D @ pack(C) for every symmetric C."""
    k = len(T)
    rows, columns = lower(k)
    index = packed_index(k)
    D = np.zeros((len(rows), len(rows)))
    products = T[:, rows][:, None, :] * T[:, columns][None, :, :]  # [a, b, (i, j)] = T_ai T_bj
    for a in range(k):
        for b in range(k):
            D[:, index[a, b]] += products[a, b]
    return D


def cholesky(M: FloatArray) -> FloatArray:
    """
    Replace packed positive definite blocks by their lower Cholesky factors, in place.

    Raises numpy's LinAlgError where a pivot is not positive.
    """
    k = int((2 * len(M)) ** 0.5)
    if k > LARGE:
        L: FloatArray = np.linalg.cholesky(unpack(M).transpose(2, 0, 1)).astype(np.float64, copy=False)
        M[...] = pack(L.transpose(1, 2, 0))
        return M
    index = packed_index(k)
    for j in range(k):
        pivot = M[index[j, j]]
        for c in range(j):
            pivot -= M[index[j, c]] ** 2
        if not bool((pivot > 0).all()):
            raise np.linalg.LinAlgError("a block is not positive definite")
        np.sqrt(pivot, out=pivot)
        for i in range(j + 1, k):
            row = M[index[i, j]]
            for c in range(j):
                row -= M[index[i, c]] * M[index[j, c]]
            row /= pivot
    return M


def log_det_factor(L: FloatArray) -> float:
    """Return the sum over blocks of log det L."""
    k = int((2 * len(L)) ** 0.5)
    index = packed_index(k)
    total = 0.0
    for j in range(k):
        total += float(np.log(L[index[j, j]]).sum())
    return total


def solve_lower(L: FloatArray, right: FloatArray) -> FloatArray:
    """Replace (k, w, J) right-hand sides by L^-1 right, in place."""
    if len(right) > LARGE:
        right[...] = np.linalg.solve(_triangular(L), right.transpose(2, 0, 1)).transpose(1, 2, 0)
        return right
    index = packed_index(len(right))
    for i in range(len(right)):
        for c in range(i):
            right[i] -= L[index[i, c]] * right[c]
        right[i] /= L[index[i, i]]
    return right


def solve_upper(L: FloatArray, right: FloatArray) -> FloatArray:
    """Replace (k, w, J) right-hand sides by L^-T right, in place."""
    k = len(right)
    if k > LARGE:
        right[...] = np.linalg.solve(_triangular(L).transpose(0, 2, 1), right.transpose(2, 0, 1)).transpose(1, 2, 0)
        return right
    index = packed_index(k)
    for i in reversed(range(k)):
        for c in range(i + 1, k):
            right[i] -= L[index[c, i]] * right[c]
        right[i] /= L[index[i, i]]
    return right


def _triangular(L: FloatArray) -> FloatArray:
    """Return (J, k, k) lower triangular matrices of packed ones."""
    return np.tril(unpack(L).transpose(2, 0, 1))


def multiply(left: FloatArray, blocks: FloatArray) -> FloatArray:
    """Return left @ block for one (a, k) matrix and all (k, w, J) blocks."""
    flat: FloatArray = left @ blocks.reshape(len(blocks), -1)
    return flat.reshape(len(left), *blocks.shape[1:])


def times(blocks: FloatArray, right: FloatArray) -> FloatArray:
    """Return block @ right for all (k, w, J) blocks and one (w, v) matrix."""
    out: FloatArray = np.matmul(right.T, blocks)
    return out


def gram(blocks: FloatArray) -> FloatArray:
    """Return packed block' block of (a, k, J) blocks."""
    k = blocks.shape[1]
    rows, columns = lower(k)
    out = np.empty((len(rows), blocks.shape[2]))
    for position, (i, j) in enumerate(zip(rows, columns, strict=True)):
        np.einsum("aj,aj->j", blocks[:, i], blocks[:, j], out=out[position])
    return out


def products(left: FloatArray, right: FloatArray) -> FloatArray:
    """Return left_j right_j for (a, k, J) and (k, b, J) blocks."""
    if left.shape[1] == 1:
        return left * right
    if left.shape[1] > LARGE:
        out: FloatArray = np.matmul(left.transpose(2, 0, 1), right.transpose(2, 0, 1)).transpose(1, 2, 0)
        return out
    return einsum("akj,kbj->abj", left, right)


def cross(left: FloatArray, right: FloatArray) -> FloatArray:
    """Return left_j' right_j for (k, a, J) and (k, b, J) blocks."""
    return products(left.transpose(1, 0, 2), right)


def segment_sums(array: FloatArray, starts: IntArray) -> FloatArray:
    """Return sums of neighbours along the last axis, from each start to the next."""
    out: FloatArray = np.add.reduceat(array, starts, axis=-1)
    return out


def kron_rows(left: FloatArray, rows: FloatArray) -> FloatArray:
    """Return (left (x) I) rows for (k, k) left and (k J, w) rows, coefficient by coefficient."""
    if len(left) == 1:
        return float(left[0, 0]) * rows
    out: FloatArray = left @ rows.reshape(len(left), -1)
    return out.reshape(rows.shape)


def kron_columns(columns: FloatArray, right: FloatArray) -> FloatArray:
    """Return columns (right (x) I) for (w, k J) columns and (k, k) right, coefficient by coefficient."""
    J = columns.shape[1] // len(right)
    out = np.zeros(columns.shape)
    for a, b in np.argwhere(right != 0.0):
        out[:, b * J : (b + 1) * J] += right[a, b] * columns[:, a * J : (a + 1) * J]
    return out


def spread(out: FloatArray, rows: IntArray, columns: IntArray, values: FloatArray) -> None:
    """Write (a, b, m) blocks into a (a J, b H) matrix, coefficient by coefficient."""
    a, b, _ = values.shape
    view = out.reshape(a, len(out) // a, b, out.shape[1] // b)
    for i in range(a):
        for j in range(b):
            view[i, rows, j, columns] = values[i, j]


def mirror(matrix: FloatArray) -> FloatArray:
    """Copy the lower triangle of a square matrix to the upper one, in place, tile by tile."""
    tile = 256
    for start in range(0, len(matrix), tile):
        end = start + tile
        corner = matrix[start:end, start:end]
        corner[...] = np.tril(corner) + np.tril(corner, -1).T
        matrix[start:end, end:] = matrix[end:, start:end].T
    return matrix


def einsum(subscripts: str, *operands: FloatArray) -> FloatArray:
    """Return np.einsum, without a search for an order of contraction."""
    out: FloatArray = np.einsum(subscripts, *operands)
    return out


def contract(subscripts: str, *operands: FloatArray) -> FloatArray:
    """Return np.einsum by matrix products where they do."""
    out: FloatArray = np.einsum(subscripts, *operands, optimize=True)
    return out


def solve(left: FloatArray, right: FloatArray) -> FloatArray:
    """Return left^-1 right for one small (k, k) matrix."""
    out: FloatArray = np.linalg.solve(left, right).astype(np.float64, copy=False)
    return out
