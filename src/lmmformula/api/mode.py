"""A posterior mode as a user holds it: the numbers of `results`, printed."""

from dataclasses import dataclass

from lmmformula.newcomers import answers_newcomers
from lmmformula.present.mode import mode_text
from lmmformula.results.posteriors.mode import ModeResult


@answers_newcomers({"sample()": "lmmformula.api.posterior:Posterior"}, made="Model(...).optimize()")
@dataclass(frozen=True, eq=False, repr=False)
class PosteriorMode(ModeResult):
    """
    The parameters at which the posterior density of a model is largest, under a fit's accessor names.

    It is one point and tells nothing of the spread around it: `Model.sample` does.

    >>> import lmmformula as lf
    >>> mode = lf.Model("Yield ~ 1 + (1 | Batch)", lf.datasets.load("Dyestuff")).optimize(seed=1)
    >>> mode.fixef.round(0).to_dict()
    {'(Intercept)': 1528.0}
    """

    def __str__(self) -> str:
        return mode_text(self)

    def __repr__(self) -> str:
        return mode_text(self)
