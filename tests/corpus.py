"""R's own numbers (`reference/records`) and the data they were computed on."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lmmformula import datasets

REFERENCE = Path(__file__).parent / "reference"


@cache
def records(kind: str) -> list[dict[str, Any]]:
    """All records of one kind: lmm, lformula, reject, ... (see reference/README.md)."""
    return json.loads((REFERENCE / "records" / f"{kind}.json").read_text(encoding="utf-8"))


@cache
def record(kind: str, identifier: str) -> dict[str, Any]:
    """One record by its id."""
    return next(r for r in records(kind) if r["id"] == identifier)


def weights_of(about: dict[str, Any]) -> dict[str, Any]:
    """Return the weights of a record under our name; lme4 has one for all three kinds."""
    family = about.get("family") or "gaussian"
    return {"weights" if family in ("gaussian", "binomial") else "loglik_weights": about.get("weights")}


@cache
def _catalogue() -> dict[str, Any]:
    return json.loads((REFERENCE / "data" / "datasets.json").read_text(encoding="utf-8"))


@cache
def dataset(name: str) -> pd.DataFrame:
    """One data set with R's factor levels: of the package, or of those only the tests have. Do not modify in place."""
    if name in _catalogue():
        about = _catalogue()[name]
        if not (REFERENCE / "data" / about["file"]).exists():
            pytest.skip(f"{name} is under a licence that the source distribution leaves out")
        return datasets.read_corpus_csv(REFERENCE / "data" / about["file"], about["columns"])
    return datasets.load(name)
