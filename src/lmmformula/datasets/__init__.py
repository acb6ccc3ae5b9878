"""Data sets that ship with the package, each with R's factor levels; sources and licences are in `files/README.md`."""

import gzip
import json
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import TYPE_CHECKING, Any

from lmmformula.errors import DataError, is_text
from lmmformula.newcomers import answering

if TYPE_CHECKING:
    import pandas as pd

FILES = files("lmmformula.datasets") / "files"


@cache
def catalogue() -> dict[str, dict[str, Any]]:
    """
    Return what is known of each data set: file, rows, source, licence, and the kind and levels of each column.

    >>> catalogue()["sleepstudy"]["n_rows"]
    180
    """
    text = (FILES / "datasets.json").read_text(encoding="utf-8")
    return json.loads(text)  # type: ignore[no-any-return]


def names() -> list[str]:
    """
    List the data sets that `load` knows.

    >>> "coffee" in names()
    True
    """
    return sorted(catalogue(), key=str.lower)


@answering
def load(name: str) -> "pd.DataFrame":
    """
    Load a data set as a pandas data frame; factors are categoricals with R's levels, `attrs["name"]` is its name.

    Raises
    ------
    DataError
        There is no data set of that name.

    >>> load("sleepstudy").shape
    (180, 3)
    """
    known = catalogue()
    if not is_text(name) or name not in known:
        from difflib import get_close_matches

        near = get_close_matches(str(name), known, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else "the data sets are: " + ", ".join(names())
        raise DataError(f"no data set named '{name}'", hint=hint)
    frame = read_corpus_csv(FILES / known[name]["file"], known[name]["columns"])
    frame.attrs["name"] = name
    return frame


def read_corpus_csv(file: Any, columns: dict[str, dict[str, Any]]) -> "pd.DataFrame":  # noqa: ANN401 (a Traversable)
    """
    Read a CSV file whose columns' kinds and levels are known.

    An empty cell is the only missing value (a level may be called "None" or "NA"), and numbers go through `float`,
    because pandas' own parser can be one unit in the last place off.

    columns : name -> {"kind": "numeric" | "factor" | "ordered" | "logical" | "character", "levels": [...], "n_na": int}
    """
    import pandas as pd

    content = gzip.decompress(file.read_bytes()) if file.name.endswith(".gz") else file.read_bytes()
    frame = pd.read_csv(BytesIO(content), dtype=str, keep_default_na=False, na_values=[""])
    for column, about in columns.items():
        frame[column] = _typed(frame[column], about)
    return frame


def _typed(text: "pd.Series[Any]", about: dict[str, Any]) -> Any:  # noqa: ANN401 (a Series or a Categorical)
    import pandas as pd

    match about["kind"]:
        case "numeric":
            return text.map(float, na_action="ignore").astype(float)
        case "factor" | "ordered" as kind:
            return pd.Categorical(text, categories=about["levels"], ordered=kind == "ordered")
        case "logical":
            truth = text.map({"TRUE": True, "FALSE": False})
            return truth.astype("boolean") if about["n_na"] else truth.astype(bool)
        case _:
            return text
