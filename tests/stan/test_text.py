"""The printer: pieces put together, and lines that are too long broken where the genuine stanc breaks them."""

from pathlib import Path

import pytest

from lmmformula.stan.text.boxes import broken
from lmmformula.stan.text.pieces import Piece, joined
from stanc import formatted, stanc_or_skip

PROGRAM = Piece(
    functions="""\
real scaled(vector first_of_several_arguments, matrix second_of_several_arguments, real third_one) {
return third_one;
}
real a_function_with_a_long_name(real first, vector second, real third) {
return first;
}""",
    data="int N;\nvector[N] yyyyyyyyyyyy;\nmatrix[N, 3] XXXXXXXXXXXX;",
    transformed_data="""\
real a = yyyyyyyyyyyy[1] * yyyyyyyyyyyy[2] + yyyyyyyyyyyy[3] * yyyyyyyyyyyy[4] + yyyyyyyyyyyy[1] * yyyyyyyyyyyy[2];
real c = log(yyyyyyyyyyyy[1] * yyyyyyyyyyyy[2] + yyyyyyyyyyyy[3] * yyyyyyyyyyyy[4] + yyyyyyyyyyyy[1]);
matrix[N, 5] D = append_col(append_col(ones_vector(N), XXXXXXXXXXXX - rep_matrix(0.5, N, 3)), yyyyyyyyyyyy - a);
matrix[N, 4] E = [ones_row_vector(N), XXXXXXXXXXXX[ : , 1]', XXXXXXXXXXXX[ : , 2]', yyyyyyyyyyyy']';
real f = 1 + 2 * a_function_with_a_long_name(a + 1, yyyyyyyyyyyy[1] * XXXXXXXXXXXX[ : , 1] + yyyyyyyyyyyy, a);
real g = yyyyyyyyyyyy[1] > 12345678 ? XXXXXXXXXXXX[1, 1] * XXXXXXXXXXXX[1, 2] * (1 + a) : XXXXXXXXXXXX[2, 2];
for (n in 1 : N) {
real h = beta_lpdf(yyyyyyyyyyyy[n] | inv_logit(yyyyyyyyyyyy[n]) * 4444444, inv_logit(-yyyyyyyyyyyy[n]) * 44444);
}""",
    parameters="real z; // a parameter, with a comment that is so long that it goes above what it is about",
    likelihood="z ~ student_t(3, sum([1234567.125, 1234567.125, 1234567.125, 1234567.125, 1234567.125, 1.25]), 2.5);",
)
"""Statements that don't fit on a line."""


def test_long_lines_are_broken_as_stanc_does(tmp_path: Path) -> None:
    """Functions, definitions, calls, sums, vectors and choices: stanc's formatter has nothing to change."""
    program = tmp_path / "model.stan"
    text = joined("// a program", [PROGRAM])
    program.write_text(text, encoding="utf-8")
    assert formatted(stanc_or_skip(), program) == text


def test_a_line_that_fits_is_left_alone() -> None:
    """Nothing is broken that has a column to spare."""
    assert broken("x = " + "y" * 72 + ";", indent=0) == "x = " + "y" * 72 + ";"


@pytest.mark.parametrize("name", ["functions", "transformed_data", "generated_quantities"])
def test_blocks_without_pieces_are_left_out(name: str) -> None:
    """A block stands there if a piece has something for it."""
    block = name.replace("_", " ") + " {"
    assert block in joined("", [Piece(**{name: "real a() { return 1; }"})])
    assert block not in joined("", [Piece(data="int N;")])
