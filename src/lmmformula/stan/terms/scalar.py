"""One coefficient of each level integrated out: M has a number for each level."""

from lmmformula.stan.program.record import Factor
from lmmformula.stan.terms.elimination import Elimination
from lmmformula.stan.terms.grouped import names_of

SCALAR = Elimination(
    legend="lambda, m: $sd / sigma; of each level, 1 + lambda * ZZ * lambda",
    setup="""\
real lambda = $sd / sigma;
vector[$N] m = 1 + square(lambda) * $ZZ;""",
    density="""\
rr -= square(lambda) * sum(square(Zr) ./ m);
target += -0.5 * sum(log(m));""",
    draw="$u = to_vector(normal_rng(square(lambda) * Zr ./ m, $sd ./ sqrt(m)));",
)


def eliminated(factor: Factor) -> Elimination:
    """Fill the templates for a factor."""
    return SCALAR.filled(**names_of(factor))
