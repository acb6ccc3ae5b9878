"""Terms: products of variables and of what is computed of them."""

from dataclasses import dataclass, field

from lmmformula.errors import NOWHERE, Span
from lmmformula.ir.expressions import Expression, label


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """
    A product of expressions, `x`, `a:b`, `log(x):f`; the empty product is the intercept.

    Two terms are equal if they hold the same expressions, in whatever order.

    factors : the distinct expressions, in the order in which the formula first names them
    """

    factors: tuple[Expression, ...] = ()
    span: Span = field(default=NOWHERE, repr=False)

    @property
    def order(self) -> int:
        """Number of expressions multiplied: 0 for the intercept, 1 for a main effect."""
        return len(self.factors)

    @property
    def label(self) -> str:
        """The term as R writes it, `a:log(x)`; "1" for the intercept."""
        return ":".join(label(factor) for factor in self.factors) or "1"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Term) and frozenset(self.factors) == frozenset(other.factors)

    def __hash__(self) -> int:
        return hash(frozenset(self.factors))
