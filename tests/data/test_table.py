"""Any frame, column by column: every kind of column in every library gives the same columns."""

import datetime as dt
import decimal
import zoneinfo
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from lmmformula.arrays import FloatArray
from lmmformula.data.columns import Column, FactorColumn, NumericColumn
from lmmformula.data.table import Table, read_table
from lmmformula.errors import DataError

NAN = float("nan")
MIDNIGHT = dt.datetime.fromisoformat("2024-03-01")
DAYS = [dt.date(2024, 3, 2), None, dt.date(2024, 3, 1)]

COLUMNS: dict[str, tuple[list[Any], Column]] = {
    "whole numbers": ([3, 1, 3], NumericColumn("v", np.array([3.0, 1, 3]))),
    "whole numbers with gaps": ([3, None, 3], NumericColumn("v", np.array([3.0, NAN, 3]))),
    "floats": ([0.5, -1.5, 2.0], NumericColumn("v", np.array([0.5, -1.5, 2]))),
    "floats with gaps": ([0.5, None, 2.0], NumericColumn("v", np.array([0.5, NAN, 2]))),
    "infinite": ([0.5, float("inf"), 2.0], NumericColumn("v", np.array([0.5, np.inf, 2]))),
    "decimals": ([decimal.Decimal("0.5"), None, decimal.Decimal(2)], NumericColumn("v", np.array([0.5, NAN, 2]))),
    "logical": ([True, False, True], FactorColumn("v", np.array([1, 0, 1]), ("FALSE", "TRUE"), kind="logical")),
    "logical with gaps": (
        [True, None, False],
        FactorColumn("v", np.array([1, -1, 0]), ("FALSE", "TRUE"), kind="logical"),
    ),
    "text": (["b", "a", "b"], FactorColumn("v", np.array([1, 0, 1]), ("a", "b"), kind="string")),
    "text with gaps": (["b", None, ""], FactorColumn("v", np.array([1, -1, 0]), ("", "b"), kind="string")),
    "capitals first": (["b", "C", "a"], FactorColumn("v", np.array([2, 0, 1]), ("C", "a", "b"), kind="string")),
    "days": (DAYS, FactorColumn("v", np.array([1, -1, 0]), ("2024-03-01", "2024-03-02"), kind="date")),
}

LIBRARIES: dict[str, Callable[[list[Any]], Any]] = {
    "mapping": lambda values: {"v": values},
    "numpy objects": lambda values: {"v": np.array([*values, None], dtype=object)[:-1]},
    "pandas": lambda values: pd.DataFrame({"v": values}),
    "pandas objects": lambda values: pd.DataFrame({"v": pd.Series(values, dtype=object)}),
    "pandas nullable": lambda values: pd.DataFrame({"v": values}).convert_dtypes(),
    "pandas on arrow": lambda values: pd.DataFrame(
        {"v": pd.Series(values, dtype=pd.ArrowDtype(pa.array(values).type))}
    ),
    "polars": lambda values: pl.DataFrame({"v": values}),
    "polars lazy": lambda values: pl.DataFrame({"v": values}).lazy(),
    "pyarrow": lambda values: pa.table({"v": values}),
    "mapping of polars": lambda values: {"v": pl.Series(values)},
}


def numbers_of(table: Table, name: str) -> FloatArray:
    """Return the numbers of a numeric column."""
    column = table[name]
    assert isinstance(column, NumericColumn)
    return column.values  # noqa: PD011 (no pandas object)


def assert_same(found: Column, expected: Column) -> None:
    """Compare two columns, arrays included."""
    assert type(found) is type(expected)
    assert found.name == expected.name
    match found, expected:
        case NumericColumn(values=values), NumericColumn(values=wanted):
            assert values.dtype == np.float64
            np.testing.assert_array_equal(values, wanted)
        case FactorColumn(), FactorColumn():
            np.testing.assert_array_equal(found.codes, expected.codes)
            assert found.codes.dtype == np.intp
            assert (found.levels, found.ordered, found.kind) == (expected.levels, expected.ordered, expected.kind)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("kind", COLUMNS)
