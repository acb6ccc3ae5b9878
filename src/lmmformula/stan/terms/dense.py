"""Factors of one coefficient integrated out together: the largest level by level, what is left of others densely."""

from dataclasses import replace

from lmmformula.stan.program.record import Program
from lmmformula.stan.terms.elimination import Elimination
from lmmformula.stan.terms.grouped import names_of
from lmmformula.stan.terms.scalar import SCALAR
from lmmformula.stan.text.notes import label
from lmmformula.stan.text.pieces import filled

DENSE = replace(
    SCALAR,
    legend=f"""\
{SCALAR.legend}
C: Z of $others
L: L * L' = S + I, S: what of C' * C is left beside Z of $label""",
    functions="""\
// L, L * L' = S + I, S being what of C' * C is left beside Z, and below it w',
// L * w being what of C' * r is.
matrix cholesky_of_rest(matrix CC, matrix ZC, vector Cr, vector Zr, vector m, real lambda, vector scale) {
  int Q = rows(CC);
  matrix[rows(ZC), Q] W = diag_pre_multiply(lambda ./ sqrt(m), ZC);
  matrix[Q, Q] S = quad_form_diag(CC - crossprod(W), scale);
  matrix[Q, Q] L = cholesky_decompose(add_diag(S, 1));
  vector[Q] v = scale .* (Cr - square(lambda) * (ZC' * (Zr ./ m)));
  return append_row(L, mdivide_left_tri_low(L, v)');
}""",
    transformed_data="""\
// products of the columns of $others, and with those of $label
int Q = $Q;
$products""",
    setup=f"""\
{SCALAR.setup}
vector[Q] scale = $scale;
matrix[Q + 1, Q] L = cholesky_of_rest(CC, ZC, CD * c, Zr, m, lambda, scale);""",
    density="""\
rr -= square(lambda) * sum(square(Zr) ./ m) + dot_self(L[Q + 1]);
target += -0.5 * sum(log(m)) - sum(log(diagonal(L)));""",
    draw=f"""\
row_vector[Q] w = L[Q + 1] + sigma * to_row_vector(normal_rng(zeros_vector(Q), 1));
vector[Q] v = scale .* mdivide_right_tri_low(w, L[1 : Q])';
$drawn
Zr -= ZC * v;
{SCALAR.draw}""",
)

ONE = """\
matrix[Q, Q] CC = diag_matrix($ZZ);
matrix[Q, $width] CD = $ZD;
matrix[$N, Q] ZC = $to;"""

TWO = """\
matrix[Q, Q] CC = append_row(append_col(diag_matrix($ZZ), $between), append_col($between', diag_matrix($ZZ2)));
matrix[Q, $width] CD = append_row($ZD, $ZD2);
matrix[$N, Q] ZC = append_col($to, $to2);"""


def dense(program: Program) -> Elimination:
    """Fill the templates for a program's factors."""
    first, others = program.integrated, program.dense
    assert first is not None
    to = [cross.name for cross in program.crosses if cross.left == first and cross.right in others]
    sds = [f"{factor.name('sd')} / sigma" for factor in others]
    scales = [f"rep_vector({sd}, {factor.name('N')})" for sd, factor in zip(sds, others, strict=True)]
    u = [factor.name("u") for factor in others]
    names = {"N": first.name("N"), "width": program.fixed.width, "to": to[0]}
    names |= {name: others[0].name(name) for name in ("ZZ", "ZD")}
    if len(others) == 1:
        products, scale, drawn = filled(ONE, **names), f"rep_vector({sds[0]}, Q)", f"{u[0]} = v;"
    else:
        between = next(cross.name for cross in program.crosses if (cross.left, cross.right) == others)
        names |= {f"{name}2": others[1].name(name) for name in ("ZZ", "ZD")}
        products = filled(TWO, between=between, to2=to[1], **names)
        scale = f"append_row({', '.join(scales)})"
        drawn = f"{u[0]} = head(v, {others[0].name('N')});\n{u[1]} = tail(v, {others[1].name('N')});"
    Q = " + ".join(factor.name("N") for factor in others)
    own = {"others": " and ".join(label(factor.label) for factor in others), "Q": Q}
    return DENSE.filled(**names_of(first) | own | {"products": products, "scale": scale, "drawn": drawn})
