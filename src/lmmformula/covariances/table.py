"""The covariance structures by name: the functions that may stand around a random-effects term."""

from collections.abc import Mapping
from typing import Any

from lmmformula.covariances.autoregressive import Autoregressive
from lmmformula.covariances.compound_symmetry import CompoundSymmetry
from lmmformula.covariances.diagonal import Diagonal
from lmmformula.covariances.structure import Covariance
from lmmformula.covariances.unstructured import Unstructured

STRUCTURES: dict[str, type[Covariance]] = {
    structure.name: structure for structure in (Unstructured, Diagonal, CompoundSymmetry, Autoregressive)
}


def covariance(name: str = "us", *, homogeneous: bool = False) -> Covariance:
    """
    Return a structure by its name.

    >>> covariance("cs", homogeneous=True)
    CompoundSymmetry(homogeneous=True)
    """
    return STRUCTURES[name](homogeneous)


def of_record(record: Mapping[str, Any]) -> Covariance:
    """Return the structure that a file kept, as `Covariance.record` wrote it; KeyError or TypeError for another."""
    if not isinstance(record["homogeneous"], bool):
        raise TypeError("homogeneous")
    return covariance(record["structure"], homogeneous=record["homogeneous"])
