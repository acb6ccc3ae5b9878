"""The sums over rows that a marginal program is made of: formed from rows, or read."""

from collections.abc import Iterator

from lmmformula.stan.program.record import Cross, Factor, Program
from lmmformula.stan.terms import by_level
from lmmformula.stan.terms.grouped import LEVELS, names_of
from lmmformula.stan.text.boxes import WIDTH
from lmmformula.stan.text.notes import label, labels, noted
from lmmformula.stan.text.pieces import Piece, filled

LEGEND = """\
D, c: $columns$around; y - X * beta = D * c
DD, ZZ, ZD: D' * D; Z' * Z and Z' * D of each level"""

# --- formed from rows -------------------------------------------------------------------------------------------------

D = """\
matrix[N, $width] D = $D;
$weighted
matrix[$width, $width] DD = crossprod(D);"""

ROOTS = "D = diag_pre_multiply(root_weights, D);"

SCALAR = """\
vector[$N] $ZZ = zeros_vector($N);
matrix[$N, $width] $ZD = rep_matrix(0, $N, $width);"""

VECTOR = """\
matrix[N, $k] $Z = [$columns]'; // Z: $labels
$weighted
$orthogonal
array[$N] matrix[$k, $k] $ZZ = rep_array(rep_matrix(0, $k, $k), $N);
matrix[$k * $N, $width] $ZD = rep_matrix(0, $k * $N, $width);"""

SCALAR_ROWS = """\
$ZZ[$level[n]] += $squared;
$ZD[$level[n]] += ${times}D[n];"""

VECTOR_ROWS = """\
$ZZ[$level[n]] += $Z[n]' * $Z[n];
for (i in 1 : $k) {
  int j = (i - 1) * $N + $level[n];
  $ZD[j] += $Z[n, i] * D[n];
}"""

NESTED = """\
// level of $right that holds each level of $left
array[$N] int $parent = rep_array(0, $N);
vector[$N] $name = zeros_vector($N);"""

CROSSED = "matrix[$height, $breadth] $name = rep_matrix(0, $height, $breadth);"
CROSSED_LONG = """\
matrix[$height, $breadth] $name;
$name = rep_matrix(0, $height, $breadth);"""

NESTED_ROWS = """\
if ($parent[$left[n]] == 0) {
  $parent[$left[n]] = $right[n];
}
if ($parent[$left[n]] != $right[n]) {
  reject("$left is not nested in $right");
}
$name[$left[n]] += $product;"""

LOOP = """\
for ($i in 1 : $k) {
  int $j = ($i - 1) * $N + $level[n];
  $statements
}"""


def from_rows(program: Program) -> Piece:
    """Form the sums in transformed data."""
    fixed, offset = program.fixed, " - offsets" if program.offset else ""
    lines = [f"real y_mean = mean(y{offset});"] if fixed.intercept else []
    weighted = ROOTS if program.weights else ""
    lines += [filled(D, width=fixed.width, D=_columns(program), weighted=weighted)]
    lines += ["// sums of products over the rows of each level"]
    lines += [_factor(program, factor) for factor in program.factors]
    lines += [_crossed(cross) for cross in program.crosses]
    rows = [_factor_rows(program, factor) for factor in program.factors]
    rows += [_cross_rows(program, cross) for cross in program.crosses]
    lines += ["for (n in 1 : N) {", *rows, "}"]
    return Piece(legend=legend(program), transformed_data="\n".join(lines))


def legend(program: Program) -> str:
    """Say what the sums are of."""
    fixed = program.fixed
    columns = ["1"] * fixed.intercept + ["X"] * bool(fixed.K) + ["y - offsets" if program.offset else "y"]
    weighted = ", by root_weights" if program.weights else ""
    around = " around their means" if fixed.intercept else ""
    return filled(LEGEND, columns=", ".join(columns), around=around + weighted)


def _columns(program: Program) -> str:
    """Write 1, X and y, the latter around their means if there is an intercept."""
    fixed, y = program.fixed, "y - offsets" if program.offset else "y"
    y = f"{y} - y_mean" if fixed.intercept else y
    if not (fixed.intercept or fixed.K):
        return f"to_matrix({y})"
    left = "ones_vector(N)" if fixed.intercept else "X"
    return f"append_col({f'append_col({left}, X_c)' if fixed.centred else left}, {y})"


