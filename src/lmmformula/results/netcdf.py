"""
Arrays and what belongs to them in one netCDF file, which many programs read: of the classic kind, that SciPy writes.

Nothing in such a file can run. The header is JSON, an attribute of the file.
"""

import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any
from zlib import crc32

import numpy as np

from lmmformula.arrays import AnyArray
from lmmformula.conform import is_shape
from lmmformula.errors import FitError, printable
from lmmformula.files import path_of, write_files

MAGIC = b"CDF"
"""First bytes of a classic netCDF file."""
MAGIC_OF_NETCDF4 = b"\x89HDF"
LARGEST = 2**32 - 8
"""Bytes of a variable that the classic layout can hold."""
HEADER, CHECKSUM = "lmmformula", "lmmformula_checksum"


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """
    An array with the names of its dimensions.

    dims : one for each axis; two arrays that share one have the same length there
    """

    dims: Sequence[str]
    values: AnyArray


def write_netcdf(path: str | os.PathLike[str], header: Mapping[str, Any], arrays: Mapping[str, Named]) -> None:
    """
    Write a file; one of that name is replaced when the new one is complete.

    arrays : floating-point numbers, or whole ones below 2^31

    Raises
    ------
    FitError
        The file can't be written.
    """
    empty = {name: array.values.shape for name, array in arrays.items() if not array.values.size}
    for name, array in arrays.items():
        if array.values.nbytes > LARGEST:
            raise FitError(
                f"'{name}' has too many numbers for a file of this kind", hint="sample fewer draws, or thin=2"
            )
    stored = {name: array.values.astype(_kind(array.values)) for name, array in arrays.items() if name not in empty}
    content = json.dumps(dict(header) | {"empty": empty})  # ASCII: the classic layout has no other text

    def write(stream: IO[bytes]) -> None:
        from scipy.io import netcdf_file

        # a stream of its own, since SciPy closes what it has written
        with open(stream.fileno(), "wb", closefd=False) as own, netcdf_file(own, "w", version=2) as file:
            setattr(file, HEADER, content)
            setattr(file, CHECKSUM, str(_checksum(content, stored)))
            for name, values in stored.items():
                dims = tuple(arrays[name].dims)
                for dimension, length in zip(dims, values.shape, strict=True):
                    if dimension not in file.dimensions:
                        file.createDimension(dimension, length)
                file.createVariable(name, values.dtype, dims)[...] = values

    write_files({path_of(path): write})


def read_netcdf(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, AnyArray]]:
    """
    Read the header and the arrays of a file that `write_netcdf` wrote.

    Raises
    ------
    FitError
        It can't be read, is damaged, or another program's.
    """
    from scipy.io import netcdf_file

    try:
        with _Held(io.FileIO(path_of(path))) as held, netcdf_file(held, "r", mmap=False) as file:
            text, checksum = getattr(file, HEADER, None), getattr(file, CHECKSUM, b"")
            stored = {name: variable.data for name, variable in file.variables.items()}
    except OSError as error:
        raise FitError(f"can't read {printable(str(path))}: {error.strerror or error}") from None
    except Exception as error:  # whatever numpy and SciPy make of bytes that are none of theirs
        raise FitError(f"{path} is damaged: {type(error).__name__}") from error
    if text is None:
        raise FitError(f"{path} holds nothing that lmmformula has saved")
    try:
        content = text.decode()
        whole = int(checksum) == _checksum(content, stored)
        header = json.loads(content)
        empty = {name: _empty(shape) for name, shape in header.pop("empty").items()}
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError):
        whole = False
    if not whole:
        raise FitError(f"{path} is damaged: it does not hold what was written to it")
    native = {"f": np.float64, "i": np.intp}
    return header, {name: np.array(values, dtype=native[values.dtype.kind]) for name, values in stored.items()} | empty


class _Held(io.BufferedReader):
    """A file that gives no more than it holds, and takes no memory for more, whatever its header says."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes."""
        left = max(os.fstat(self.fileno()).st_size - self.tell(), 0)
        return super().read(left if size is None or size < 0 else min(size, left))


def _empty(shape: list[int]) -> AnyArray:
    """Return an array with nothing in it."""
    if not is_shape(shape, 0):
        raise ValueError("an array of this shape is not empty")
    return np.empty(shape)


def _kind(values: AnyArray) -> str:
    """Name the type that an array has in the file, whose numbers are big-endian."""
    return ">i4" if values.dtype.kind in "iub" else ">f8"


def _checksum(content: str, stored: Mapping[str, AnyArray]) -> int:
    """Sum up all that a file holds, so that a damaged one is known."""
    found = crc32(content.encode())
    for name in sorted(stored):
        found = crc32(np.ascontiguousarray(stored[name]).tobytes(), crc32(name.encode(), found))
    return found
