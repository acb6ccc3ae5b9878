"""A grouping factor in a program: its levels, standard deviations, correlations, and effects where they are sampled."""

from lmmformula.stan.program.record import Block, Factor, Program
from lmmformula.stan.text.notes import label
from lmmformula.stan.text.pieces import Piece

LEVELS = Piece(
    legend="Z, u: what the effects of a level multiply, and these",
    data="""\
int<lower=1> $N; // levels of $label
array[N] int<lower=1, upper=$N> $level; // of each row""",
)

CORRELATIONS = Piece(
    legend="L_group: Cholesky factor of cor_group",
    generated_quantities="matrix[$k, $k] $cor = multiply_lower_tri_self_transpose($L);",
)

NONCENTERED = Piece(
    legend="z: u by a root of its covariance matrix",
    transformed_parameters="vector[$N] $u = $sd * $z;",
    priors="$z ~ std_normal();",
)
NONCENTERED_VECTORS = Piece(
    legend="z: u by a root of its covariance matrix",
    transformed_parameters="matrix[$N, $k] $u = $z * $root';",
    priors="to_vector($z) ~ std_normal();",
)

AROUND_ZERO = Piece(priors="$u ~ normal(0, $sd);")
AROUND_ZERO_VECTORS = Piece(priors="$u ~ multi_normal_cholesky(zeros_vector($k), $root);")

CENTERED = Piece(
    transformed_parameters="vector[$N] $u = $coef - $around;",
    priors="$coef ~ normal($around, $sd);",
)
CENTERED_VECTORS = Piece(
    transformed_parameters="""\
vector[$k] $around = $means;
matrix[$N, $k] $u;
for (j in 1 : $N) {
  $u[j] = ($coef[j] - $around)';
}""",
    priors="$coef ~ multi_normal_cholesky($around, $root);",
)

SUM_TO_ZERO = Piece(
    transformed_parameters="vector[$N] $u = $dev + $shifted;",
    priors="""\
$mean ~ normal($around, $sd / sqrt($N));
$dev ~ normal(0, $sd);
target += -normal_lpdf(0 | 0, $sd); // $dev has a dimension less""",
)
SUM_TO_ZERO_VECTORS = Piece(
    transformed_parameters="""\
$defined
matrix[$N, $k] $u;
for (i in 1 : $k) {
  $u[ : , i] = $dev[i] + $shifted;
}""",
    priors="""\
{
  // multi_normal for $dev in its $N - 1 dimensions
  matrix[$k, $k] root = $root;
  matrix[$k, $N] d;
  for (i in 1 : $k) {
    d[i] = $dev[i]';
  }
  $mean ~ multi_normal_cholesky($around, root / sqrt($N));
  target += -0.5 * sum(square(mdivide_left_tri_low(root, d)));
  target += -($N - 1) * sum(log(diagonal(root)));
}""",
)


def levels(factor: Factor) -> Piece:
    """Say how many levels there are, and that of each row."""
    return _filled(LEVELS, factor)


def assembled(factor: Factor) -> Piece:
    """Put standard deviations and correlations together of those of the factor's blocks."""
    lines = []
    if factor.sd_from_blocks:
        lines = [f"vector[$k] $sd = {_chain([_sd(block) for block in factor.blocks])};"]
    if factor.L_from_blocks and len(factor.blocks) == 1:
        lines += [f"matrix[$k, $k] $L = {_root(factor.blocks[0])};"]
    elif factor.L_from_blocks:
        whole = all(block.correlation for block in factor.blocks)
        lines += ["matrix[$k, $k] $L = " + ("rep_matrix(0, $k, $k);" if whole else "identity_matrix($k);")]
        for block in filter(lambda block: block.correlation, factor.blocks):
            rows = f"{block.start} : {block.stop}"
            lines += [f"$L[{rows}, {rows}] = {_root(block)};"]
    return _filled(Piece(transformed_parameters="\n".join(lines)), factor)


def _sd(block: Block) -> str:
    """Write the standard deviations of a block as a vector."""
    if block.covariance.homogeneous:
        return f"rep_vector({block.sd}, {block.size})"
    return block.sd if block.size > 1 else f"[{block.sd}]'"


def _root(block: Block) -> str:
    """Write the Cholesky factor of a block's correlations."""
    if not block.covariance.stan_function:
        return block.correlation
    return f"cholesky_{block.covariance.name}({block.correlation}, {block.size})"


def _chain(vectors: list[str]) -> str:
    """Write vectors one below the other."""
    first, *others = vectors
    return f"append_row({first}, {_chain(others)})" if others else first


def effects(program: Program, factor: Factor) -> Piece:
    """Say how effects that are sampled are distributed, and what they are made of."""
    several = factor.k > 1
    match factor.treatment:
        case "integrated":
            return Piece()
        case "noncentered":
            return _filled(NONCENTERED_VECTORS if several else NONCENTERED, factor)
        case "sum_to_zero":
            return _sum_to_zero(program, factor)
        case _ if factor.simple:
            return _filled(AROUND_ZERO_VECTORS if several else AROUND_ZERO, factor)
        case _ if several:
            return _filled(CENTERED_VECTORS, factor, means=_row(program.means(factor)))
        case _:
            return _filled(CENTERED, factor, around=program.means(factor)[0])


def _sum_to_zero(program: Program, factor: Factor) -> Piece:
    means, mean, around = program.means(factor), factor.name("mean"), factor.name("around")
    if factor.k == 1:
        (shift,) = means
        shifted = mean if shift == "0" else f"({mean} - {shift})" if shift.isidentifier() else f"({mean} - ({shift}))"
        return _filled(SUM_TO_ZERO, factor, around=shift, shifted=shifted)
    if set(means) == {"0"}:
        return _filled(
            SUM_TO_ZERO_VECTORS, factor, defined="", shifted=f"{mean}[i]", around=f"zeros_vector({factor.k})"
        )
    defined = f"vector[{factor.k}] {around} = {_row(means)};"
    return _filled(SUM_TO_ZERO_VECTORS, factor, defined=defined, shifted=f"({mean}[i] - {around}[i])")


def _row(texts: tuple[str, ...]) -> str:
    return f"[{', '.join(texts)}]'"


def correlations(factor: Factor) -> Piece:
    """Give the matrix of correlations."""
    return _filled(CORRELATIONS, factor) if factor.correlated else Piece()


def _filled(piece: Piece, factor: Factor, **names: str) -> Piece:
    return piece.filled(**names_of(factor) | names)


def names_of(factor: Factor) -> dict[str, str]:
    """Name a factor's quantities in templates."""
    prefixes = ("N", "level", "sd", "L", "z", "u", "coef", "mean", "dev", "around", "cor", "Z", "ZZ", "ZD")
    own = {"k": str(factor.k), "label": label(factor.label), "root": factor.root()}
    return {prefix: factor.name(prefix) for prefix in prefixes} | own
