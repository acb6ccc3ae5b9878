"""Layouts of text."""

from lmmformula.present.tables import matrix_lines, table_lines, vector_lines


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
