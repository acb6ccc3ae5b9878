"""Intervals of a posterior: for parameters, random effects, and the coefficients of each level."""

from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any, Literal

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import FitError
from lmmformula.results.effects import terms_by_group
from lmmformula.results.estimates import Sampled
from lmmformula.results.posteriors.draws import Quantity, parameters_of, random_effects_of
from lmmformula.results.varcorr import unique_labels

IntervalMethod = Literal["quantile", "hdi"]
METHOD_NAMES = {"quantile": "quantiles of the posterior", "hdi": "highest posterior density"}
PARTS = {
    "fixed": ("fixed",),
    "ran_pars": ("sd", "cor", "sigma"),
    "family": ("family",),
    "ran_vals": ("random",),
    "coef": ("coef",),
}
"""Words that stand for several quantities; the first and second as a fit's `confint` has them."""


def draws_of(result: Sampled, wanted: str | Sequence[str] | None) -> tuple[list[Quantity], FloatArray]:
    """
    Find the draws of what a user named, (C * D, m).

    wanted : labels as `draws_frame(random=True)` has them, `coef[group, level, x]`, or a word of `PARTS`; None for
        all parameters
    """
    names = [] if wanted is None else [wanted] if isinstance(wanted, str) else _listed(wanted)
    quantities, values = parameters_of(result.design, result.draws)
    more = (random_effects_of(result.design, result.draws), coefficients_of(result))
    for known, prefix, part in zip(more, ("random[", "coef["), ("ran_vals", "coef"), strict=True):
        if any(name == part or name.startswith(prefix) for name in names):
            quantities, values = [*quantities, *known[0]], np.concatenate([values, known[1]], axis=2)
    flat = values.reshape(-1, values.shape[2])
    if wanted is None:
        return quantities, flat
    places: dict[int, None] = {}
    for name in names:
        found = [i for i, q in enumerate(quantities) if q.label == name]
        found = found or [i for i, q in enumerate(quantities) if q.part in PARTS.get(name, ())]
        if not found and name not in PARTS:
            shown = ", ".join(q.label for q in quantities[:12]) + (", ..." if len(quantities) > 12 else "")
            words = ", ".join(f'"{word}"' for word in PARTS)
            raise FitError(f"the posterior has no parameter {name!r:.60}", hint=f"they are: {shown}; or {words}")
        places |= dict.fromkeys(found)
    return [quantities[i] for i in places], flat[:, list(places)]


def coefficients_of(result: Sampled) -> tuple[list[Quantity], FloatArray]:
    """List the coefficients of each level, as `coef()` lays them out, and stack their draws (C, D, variables)."""
    design, draws = result.design, result.draws
    quantities: list[Quantity] = []
    columns = [np.empty((draws.n_chains, draws.n_draws, 0))]
    fixed = {name: draws.beta[..., i, None] for i, name in enumerate(design.fixed_names)}
    for group, members in terms_by_group(design.random_terms).items():
        names = unique_labels([name for t in members for name in design.random_terms[t].coefficient_names])
        modes = np.concatenate([draws.modes[t] for t in members], axis=3)
        effects = {name: modes[..., k] for k, name in enumerate(names)}
        order = [*fixed, *(name for name in effects if name not in fixed)]
        levels = design.random_terms[members[0]].levels
        total = [np.broadcast_to(fixed.get(n, 0.0) + effects.get(n, 0.0), modes.shape[:3]) for n in order]
        quantities += [Quantity("coef", group, f"{level}, {name}") for level in levels for name in order]
        columns.append(np.stack(total, axis=3).reshape(draws.n_chains, draws.n_draws, -1))
    return quantities, np.concatenate(columns, axis=2)


def bounds(draws: FloatArray, method: str, level: float) -> FloatArray:
    """
    Bound intervals that hold a share of the draws.

    draws : (S, m)
    method : "quantile" for tails of equal probability, "hdi" for the shortest interval
    Returns (2, m).

    >>> bounds(np.arange(101.0)[:, None], "quantile", 0.9).ravel()
    array([ 5., 95.])
    """
    if not isinstance(level, Real) or isinstance(level, bool) or not 0.0 < level < 1.0:
        raise FitError(f"level={level!r:.60} is not between 0 and 1", hint="0.95 asks for 95 % intervals")
    if not isinstance(method, str) or method not in METHOD_NAMES:
        raise FitError(f"there are no intervals by {method!r:.60}", hint=f"the methods are: {', '.join(METHOD_NAMES)}")
    if method == "quantile":
        tail = (1 - level) / 2
        return np.quantile(draws, [tail, 1 - tail], axis=0)
    ordered = np.sort(draws, axis=0)
    within = int(np.floor(level * len(draws)))
    widths = ordered[within:] - ordered[: len(draws) - within]
    first = np.argmin(widths, axis=0)
    columns = np.arange(draws.shape[1])
    return np.stack([ordered[first, columns], ordered[first + within, columns]])


def _listed(wanted: object) -> list[str]:
    names: list[Any] = list(wanted) if isinstance(wanted, Iterable) else [wanted]
    if not all(isinstance(name, str) for name in names):
        raise FitError(f"parameters are named by text, not by {wanted!r:.60}", hint='as in "sigma", or "fixed"')
    return names
