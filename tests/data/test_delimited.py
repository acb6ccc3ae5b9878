"""Text files: what is missing in them, what separates their columns, and what is wrong with them."""

import bz2
import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf
from lmmformula.data.delimited import TextOptions, delimited
from lmmformula.data.table import read_table
from lmmformula.errors import DataError

WORDS = ["NA", "None", "null", "NULL", "N/A", "nan", "n/a", "#N/A", "<NA>", "-"]


def read(text: str, **asked: Any) -> pd.DataFrame:
    """Read a text as a file would be."""
    stream = io.StringIO(text)
    return delimited(stream, ",", TextOptions(**asked)).frame(stream)


def test_only_empty_cells_and_na_are_missing() -> None:
    """R's rule: words that other programs write for a missing value are levels like others."""
    text = "y,f\n" + "".join(f"1,{word}\n" for word in [*WORDS, ""])
    column = read_table(read(text)).factor("f")
    assert sorted(column.levels) == sorted(WORDS[1:])
    assert np.flatnonzero(column.codes < 0).tolist() == [0, len(WORDS)]


MISSING = [
    ("-", ["NA"], [2]),
    (["-", "-9"], ["NA"], [1, 2]),
    ("", ["-", "NA"], []),
]


@pytest.mark.parametrize(("na", "levels", "missing"), MISSING)
def test_other_words_stand_for_a_missing_value_if_that_is_said(na: Any, levels: list[str], missing: list[int]) -> None:
    """Namibia is a country; an empty cell stays missing whatever is said."""
    table = read_table(read("x,f\n1,NA\n-9,NA\n3,-\n4,\n", na=na))
    column = table.factor("f")
    assert list(column.levels) == levels
    gone = (column.codes < 0) | np.isnan(table["x"].values)  # type: ignore[union-attr]
    assert np.flatnonzero(gone).tolist() == [*missing, 3]


def test_nan_is_a_missing_number_among_numbers_alone() -> None:
    """What numpy writes for a missing number reads back as one, and `nan` among words is a word."""
    frame = read("x,f\n1.5,nan\nnan,b\nNaN,c\n")
    assert frame["x"].tolist()[:1] == [1.5]
    assert frame["x"].isna().tolist() == [False, True, True]
    assert frame["f"].tolist() == ["nan", "b", "c"]


SEPARATED = {
    "comma": ("y,x,g\n1.5,2,a\n2.5,3,b\n", ""),
    "semicolon": ("y;x;g\n1.5;2;a\n2.5;3;b\n", "columns are separated by ';'"),
    "decimal comma": ("y;x;g\n1,5;2;a\n2,5;3;b\n", "columns are separated by ';', decimals by ','"),
    "tab": ("y\tx\tg\n1.5\t2\ta\n2.5\t3\tb\n", "columns are separated by tabs"),
    "spaces": ("y x g\n1.5 2 a\n2.5 3 b\n", "columns are separated by spaces"),
    "commas in names and text": ("y;x;g\n1.5;2;a\n2.5;3;b\n".replace("g", '"g"'), "columns are separated by ';'"),
    "R's row names": ('"y";"x";"g"\n"1";1.5;2;"a"\n"2";2.5;3;"b"\n', "columns are separated by ';'"),
}


@pytest.mark.parametrize("kind", SEPARATED)
def test_separators_are_found_out_and_said(kind: str) -> None:
    """Semicolons, with decimal commas or points, and tabs; what is usual is not worth a word."""
    text, remark = SEPARATED[kind]
    stream = io.StringIO(text)
    written = delimited(stream, ",", TextOptions())
    frame = written.frame(stream)
    assert written.remark == remark
    assert (frame["y"].tolist(), frame["x"].tolist(), frame["g"].tolist()) == ([1.5, 2.5], [2, 3], ["a", "b"])


def test_a_separator_that_is_said_is_not_found_out() -> None:
    """Text with more semicolons than commas is still read as it was asked for."""
    assert list(read("a;b;c,d\n1;2;3,4\n", sep=",")) == ["a;b;c", "d"]
    assert list(read("a b,c d\ne f,g h\n")) == ["a b", "c d"]
    assert list(read("a b\n1 2\n", sep="space")) == ["a", "b"]
    with pytest.raises(DataError, match="sep is") as caught:
        TextOptions(sep="::")
    assert "one character" in caught.value.hint
    with pytest.raises(DataError, match="na is"):
        TextOptions(na=[1])  # type: ignore[list-item]


def test_a_name_twice_is_refused_by_name() -> None:
    """Otherwise one of the columns would be taken, and nobody would know which; columns without a name are let be."""
    with pytest.raises(DataError, match="has 'x' more than once") as caught:
        read("y,x,x,g\n1,2,3,4\n")
    assert "rename" in caught.value.hint
    assert list(read(",y,\n1,2,3\n")) == ["Unnamed: 0", "y", "Unnamed: 2"]


BROKEN = {
    "cut.csv.gz": (
        gzip.compress(b"y,x\n" + b"".join(b"%d,%d\n" % (i, i * i) for i in range(50_000)))[:-9000],
        "cut off",
    ),
    "short.csv.gz": (gzip.compress(b"y,x\n1,2\n")[:-12], "cut off"),
    "cut.csv.bz2": (bz2.compress(b"y,x\n1,2\n")[:-12], "cut off"),
    "none.csv.gz": (b"y,x\n1,2\n", "can't be read"),
    "latin1.csv": ("y,ö\n1,2\n".encode("latin-1"), "no UTF-8"),
    "empty.csv": (b"", "no header"),
    "ragged.csv": (b"y,x\n1,2\n1,2,3,4\n", "can't be read"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_damaged_file_is_named(name: str, tmp_path: Path) -> None:
    """A file that was cut off, or is none, is told of in our words, wherever in it that is found out."""
    content, message = BROKEN[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        lf.Model("y ~ x", str(tmp_path / name), progress=False)
    assert name in str(caught.value)


def test_a_column_is_of_one_kind_throughout() -> None:
    """A word far below makes text of the numbers above it, instead of a mixture of both."""
    text = "g\n" + "".join(f"{i}\n" for i in range(300_000)) + "x\n"
    levels = read_table(read(text)).factor("g").levels
    assert len(levels) == 300_001
