"""Marginal means and slopes as methods."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lmmformula.inference.means.marginal_means import MarginalMeans, Scale, Spec
    from lmmformula.inference.means.reference_grid import Weights
    from lmmformula.inference.tests.linear_functions import Ddf


class MarginalEffects:
    """Marginal means and slopes, of fits and posteriors alike."""

    def emmeans(
        self,
        spec: "Spec",
        *,
        by: "Spec" = (),
        at: Mapping[str, Any] | None = None,
        ddf: "Ddf | None" = None,
        level: float = 0.95,
        weights: "Weights" = "equal",
        type: "Scale" = "link",  # noqa: A002 (its name everywhere)
        offset: float | None = None,
    ) -> "MarginalMeans":
        """
        Estimate marginal means: predictions averaged over the other factors, numeric variables at their means.

        spec : variables, `"f"`, `["f", "g"]` or `"~ f * g | h"`; `.pairs()` of the result compares the means
        by : variables within whose values comparisons stay
        at : values at which other variables stand
        ddf : None for Kenward-Roger where it is defined and quick, else Satterthwaite; posteriors have draws instead
        weights : of what is averaged over: "equal", or by numbers of rows "proportional", "outer", "cells", "flat"
        type : "response" for means and ratios of `y` where the model is one of `log(y)`, or has a link; of an ordinal
            response "response" or "prob" for the probability of each category, "mean.class" for their mean number
        offset : what takes the place of the model's offsets; else they stand at their means over the rows
        """
        from lmmformula.inference.means.marginal_means import emmeans

        one: Any = self  # a fit or a posterior
        return emmeans(one, spec, by=by, at=at, ddf=ddf, level=level, weights=weights, type=type, offset=offset)

    def slopes(
        self,
        variable: str,
        spec: "Spec" = (),
        *,
        by: "Spec" = (),
        at: Mapping[str, Any] | None = None,
        ddf: "Ddf | None" = None,
        level: float = 0.95,
        weights: "Weights" = "equal",
        offset: float | None = None,
    ) -> "MarginalMeans":
        """Estimate the slope of the mean in a numeric variable; the other arguments are those of `emmeans`."""
        from lmmformula.inference.means.marginal_means import slopes

        one: Any = self  # a fit or a posterior
        return slopes(one, variable, spec, by=by, at=at, ddf=ddf, level=level, weights=weights, offset=offset)