def test_every_library_gives_the_same_column(kind: str, library: str) -> None:
    """A kind of column reads alike from every library."""
    values, expected = COLUMNS[kind]
    assert_same(read_table(LIBRARIES[library](values))["v"], expected)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("values", "levels", "codes"),
    [
        ([10, 9, 10], ("9", "10"), [1, 0, 1]),
        ([2.5, None, -1.0], ("-1", "2.5"), [1, -1, 0]),
        ([2**62 + 1, None, 2**62], ("4611686018427387904", "4611686018427387905"), [1, -1, 0]),
        ([True, None, False], ("FALSE", "TRUE"), [1, -1, 0]),
        (["b", None, "a"], ("a", "b"), [1, -1, 0]),
    ],
)
def test_any_column_can_be_levels(values: list[Any], levels: tuple[str, ...], codes: list[int], library: str) -> None:
    """As levels, numbers are in numeric order and whole numbers keep all their digits."""
    if library in {"pandas", "pandas nullable"} and values[0] == 2**62 + 1:
        values, codes = [values[0], values[2]], [1, 0]  # pandas makes floats of integers with gaps
    factor = read_table(LIBRARIES[library](values)).factor("v")
    assert factor.levels == levels
    assert factor.codes.tolist() == codes


@pytest.mark.parametrize(
    ("column", "ordered"),
    [
        (pd.DataFrame({"v": pd.Categorical(["lo", None, "hi"], categories=["lo", "hi", "none"])}), False),
        (pd.DataFrame({"v": pd.Categorical(["lo", None, "hi"], categories=["lo", "hi", "none"], ordered=True)}), True),
        ({"v": pd.Categorical(["lo", None, "hi"], categories=["lo", "hi", "none"])}, False),
        (pl.DataFrame({"v": pl.Series(["lo", None, "hi"], dtype=pl.Enum(["lo", "hi", "none"]))}), False),
        (pa.table({"v": pa.DictionaryArray.from_arrays(pa.array([0, None, 1]), ["lo", "hi", "none"])}), False),
    ],
)
def test_categories_keep_their_declared_order(column: Any, ordered: bool) -> None:  # noqa: FBT001
    """Declared categories are the levels, in their order, those not used included."""
    expected = FactorColumn("v", np.array([0, -1, 1]), ("lo", "hi", "none"), ordered=ordered)
    assert_same(read_table(column)["v"], expected)


def test_categories_without_order_are_sorted() -> None:
    """Polars' Categorical has only the order in which its texts were met, so it reads as text does."""
    pl.Series(["met before"], dtype=pl.Categorical)
    column = read_table(pl.DataFrame({"v": pl.Series(["b", "a", None], dtype=pl.Categorical)}))["v"]
    assert_same(column, FactorColumn("v", np.array([1, 0, -1]), ("a", "b")))


def test_categories_that_are_numbers_are_labelled_like_numbers() -> None:
    """Categories of numbers become R's labels."""
    column = read_table(pd.DataFrame({"v": pd.Categorical([2.0, 1.5, 2.0])}))["v"]
    assert_same(column, FactorColumn("v", np.array([1, 0, 1]), ("1.5", "2")))


def test_small_integers_do_not_overflow() -> None:
    """Unsigned bytes are numbers like others, also as levels far apart."""
    table = read_table({"v": np.array([250, 5], dtype=np.uint8), "w": np.array([-128, 127], dtype=np.int8)})
    assert numbers_of(table, "v").tolist() == [250.0, 5.0]
    assert table.factor("w").levels == ("-128", "127")
    assert table.factor("w").codes.tolist() == [0, 1]


def test_numbers_equal_to_15_digits_are_one_level() -> None:
    """R writes 15 digits of a number to name its level, and so do we; zero has no sign."""
    factor = read_table({"v": [0.1 + 0.2, 0.3, -0.0, 0.0]}).factor("v")
    assert factor.levels == ("0", "0.3")
    assert factor.codes.tolist() == [1, 1, 0, 0]


def test_masked_values_are_missing() -> None:
    """A masked entry of a numpy array is missing."""
    table = read_table({"v": np.ma.MaskedArray([1, 2], mask=[False, True])})
    np.testing.assert_array_equal(numbers_of(table, "v"), [1.0, NAN])


def test_a_null_among_categories_is_missing() -> None:
    """Arrow allows a null as a category; it is no level."""
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None]), pa.array(["b", None, "a"]))
    assert_same(read_table(pa.table({"v": column}))["v"], FactorColumn("v", np.array([0, -1, 1, -1]), ("b", "a")))


@pytest.mark.skipif(not hasattr(pl, "Int128"), reason="this polars has no 128-bit integers")
def test_integers_that_numpy_lacks_keep_their_digits() -> None:
    """Polars' 128-bit integers are numbers, and levels with all their digits."""
    table = read_table(pl.DataFrame({"v": pl.Series([2**100 + 1, None, 2**100], dtype=pl.Int128)}))
    np.testing.assert_array_equal(numbers_of(table, "v"), [2.0**100, NAN, 2.0**100])
    assert table.factor("v").levels == (str(2**100), str(2**100 + 1))


