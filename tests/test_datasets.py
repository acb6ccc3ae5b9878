"""The data sets that ship with the package."""

import re
import tomllib
from pathlib import Path

import pytest

from lmmformula import datasets
from lmmformula.errors import DataError


@pytest.mark.parametrize("name", datasets.names())
def test_a_data_set_is_what_its_catalogue_says(name: str) -> None:
    """Rows, columns, levels and missing values are those that R wrote."""
    about = datasets.catalogue()[name]
    frame = datasets.load(name)
    assert len(frame) == about["n_rows"]
    assert list(frame.columns) == list(about["columns"])
    for column, kind in about["columns"].items():
        assert int(frame[column].isna().sum()) == kind["n_na"]
        if "levels" in kind:
            assert list(frame[column].cat.categories) == kind["levels"]


def test_an_unknown_name_is_an_error_that_names_the_nearest() -> None:
    """A slip of the finger gets the right name back."""
    with pytest.raises(DataError, match="no data set named 'sleepstduy'\ndid you mean 'sleepstudy'"):
        datasets.load("sleepstduy")


def test_every_file_names_its_source_and_licence() -> None:
    """The README beside the files lists each data set."""
    text = (datasets.FILES / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in datasets.names())


ROOT = Path(__file__).parents[1]
SPDX = {
    r"GPL \(>= 2\) \(.*": "GPL-2.0-or-later",
    r"GPL \(>= 3\) \(.*": "GPL-3.0-or-later",
    r"GPL-2 \| GPL-3 \(.*": "(GPL-2.0-only OR GPL-3.0-only)",
    r"simulated here \(no third-party licence\)": "MIT",
}
"""What R says of the licence of a package -> its SPDX expression."""


def test_the_licence_expression_names_every_licence_that_is_inside() -> None:
    """That of the code, and those of the data; no other."""
    stated = {about["licence"] for about in datasets.catalogue().values()}
    inside = {spdx for licence in stated for pattern, spdx in SPDX.items() if re.fullmatch(pattern, licence)}
    assert all(any(re.fullmatch(pattern, licence) for pattern in SPDX) for licence in stated)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(project["license"].split(" AND ")) == inside | {"MIT"}
    for pattern in project["license-files"]:
        assert list(ROOT.glob(pattern))
    text = (datasets.FILES / "README.md").read_text(encoding="utf-8")
    for name, about in datasets.catalogue().items():
        line = next(line for line in text.splitlines() if f"`{name}`" in line)
        (spdx,) = (spdx for pattern, spdx in SPDX.items() if re.fullmatch(pattern, about["licence"]))
        assert line.endswith(f"→ {spdx.strip('()')} |")


def test_the_citation_is_of_this_version() -> None:
    """The version of the package and that of CITATION.cff are one."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"\nversion: {project['version']}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
