"""Where warnings point, and what is warned of."""

import inspect
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf

ROWS = pd.DataFrame({
    "x": np.arange(40.0) - 4,
    "y": np.random.default_rng(4).normal(size=40),
    "won": [0, 0, 1, 1] * 10,
        "won_too": [0, 0, 1, 1] * 10,
        "size": pd.Categorical(["s", "m", "l", "m"] * 10),
        "h": list("abcdefgh") * 5,
    "kind": ["low", "mid", "high", "top"] * 10,
    "g": np.repeat(np.arange(8), 5),
})  # fmt: skip
QUICK = {"chains": 1, "warmup": 20, "draws": 30, "seed": 1, "progress": False}
WARN: dict[str, Callable[[], object]] = {
    "formula": lambda: lf.parse("y ~ x - (1 | g)"),
    "correlated": lambda: lf.Model("y ~ x + (kind || g)", ROWS[::-1]),
    "dropped": lambda: lf.Model("y ~ x + I(2 * x) + (1 | g)", ROWS),
    "no value": lambda: lf.Model("y ~ log(x + 0.5) + (1 | g)", ROWS),
    "in parts": lambda: lf.Model("y ~ log(x + 0.5) + (1 | g)", [ROWS[:20], ROWS[20:]]),
    "no order": lambda: lf.Model("size ~ x + (1 | g)", ROWS, family="cumulative"),
    "separation": lambda: lf.glmer("won ~ won_too + (1 | h)", ROWS, family="binomial"),
    "mode": lambda: lf.Model("y ~ x + (1 | g)", ROWS, priors="sd ~ uniform(0.5, 2)").optimize(
        form="conditional", seed=1
    ),
    "sampling": lambda: lf.Model("y ~ x + (1 | g)", ROWS).sample(**QUICK),
}


@pytest.mark.parametrize("name", WARN)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_warning_points_at_the_line_of_its_user(name: str) -> None:
    """However deep in the package it is found; not at the package, and not at numpy."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", lf.FitWarning)
        WARN[name]()
    lines, first = inspect.getsourcelines(WARN[name])
    assert [w.filename for w in caught] == [__file__] * len(caught)
    assert caught
    assert all(first <= w.lineno < first + len(lines) for w in caught)


def test_other_packages_on_the_way_are_passed_over() -> None:
    """A function of numpy's that calls the package is not the user's line."""
    with pytest.warns(lf.FitWarning, match="read as") as caught:
        np.vectorize(lf.parse)(["y ~ x - (1 | g)"])
    assert [w.filename for w in caught] == [__file__] * len(caught)


def test_a_warning_is_shown_once_for_a_line() -> None:
    """Python's own rule for warnings that are no errors, which needs the module that they are of."""
    script = "import lmmformula as lf\nfor _ in range(3):\n    lf.parse('y ~ x - (1 | g)')\n"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.count("FitWarning") == 1
    assert done.stderr.startswith("<string>:3: FitWarning: ")


def test_the_module_itself_may_be_what_runs(tmp_path: Path) -> None:
    """On the command line no line is the user's, and the warning is said all the same."""
    file = tmp_path / "rows.csv"
    ROWS.to_csv(file, index=False)
    command = [sys.executable, "-m", "lmmformula", "fit", "y ~ x + I(2 * x) + (1 | g)", "--data", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "warning: the fixed effects are linearly dependent" in done.stderr


def test_draws_that_are_not_to_be_trusted_are_said_at_once() -> None:
    """Without a look at what prints; in the words of the verdict."""
    model = lf.Model("y ~ x + (1 | g)", ROWS)
    with pytest.warns(lf.SamplingWarning, match="R-hat|ESS") as caught:
        posterior = model.sample(**QUICK)
    assert str(posterior.diagnostics()) in str(caught[0].message)
    assert not posterior.diagnostics().ok


def test_of_many_numbers_those_are_judged_that_were_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the warning costs little."""
    monkeypatch.setattr("lmmformula.api.sampling.QUICK", 0)
    with pytest.warns(lf.SamplingWarning, match="not to be trusted yet: .* ESS of"):
        lf.Model("y ~ x + (1 | g)", ROWS).sample(**QUICK)


def test_good_draws_are_silent() -> None:
    """Nothing is wrong with them."""
    model = lf.Model("y ~ x + (1 | g)", ROWS, priors="sd ~ normal(0, 1)")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.sample(seed=1, progress=False).diagnostics().ok


def test_draws_from_the_prior_are_judged_too() -> None:
    """They come from the same sampler."""
    with pytest.warns(lf.SamplingWarning, match="not to be trusted yet"):
        lf.Model("y ~ x + (1 | g)", ROWS).sample_prior(**QUICK)
