"""The families a user may name, and what can be done with each."""

import re

from lmmformula.errors import FormulaError
from lmmformula.ir.family import Family

DEFAULT_LINKS = {
    "gaussian": "identity",
    "binomial": "logit",
    "poisson": "log",
    "Gamma": "inverse",
    "inverse.gaussian": "1/mu^2",
    "negbinomial": "log",
    "student": "identity",
    "lognormal": "identity",
    "beta": "logit",
    "zero_inflated_poisson": "log",
    "zero_inflated_negbinomial": "log",
    "cumulative": "logit",
}
"""Families, R's first, and their default links."""

ALIASES = {"bernoulli": "binomial", "negative.binomial": "negbinomial", "gamma": "Gamma", "ordinal": "cumulative"}
"""Other names of families."""


def read_family(family: str | Family) -> Family:
    """
    Read a family as R writes it: a name, or a name with a link.

    >>> read_family("binomial"), read_family("binomial(probit)")
    (Family(name='binomial', link='logit'), Family(name='binomial', link='probit'))
    """
    if isinstance(family, Family):
        return family
    match = re.fullmatch(r"""\s*([\w.]+)\s*(?:\(\s*(?:link\s*=\s*)?["']?([\w/^]*)["']?\s*\))?\s*""", str(family))
    name, link = match.groups() if match else (str(family), None)
    name = ALIASES.get(name, name)
    if name not in DEFAULT_LINKS:
        raise FormulaError(f"there is no family '{family!s:.60}'", hint=f"the families are: {', '.join(DEFAULT_LINKS)}")
    return Family(name, link or DEFAULT_LINKS[name])
