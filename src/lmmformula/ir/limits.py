"""How large a model may be: what is refused before memory is spent on it. Texts have limits too: formula/limits.py."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TermLimits:
    """
    The sizes beyond which a formula's terms are refused.

    terms : number of terms after `*`, `^` and the like are expanded, those of random-effects terms included
    products : number of products formed on the way there
    order : number of variables in one interaction, and of columns in one grouping factor
    random : number of random-effects terms after `/` and `||` are expanded
    operations : depth of the arithmetic inside one variable; `I(a + b + c)` has depth 3
    """

    terms: int = 20_000
    products: int = 200_000
    order: int = 32
    random: int = 1_000
    operations: int = 200


LIMITS = TermLimits()
