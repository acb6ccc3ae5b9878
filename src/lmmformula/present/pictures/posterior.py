"""Pictures of a posterior: densities with their priors, traces, ranks."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import FitError
from lmmformula.present.pictures.canvas import FAINT, LINE, SECOND, panels, shared_legend, shown, subplots, title_of
from lmmformula.present.pictures.priors import density, frozen_prior, prior_densities
from lmmformula.results.posteriors.posterior import PosteriorResult

Size = tuple[float, float] | None
Axes = Any  # matplotlib's, which is not always installed
BINS = 20
"""Of a histogram of ranks."""


def densities(posterior: PosteriorResult, parameters: Sequence[str] | None = None, *, figsize: Size = None) -> Axes:
    """
    Draw the density of each parameter's draws, and of its prior where that is a distribution of one number.

    The intercept's prior is that of the mean response, so it has no line unless there is nothing else.
    """
    from scipy.stats import gaussian_kde

    draws = _draws(posterior, parameters)
    axes = panels(len(draws), most_columns=3, figsize=figsize, panel=(3.2, 2.4))
    for ax, (name, values) in zip(axes, draws.items(), strict=True):
        flat = values.ravel()
        spread = flat.max() - flat.min()
        points = np.linspace(flat.min() - 0.1 * spread, flat.max() + 0.1 * spread, 200)
        if name.startswith("sd[") or name == "sigma":
            points = points[points >= 0]
        if name.startswith("cor["):
            points = points[np.abs(points) <= 1]
        if spread > 0:
            ax.fill_between(points, gaussian_kde(flat)(points), color=LINE, alpha=0.4, linewidth=0, label="posterior")
        prior = prior_density(posterior, name, points)
        if prior is not None:
            ax.plot(points, prior, color=SECOND, label="prior")
        ax.locator_params(axis="x", nbins=5)
        ax.set_title(title_of(name), fontsize="small")
        ax.set_yticks([])
        ax.set_ylim(bottom=0)
    with_prior = [ax for ax in axes if len(ax.get_legend_handles_labels()[1]) > 1]
    shared_legend(with_prior or axes)
    return axes


def prior_density(posterior: PosteriorResult, name: str, points: FloatArray) -> FloatArray | None:
    """Return the prior's density of a parameter at points; None where there is none to draw."""
    group = re.fullmatch(r"cor\[(.*), .*, .*\]", name)
    alone = posterior.design.n_fixed == 1
    targets = {name, f"b[{name}]", *([f"cor[{group[1]}]"] if group else []), *(["Intercept"] if alone else [])}
    row = next((row for row in posterior.program.priors if row.target in targets), None)
    frozen = None if row is None else frozen_prior(row, posterior.design)
    return None if row is None or frozen is None else density(frozen, row.target, points)


def priors(posterior: PosteriorResult, *, figsize: Size = None) -> Axes:
    """Draw the density of each prior, alone and on its own scale."""
    return prior_densities(posterior.program.priors, posterior.design, figsize=figsize)


def traces(posterior: PosteriorResult, parameters: Sequence[str] | None = None, *, figsize: Size = None) -> Axes:
    """Draw each chain's draws one after the other, and the histogram of their ranks among all: both flat if mixed."""
    draws = _draws(posterior, parameters)
    axes = subplots(len(draws), 2, figsize=figsize, panel=(4.2, 1.5))
    for (left, right), (name, values) in zip(axes, draws.items(), strict=True):
        ranks = values.ravel().argsort().argsort().reshape(values.shape)
        edges = np.linspace(0, values.size, BINS + 1)
        for chain, own in enumerate(values):
            left.plot(own, linewidth=0.5, alpha=0.8, label=f"chain {chain + 1}")
            right.stairs(np.histogram(ranks[chain], edges)[0], edges, alpha=0.8)
        right.axhline(values.shape[1] / BINS, color=FAINT, linewidth=0.8, zorder=0)
        left.set_title(shown(name, 5.0), fontsize="small", loc="left")
        left.locator_params(axis="y", nbins=2)
        right.set_yticks([])
        right.set_ylim(bottom=0)
        if right is not axes[-1, 1]:
            left.tick_params(labelbottom=False)
            right.tick_params(labelbottom=False)
    axes[-1, 0].set_xlabel("draw")
    axes[-1, 1].set_xlabel("rank")
    shared_legend(axes[0, 0], inches=8.4)
    return axes


def _draws(posterior: PosteriorResult, parameters: Sequence[str] | None) -> dict[str, FloatArray]:
    """Return (chains, draws) arrays of parameters by name."""
    frame = posterior.draws_frame()
    wanted = list(frame.columns) if parameters is None else list(parameters)
    unknown = [name for name in wanted if name not in frame.columns]
    if unknown or not wanted:
        raise FitError(f"the posterior has no parameter {unknown}", hint=f"they are: {', '.join(frame.columns)}")
    chains = posterior.draws.n_chains
    return {name: frame[name].to_numpy().reshape(chains, -1) for name in wanted}
