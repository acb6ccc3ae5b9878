"""
A pass over data in parts, kept on disk so that a run that was stopped goes on where it was.

The sums and the number of parts that are in them stand in one file, which is replaced as a whole: what is counted is
counted once. The first pass is kept when it is complete.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lmmformula.design.parts.second_pass import FirstPass
from lmmformula.design.sums.added import PairwiseSum, PartialProducts
from lmmformula.errors import DataError, printable
from lmmformula.files import as_arrays, as_text, write_files

SHARE = 20
"""A part of the run's time, one in so many, is spent on saving."""


class Checkpoint:
    """
    The files of one run: `first_pass.json`, `sample.npz` and `sums.npz`.

    folder : where they are; made if it isn't there
    identity : of model and data; another run's files are refused
    """

    def __init__(self, folder: str | os.PathLike[str], identity: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        text = json.dumps(identity, sort_keys=True, default=str)
        self.identity = hashlib.sha256(text.encode()).hexdigest()
        self.done = 0
        self.took = 0.0
        self.last = 0.0
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DataError(f"checkpoint '{printable(str(folder))}': {reason}") from None

    def first_pass(self) -> FirstPass | None:
        """Return what a complete first pass found, None if there was none."""
        path = self.folder / "first_pass.json"
        if not path.exists():
            return None
        with self._told():
            content = json.loads(path.read_text(encoding="utf-8"))
            self._check(content["identity"])
            with (self.folder / "sample.npz").open("rb") as file, np.load(file, allow_pickle=False) as stored:
                return FirstPass.read(content["found"], stored)

    def keep_first_pass(self, found: FirstPass) -> None:
        """Keep a complete first pass; its rows first, so that there are rows where there is a file that needs them."""
        text = json.dumps({"identity": self.identity, "found": found.to_dict()})
        sample, first = self.folder / "sample.npz", self.folder / "first_pass.json"
        write_files({sample: as_arrays(**found.arrays()), first: as_text(text)})

    def sums(self) -> tuple[int, PairwiseSum[PartialProducts]]:
        """Return the number of parts that were summed, and their sums."""
        path = self.folder / "sums.npz"
        if not path.exists():
            return 0, PairwiseSum()
        with self._told(), path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            content = json.loads(str(stored["about"]))
            self._check(content["identity"])
            waiting = []
            for i, rank in enumerate(content["ranks"]):
                prefix = f"{i}/"
                arrays = {n.removeprefix(prefix): stored[n] for n in stored.files if n.startswith(prefix)}
                waiting.append((rank, PartialProducts.from_arrays(arrays, content["factors"])))
        self.done = content["done"]
        return self.done, PairwiseSum(waiting)

    def keep_sums(self, done: int, tally: PairwiseSum[PartialProducts], *, now: bool = False) -> None:
        """
        Keep the sums of the first parts, unless that was done a moment ago.

        done : number of parts that are in the sums
        """
        start = time.monotonic()
        if not tally.waiting or done == self.done or (not now and start - self.last < SHARE * self.took):
            return
        about = {
            "identity": self.identity,
            "done": done,
            "ranks": [rank for rank, _ in tally.waiting],
            "factors": tally.waiting[0][1].about(),
        }
        arrays = {f"{i}/{name}": array for i, sums in enumerate(tally) for name, array in sums.arrays().items()}
        write_files({self.folder / "sums.npz": as_arrays(about=np.array(json.dumps(about)), **arrays)})
        self.done = done
        self.last = time.monotonic()
        self.took = self.last - start

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell of files that can't be read, whatever has happened to them."""
        try:
            yield
        except DataError:
            raise
        except Exception as error:
            raise DataError(
                f"the checkpoint in '{printable(str(self.folder))}' can't be read: {printable(str(error))}",
                hint="remove its files to begin anew",
            ) from error

    def _check(self, identity: str) -> None:
        if identity != self.identity:
            raise DataError(
                f"the checkpoint in '{printable(str(self.folder))}' is of another model, or of data that have changed",
                hint="give another folder, or remove its files",
            )
