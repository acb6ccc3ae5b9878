"""
Arrays and what belongs to them in one netCDF file, which many programs read: of the classic kind, that SciPy writes.

Nothing in such a file can run. The header is JSON, an attribute of the file.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lmmformula.arrays import AnyArray
from lmmformula.errors import FitError

MAGIC = b"CDF"
"""First bytes of a classic netCDF file."""
MAGIC_OF_NETCDF4 = b"\x89HDF"
LARGEST = 2**32 - 8
"""Bytes of a variable that the classic layout can hold."""
HEADER = "lmmformula"


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
    from scipy.io import netcdf_file

    target = Path(path)
    partial = target.with_name(target.name + ".part")
    empty = {name: array.values.shape for name, array in arrays.items() if not array.values.size}
    for name, array in arrays.items():
        if array.values.nbytes > LARGEST:
            raise FitError(
                f"'{name}' has too many numbers for a file of this kind", hint="sample fewer draws, or thin=2"
            )
    try:
        with netcdf_file(str(partial), "w", version=2) as file:
            setattr(file, HEADER, json.dumps(dict(header) | {"empty": empty}))  # ASCII: the classic layout has no other
            for name, array in arrays.items():
                if name in empty:
                    continue
                for dimension, length in zip(array.dims, array.values.shape, strict=True):
                    if dimension not in file.dimensions:
                        file.createDimension(dimension, length)
                kind = "i" if array.values.dtype.kind in "iub" else "d"
                file.createVariable(name, kind, tuple(array.dims))[...] = array.values
        partial.replace(target)
    except (OSError, ValueError) as error:
        raise FitError(f"can't write {path}: {getattr(error, 'strerror', None) or error}") from None
    finally:
        _remove(partial)


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
        with netcdf_file(str(path), "r", mmap=False) as file:
            text = getattr(file, HEADER, None)
            arrays = {name: _native(variable.data) for name, variable in file.variables.items()}
    except OSError as error:
        raise FitError(f"can't read {path}: {error.strerror or error}") from None
    except Exception as error:  # whatever numpy and SciPy make of bytes that are none of theirs
        raise FitError(f"{path} is damaged: {type(error).__name__}") from error
    if text is None:
        raise FitError(f"{path} holds nothing that lmmformula has saved")
    try:
        header = json.loads(text)
        empty = {name: np.empty(shape) for name, shape in header.pop("empty").items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise FitError(f"{path} is damaged: its header can't be read") from None
    return header, arrays | empty


def _remove(path: Path) -> None:
    """Leave nothing half written behind."""
    try:
        path.unlink(missing_ok=True)
    except (OSError, ValueError):
        return


def _native(values: AnyArray) -> AnyArray:
    """Bring big-endian numbers into the machine's order."""
    return np.array(values, dtype=np.float64 if values.dtype.kind == "f" else np.intp)
