"""Recorded models on data in parts, and in one table."""

import warnings
from typing import Any

import numpy as np
import pandas as pd

from corpus import dataset, record
from lmmformula.data.chunks.sources import as_chunks
from lmmformula.design.coding.contrasts import Contrast
from lmmformula.design.design import Design
from lmmformula.design.parts.passes import StreamSettings
from lmmformula.design.parts.two_passes import stream_design
from lmmformula.formula.parse import parse_text
from lmmformula.ir.lower.model import lower

QUIET = StreamSettings(progress=False)


def scattered(data: pd.DataFrame, seed: int, most: int = 17) -> list[pd.DataFrame]:
    """Shuffle rows and cut them at random into 1 to `most` parts, some of them empty."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(data))
    cuts = np.sort(rng.integers(0, len(data) + 1, rng.integers(0, most)))
    return [data.iloc[own] for own in np.split(rows, cuts)]


def recorded_data(about: dict[str, Any]) -> pd.DataFrame:
    """Return the rows on which a record was made."""
    data = dataset(about["dataset"])
    return data[(data["f4"] != "W") & (data["x"] > -1.5)] if about["subset"] else data


def streamed_record(kind: str, identifier: str, seed: int) -> Design:
    """Build the design of a record from its data in parts."""
    about = record(kind, identifier)
    given = {name: c.removeprefix("contr.") for name, c in (about["contrasts"] or {}).items()}
    own = {n: Contrast(c.removeprefix("contr."), random=True) for n, c in (about["factor_contrasts"] or {}).items()}
    chunks = as_chunks(scattered(recorded_data(about), seed))
    assert chunks is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dropped rows and columns are reported; their numbers are tested here
        return stream_design(
            lower(parse_text(about["formula"])),
            chunks,
            weights=about["weights"],
            offset=about["offset"],
            contrasts=given | own,
            settings=QUIET,
        )[1]