class Broken:
    """A column of an array library that fails."""

    dtype = np.dtype(float)

    def __len__(self) -> int:
        return 2

    def __iter__(self) -> Iterator[Any]:
        raise RuntimeError("disk on fire")


def test_a_failing_library_is_reported_as_ours() -> None:
    """What a column raises while it is read is told as a DataError."""
    with pytest.raises(DataError, match="column 'x' can't be read: disk on fire"):
        _read(read_table({"x": Broken()}))


def test_numeric_columns_are_not_copied() -> None:
    """A column of floats is read in place."""
    values = np.arange(3.0)
    for data in ({"v": values}, pd.DataFrame({"v": values}, copy=False)):
        assert np.shares_memory(numbers_of(read_table(data), "v"), values)


def test_only_columns_that_are_used_are_read() -> None:
    """A column that no model could use is no obstacle to a model that does not use it."""
    table = read_table({"x": [1, 2], "junk": [object(), [1]]})
    assert numbers_of(table, "x").tolist() == [1.0, 2.0]
    assert table.names == ("x", "junk")


def test_take_keeps_rows_in_the_order_given() -> None:
    """Rows can be picked, repeated and reordered in every library."""
    for data in (
        {"v": [1, 2, 3]},
        pd.DataFrame({"v": [1, 2, 3]}),
        pl.DataFrame({"v": [1, 2, 3]}),
        pa.table({"v": [1, 2, 3]}),
    ):
        taken = read_table(data).take(np.array([2, 0, 2]))
        assert taken.n_rows == 3
        assert numbers_of(taken, "v").tolist() == [3.0, 1.0, 3.0]


def test_a_table_reads_as_itself() -> None:
    """What is a table already is not read again."""
    table = read_table({"v": [1]})
    assert read_table(table) is table
    assert "v" in table
    assert list(table) == ["v"]


def frame_with_duplicates() -> pd.DataFrame:
    """Make a frame of two columns of one name beside another."""
    return pd.DataFrame([[1.0, 2.0, 3.0]], columns=["x", "x", "z"])


def test_duplicate_names_matter_only_where_they_are_used() -> None:
    """A frame with two columns x still has a column z."""
    table = read_table(frame_with_duplicates())
    assert numbers_of(table, "z").tolist() == [3.0]
    with pytest.raises(DataError, match="2 columns named 'x'"):
        table["x"]


def _read(table: Table, name: str = "x") -> None:
    table[name]


@pytest.mark.parametrize(
    ("data", "message", "hint"),
    [
        (frame_with_duplicates(), "the data have 2 columns named 'x'", "rename all but one"),
        (pd.DataFrame({0: [1.0]}).rename(columns={0: 7}), "no column named 'x'", "the data have no columns"),
        ({"X": [1.0]}, "no column named 'x'", "did you mean 'X'?"),
        ({"a": [1.0], "b": [1.0]}, "no column named 'x'", "the columns are: a, b"),
        ({"x": [1, "a"]}, "column 'x' mixes numbers and text", "make its values all of one kind"),
        ({"x": [True, 2]}, "column 'x' mixes logical and numbers", "make its values all of one kind"),
        ({"x": [1j]}, "column 'x' holds complex objects", "columns are numbers"),
        ({"x": np.array([1j])}, "column 'x' holds values of type complex128", "columns are numbers"),
        (pl.DataFrame({"x": [[1], [2]]}), "column 'x' holds values of type List", "columns are numbers"),
        ({"x": [10**400]}, "column 'x' has a number too large", "rescale the column"),
        ({"x": np.zeros((2, 2))}, "column 'x' has 2 dimensions", "columns have one"),
        ({"x": 3}, "column 'x' is of type int, not a sequence", "give a list"),
        ({"x": {1, 2}}, "column 'x' is of type set, not a sequence", "give a list"),
        ({"x": np.array(3)}, "column 'x' is of type ndarray, not a sequence", "give a list"),
        ({"x": "abc"}, "column 'x' is of type str, not a sequence", "give a list"),
        ({"x": [1], "z": [1, 2]}, "columns 'x' and 'z' differ in length: 1 and 2 rows", ""),
        ("data.csv", "data of type 'str' can't be read as a table", "give a data frame"),
        (np.zeros((2, 2)), "data of type 'ndarray' can't be read as a table", "give a data frame"),
        (
            {"x": pd.Categorical([1, "1"], categories=[1, "1"])},
            "column 'x' has two categories of the same name",
            "rename",
        ),
    ],
)
def test_what_can_not_be_read_says_why(data: Any, message: str, hint: str) -> None:
    """A column or a frame that can't be used ends in an error of ours, with a hint."""
    with pytest.raises(DataError) as caught:
        _read(read_table(data))
    assert caught.value.message.startswith(message)
    assert caught.value.hint.startswith(hint)


