"""A structure that is put into the table is known everywhere: to formulas, fits, intervals, files and Stan programs."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf
from lmmformula.arrays import IntArray
from lmmformula.covariances.one_correlation import OneCorrelation
from lmmformula.covariances.table import STRUCTURES

TIMES = 4


@dataclass(frozen=True)
class Kernel(OneCorrelation):
    """C_ij = rho^((i-j)^2), 0 <= rho <= 1."""

    name: ClassVar[str] = "kernel"
    over_times: ClassVar[bool] = True
    explained: ClassVar[str] = "correlation falling with squared distance"
    described: ClassVar[str] = "with correlations of a kernel"
    stan_comment: ClassVar[str] = "of neighbours"
    stan_function: ClassVar[str] = """\
  matrix cholesky_kernel(real rho, int k) {
    matrix[k, k] C;
    for (i in 1 : k) {
      for (j in 1 : k) {
        C[i, j] = rho ^ ((i - j) ^ 2);
      }
    }
    return cholesky_decompose(C);
  }"""

    def lags(self, k: int) -> IntArray:
        """Return the squared distances."""
        out: IntArray = np.subtract.outer(np.arange(k), np.arange(k)) ** 2
        return out

    def lowest(self, k: int) -> float:  # noqa: ARG002
        """Return 0."""
        return 0.0


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> lf.Model:
    """Make a model of series of four times whose correlations are a kernel's."""
    monkeypatch.setitem(STRUCTURES, Kernel.name, Kernel)
    rng = np.random.default_rng(3)
    C = 0.7 ** np.subtract.outer(np.arange(TIMES), np.arange(TIMES)) ** 2
    effects = rng.multivariate_normal(np.zeros(TIMES), 2 * C, size=60)
    group, time = (part.ravel() for part in np.indices((60, TIMES)).repeat(2, axis=2))
    y = effects[group, time] + rng.normal(size=len(group))
    return lf.Model("y ~ 1 + kernel(t | g)", pd.DataFrame({"y": y, "t": time, "g": group.astype(str)}))


def test_a_formula_says_it(model: lf.Model) -> None:
    """The new function is read, written, told and typeset."""
    assert str(model.ir) == "y ~ 1 + kernel(0 + factor(t) | g)"
    assert lf.parse(str(model.ir)).random[0].covariance == Kernel()
    assert "correlation falling with squared distance (5 parameters)" in model.explain()
    assert type(model.ir).from_dict(model.ir.to_dict()) == model.ir


def test_a_fit_has_it(model: lf.Model, tmp_path: Path) -> None:
    """The estimated matrix has the structure, its correlation has an interval, and a file keeps it."""
    fit = model.fit()
    correlation = fit.varcorr["g"].correlation
    rho = correlation[1, 0]
    np.testing.assert_allclose(correlation[3], rho ** np.array([9, 4, 1, 0]), atol=1e-9)
    low, high = fit.confint(["cor[g, *]"], method="profile")["cor[g, *]"]
    assert low < rho < high
    assert "rho[g]" in fit.variance_vcov().index
    fit.save(tmp_path / "fit.json")
    pd.testing.assert_series_equal(lf.load(tmp_path / "fit.json").theta, fit.theta)


@pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")
def test_a_program_has_it(model: lf.Model) -> None:
    """Draws of a Stan program have the structure too."""
    posterior = model.sample(chains=1, draws=50, seed=1)
    correlation = posterior.draws.correlations[0][0, -1]
    np.testing.assert_allclose(correlation[3], correlation[1, 0] ** np.array([9, 4, 1, 0]), atol=1e-9)
