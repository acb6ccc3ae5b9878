"""Families by their names."""

from lmmformula.families.beta import Beta
from lmmformula.families.binomial import Binomial
from lmmformula.families.cumulative import Cumulative
from lmmformula.families.family import Family
from lmmformula.families.gamma import Gamma
from lmmformula.families.gaussian import Gaussian
from lmmformula.families.lognormal import Lognormal
from lmmformula.families.negbinomial import NegativeBinomial
from lmmformula.families.poisson import Poisson
from lmmformula.families.student import Student
from lmmformula.families.zero_inflated import ZeroInflatedNegativeBinomial, ZeroInflatedPoisson

FAMILIES: dict[str, type[Family]] = {
    family.name: family
    for family in (
        Gaussian,
        Binomial,
        Poisson,
        Gamma,
        NegativeBinomial,
        Student,
        Lognormal,
        Beta,
        ZeroInflatedPoisson,
        ZeroInflatedNegativeBinomial,
        Cumulative,
    )
}
"""Name -> family."""


def family(name: str, link: str) -> Family:
    """
    Return a family with a link; KeyError where there is none.

    >>> family("poisson", "log")
    Poisson(link='log')
    """
    found = FAMILIES[name]
    if link not in found.links:
        raise KeyError(link)
    return found(link)
