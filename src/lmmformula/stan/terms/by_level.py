"""Several coefficients of each level integrated out: M has a small matrix for each, all factorised at once."""

from lmmformula.stan.program.record import DataForm, Factor
from lmmformula.stan.terms.elimination import Elimination
from lmmformula.stan.terms.grouped import names_of
from lmmformula.stan.text.pieces import filled

BY_LEVEL = Elimination(
    legend="""\
R: a root of Z' * Z; the columns of Z * inverse(R) are orthogonal
zz: of each level, their products
Lambda: Cholesky factor of the covariance matrix of R * u, over sigma
L: of each level, L * L' = Lambda' * zz * Lambda + I""",
    functions="""\
// R, R' * R = S, from the last column on: its product with a lower triangular
// root of a covariance matrix then keeps its digits.
matrix root_from_last(matrix S) {
  int k = rows(S);
  array[k] int back = reverse(linspaced_int_array(k, 1, k));
  // a little more, lest it be singular: columns may depend on others, or be 0
  matrix[k, k] T = add_diag(S, 1e-10 * diagonal(S) + 1e-100);
  return cholesky_decompose(T[back, back])[back]';
}
// L of all levels at once, L * L' = Lambda' * zz * Lambda + I, and below it
// w', L * w = Lambda' * Zr.
array[,] vector cholesky_by_level(matrix zz, matrix Zr, matrix Lambda) {
  int k = cols(Zr);
  int J = rows(Zr);
  array[k + 1, k] vector[J] L = rep_array(rep_vector(0, J), k + 1, k);
  for (h in 1 : k) {
    for (i in h : k + 1) {
      vector[J] m = i > k ? Zr * Lambda[ : , h] : zz * to_vector(Lambda[ : , i] * Lambda[ : , h]');
      for (p in 1 : h - 1) {
        m -= L[i, p] .* L[h, p];
      }
      L[i, h] = i == h ? sqrt(1 + m) : m ./ L[h, h];
    }
  }
  return L;
}
// v of all levels, L' * v being normal around w with deviation sigma.
matrix draw_by_level_rng(array[,] vector L, real sigma) {
  int k = dims(L)[2];
  int J = dims(L)[3];
  matrix[J, k] v;
  for (h in 1 : k) {
    int i = k + 1 - h;
    v[ : , i] = L[k + 1, i] + sigma * to_vector(normal_rng(zeros_vector(J), 1));
    for (p in i + 1 : k) {
      v[ : , i] -= L[p, i] .* v[ : , p];
    }
    v[ : , i] ./= L[i, i];
  }
  return v;
}""",
    transformed_data="""\
$orthogonal
matrix[$N, $k2] zz; // each level in a row
for (j in 1 : $N) {
  zz[j] = to_row_vector($zz);
}""",
    setup="""\
matrix[$k, $k] root = $root;
matrix[$k, $k] Lambda = cholesky_decompose(tcrossprod(R * root));
array[$k1, $k] vector[$N] L = cholesky_by_level(zz, $Zr, Lambda);""",
    density="""\
for (i in 1 : $k) {
  rr -= dot_self(L[$k1, i]);
}
target += -sum(log($diagonal));""",
    draw="$u = draw_by_level_rng(L, sigma) * (R_inv * Lambda)';",
)

ORTHOGONAL = """\
// in orthogonal columns, a covariate that is far from zero costs no digits
matrix[$k, $k] R = root_from_last($S);
matrix[$k, $k] R_inv = inverse(R);"""

SUM = """\
matrix[$k, $k] S = rep_matrix(0, $k, $k);
for (j in 1 : $N) {
  S += 0.5 * ($ZZ[j] + $ZZ[j]');
}"""


def eliminated(factor: Factor, data_form: DataForm) -> Elimination:
    """Fill the templates for a factor; sums that are formed from rows are of orthogonal columns already."""
    names, k = names_of(factor), factor.k
    orthogonal, zz, Zr = "", f"{names['ZZ']}[j]", filled("to_matrix(Zr, $N, $k)", **names)
    if data_form == "crossproducts":
        orthogonal = f"{filled(SUM, **names)}\n{orthogonal_columns(factor, 'S')}"
        zz, Zr = f"R_inv' * {zz} * R_inv", f"{Zr} * R_inv"
    own = {"k1": str(k + 1), "k2": str(k**2), "root": factor.root(" / sigma"), "orthogonal": orthogonal}
    own |= {"zz": zz, "Zr": Zr, "diagonal": " .* ".join(f"L[{i}, {i}]" for i in range(1, k + 1))}
    return BY_LEVEL.filled(**names | own)


def orthogonal_columns(factor: Factor, S: str) -> str:
    """Write what makes a factor's columns orthogonal, of their products over all levels."""
    return filled(ORTHOGONAL, k=factor.k, S=S)
