"""Pictures of priors: what a model believes of each parameter before it has seen a response."""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.design import Design
from lmmformula.errors import FitError
from lmmformula.present.pictures.canvas import SECOND, panels, shown, title_of
from lmmformula.stan.program.priors import PriorRow

Size = tuple[float, float] | None
Axes = Any  # matplotlib's, which is not always installed

DISTRIBUTIONS: dict[str, Callable[..., Any]] = {
    "normal": lambda stats, m, s: stats.norm(m, s),
    "student_t": lambda stats, df, m, s: stats.t(df, m, s),
    "cauchy": lambda stats, m, s: stats.cauchy(m, s),
    "logistic": lambda stats, m, s: stats.logistic(m, s),
    "double_exponential": lambda stats, m, s: stats.laplace(m, s),
    "uniform": lambda stats, low, high: stats.uniform(low, high - low),
    "exponential": lambda stats, rate: stats.expon(scale=1 / rate),
    "gamma": lambda stats, shape, rate: stats.gamma(shape, scale=1 / rate),
    "inv_gamma": lambda stats, shape, scale: stats.invgamma(shape, scale=scale),
    "lognormal": lambda stats, m, s: stats.lognorm(s, scale=np.exp(m)),
    "weibull": lambda stats, shape, scale: stats.weibull_min(shape, scale=scale),
    "chi_square": lambda stats, df: stats.chi2(df),
    "beta": lambda stats, a, b: stats.beta(a, b),
    "lkj": lambda stats, a: stats.beta(a, a, loc=-1, scale=2),
}
"""Stan's distributions as scipy.stats has them; others are not drawn."""

ANYWHERE = re.compile(r"Intercept|b(\[.*\])?|cutpoint(\[.*\])?")
"""Targets that may be negative; other parameters are scales, which have half of a distribution."""

TAIL = 0.01
"""Probability left out on each side that has no bound: the tails of a Cauchy distribution are long."""


def prior_densities(rows: Sequence[PriorRow], design: Design, *, figsize: Size = None) -> Axes:
    """
    Draw the density of each prior, on the scale of the parameter; an empty panel where it is flat or unknown.

    A matrix of correlations has the density of one of them. The intercept's is that of the mean response.
    """
    if not rows:
        raise FitError("the model has no priors")
    axes = panels(len(rows), most_columns=3, figsize=figsize, panel=(3.2, 2.4))
    for ax, row in zip(axes, rows, strict=True):
        frozen = frozen_prior(row, design)
        if frozen is None:
            ax.text(0.5, 0.5, "no density to draw", ha="center", va="center", transform=ax.transAxes, fontsize="small")
            ax.set_xticks([])
        else:
            points = _points(frozen, row.target)
            ax.fill_between(points, density(frozen, row.target, points), color=SECOND, alpha=0.4, linewidth=0)
            ax.locator_params(axis="x", nbins=5)
        ax.set_title(f"{title_of(row.target)}\n{shown(neat(row.distribution), 3.6)}", fontsize="small")
        ax.set_yticks([])
        ax.set_ylim(bottom=0)
    return axes


def frozen_prior(row: PriorRow, design: Design) -> Any:  # noqa: ANN401 (a distribution of scipy.stats)
    """Return the distribution of a prior, that of one correlation for a matrix of them; None if it isn't drawn."""
    from scipy import stats

    found = re.fullmatch(r"(\w+)\((.*)\)", row.distribution)
    if found is None or found[1] not in DISTRIBUTIONS:
        return None
    numbers = [float(number) for number in found[2].split(",")]
    if found[1] == "lkj":
        group = row.target.removeprefix("cor[").removesuffix("]")
        k = next((t.n_coefficients for t in design.random_terms if t.group == group), 2)
        numbers = [numbers[0] + k / 2 - 1]  # Lewandowski, Kurowicka & Joe (2009): each correlation is a beta variable
    return DISTRIBUTIONS[found[1]](stats, *numbers)


def density(frozen: Any, target: str, points: FloatArray) -> FloatArray:  # noqa: ANN401 (a distribution of scipy.stats)
    """Return the density of a prior at points; of a scale, that of the positive half."""
    least = least_of(target)
    found: FloatArray = np.where(points >= least, frozen.pdf(points), 0.0) / frozen.sf(least)
    return found


def least_of(target: str) -> float:
    """
    Return the bound of a parameter: scales are positive, the degrees of freedom `nu` at least 1.

    >>> least_of("b[x]"), least_of("cor[g]"), least_of("sigma")
    (-inf, -inf, 0.0)
    """
    if target.startswith("cor[") or ANYWHERE.fullmatch(target):
        return -math.inf
    return 1.0 if target == "nu" else 0.0


def neat(distribution: str) -> str:
    """
    Write the numbers of a distribution with six digits where they have more.

    >>> neat("student_t(3, 0, 148.34821469999997)"), neat("normal(0, 2.5)")
    ('student_t(3, 0, 148.348)', 'normal(0, 2.5)')
    """
    return re.sub(r"-?\d+\.\d{4,}(e[+-]\d+)?", lambda found: f"{float(found[0]):.6g}", distribution)


def _points(frozen: Any, target: str) -> FloatArray:  # noqa: ANN401 (a distribution of scipy.stats)
    """Return points between which nearly all of the probability lies."""
    least = least_of(target)
    if math.isinf(least):
        ends = [
            at if math.isfinite(at) else frozen.ppf(q) for at, q in zip(frozen.support(), (TAIL, 1 - TAIL), strict=True)
        ]
        return np.linspace(float(ends[0]), float(ends[1]), 300)
    below = float(frozen.cdf(least))
    upper = frozen.support()[1]
    high = upper if math.isfinite(upper) else frozen.ppf(below + (1 - below) * (1 - 2 * TAIL))
    return np.linspace(least, float(high), 301)[1:]
