"""What a fit works out from its rows before it is saved without them."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar, get_args

import numpy as np

from lmmformula.errors import LmmFormulaError
from lmmformula.inference.tests.anova_contrasts import AnovaType, hypotheses
from lmmformula.results.files.kept_numbers import Hypotheses, Kept, kept_of
from lmmformula.results.glmm import MixedResult
from lmmformula.results.lmm import LinearMixedResult
from lmmformula.results.predict.grid_values import grid_values
from lmmformula.results.predict.uncertainty import is_small

T = TypeVar("T")

MOST_COEFFICIENTS = 200
"""Of more fixed effects no derivatives and hypotheses are kept: their number grows with the square."""


def keep(result: MixedResult) -> Kept:
    """
    Work out what tests, marginal means, intervals of predictions and a summary need of the rows.

    What this fit could not say itself is left out, as are tests where there are too many fixed effects; of a fit that
    was loaded, what it came with is kept.
    """
    if not result.design.has_criterion:
        return kept_of(result.design)
    tested = 0 < result.design.n_fixed <= MOST_COEFFICIENTS
    kept = Kept(
        grid=grid_values(result),
        hypotheses=_all_types(result) if tested else None,
        residuals=result.residual_quantiles,
        modes=_unless_refused(lambda: result.joint_covariance.to_keep()) if is_small(result.design) else None,  # noqa: PLW0108 (made late)
    )
    if not isinstance(result, LinearMixedResult):
        return kept
    if result.is_linear_model:
        return replace(kept, r_squared=_unless_refused(lambda: result.r_squared))
    return replace(kept, variance=_unless_refused(lambda: result.variance_parameters) if tested else None)


def _all_types(result: MixedResult) -> Hypotheses:
    """Return the hypotheses of each type that can be said."""
    found = {kind: _unless_refused(partial(hypotheses, result, kind)) for kind in get_args(AnovaType)}
    return {kind: terms for kind, terms in found.items() if terms is not None}


def _unless_refused(make: Callable[[], T]) -> T | None:
    try:
        return make()
    except (LmmFormulaError, np.linalg.LinAlgError):
        return None
