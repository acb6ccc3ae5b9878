"""The data sets that ship with the package."""

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
