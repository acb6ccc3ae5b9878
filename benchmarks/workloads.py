"""The named workloads W1 to W9: data with fixed seeds, formula, and what makes each of them hard."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lmmformula import datasets


@dataclass(frozen=True, slots=True)
class Workload:
    """
    A model and its data.

    hard : what it strains
    repeats : how often it is timed; the best counts
    """

    name: str
    formula: str
    make: Callable[[], pd.DataFrame]
    hard: str
    repeats: int = 3


def insteval() -> pd.DataFrame:
    """73 421 ratings of 1128 lecturers by 2972 students."""
    return datasets.load("InstEval")


def many_groups() -> pd.DataFrame:
    """1 000 000 rows in 50 000 groups, random intercept and slope."""
    rng = np.random.default_rng(4)
    n, J = 1_000_000, 50_000
    g = rng.integers(0, J, n)
    x1, x2 = rng.normal(size=n), rng.normal(size=n)
    b = rng.multivariate_normal([0, 0], [[1.0, 0.3], [0.3, 0.5]], size=J)
    y = 1 + 0.5 * x1 - 0.3 * x2 + b[g, 0] + b[g, 1] * x1 + rng.normal(size=n)
    return pd.DataFrame({"y": y, "x1": x1, "x2": x2, "g": g.astype(str)}).astype({"g": "category"})


def many_coefficients() -> pd.DataFrame:
    """200 000 rows in 2000 groups, six correlated random coefficients each: 21 covariance parameters."""
    rng = np.random.default_rng(5)
    n, J, k = 200_000, 2000, 6
    g = rng.integers(0, J, n)
    x = rng.normal(size=(n, k - 1))
    Z = np.column_stack([np.ones(n), x])
    L = np.tril(rng.normal(size=(k, k)) * 0.3) + 0.6 * np.eye(k)
    y = Z @ np.linspace(1, -1, k) + np.einsum("ij,ij->i", Z, (rng.normal(size=(J, k)) @ L.T)[g]) + rng.normal(size=n)
    columns = {f"x{j + 1}": x[:, j] for j in range(k - 1)}
    return pd.DataFrame({"y": y, **columns, "g": g.astype(str)}).astype({"g": "category"})


def zipf() -> pd.DataFrame:
    """500 000 rows, 20 000 x 5000 crossed levels met as often as words in a text."""
    rng = np.random.default_rng(6)
    n, J, H = 500_000, 20_000, 5000

    def levels(size: int) -> np.ndarray:
        weight = 1 / np.arange(1, size + 1)
        chosen = rng.choice(size, size=n, p=weight / weight.sum())
        chosen[:size] = np.arange(size)
        return rng.permutation(chosen)

    a, b, x = levels(J), levels(H), rng.normal(size=n)
    y = 1 + 0.5 * x + 0.7 * rng.normal(size=J)[a] + 0.5 * rng.normal(size=H)[b] + rng.normal(size=n)
    return pd.DataFrame({"y": y, "x": x, "a": a.astype(str), "b": b.astype(str)}).astype(
        {"a": "category", "b": "category"}
    )


def nested() -> pd.DataFrame:
    """300 000 rows in 20 000 classes in 2000 schools in 20 regions."""
    rng = np.random.default_rng(7)
    n = 300_000
    c = rng.integers(0, 20_000, n)
    s, r, x = c // 10, c // 1000, rng.normal(size=n)
    y = 2 + 0.3 * x + rng.normal(size=20_000)[c] * 0.6 + rng.normal(size=2000)[s] * 0.8 + rng.normal(size=20)[r]
    y += rng.normal(size=n)
    codes = {"c": c, "s": s, "r": r}
    return pd.DataFrame({"y": y, "x": x, **{name: pd.Categorical(v.astype(str)) for name, v in codes.items()}})


def many_columns() -> pd.DataFrame:
    """100 000 rows in 1000 groups, 60 fixed effects, most of them of factors."""
    rng = np.random.default_rng(8)
    n, J = 100_000, 1000
    g, f1, f2 = rng.integers(0, J, n), rng.integers(0, 25, n), rng.integers(0, 20, n)
    x = rng.normal(size=(n, 16))
    y = x @ rng.normal(size=16) * 0.3 + rng.normal(size=25)[f1] + rng.normal(size=20)[f2] + rng.normal(size=J)[g]
    y += rng.normal(size=n)
    columns = {f"x{j + 1}": x[:, j] for j in range(16)}
    codes = {"f1": f1, "f2": f2, "g": g}
    return pd.DataFrame({"y": y, **columns, **{name: pd.Categorical(v.astype(str)) for name, v in codes.items()}})


def crossed_slopes() -> pd.DataFrame:
    """100 000 rows, correlated intercepts and slopes of 2000 x 500 crossed levels."""
    rng = np.random.default_rng(9)
    n, J, H = 100_000, 2000, 500
    a, b, x = rng.integers(0, J, n), rng.integers(0, H, n), rng.normal(size=n)
    u = rng.multivariate_normal([0, 0], [[1.0, 0.2], [0.2, 0.3]], size=J)
    v = rng.multivariate_normal([0, 0], [[0.5, -0.1], [-0.1, 0.2]], size=H)
    y = 1 + 0.5 * x + u[a, 0] + v[b, 0] + (u[a, 1] + v[b, 1]) * x + rng.normal(size=n)
    return pd.DataFrame({"y": y, "x": x, "a": pd.Categorical(a.astype(str)), "b": pd.Categorical(b.astype(str))})


WORKLOADS = (
    Workload(
        "W1",
        "Reaction ~ Days + (Days | Subject)",
        lambda: datasets.load("sleepstudy"),
        "overhead: 180 rows",
        repeats=30,
    ),
    Workload(
        "W2",
        "diameter ~ 1 + (1 | plate) + (1 | sample)",
        lambda: datasets.load("Penicillin"),
        "overhead, crossed",
        repeats=30,
    ),
    Workload("W3", "y ~ service + (1 | s) + (1 | d) + (1 | dept)", insteval, "large, partly crossed"),
    Workload("W4", "y ~ x1 + x2 + (1 + x1 | g)", many_groups, "1 000 000 rows, 50 000 groups"),
    Workload("W5", "y ~ x1 + x2 + x3 + x4 + x5 + (x1 + x2 + x3 + x4 + x5 | g)", many_coefficients, "21 parameters"),
    Workload("W6", "y ~ x + (1 | a) + (1 | b)", zipf, "20 000 x 5000 crossed, heavy fill", repeats=1),
    Workload("W7", "y ~ x + (1 | r) + (1 | s) + (1 | c)", nested, "20 / 2000 / 20 000 nested"),
    Workload(
        "W8",
        "y ~ " + " + ".join(f"x{j}" for j in range(1, 17)) + " + f1 + f2 + (1 | g)",
        many_columns,
        "60 fixed effects",
    ),
    Workload("W9", "y ~ x + (x | a) + (x | b)", crossed_slopes, "crossed, two coefficients each"),
)
