"""Draws that CmdStan has written, read from its files; a file may be cut off where a process was ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import EngineError
from lmmformula.stan.engines.interrupted import usable_chains


def complete_rows(path: Path) -> tuple[str, list[str]]:
    """Return the header of a file and its complete rows; both are empty where the file has none."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    lines = text[: text.rfind("\n") + 1].splitlines()
    header, *rows = [line for line in lines if line and not line.startswith("#")] or [""]
    return header, [row for row in rows if row.count(",") == header.count(",")]


def read_chains(files: Sequence[Path]) -> tuple[dict[str, FloatArray], list[int]]:
    """
    Read the draws of some chains, as many of each as keep most in all.

    Returns column groups, variable -> (chains, draws, ...), those of the algorithm with their `__`, and the positions
    of the chains that are kept.
    """
    contents = [complete_rows(file) for file in files]
    chains, draws = usable_chains([len(rows) for _, rows in contents])
    if not chains:
        return {}, []
    rows = [row for chain in chains for row in contents[chain][1][:draws]]
    try:
        table = np.loadtxt(rows, delimiter=",", ndmin=2)
    except ValueError as error:
        raise EngineError(f"CmdStan has written draws that can't be read: {error}") from error
    return variables_of(contents[chains[0]][0], table, len(chains)), chains


def variables_of(header: str, table: FloatArray, chains: int) -> dict[str, FloatArray]:
    """
    Gather the columns of each variable: (chains, draws, ...).

    header : names of columns, `u.1.2` for an element
    table : (chains * draws, columns), chain by chain
    """
    import stanio

    found = {name: np.asarray(v.extract_reshape(table)) for name, v in stanio.parse_header(header).items()}
    return {name: values.reshape(chains, -1, *values.shape[1:]) for name, values in found.items()}


@dataclass(slots=True)
class Growing:
    """
    A file that a chain is writing, of which only what is new is read each time.

    divergent : divergent draws that it holds, as of the last look
    """

    path: Path
    divergent: int = 0
    _offset: int = 0
    _column: int = -1

    def look(self) -> None:
        """Count the divergent draws that have come."""
        try:
            with self.path.open("rb") as stream:
                stream.seek(self._offset)
                new = stream.read()
        except OSError:  # not there yet
            return
        new = new[: new.rfind(b"\n") + 1]
        self._offset += len(new)
        for line in new.decode("utf-8", "replace").splitlines():
            cells = line.split(",")
            if line.startswith("#") or len(cells) == 1:
                continue
            if self._column < 0:
                self._column = cells.index("divergent__") if "divergent__" in cells else len(cells)
            elif self._column < len(cells):
                self.divergent += cells[self._column].strip() == "1"
