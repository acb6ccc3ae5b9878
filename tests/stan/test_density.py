"""What generated programs mean: their log densities against numpy, against each other, and against REML."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import stanli

from densities import Point, compiled, free, log_jacobian, log_prior, random_point, random_value, root
from designs import design, model
from lmmformula.design.design import Design
from lmmformula.fit.lmm import evaluate_at
from lmmformula.stan.program.lower import lower_program
from lmmformula.stan.program.record import Program
from programs import CASES, design_of, flat_program, program_of

each_case = pytest.mark.parametrize("name", CASES)


# --- an independent density -----------------------------------------------------------------------------------------


def log_density(program: Program, design: Design, point: Point) -> float:
    """
    Return the log density on the unconstrained scale, up to a constant: a multivariate normal in all its n x n glory.

    y ~ N(X beta + Z_s u_s, sigma^2 W^-1 + Z_g Sigma_g Z_g'), u_s sampled, u_g integrated out.
    """
    fixed = program.fixed
    mean = np.zeros(design.nobs) if design.offset is None else design.offset.copy()
    centre = design.X[:, list(fixed.columns)].mean(axis=0) if fixed.K else np.zeros(0)
    intercept = float(point.get(fixed.intercept_name, np.zeros(())))
    if fixed.intercept:
        mean = mean + intercept
    if fixed.K:
        mean = mean + (design.X[:, list(fixed.columns)] - centre * fixed.intercept) @ point["b"]
    weights = np.ones(design.nobs) if design.weights is None else design.weights
    V = np.diag(point["sigma"] ** 2 / weights)
    total = sum(log_jacobian(d, point[d.name]) for d in program.parameters)
    total += sum(log_prior(s, point) for section in program.sections for s in section.statements)
    intercepts: list[float] = []
    for factor in sorted(program.factors, key=lambda factor: 0 in factor.carried):
        Z = np.concatenate([design.random_terms[block.term].covariates for block in factor.blocks], axis=1)
        codes = design.random_terms[factor.blocks[0].term].codes
        T = root(factor, point)
        if factor.treatment == "integrated":
            V += (Z @ T @ T.T @ Z.T) * np.equal.outer(codes, codes)
            continue
        if factor.treatment == "noncentered":
            z = point[factor.name("z")].reshape(factor.n_levels, factor.k)
            total += -0.5 * np.sum(z**2)
            u = z @ T.T
        else:
            slopes = [i for i in factor.carried if i > 0]
            start = intercept - sum(centre[i - 1] * point["b"][i - 1] for i in slopes) if fixed.intercept else 0.0
            around = [0.0 if i < 0 else point["b"][i - 1] if i else start for i in factor.carried]
            if 0 in factor.carried:
                around[factor.carried.index(0)] += sum(intercepts)
            if factor.treatment == "sum_to_zero":
                deviations = point[factor.name("dev")].reshape(factor.k, factor.n_levels).T
                values = deviations + point[factor.name("mean")]
            else:
                values = point[factor.name("u" if factor.simple else "coef")].reshape(factor.n_levels, factor.k)
            u = values - np.array(around)
            total += -0.5 * np.sum(np.linalg.solve(T, u.T) ** 2) - factor.n_levels * np.log(np.linalg.det(T))
        mean = mean + np.sum(Z * u[codes], axis=1)
        intercepts += [u[:, i].mean() for i in range(factor.k) if np.all(Z[:, i] == 1)][:1]
    residual = design.y - mean
    return float(total - 0.5 * np.linalg.slogdet(V)[1] - 0.5 * residual @ np.linalg.solve(V, residual))


@each_case
def test_log_density_is_the_one_written_down(name: str) -> None:
    """Between random points each program's log density changes as an independent n x n computation says, to 1e-10."""
    program, design = program_of(name).program, design_of(name)
    model = compiled(program, design)
    rng = np.random.default_rng(11)
    points = [random_point(program, design, rng) for _ in range(4)]
    ours = np.array([model.log_prob_grad(free(model, point))[0] for point in points])
    numpys = np.array([log_density(program, design, point) for point in points])
    difference = np.diff(ours) - np.diff(numpys)
    assert np.abs(difference / np.maximum(np.abs(ours[1:]), 1)).max() < 1e-10


@pytest.mark.parametrize("name", [name for name in CASES if program_of(name).form == "marginal"])
def test_rows_and_crossproducts_give_one_density(name: str) -> None:
    """A program that reads the sums over rows has the density of the one that forms them, to 1e-10."""
    design = design_of(name)
    rows, sums = (replace(program_of(name).program, data_form=form) for form in ("rows", "crossproducts"))
    rng = np.random.default_rng(14)
    models = [compiled(program, design) for program in (rows, sums)]
    for _ in range(2):
        point = random_point(rows, design, rng)
        values = [model.log_prob_grad(free(model, point)) for model in models]
        np.testing.assert_allclose(values[0][0], values[1][0], rtol=1e-10)
        np.testing.assert_allclose(values[0][1], values[1][1], rtol=1e-8, atol=1e-8 * np.abs(values[0][1]).max())


# --- how exactly a density is computed -------------------------------------------------------------------------------

FAR = ("y ~ year + (year | country)", "y ~ year + income + (year + income | country)")
"""Models of covariates that lie far from zero, as years do."""
CENTRE, SPREAD = np.array([2010.0, 4e4]), np.array([50.0, 5.0, 0.5])
"""Where they lie; standard deviations of a country's level there and of its slopes, over sigma."""


def yearly() -> pd.DataFrame:
    """Two decades of ten countries."""
    rng, country = np.random.default_rng(15), np.repeat(np.arange(10), 20)
    frame = pd.DataFrame({"year": np.tile(np.arange(2000, 2020), 10), "country": country.astype(str)})
    frame["income"] = CENTRE[1] + rng.normal(scale=100, size=200)
    level, slope = rng.normal(size=(2, 10)) * SPREAD[:2, np.newaxis]
    return frame.assign(y=level[country] + slope[country] * (frame.year - CENTRE[0]) + rng.normal(size=200))


def spreads(k: int, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """List standard deviations and correlations: where the posterior is, the same uncorrelated, and far from it."""
    shift = np.eye(k)
    shift[0, 1:] = -CENTRE[: k - 1]
    root = shift * SPREAD[:k]
    sd = np.linalg.norm(root, axis=1)
    yield sd, np.linalg.cholesky(root @ root.T / np.outer(sd, sd))
    yield sd, np.eye(k)
    correlations = np.corrcoef(rng.normal(size=(k, k + 3)))
    yield np.full(k, SPREAD[0]), np.linalg.cholesky(correlations)


@pytest.mark.parametrize("data_form", ["rows", "crossproducts"])
@pytest.mark.parametrize("text", FAR)
def test_covariates_far_from_zero_cost_no_digits(text: str, data_form: str) -> None:
    """On a tiny piece of a line the log density is a parabola to 1e-7."""
    data, rng = design(text, yearly())[1], np.random.default_rng(16)
    program, _ = lower_program(model(text), data, data_form=data_form)
    stan = compiled(program, data)
    point = random_point(program, data, rng) | {"sigma": np.ones(())}
    for sd, correlations in spreads(len(point["sd_country"]), rng):
        start = free(stan, point | {"sd_country": sd, "L_country": correlations})
        steps, direction = np.linspace(-1, 1, 21), rng.normal(scale=1e-9, size=len(start))
        values = np.array([stan.log_prob_grad(start + step * direction)[0] for step in steps])
        values -= values[0]
        assert np.std(values - np.polynomial.Polynomial.fit(steps, values, 2)(steps)) < 1e-7


# --- the forms against each other, and against REML -----------------------------------------------------------------


def integrated(model: stanli.Model, point: np.ndarray, columns: np.ndarray) -> float:
    """Return the log integral over columns in which a log density is quadratic: a Newton step, the Laplace term."""
    at = point.copy()
    at[columns] = 0.0
    _, origin = model.log_prob_grad(at)
    hessian = np.empty((len(columns), len(columns)))
    for row, column in enumerate(columns):
        at[column] = 1.0
        hessian[row] = (model.log_prob_grad(at)[1] - origin)[columns]
        at[column] = 0.0
    hessian = (hessian + hessian.T) / 2
    at[columns] = np.linalg.solve(-hessian, origin[columns])
    density, gradient = model.log_prob_grad(at)  # at the mode, but for rounding
    step = np.linalg.solve(-hessian, gradient[columns])
    return float(density + 0.5 * gradient[columns] @ step - 0.5 * np.linalg.slogdet(-hessian)[1])


def columns_of(program: Program, model: stanli.Model, wanted: tuple[str, ...]) -> np.ndarray:
    """Find the positions of some parameters on the unconstrained scale."""
    names = [name.partition("[")[0] for name in model.constrained_names]
    sizes = {d.name: names.count(d.name) for d in program.parameters}
    for d in program.parameters:
        if d.base == "cholesky_factor_corr":
            k = int(d.sizes)
            sizes[d.name] = k * (k - 1) // 2
        if d.base == "sum_to_zero_vector":
            sizes[d.name] -= int(d.array or 1)
    stops = np.cumsum([sizes[d.name] for d in program.parameters])
    found = [
        np.arange(stop - sizes[d.name], stop)
        for d, stop in zip(program.parameters, stops, strict=True)
        if d.name in wanted
    ]
    return np.concatenate(found) if found else np.arange(0)


def effects(program: Program) -> tuple[str, ...]:
    """Name the parameters that random effects are made of."""
    prefixes = {"noncentered": ("z",), "centered": ("coef", "u"), "sum_to_zero": ("mean", "dev"), "integrated": ()}
    return tuple(factor.name(prefix) for factor in program.factors for prefix in prefixes[factor.treatment])


MIXED = [name for name, case in CASES.items() if design_of(name).random_terms]


@pytest.mark.parametrize("name", MIXED)
def test_marginal_form_is_the_conditional_one_integrated(name: str) -> None:
    """Integrating the effects that a form samples gives the same function of the other parameters, to 1e-10."""
    rng = np.random.default_rng(12)
    values = []
    common: list[Point] = []
    for form in ("marginal", "conditional"):
        program, design = flat_program(name, form), design_of(name)
        model = compiled(program, design)
        columns = columns_of(program, model, effects(program))
        common = common or [random_point(program, design, rng) for _ in range(3)]
        points = [
            {d.name: p.get(d.name, random_value(d, program, design, rng)) for d in program.parameters} for p in common
        ]
        values.append(np.diff([integrated(model, free(model, point), columns) for point in points]))
    np.testing.assert_allclose(values[0], values[1], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("form", ["marginal", "conditional"])
@pytest.mark.parametrize("name", MIXED)
def test_both_forms_are_the_reml_criterion(name: str, form: str) -> None:
    """Integrated over flat fixed effects too, each form is the REML criterion of the fit at that theta and sigma."""
    program, design = flat_program(name, form), design_of(name)
    model = compiled(program, design)
    columns = columns_of(program, model, (*effects(program), "b", program.fixed.intercept_name))
    rng = np.random.default_rng(13)
    stans, remls = [], []
    for _ in range(3):
        point = random_point(program, design, rng)
        jacobian = sum(log_jacobian(d, point[d.name]) for d in program.parameters)
        stans.append(integrated(model, free(model, point), columns) - jacobian)
        remls.append(-0.5 * reml_criterion(program, design, point))
    np.testing.assert_allclose(np.diff(stans), np.diff(remls), rtol=1e-10, atol=1e-10)


def reml_criterion(program: Program, design: Design, point: Point) -> float:
    """Return log|L|^2 + log|R_X|^2 + (n-p) log s^2 + r^2 / s^2, the REML criterion at given theta and s, from a fit."""
    sigma = float(point["sigma"])
    relative: dict[int, np.ndarray] = {}
    for factor in program.factors:
        T = root(factor, point) / sigma
        covariance = T @ T.T
        for block in factor.blocks:
            columns = slice(block.start - 1, block.stop)
            relative[block.term] = covariance[columns, columns]
    theta = np.concatenate([term.covariance.theta_of(relative[t]) for t, term in enumerate(design.random_terms)])
    fit = evaluate_at(design, theta, reml=True)
    freedom = design.nobs - design.n_fixed
    return 2 * (fit.log_det_L + fit.log_det_RX) + 2 * freedom * np.log(sigma) + fit.pwrss / sigma**2
