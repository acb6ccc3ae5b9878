"""Several coefficients of each level integrated out: M has a small matrix for each, all factorised at once."""

from lmmformula.stan.program.record import Factor
from lmmformula.stan.terms.elimination import Elimination
from lmmformula.stan.terms.grouped import names_of

BY_LEVEL = Elimination(
    legend="""\
Lambda: a root of the covariance matrix of u, over sigma
L: of each level, L * L' = Lambda' * ZZ * Lambda + I""",
    functions="""\
// L of all levels at once, L * L' = Lambda' * ZZ * Lambda + I, and below it
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
matrix[$N, $k2] zz; // $ZZ, each level in a row
for (j in 1 : $N) {
  zz[j] = to_row_vector($ZZ[j]);
}""",
    setup="""\
matrix[$k, $k] Lambda = $Lambda;
array[$k1, $k] vector[$N] L = cholesky_by_level(zz, to_matrix(Zr, $N, $k), Lambda);""",
    density="""\
for (i in 1 : $k) {
  rr -= dot_self(L[$k1, i]);
}
target += -sum(log($diagonal));""",
    draw="$u = draw_by_level_rng(L, sigma) * Lambda';",
)


def eliminated(factor: Factor) -> Elimination:
    """Fill the templates for a factor."""
    diagonal = " .* ".join(f"L[{i}, {i}]" for i in range(1, factor.k + 1))
    own = {"k1": str(factor.k + 1), "k2": str(factor.k**2), "Lambda": factor.root(" / sigma"), "diagonal": diagonal}
    return BY_LEVEL.filled(**names_of(factor) | own)
