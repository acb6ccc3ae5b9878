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

    @property
    def ordinal(self) -> bool:
        """Whether the response is one of ordered categories, told apart by cutpoints in the place of an intercept."""
        return self.name == "cumulative"


GAUSSIAN = Family()
