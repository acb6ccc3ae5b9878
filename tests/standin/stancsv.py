"""Stan CSV, the file format of CmdStan's draws: comments with the configuration, a header, rows, adaptation, times."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

VERSION = ("stan_version_major = 2", "stan_version_minor = 37", "stan_version_patch = 0")
"""What executables and files say of their version."""


@dataclass(frozen=True, slots=True)
class Chain:
    """
    What one chain of a sampler leaves behind.

    columns : names in bracket form, sampler columns (`lp__`, ...) first
    rows : (saved warm-up + draws, columns)
    n_warmup : rows of the warm-up among them
    step_size, inverse_metric : after warm-up; (n,) or (n, n), None for the unit metric
    seconds : of warm-up and of sampling
    """

    columns: tuple[str, ...]
    rows: NDArray[np.float64]
    n_warmup: int
    step_size: float
    inverse_metric: NDArray[np.float64] | None
    seconds: tuple[float, float]


def comments(lines: list[str]) -> str:
    """Put `# ` before every line."""
    return "".join(f"# {line}\n" for line in lines)


def preamble(model: str, configuration: list[str]) -> str:
    """Write the comments that open a file: versions, model and the whole command line."""
    now = f"start_datetime = {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return comments(
        [*VERSION, f"model = {model}", now, *configuration, "stanc_version = stanc3 v2.37.0", "stancflags = "]
    )


def header(columns: tuple[str, ...]) -> str:
    """Name the columns in dot form: `B[1,2]` is `B.1.2`."""
    return ",".join(re.sub(r"[\[,]", ".", name).replace("]", "") for name in columns) + "\n"


def write_rows(stream: TextIO, rows: NDArray[np.float64], digits: int) -> None:
    """Write numbers with a number of significant digits."""
    np.savetxt(stream, rows, fmt=f"%.{digits}g", delimiter=",")


def write_chain(path: Path, opening: str, chain: Chain, digits: int) -> None:
    """Write one chain: saved warm-up, what adaptation ended with, draws, times."""
    with path.open("w", encoding="utf-8") as stream:
        stream.write(opening + header(chain.columns))
        write_rows(stream, chain.rows[: chain.n_warmup], digits)
        stream.write(comments(["Adaptation terminated", f"Step size = {chain.step_size:.6g}", *metric_lines(chain)]))
        write_rows(stream, chain.rows[chain.n_warmup :], digits)
        stream.write(comments(["", *elapsed(chain.seconds), ""]))


def metric_lines(chain: Chain) -> list[str]:
    """Say which inverse metric the warm-up ended with."""
    if chain.inverse_metric is None:
        return ["No free parameters for unit metric"]
    diagonal = chain.inverse_metric.ndim == 1
    title = "Diagonal elements of inverse mass matrix:" if diagonal else "Elements of inverse mass matrix:"
    return [title, *(", ".join(f"{x:.6g}" for x in row) for row in np.atleast_2d(chain.inverse_metric))]


def elapsed(seconds: tuple[float, float], parts: tuple[str, str] = ("Warm-up", "Sampling")) -> list[str]:
    """Say how long the two parts of a run and both took."""
    first, second = seconds
    margin = " " if parts[0] == "Warm-up" else ""  # Pathfinder's lines stand one column further left
    return [
        f"{margin}Elapsed Time: {first:.3f} seconds ({parts[0]})",
        f"{margin}              {second:.3f} seconds ({parts[1]})",
        f"{margin}              {first + second:.3f} seconds (Total)",
    ]


def read_rows(path: Path) -> tuple[list[str], NDArray[np.float64]]:
    """Read column names and all rows, saved warm-up included."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return lines[0].split(","), np.loadtxt(io.StringIO("\n".join(lines[1:])), delimiter=",", ndmin=2)
