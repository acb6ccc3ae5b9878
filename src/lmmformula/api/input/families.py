"""The families a user may name, by our names and by those of other packages, and what can be done with each."""

import re
import warnings
from collections.abc import Iterator

from lmmformula.errors import FitWarning, FormulaError
from lmmformula.families.table import FAMILIES
from lmmformula.ir.family import Family

NAMES = {small: family.name for family in FAMILIES.values() for small in (family.name.lower(), *family.aliases)}
"""Names of families, here and in other packages, in small letters -> ours."""

NOT_YET = frozenset((
    "nbinom1", "nbinom12", "genpois", "compois", "tweedie", "tw", "betabinomial", "beta_binomial", "skew_normal",
    "weibull", "exponential", "loglogistic", "ordbeta", "zero_inflated_beta", "zero_one_inflated_beta",
    "zero_inflated_binomial", "zero_inflated_beta_binomial", "truncated_poisson", "truncated_nbinom2",
    "truncated_nbinom1", "hurdle_poisson", "hurdle_negbinomial", "hurdle_gamma", "hurdle_lognormal", "zigamma",
    "sratio", "cratio", "acat", "categorical", "multinomial", "asym_laplace", "exgaussian", "von_mises", "cox",
    "lognormal_mean", "bell", "inverse.gaussian", "inverse_gaussian", "inversegaussian", "wald",
))  # fmt: skip
"""Families of other packages that there are not."""

OWN_LINKS = {p.name: p.usual_link or p.link for family in FAMILIES.values() for p in family.parameters}
"""Links of families' own parameters, which brms' families take as arguments, `link_zi`."""


def read_family(family: str | Family) -> Family:
    """
    Read a family as R writes it: a name, or a name with a link.

    >>> read_family("binomial"), read_family("binomial(probit)")
    (Family(name='binomial', link='logit'), Family(name='binomial', link='probit'))
    >>> read_family('zero_inflated_poisson(link = "log", link_zi = "logit")').name
    'zero_inflated_poisson'
    """
    if isinstance(family, Family):
        return family
    found = named_family(str(family))
    usual = FAMILIES[found.name].usual_link
    if usual and not re.search(r"\(.*\w", str(family)):
        message = f"the family {found.name} has the link {found.link} here, and {usual} in R"
        warnings.warn(f'{message}; family="{found.name}({found.link})" says so', FitWarning, stacklevel=4)
    return found


def named_family(text: str) -> Family:
    """Read a name, or a name with a link; without a word where the link is not the one of R."""
    match = re.fullmatch(r"\s*([\w.]+)\s*(?:\((.*)\))?\s*", text)
    name = _name(match[1] if match else text, text)
    links = list(_links(name, (match[2] if match else None) or ""))
    return Family(name, links[0] if links else FAMILIES[name].links[0])


def _name(typed: str, family: str) -> str:
    """Find our name of a family; capitals don't matter."""
    small = typed.lower()
    if small in NAMES:
        return NAMES[small]
    hint = f"the families are: {', '.join(FAMILIES)}"
    if small in NOT_YET:
        raise FormulaError(f"the family '{family:.60}' is not supported yet", hint=hint)
    if small.startswith("quasi"):
        raise FormulaError(f"there is no family '{family:.60}': quasi-likelihoods have no density", hint=hint)
    raise FormulaError(f"there is no family '{family:.60}'", hint=hint)


def _links(name: str, arguments: str) -> Iterator[str]:
    """Read the arguments of a family: the link of its mean is yielded, others must be what they are anyway."""
    for argument in filter(None, (part.strip() for part in arguments.split(","))):
        key, _, value = argument.rpartition("=")
        key, value = key.strip(), value.strip().strip("\"'")
        own = OWN_LINKS.get(key.removeprefix("link_"))
        if key in ("", "link"):
            yield value
        elif not (key.startswith("link_") and value == own) and (key, value) != ("threshold", "flexible"):
            hint = f'the link of {key.removeprefix("link_")} is "{own}"' if own else f'as in "{name}(link)"'
            raise FormulaError(f"the family {name} has no choice of {key} = {value:.60}", hint=hint)
