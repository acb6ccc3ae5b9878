"""Programs and posteriors of data in parts: the sums are the data of the marginal form."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf
from lmmformula.results.posteriors.warmstart import information_of
from lmmformula.stan.generate import StanProgram, stan_program

RNG = np.random.default_rng(4)
N = 600
G, H, X = RNG.integers(0, 15, N), RNG.integers(0, 9, N), RNG.normal(size=N) + 3
DATA = pd.DataFrame({"x": X, "g": G, "h": H, "s": G // 4, "w": RNG.uniform(0.5, 2, N), "f": RNG.choice(["a", "b"], N)})
DATA["y"] = 50 + X + RNG.normal(size=15)[G] * (1 + 0.5 * X) + RNG.normal(size=9)[H] + RNG.normal(size=N)
PARTS = [DATA[:100], DATA[100:350], DATA[350:]]

FORMULAS = [
    "y ~ x + (x | g)",
    "y ~ x * f + (x || g) + (1 | h)",
    "y ~ 0 + x + (1 | h)",
    "y ~ x + (1 | s/g)",
    "y ~ x + f + (0 + f | g) + (x | h)",
    "y ~ x + offset(x / 2) + (1 | g)",
]


def of_one_table(formula: str, **options: Any) -> StanProgram:
    """Generate the program that reads cross-products from the rows of one table."""
    model = lf.Model(formula, DATA, **options)
    information = information_of(model.design, model.pilot.fit)
    return stan_program(
        model.ir, model.design, form="marginal", data_form="crossproducts", information=information
    )  # fmt: skip


@pytest.mark.parametrize("formula", FORMULAS)
def test_program_and_data_are_those_of_one_table(formula: str) -> None:
    """The text is equal to the letter, with its default priors; the sums are equal but for rounding."""
    whole, program = of_one_table(formula), lf.Model(formula, PARTS, progress=False).stan()
    assert program.code == whole.code
    assert list(program.data) == list(whole.data)
    for name, array in whole.data.items():
        assert program.data[name].shape == array.shape
        np.testing.assert_allclose(program.data[name], array, rtol=1e-9, atol=1e-8, err_msg=name)


def test_weighted_sums_give_the_same_residuals() -> None:
    """With weights, X and y stand around weighted means; the residual sums of any coefficients are the same."""
    formula = "y ~ x + f + (x | g)"
    whole, program = of_one_table(formula, weights="w"), lf.Model(formula, PARTS, weights="w", progress=False).stan()
    assert program.data["log_root_weights"] == pytest.approx(float(whole.data["log_root_weights"]))
    np.testing.assert_allclose(program.data["ZZ_g"], whole.data["ZZ_g"], rtol=1e-10)
    intercept, b = 40.0, np.array([0.7, -2.0])
    residuals = []
    for data in (whole.data, program.data):
        at_means = intercept + data["X_means"] @ b
        c = np.concatenate([[data["y_mean"] - at_means], -b, [1.0]])
        residuals.append(np.append(data["ZD_g"] @ c, c @ data["DD"] @ c))
    np.testing.assert_allclose(residuals[1], residuals[0], rtol=1e-9, atol=1e-8)


@pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")
def test_a_posterior_of_data_in_parts_stands_beside_its_fit() -> None:
    """Sampling and comparing work as ever; draws are those that the data in one table would give."""
    model = lf.Model("y ~ x + (x | g)", PARTS, progress=False)
    posterior = model.sample(chains=2, warmup=200, draws=200, seed=1, progress=False)
    fit = model.fit()
    assert abs(posterior.fixef["x"] - fit.fixef["x"]) < fit.std_errors["x"]
    assert posterior.ranef()["g"].shape == (15, 2)
    assert "Fixed effects" in str(lf.compare(fit, posterior))


@pytest.mark.parametrize(("formula", "options"), [("y ~ x", {}), ("y ~ x + (1 | g)", {"form": "conditional"})])
def test_programs_that_read_rows_are_refused(formula: str, options: dict[str, Any]) -> None:
    """The conditional form, and models without random effects, read the rows, which were not kept."""
    with pytest.raises(lf.FitError, match="needs the rows of the data"):
        lf.Model(formula, PARTS, progress=False).stan(**options)


def test_a_model_from_a_checkpoint_has_its_priors(tmp_path: Any) -> None:
    """The rows that show the columns' spread are kept with the checkpoint."""
    first = lf.Model("y ~ x + (x | g)", PARTS, progress=False, checkpoint=tmp_path).stan()
    again = lf.Model("y ~ x + (x | g)", PARTS, progress=False, checkpoint=tmp_path).stan()
    assert again.code == first.code
