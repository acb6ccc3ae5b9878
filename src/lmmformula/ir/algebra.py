"""The algebra of terms: what `+ - : * / ^ %in%` do to lists of products. Laws; no data and no syntax."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Generic, TypeVar

from lmmformula.errors import FormulaError
from lmmformula.ir.limits import LIMITS

Thing = TypeVar("Thing", bound=Hashable)
"""What products are made of: the numbers of variables; in the tests of the laws, anything."""


def too_many() -> FormulaError:
    """Say that an expansion is beyond the limits."""
    return FormulaError(
        f"the formula expands to more than {LIMITS.terms:,} terms",
        hint="a lower power, or fewer variables in it, may say what you need",
    )


@dataclass(frozen=True, slots=True)
class Products(Generic[Thing]):
    """
    A list of products without repeats, in order of appearance; R's terms.formula works on the same lists.

    items : for each product the things it multiplies; by the same thing twice changes nothing, `x:x` is `x`

    >>> a, b, c = (Products.of(name) for name in "abc")
    >>> a * b == a + b + a.interact(b)
    True
    >>> (a + b) / c == a + b + a.interact(b).interact(c)
    True
    """

    items: tuple[frozenset[Thing], ...] = ()

    @classmethod
    def of(cls, thing: Thing) -> "Products[Thing]":
        """Make the list whose only product is one thing."""
        return cls((frozenset((thing,)),))

    @classmethod
    def distinct(cls, products: Iterable[frozenset[Thing]]) -> "Products[Thing]":
        """Collect products, leaving out repeats and the empty one."""
        seen: dict[frozenset[Thing], None] = {}
        for product in products:
            if product:
                seen[product] = None
            if len(product) > LIMITS.order:
                raise FormulaError(f"an interaction of more than {LIMITS.order} variables")
            if len(seen) > LIMITS.terms:
                raise too_many()
        return cls(tuple(seen))

    def __add__(self, other: "Products[Thing]") -> "Products[Thing]":
        """Return a + b: the terms of both."""
        return Products.distinct(chain(self.items, other.items))

    def __sub__(self, other: "Products[Thing]") -> "Products[Thing]":
        """Return a - b: the terms of a that aren't in b."""
        removed = set(other.items)
        return Products(tuple(product for product in self.items if product not in removed))

    def interact(self, other: "Products[Thing]") -> "Products[Thing]":
        """Return a:b: each term of a times each of b."""
        return Products.distinct(left | right for left in self.items for right in other.items)

    def __mul__(self, other: "Products[Thing]") -> "Products[Thing]":
        """Return a * b, that is a + b + a:b."""
        return self + other + self.interact(other)

    def __truediv__(self, other: "Products[Thing]") -> "Products[Thing]":
        """Return a / b, b within a: a, and each term of b times all of a."""
        return self + Products((self.everything,)).interact(other) if self.items else other

    def inside(self, other: "Products[Thing]") -> "Products[Thing]":
        """Return a %in% b: each term of a times all of b."""
        whole = other.everything
        return Products.distinct(product | whole for product in self.items)

    @property
    def everything(self) -> frozenset[Thing]:
        """The product of all the terms."""
        return frozenset(chain.from_iterable(self.items))
