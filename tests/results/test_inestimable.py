"""Predictions of what the data tell nothing about: NaN, whatever the reference level, and a warning that names them."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf

pytestmark = pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")


def crossed() -> pd.DataFrame:
    """Return nine cells of a and b with ten rows each, but for the last, which is empty; u is twice x."""
    rng = np.random.default_rng(345)
    data = pd.DataFrame([(a, b) for a in "123" for b in "123" for _ in range(10)], columns=list("ab"))
    data["x"], data["r"] = rng.normal(size=90), rng.integers(1, 6, 90)
    data = data.assign(z=rng.normal(size=90) + (data["a"] == "3"), n=rng.poisson(3, 90), u=2 * data["x"])
    return data[~((data["a"] == "3") & (data["b"] == "3"))].reset_index(drop=True)


def fitted(formula: str, **options: Any) -> Any:
    """Fit a model of these data, which warns of dropped columns."""
    with pytest.warns(lf.FitWarning, match="columns dropped"):
        return lf.Model(formula, crossed(), **options).fit()


ROWS = {"a": ["3", "1", "3"], "b": ["3", "2", "2"], "r": [1, 1, 2]}
MODELS = {
    "linear": ("z ~ a * b + (1 | r)", {}),
    "another reference": ("z ~ relevel(a, ref = '3') * b + (1 | r)", {}),
    "generalised": ("n ~ a * b + (1 | r)", {"family": "poisson"}),
    "least squares": ("z ~ a * b", {}),
}


@pytest.mark.parametrize("options", [{}, {"random": "population"}, {"se_fit": True}, {"interval": "confidence"}])
@pytest.mark.parametrize("name", MODELS)
def test_an_empty_cell_has_no_prediction(name: str, options: dict[str, Any]) -> None:
    """Its row is empty, with errors and bounds, and named; the others are what they were."""
    formula, more = MODELS[name]
    fit = fitted(formula, **more)
    with pytest.warns(lf.FitWarning, match="the data tell nothing of a = 3, b = 3: ") as caught:
        found = pd.DataFrame(fit.predict(ROWS, **options))
    assert len(caught) == 1
    assert found.iloc[0].isna().all()
    others = fit.predict({name: values[1:] for name, values in ROWS.items()}, **options)
    pd.testing.assert_frame_equal(found.iloc[1:].reset_index(drop=True), pd.DataFrame(others))


def test_predictions_do_not_depend_on_the_reference_level() -> None:
    """Those that can be estimated are the same under both codings."""
    first, second = (fitted(MODELS[name][0]) for name in ("linear", "another reference"))
    rows = {"a": ["1", "2", "3"], "b": ["3", "3", "1"], "r": [1, 2, 3]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(first.predict(rows), second.predict(rows))


def test_a_dropped_number_must_keep_its_relation() -> None:
    """With u = 2 x in the data, a row with another u has no prediction; several are named together."""
    fit = fitted("z ~ x + u + (1 | r)")
    with pytest.warns(lf.FitWarning, match="nothing of u = 3; u = 5: "):
        found = fit.predict({"x": [1.0, 1.0, 1.0, np.nan], "u": [2.0, 3.0, 5.0, 2.0], "r": [1, 1, 1, 1]})
    assert found.isna().tolist() == [False, True, True, True]


def test_a_posterior_and_a_loaded_fit_say_the_same(tmp_path: Path) -> None:
    """The relations of the dropped columns are kept in the file."""
    fit = fitted(MODELS["linear"][0])
    fit.save(tmp_path / "fit.json")
    with pytest.warns(lf.FitWarning, match="columns dropped"):
        model = lf.Model(MODELS["linear"][0], crossed())
    posterior = model.sample(seed=1, warmup=100, draws=50, chains=1, progress=False)
    for found in (lf.load(tmp_path / "fit.json"), posterior):
        with pytest.warns(lf.FitWarning, match="a = 3, b = 3"):
            assert found.predict(ROWS).isna().tolist() == [True, False, False]