def _factor(program: Program, factor: Factor) -> str:
    names = names_of(factor) | {"width": str(program.fixed.width)}
    if factor.k == 1:
        (covariate,) = factor.covariates
        parts = [covariate.text, "root_weights" if program.weights else ""]
        Z = " .* ".join(filter(None, parts))
        return "\n".join([f"vector[N] {factor.name('Z')} = {Z};" if Z else "", filled(SCALAR, **names)])
    columns = ", ".join(f"{c.text}'" if c.text else "ones_row_vector(N)" for c in factor.covariates)
    weighted = filled("$Z = diag_pre_multiply(root_weights, $Z);" if program.weights else "", **names)
    about = labels(covariate.label for covariate in factor.covariates)
    orthogonal = ""
    if factor.treatment == "integrated":
        columns_of = by_level.orthogonal_columns(factor, f"crossprod({factor.name('Z')})")
        orthogonal = filled(f"{columns_of}\n$Z = $Z * R_inv;", **names)
    return filled(VECTOR, columns=columns, labels=about, weighted=weighted, orthogonal=orthogonal, **names)


def _factor_rows(program: Program, factor: Factor) -> str:
    if factor.k > 1:
        return filled(VECTOR_ROWS, **names_of(factor))
    z = _z(program, factor, "")
    own = {"squared": f"square({z})" if z else "1", "times": f"{z} * " if z else ""}
    return filled(SCALAR_ROWS, **names_of(factor) | own)


def _z(program: Program, factor: Factor, i: str) -> str:
    """Write what a coefficient multiplies in row n; "" for 1."""
    if factor.k > 1:
        return f"{factor.name('Z')}[n, {i}]"
    return "" if factor.ones and not program.weights else f"{factor.name('Z')}[n]"


def _crossed(cross: Cross) -> str:
    left, right = cross.left, cross.right
    if cross.parent:
        names = {"N": left.name("N"), "left": label(left.label), "right": label(right.label)}
        return filled(NESTED, parent=cross.parent, name=cross.name, **names)
    line, lines = (
        filled(text, name=cross.name, height=left.height, breadth=right.height) for text in (CROSSED, CROSSED_LONG)
    )
    return line if len(line) < WIDTH else lines


def _cross_rows(program: Program, cross: Cross) -> str:
    left, right = cross.left, cross.right
    product = " * ".join(filter(None, (_z(program, left, "i"), _z(program, right, "h")))) or "1"
    if cross.parent:
        names = {"left": left.name("level"), "right": right.name("level")}
        return filled(NESTED_ROWS, parent=cross.parent, name=cross.name, product=product, **names)
    places = {factor: j if factor.k > 1 else f"{factor.name('level')}[n]" for factor, j in ((left, "j"), (right, "l"))}
    statement = f"{cross.name}[{places[left]}, {places[right]}] += {product};"
    for factor, i, j in ((right, "h", "l"), (left, "i", "j")):
        if factor.k > 1:
            statement = filled(LOOP, i=i, j=j, statements=statement, **names_of(factor))
    return statement


# --- read -------------------------------------------------------------------------------------------------------------


def from_data(program: Program) -> Piece:
    """Declare the sums as data."""
    return Piece(legend=f"{LEVELS.legend}\n{legend(program)}", data="\n".join(_read(program)))


def _read(program: Program) -> Iterator[str]:
    fixed, width = program.fixed, program.fixed.width
    if fixed.intercept:
        yield noted("real y_mean;", f"mean of {label(program.response)}" + ", less its offset" * program.offset)
        if fixed.K:
            yield noted(f"row_vector[{fixed.K}] X_means;", f"means of {labels(fixed.labels)}")
    yield f"matrix[{width}, {width}] DD; // D' * D"
    if program.weights:
        yield "real log_root_weights; // sum of log(sqrt(weights)), by which D and Z are multiplied"
    for factor in program.factors:
        names, k = names_of(factor), factor.k
        ZZ = "vector[$N] $ZZ;" if k == 1 else "array[$N] matrix[$k, $k] $ZZ;"
        yield filled("int<lower=1> $N; // levels of $label", **names)
        about = labels(covariate.label for covariate in factor.covariates)
        yield noted(filled(ZZ, **names), f"Z' * Z of each level; Z: {about}")
        yield noted(f"matrix[{factor.height}, {width}] {names['ZD']};", "Z' * D of each level")
    for cross in program.crosses:
        left, right = cross.left, cross.right
        if cross.parent:
            about = f"level of {label(right.label)} that holds each of {label(left.label)}"
            yield noted(f"array[{left.name('N')}] int<lower=1, upper={right.name('N')}> {cross.parent};", about)
            yield f"vector[{left.name('N')}] {cross.name}; // Z' * Z of the two"
        else:
            yield f"matrix[{left.height}, {right.height}] {cross.name}; // Z' * Z of the two"
