"""Pieces of densities written independently of the generated programs: random points, Jacobians, priors, roots."""

from typing import Any

import numpy as np
import stanli

from lmmformula.covariances.structure import Covariance
from lmmformula.design.design import Design
from lmmformula.stan.program.data import stan_data
from lmmformula.stan.program.record import Factor, Program
from lmmformula.stan.program.render import render
from lmmformula.stan.program.words import Declaration, Statement

Point = dict[str, np.ndarray]


def random_point(program: Program, design: Design, rng: np.random.Generator) -> Point:
    """Draw values of all parameters within their bounds, those of standard deviations around that of y."""
    return {d.name: random_value(d, program, design, rng) for d in program.parameters}


def random_value(declaration: Declaration, program: Program, design: Design, rng: np.random.Generator) -> np.ndarray:
    """Draw a value for one parameter."""
    counts = {factor.name("N"): factor.n_levels for factor in program.factors}
    sizes = [declaration.array, *declaration.sizes.split(",")]
    shape = tuple(counts.get(s.strip()) or int(s) for s in sizes if s.strip())
    if declaration.base == "sum_to_zero_vector":
        noise = rng.normal(size=shape)
        return noise - noise.mean(axis=-1, keepdims=True)
    if declaration.base == "cholesky_factor_corr":
        k = shape[0]
        noise = rng.normal(size=(k, k + 3))
        covariance = noise @ noise.T
        return np.linalg.cholesky(covariance / np.sqrt(np.outer(np.diag(covariance), np.diag(covariance))))
    if declaration.base == "ordered":
        return np.sort(rng.normal(size=shape))
    lower, upper = bounds(declaration)
    if np.isfinite(lower).all() and np.isinf(upper).all():
        return (lower + np.std(design.y) * np.exp(rng.normal(scale=0.5, size=shape))).reshape(shape)
    if np.isfinite(lower).any():
        top = np.where(np.isfinite(upper), upper, lower + 3)
        return (lower + (top - lower) * rng.uniform(0.2, 0.8, size=shape)).reshape(shape)
    return rng.normal(size=shape)


def bounds(declaration: Declaration) -> tuple[np.ndarray, np.ndarray]:
    """Return lower and upper bounds of a parameter's elements."""
    lower = np.array([-np.inf if n is None else n.values[0] for n in declaration.lower] or [-np.inf])
    upper = np.array([np.inf if n is None else n.values[0] for n in declaration.upper] or [np.inf])
    return lower, upper


def log_jacobian(declaration: Declaration, value: np.ndarray) -> float:
    """Return the log of what the transformation from the unconstrained scale does to volumes."""
    if declaration.base == "cholesky_factor_corr":
        total = 0.0
        for i in range(1, len(value)):
            for j in range(i):
                rest = 1 - np.sum(value[i, :j] ** 2)
                total += np.log1p(-(value[i, j] ** 2) / rest) + 0.5 * np.log(rest)
        return total
    if declaration.base == "ordered":
        return float(np.sum(np.log(np.diff(value))))
    lower, upper = np.broadcast_arrays(*bounds(declaration))
    total = 0.0
    for low, high, x in np.nditer([lower, upper, value]):
        if np.isfinite(low) and np.isfinite(high):
            total += np.log((x - low) * (high - x) / (high - low))
        elif np.isfinite(low):
            total += np.log(x - low)
    return float(total)


LOG_DENSITIES: dict[str, Any] = {
    "normal": lambda x, m, s: -(((x - m) / s) ** 2) / 2,
    "student_t": lambda x, df, m, s: -(df + 1) / 2 * np.log1p(((x - m) / s) ** 2 / df),
    "cauchy": lambda x, m, s: -np.log1p(((x - m) / s) ** 2),
    "exponential": lambda x, r: -r * x,
    "lognormal": lambda x, m, s: -np.log(x) - ((np.log(x) - m) / s) ** 2 / 2,
    "gamma": lambda x, a, r: (a - 1) * np.log(x) - r * x,
    "inv_gamma": lambda x, a, s: -(a + 1) * np.log(x) - s / x,
    "uniform": lambda x, *_bounds: 0.0 * x,
    "lkj_corr_cholesky": lambda L, eta: [
        np.sum([(len(L) - i + 2 * eta - 2) * np.log(L[i - 1, i - 1]) for i in range(2, len(L) + 1)])
    ],
}
"""Log densities without constants, of which differences between two points know nothing."""


def log_prior(statement: Statement, point: Point) -> float:
    """Return the density that one prior statement adds."""
    name, _, index = statement.left.rstrip("]").partition("[")
    value = point[name][int(index) - 1] if index else point[name]
    arguments = [np.array(n.values) if len(n.values) > 1 else n.values[0] for n in statement.arguments]
    return float(np.sum(LOG_DENSITIES[statement.distribution](value, *arguments)))


def correlation_factor(covariance: Covariance, value: np.ndarray, k: int) -> np.ndarray:
    """Return the Cholesky factor of one block's correlations."""
    if covariance.name == "us":
        return value
    lags = np.abs(np.subtract.outer(np.arange(k), np.arange(k)))
    return np.linalg.cholesky(value**lags if covariance.name == "ar1" else np.where(lags == 0, 1.0, value))


def root(factor: Factor, point: Point) -> np.ndarray:
    """Return the (k, k) root of the covariance matrix of a factor's coefficients."""
    result = np.zeros((factor.k, factor.k))
    for block in factor.blocks:
        columns = slice(block.start - 1, block.stop)
        L = np.eye(block.size)
        if block.correlation:
            L = correlation_factor(block.covariance, point[block.correlation], block.size)
        sd = point[block.sd] if factor.sd_from_blocks else np.atleast_1d(point[factor.name("sd")])[columns]
        result[columns, columns] = (sd * np.ones(block.size))[:, np.newaxis] * L
    return result


def compiled(program: Program, design: Design) -> stanli.Model:
    """Compile the program on its data, ready to be evaluated."""
    return stanli.Model(stan_code=render(program), data=stan_data(program, design))


def free(model: stanli.Model, point: Point) -> np.ndarray:
    """Bring a point to the unconstrained scale."""
    return model.unconstrain({name: v.ravel(order="F") if v.ndim else float(v) for name, v in point.items()})
