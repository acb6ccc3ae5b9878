"""A posterior as a user holds it: the numbers of `results`, printed."""

from dataclasses import dataclass

from lmmformula.api.hypotheses import MarginalEffects
from lmmformula.present.posterior import posterior_html, posterior_text
from lmmformula.results.posterior import PosteriorResult


@dataclass(frozen=True, eq=False, repr=False)
class Posterior(MarginalEffects, PosteriorResult):
    """
    Draws from the posterior of a linear mixed model.

    The accessors have the names of a fit's and give posterior means; `draws` holds the draws themselves, as arrays,
    and `draws_frame()` as a data frame. `print(posterior)` shows the summary and the sampler's verdict.
    """

    def __str__(self) -> str:
        return posterior_text(self)

    def __repr__(self) -> str:
        return posterior_text(self)

    def _repr_html_(self) -> str:
        return posterior_html(self)
