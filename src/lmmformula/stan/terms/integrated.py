"""The likelihood with effects integrated out, in sums over rows, and those effects drawn from what is known of them."""

from collections.abc import Iterator

from lmmformula.stan.program.record import Cross, Factor, Program
from lmmformula.stan.terms import by_level, dense, scalar
from lmmformula.stan.terms.elimination import Elimination
from lmmformula.stan.terms.grouped import names_of
from lmmformula.stan.text.notes import label, labels
from lmmformula.stan.text.pieces import Piece, filled

LEGEND = """\
r: $r
Zr, rr: Z' * r of each level; r' * r less what u explains
$kind"""

AROUND = """\
vector[$width] c = $c;
vector[$height] Zr = $Zr;"""

LIKELIHOOD = """\
// $response, with u of $integrated integrated out
{
  $setup
  real rr = dot_product(c, DD * c);
  $sampled
  $density
  target += -N * log(sqrt(2 * pi()) * sigma) - 0.5 * rr / square(sigma);
  $weights
}"""

SAMPLED = """\
rr -= 2 * dot_product($effects, $ZD * c);
rr += dot_product($ZZ, square($u));"""

SAMPLED_VECTORS = """\
rr -= 2 * dot_product($effects, $ZD * c);
for (j in 1 : $N) {
  rr += quad_form($ZZ[j], $u[j]');
}"""

DRAWN = """\
$declared
{
  $setup
  $draw
}"""


def integrated(program: Program) -> Piece:
    """Write the likelihood, and draw the effects that it does without."""
    factor = program.integrated
    assert factor is not None
    kind = _elimination(program, factor)
    setup = filled(AROUND, width=program.fixed.width, height=factor.height, c=_c(program), Zr=_Zr(program, factor))
    weights = "sum(log(root_weights))" if program.data_form == "rows" else "log_root_weights"
    likelihood = filled(
        LIKELIHOOD,
        response=label(program.response),
        integrated=labels(other.label for other in program.eliminated),
        setup=f"{setup}\n{kind.setup}",
        sampled="\n".join(_sampled(program)),
        density=kind.density,
        weights=f"target += {weights};" if program.weights else "",
    )
    declared = "\n".join(_declared(other) for other in program.eliminated)
    r = "y - X * beta" + " - Z * u of the effects that are sampled" * bool(program.sampled)
    return Piece(
        legend=filled(LEGEND, r=r, kind=kind.legend),
        functions=kind.functions,
        transformed_data=kind.transformed_data,
        likelihood=likelihood,
        generated_quantities=filled(DRAWN, declared=declared, setup=f"{setup}\n{kind.setup}", draw=kind.draw),
    )


def _elimination(program: Program, factor: Factor) -> Elimination:
    """Choose how to integrate the effects of a factor out, and of those that go with it."""
    if program.dense:
        return dense.dense(program)
    return by_level.eliminated(factor, program.data_form) if factor.k > 1 else scalar.eliminated(factor)


def _c(program: Program) -> str:
    """Write c, with y - X * beta = D * c."""
    fixed = program.fixed
    around = f"y_mean - {fixed.intercept_name}" if fixed.intercept else ""
    if not fixed.K:
        return f"[{around}, 1]'" if around else "[1]'"
    return f"append_row({f'append_row({around}, -b)' if around else '-b'}, 1)"


def _Zr(program: Program, factor: Factor) -> str:
    """Write Z' * r of the factor that is integrated out level by level."""
    crosses = [cross for cross in program.crosses if cross.left == factor and not cross.right.integrated]
    return " - ".join([f"{factor.name('ZD')} * c", *map(_crossed_effects, crosses)])


def _sampled(program: Program) -> Iterator[str]:
    """Take the effects that are sampled out of the sum of squares."""
    for factor in program.sampled:
        template = SAMPLED if factor.k == 1 else SAMPLED_VECTORS
        yield filled(template, effects=_effects(factor), **names_of(factor))
    for cross in program.crosses:
        if not (cross.left.integrated or cross.right.integrated):
            yield f"rr += 2 * dot_product({_effects(cross.left)}, {_crossed_effects(cross)});"


def _effects(factor: Factor) -> str:
    return factor.name("u") if factor.k == 1 else f"to_vector({factor.name('u')})"


def _crossed_effects(cross: Cross) -> str:
    effects = _effects(cross.right)
    return f"{cross.name} .* {effects}[{cross.parent}]" if cross.parent else f"{cross.name} * {effects}"


def _declared(factor: Factor) -> str:
    return filled("vector[$N] $u;" if factor.k == 1 else "matrix[$N, $k] $u;", **names_of(factor))
