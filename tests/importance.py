"""Posteriors of small models by importance sampling and quadrature: nothing of them comes from Stan."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import optimize, stats
from scipy.special import expit, logsumexp

from lmmformula.ir.family import Family
from lmmformula.stan.diagnostics import summarise
from responses import response_log_density

Array = np.ndarray
Prior = Callable[[Array], Array]

NODES = np.linspace(-6.0, 6.0, 49)
"""Of the trapezoidal rule for a standardised random intercept; it converges exponentially where the ends vanish."""
PILOTS = (500, 500, 1000)
"""Draws from which the proposal is learnt; they are thrown away."""
DRAWS = 4000
CHUNK = 100
FREEDOM = 6.0
"""Of the t distribution that proposes: its tails are heavier than a posterior's."""


@dataclass(frozen=True)
class SmallModel:
    """
    `y ~ x + (1 | g)` with its priors; the intercept, or the cutpoints, stand at the mean of x.

    y, x : (n,) and g : (n,) groups from 0
    priors : parameter -> log density; "Intercept_c" or "cutpoint_c", "b", "sd_g" and those of the family
    known : what else the density of a row needs: "trials", or "root_weights" by which sigma is divided
    """

    family: Family
    y: Array
    x: Array
    g: Array
    priors: dict[str, Prior]
    known: dict[str, Array] = field(default_factory=dict)

    @property
    def n_cutpoints(self) -> int:
        """Number of cutpoints, 0 in a family without."""
        return int(self.y.max()) - 1 if "cutpoint_c" in self.priors else 0

    @property
    def size(self) -> int:
        """Number of numbers that are estimated."""
        return len(self.priors) + max(self.n_cutpoints - 1, 0)

    def constrained(self, free: Array) -> tuple[dict[str, Array], Array]:
        """Bring (S, d) free numbers to the parameters' own scales; return these and the (S,) log Jacobian."""
        values: dict[str, Array] = {}
        jacobian = np.zeros(len(free))
        columns = iter(free.T)
        for name in self.priors:
            number = next(columns)
            match name:
                case "Intercept_c" | "b":
                    values[name] = number
                case "cutpoint_c":
                    steps = [next(columns) for _ in range(self.n_cutpoints - 1)]
                    values[name] = np.cumsum(np.stack([number, *map(np.exp, steps)], axis=1), axis=1)
                    jacobian = jacobian + sum(steps)
                case "zi":
                    values[name] = expit(number)
                    jacobian = jacobian + np.log(expit(number) * expit(-number))
                case _:
                    values[name] = np.exp(number) + (1.0 if name == "nu" else 0.0)
                    jacobian = jacobian + number
        return values, jacobian

    def log_likelihood(self, values: dict[str, Array]) -> Array:
        """Return (S,) log likelihoods, the random intercepts integrated out group by group."""
        own: dict[str, Any] = {name: value[:, None, None] for name, value in values.items() if value.ndim == 1}
        eta = own["b"] * (self.x - self.x.mean()) + own["sd_g"] * NODES[:, None]
        if "cutpoint_c" in values:
            own["cutpoint"] = values["cutpoint_c"][:, None, :]
        else:
            eta = eta + own["Intercept_c"]
        own |= {"trials": self.known["trials"]} if "trials" in self.known else {}
        if "root_weights" in self.known:
            own["sigma"] = own["sigma"] / self.known["root_weights"]
        rows = response_log_density(self.family, self.y, eta, own)
        groups = np.stack([rows[:, :, self.g == j].sum(axis=2) for j in range(self.g.max() + 1)], axis=2)
        weights = stats.norm.logpdf(NODES)[:, None] + np.log(NODES[1] - NODES[0])
        return logsumexp(groups + weights, axis=1).sum(axis=1)

    def log_posterior(self, free: Array) -> Array:
        """Return (S,) log densities of (S, d) free numbers."""
        values, jacobian = self.constrained(free)
        prior = sum(np.reshape(density(values[name]), (len(free), -1)).sum(1) for name, density in self.priors.items())
        parts = range(0, len(free), CHUNK)
        likelihood = [self.log_likelihood({k: v[i : i + CHUNK] for k, v in values.items()}) for i in parts]
        density = np.concatenate(likelihood) + prior + jacobian
        return np.where(np.isnan(density), -np.inf, density)  # inf - inf, far out in the tails of a proposal


@dataclass(frozen=True)
class Weighted:
    """Weighted draws: parameter -> (S, k), and (S,) weights that sum to 1."""

    values: dict[str, Array]
    weights: Array

    @property
    def effective(self) -> float:
        """Number of independent draws that would say as much."""
        return float(1 / np.sum(self.weights**2))


@np.errstate(all="ignore")
def importance_sample(model: SmallModel, rng: np.random.Generator) -> Weighted:
    """Draw from a t distribution, at first around the mode, then of the mean and variance that draws had; and weigh."""
    start = np.zeros(model.size)
    found = optimize.minimize(lambda free: -model.log_posterior(free[None])[0], start, method="BFGS")
    centre, scale = found.x, found.hess_inv
    for count in (*PILOTS, DRAWS):
        noise = rng.standard_normal((count, model.size)) @ np.linalg.cholesky(scale).T
        free = centre + noise / np.sqrt(rng.chisquare(FREEDOM, (count, 1)) / FREEDOM)
        ratio = model.log_posterior(free) - stats.multivariate_t(centre, scale, FREEDOM).logpdf(free)
        weights = np.exp(ratio - logsumexp(ratio))
        centre = weights @ free
        scale = (free - centre).T @ (weights[:, None] * (free - centre))
    values, _ = model.constrained(free)
    return Weighted({name: value.reshape(DRAWS, -1) for name, value in values.items()}, weights)


def z_scores(draws: dict[str, Array], reference: Weighted) -> dict[str, float]:
    """
    Compare means and variances of draws with those of a reference, in Monte Carlo standard errors of both.

    draws : parameter -> (chains, draws, ...)
    """
    scores: dict[str, float] = {}
    w = reference.weights
    for name, values in reference.values.items():
        ours = draws[name].reshape(*draws[name].shape[:2], -1)
        mean = w @ values
        for moment, (a, b) in {"mean": (ours, values), "variance": ((ours - mean) ** 2, (values - mean) ** 2)}.items():
            theirs = w @ b
            error = np.sqrt(w**2 @ (b - theirs) ** 2)
            z = (a.mean(axis=(0, 1)) - theirs) / np.hypot(error, summarise(a).mcse)
            scores |= {f"{moment} of {name}[{i}]": float(score) for i, score in enumerate(np.atleast_1d(z), start=1)}
    return scores
