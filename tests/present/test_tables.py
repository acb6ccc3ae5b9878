"""Layouts of text."""

import lmmformula as lf
from corpus import dataset
from lmmformula.present.summary import varcorr_lines
from lmmformula.present.tables import matrix_lines, vector_lines
from lmmformula.results.tables.lines import table_lines
from lmmformula.results.tables.markup import shortened


def test_a_long_vector_takes_several_lines() -> None:
    """As many per line as fit, names above values, like R's named vectors."""
    lines = vector_lines(["a", "b", "c"], ["1.00", "22.00", "3.00"], width=13)
    assert lines == ["    a     b ", " 1.00 22.00 ", "    c ", " 3.00 "]
    assert vector_lines([], []) == []


def test_a_wide_matrix_is_cut_by_columns() -> None:
    """Columns that don't fit stand below, with the row names again."""
    lines = matrix_lines(["r1", "r2"], ["one", "two"], [["1", "2"], ["3", "4"]], right=True, width=8)
    assert lines == ["   one", "r1   1", "r2   2", "   two", "r1   3", "r2   4"]


def test_names_cannot_disturb_a_terminal() -> None:
    """Newlines and escape codes in a level's name are shown, not obeyed."""
    assert table_lines(["x"], [["a\nb"], ["\x1b[31m"]]) == ["x", "a\\nb", "\\x1b[31m"]
    assert matrix_lines(["a\tb"], ["c"], [["1"]])[1] == "a\\tb 1"


LONG = ["the university hospital of Utrecht", "the university hospital of Leiden"]


def test_long_names_are_cut_in_the_middle() -> None:
    """So that numbers stand beside them; their ends tell them apart."""
    lines = matrix_lines(LONG, ["Estimate", "t value"], [["1.00", "2.00"], ["3.0", "4.0"]], right=True, width=38)
    assert lines == [
        "                     Estimate t value",
        "the unive... Utrecht     1.00     3.0",
        "the unive...f Leiden     2.00     4.0",
    ]
    rows = [[name, "1.0"] for name in ("x" * 60, "y")]
    assert [len(line) for line in table_lines(["", "mean"], rows)] == [62, 62, 62]


def test_names_stay_whole_where_they_would_be_alike() -> None:
    """A table that is too wide is better than one that names two things by one name."""
    names = ["a" * 30 + middle + "z" * 30 for middle in ("1", "2")]
    assert shortened(names, 20) == names
    assert shortened(names, 100) == names


def test_variance_components_of_long_names_are_one_table() -> None:
    """Group, name and numbers stand in one line, 80 characters wide at most."""
    names = {
        "Subject": "a very long name of the grouping factor",
        "Days": "days of sleep deprivation in the lab",
    }
    data = dataset("sleepstudy").rename(columns=names)
    group, days = (f"`{name}`" for name in names.values())
    fit = lf.Model(f"Reaction ~ {days} + ({days} | {group})", data).fit()
    lines = varcorr_lines(fit.varcorr, variance=True)
    assert len(lines) == 4
    assert max(map(len, lines)) <= 80
    assert list(fit.varcorr.frame["group"][:2]) == [names["Subject"]] * 2
    assert max(len(line) for line in str(fit.confint()).split("\n")) <= 84
