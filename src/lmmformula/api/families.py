"""The families a user may name, by our names and by those of other packages, and what can be done with each."""

import re
import warnings
from collections.abc import Iterator

from lmmformula.errors import FitWarning, FormulaError
from lmmformula.families.table import FAMILIES
from lmmformula.ir.family import Family

OF_R = {
    "gaussian": "identity",
    "binomial": "logit",
    "poisson": "log",
    "Gamma": "inverse",
    "inverse.gaussian": "1/mu^2",
}
"""R's families and their default links."""

DEFAULT_LINKS = OF_R | {name: kind.links[0] for name, kind in FAMILIES.items() if name not in OF_R}
"""Families, R's first, and their default links."""

MEANT = {"Gamma": "log"}
"""Families whose default link in R has no fit here, and the link that is meant where none is named."""

ALIASES = {
    **dict.fromkeys(("normal", "norm"), "gaussian"),
    **dict.fromkeys(("bernoulli", "logistic"), "binomial"),
    **dict.fromkeys(
        ("nbinom2", "nbinom", "nb", "negbin", "negative.binomial", "negativebinomial", "neg_binomial_2",
         "negbinomial2", "negative_binomial"),
        "negbinomial",
    ),
    **dict.fromkeys(("t", "t_family", "studentt", "student_t", "scat"), "student"),
    **dict.fromkeys(("beta_family", "betar", "beta_proportion"), "beta"),
    **dict.fromkeys(("inverse_gaussian", "inversegaussian", "wald"), "inverse.gaussian"),
    **dict.fromkeys(("log_normal",), "lognormal"),
    **dict.fromkeys(("gamma_family",), "Gamma"),
    **dict.fromkeys(("zip", "ziplss", "zeroinflatedpoisson"), "zero_inflated_poisson"),
    **dict.fromkeys(
        ("zinb", "zero_inflated_negative_binomial", "zeroinflatednegativebinomial"), "zero_inflated_negbinomial"
    ),
    **dict.fromkeys(("ordinal", "ocat", "clm", "clmm", "polr"), "cumulative"),
}  # fmt: skip
"""Names of families in R, brms, glmmTMB, mgcv, rstanarm and Bambi, in small letters -> ours."""

NOT_YET = frozenset((
    "nbinom1", "nbinom12", "genpois", "compois", "tweedie", "tw", "betabinomial", "beta_binomial", "skew_normal",
    "weibull", "exponential", "loglogistic", "ordbeta", "zero_inflated_beta", "zero_one_inflated_beta",
    "zero_inflated_binomial", "zero_inflated_beta_binomial", "truncated_poisson", "truncated_nbinom2",
    "truncated_nbinom1", "hurdle_poisson", "hurdle_negbinomial", "hurdle_gamma", "hurdle_lognormal", "zigamma",
    "sratio", "cratio", "acat", "categorical", "multinomial", "asym_laplace", "exgaussian", "von_mises", "cox",
    "lognormal_mean", "bell",
))  # fmt: skip
"""Families of other packages that there are not."""

OWN_LINKS = {"zi": "logit", "sigma": "log", "shape": "log", "phi": "log", "nu": "logm1"}
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
    if found.name in MEANT and not re.search(r"\(.*\w", str(family)):
        message = f"the family {found.name} has the link {found.link} here, and {DEFAULT_LINKS[found.name]} in R"
        warnings.warn(f'{message}; family="{found.name}({found.link})" says so', FitWarning, stacklevel=4)
    return found


def named_family(text: str) -> Family:
    """Read a name, or a name with a link; without a word where the link is not the one of R."""
    match = re.fullmatch(r"\s*([\w.]+)\s*(?:\((.*)\))?\s*", text)
    name = _name(match[1] if match else text, text)
    links = list(_links(name, (match[2] if match else None) or ""))
    return Family(name, links[0] if links else MEANT.get(name, DEFAULT_LINKS[name]))


def _name(typed: str, family: str) -> str:
    """Find our name of a family; capitals don't matter."""
    small = typed.lower()
    name = ALIASES.get(small) or next((own for own in DEFAULT_LINKS if own.lower() == small), "")
    if name:
        return name
    hint = f"the families are: {', '.join(DEFAULT_LINKS)}"
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
