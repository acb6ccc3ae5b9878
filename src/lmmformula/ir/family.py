"""Response distributions and links, as data."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """
    A response distribution and its link.

    name : "gaussian", "binomial", "poisson", ...
    link : "identity", "log", "logit", ...
    """

    name: str = "gaussian"
    link: str = "identity"


GAUSSIAN = Family()