def test_names_that_are_no_text_are_explained() -> None:
    """A frame whose columns are numbered says that names must be text."""
    with pytest.raises(DataError) as caught:
        _read(read_table(pd.DataFrame(np.zeros((2, 2)))), "0")
    assert "names must be text" in caught.value.hint


def test_control_characters_do_not_reach_the_terminal() -> None:
    """A hostile name is escaped in the message."""
    with pytest.raises(DataError) as caught:
        _read(read_table({"a\x1b[31m\n": [1]}), "x")
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        ([MIDNIGHT + dt.timedelta(days=1, hours=6), MIDNIGHT], ("2024-03-01", "2024-03-02 06:00:00")),
        ([MIDNIGHT + dt.timedelta(days=1), None, MIDNIGHT], ("2024-03-01", "2024-03-02")),
        ([dt.timedelta(days=2), dt.timedelta(hours=36)], ("129600 seconds", "2 days")),
        ([2**63 + 1, 2**63], ("9223372036854775808", "9223372036854775809")),
    ],
)
def test_levels_have_one_name_in_all_libraries(values: list[Any], levels: tuple[str, ...]) -> None:
    """Lists, numpy, pandas and polars give the same labels of times and of integers beyond int64."""
    unsigned = np.uint64 if isinstance(values[0], int) else None
    columns = [values, np.array(values, unsigned), pd.Series(values, dtype=unsigned), pl.Series("v", values)]
    for column in columns:
        assert (
            read_table({"v": column} if not hasattr(column, "name") else column.to_frame("v")).factor("v").levels
            == levels
        )


BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
INSTANTS = [
    (pd.Timestamp("2014-01-15"), "2014-01-15"),
    (pd.Timestamp("2014-01-15 12:00"), "2014-01-15 12:00:00"),
    (pd.Timestamp("2014-01-15 12:00:00.000000001"), "2014-01-15 12:00:00.000000001"),
    (pd.Timestamp("2014-01-15", tz="Europe/Berlin"), "2014-01-14 23:00:00"),
    (dt.datetime(2014, 1, 15, 1, tzinfo=BERLIN), "2014-01-15"),
    (dt.date(2014, 1, 15), "2014-01-15"),
    (np.datetime64("2014-01"), "2014-01-01"),
    (pd.Timedelta(days=2), "2 days"),
    (pd.Timedelta(90, "min"), "5400 seconds"),
    (dt.time(8, 30), "08:30:00"),
]


@pytest.mark.parametrize(("value", "text"), INSTANTS)
def test_the_text_of_a_date_depends_on_itself_alone(value: Any, text: str) -> None:
    """In a list, a series or categories, and beside any other row, a date has the same label."""
    others = {dt.time: dt.time(1, 2, 3, 4), pd.Timedelta: pd.Timedelta(1, "us")}
    zone = getattr(value, "tzinfo", None)
    other = others.get(type(value), pd.Timestamp("2013-05-05 05:05:05.5", tz=zone))
    for values in ([value], [value, other]):
        kinds = [values, pd.Series(values), np.array(values, dtype=object)]
        if all(isinstance(each, type(value)) for each in values):
            kinds.append(pd.Categorical(values))
        for column in kinds:
            levels = read_table({"d": column}).factor("d")
            assert levels.levels[levels.codes[0]] == text


def test_dates_are_levels_in_the_order_of_time() -> None:
    """Days, times and their mixtures; where the order could not be told, the mixture is refused."""
    column = read_table(
        {"d": [MIDNIGHT.replace(2014, 1, 2, 3), dt.date(2014, 1, 2), None, pd.Timestamp("2013-12-31")]}
    )["d"]
    assert isinstance(column, FactorColumn)
    assert column.levels == ("2013-12-31", "2014-01-02", "2014-01-02 03:00:00")
    assert column.codes.tolist() == [2, 1, -1, 0]
    with pytest.raises(DataError, match="with and without a zone"):
        read_table({"d": [pd.Timestamp("2014-01-02", tz="UTC"), pd.Timestamp("2014-01-03")]}).factor("d")
