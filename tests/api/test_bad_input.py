"""What users get wrong: each case ends in one of our errors, with what, where and what to try."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf
from lmmformula import cli

N = 24
GOOD = {
    "y": np.sin(np.arange(N) * 1.7),
    "x": np.arange(N) / 5.0,
    "g": np.repeat(["a", "b", "c", "d"], N // 4),
}


def frame(**changes: object) -> pd.DataFrame:
    """Make a small data frame with some columns replaced."""
    return pd.DataFrame({**GOOD, **changes})


CASES = [
    # what is wrong, formula, data, error, what the message says
    ("unbalanced parenthesis", "y ~ x + (x | g", frame(), lf.FormulaError, r"(?s)\(x \| g.*\^"),
    ("unknown column", "y ~ xx + (1 | g)", frame(), lf.DataError, r"(?s)xx.*\^\^.*the columns are: y, x, g"),
    ("unknown group", "y ~ x + (1 | h)", frame(), lf.DataError, r"(?s)'h'.*\^"),
    ("unknown function", "y ~ system(x) + (1 | g)", frame(), lf.FormulaError, r"(?s)system.*\^"),
    ("group with one level", "y ~ x + (1 | g)", frame(g="a"), lf.DataError, r"(?s)only one level.*\^"),
    (
        "as many levels as rows",
        "y ~ x + (1 | g)",
        frame(g=[f"g{i}" for i in range(N)]),
        lf.DataError,
        r"(?s)as many levels as.*rows.*\^",
    ),
    ("NaN everywhere", "y ~ x + (1 | g)", frame(x=np.nan), lf.DataError, r"x"),
    ("empty data", "y ~ x + (1 | g)", frame().iloc[:0], lf.DataError, r"no rows|empty|0 rows"),
    ("response of text", "y ~ x + (1 | g)", frame(y=GOOD["g"]), lf.DataError, r"(?s)y.*\^"),
    (
        "duplicate columns",
        "y ~ x + (1 | g)",
        pd.concat([frame(), frame()[["x"]]], axis=1),
        lf.DataError,
        r"(?s)2 columns named 'x'.*rename",
    ),
    ("no response", "~ x + (1 | g)", frame(), lf.FormulaError, r"respon"),
    ("empty formula", "", frame(), lf.FormulaError, r"formula"),
    ("bad prior", "y ~ x + (1 | g)\nsd ~ gauss(1)", frame(), lf.FormulaError, r"(?s)gauss"),
    ("prior for nothing", "y ~ x + (1 | g)\nsd[h] ~ normal(0, 1)", frame(), lf.FormulaError, r"(?s)sd\[h\]"),
    ("infinite response", "y ~ x + (1 | g)", frame(y=[np.inf, *GOOD["y"][1:]]), lf.DataError, r"(?s)inf"),
]


FILES = [pytest.param(*c[1:3], c[4], id=c[0]) for c in CASES if c[0] != "duplicate columns"]
"""Reading a file numbers duplicate names."""


@pytest.mark.parametrize(("formula", "data", "error", "message"), [pytest.param(*c[1:], id=c[0]) for c in CASES])
def test_bad_input_to_a_model(formula: str, data: pd.DataFrame, error: type[Exception], message: str) -> None:
    """One of our errors, whose text names the fault; never an error of numpy, pandas, lark or formulaic."""
    with pytest.raises(error, match=message):
        lf.Model(formula, data).stan()


@pytest.mark.parametrize(("formula", "data", "message"), FILES)
def test_bad_input_to_the_command_line(
    formula: str, data: pd.DataFrame, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same text on stderr without a traceback, and exit code 1."""
    path = tmp_path / "data.csv"
    data.to_csv(path, index=False)
    assert cli.main(["stan", formula, "--data", str(path)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert re.search(message, captured.err)
    assert "Traceback" not in captured.err


@pytest.mark.parametrize("data", [None, 3, "file.csv", [1, 2], object()], ids=lambda data: type(data).__name__)
def test_what_is_no_data_frame(data: object) -> None:
    """Anything that can't be read as columns is refused with what can be."""
    with pytest.raises(lf.DataError):
        lf.Model("y ~ x", data)


@pytest.mark.parametrize("spec", [None, 3, b"y ~ x", ["y ~ x"]], ids=str)
def test_what_is_no_formula(spec: object) -> None:
    """A formula is a text."""
    with pytest.raises(lf.FormulaError, match="a formula is a text"):
        lf.Model(spec, frame())  # type: ignore[arg-type]


ARGUMENTS: list[tuple[str, Mapping[str, object], type[Exception], str]] = [
    ("unknown family", {"family": "quasi"}, lf.FormulaError, "gaussian, binomial"),
    ("unknown weights", {"weights": "w"}, lf.DataError, "w"),
    ("weights too short", {"weights": [1.0, 2.0]}, lf.DataError, "24 rows"),
    ("negative weights", {"weights": -np.ones(N)}, lf.DataError, "positive"),
    ("unknown offset", {"offset": "off"}, lf.DataError, "off"),
    ("unknown na_action", {"na_action": "drop"}, lf.LmmFormulaError, "omit"),
    ("unknown contrasts", {"contrasts": {"g": "contr.odd"}}, lf.LmmFormulaError, "contr"),
    ("prior of no text", {"priors": [3]}, lf.FormulaError, "text"),
]


@pytest.mark.parametrize(("options", "error", "message"), [pytest.param(*c[1:], id=c[0]) for c in ARGUMENTS])
def test_bad_arguments_of_a_model(options: dict[str, object], error: type[Exception], message: str) -> None:
    """Each names the argument's fault."""
    with pytest.raises(error, match=message):
        lf.Model("y ~ x + g", frame(), **options)  # type: ignore[arg-type]


SAMPLING: list[tuple[str, Mapping[str, object], type[Exception], str]] = [
    ("unknown engine", {"engine": "jags"}, lf.EngineError, "stanli"),
    ("unknown form", {"form": "centred"}, lf.FitError, "marginal"),
    ("no chains", {"chains": 0}, lf.EngineError, "chains"),
    ("no draws", {"draws": 0}, lf.EngineError, "draws"),
    ("negative seed", {"seed": -1}, lf.EngineError, "seed"),
    ("unknown option", {"adapt_deltas": 0.9}, lf.EngineError, "adapt_delta"),
]


@pytest.mark.parametrize(("options", "error", "message"), [pytest.param(*c[1:], id=c[0]) for c in SAMPLING])
def test_bad_arguments_of_sampling(options: dict[str, object], error: type[Exception], message: str) -> None:
    """Each names the argument's fault before anything is sampled."""
    with pytest.raises(error, match=message):
        lf.Model("y ~ x + (1 | g)", frame()).sample(progress=False, **options)  # type: ignore[arg-type]


def test_bad_start_of_a_fit() -> None:
    """Theta of the wrong length, or not of numbers."""
    model = lf.Model("y ~ x + (1 | g)", frame())
    with pytest.raises(lf.FitError, match="theta must be 1"):
        model.fit(start=[1.0, 2.0])
    with pytest.raises(lf.FitError, match="numbers"):
        model.fit(start="near")


def test_refit_to_what_is_no_response() -> None:
    """Wrong length, and missing values."""
    fit = lf.Model("y ~ x + (1 | g)", frame()).fit()
    with pytest.raises(lf.FitError, match="24 values"):
        fit.refit([1.0, 2.0])
    with pytest.raises(lf.FitError, match="missing or infinite"):
        fit.refit(np.full(N, np.nan))


def test_unknown_kinds_and_groups() -> None:
    """Choices that a fit doesn't have are listed."""
    fit = lf.Model("y ~ x + (1 | g)", frame()).fit()
    with pytest.raises(lf.FitError, match="response, pearson"):
        fit.residuals("studentized")  # type: ignore[arg-type]
    with pytest.raises(lf.FitError, match="they are: g"):
        fit.icc("h")
    with pytest.raises(lf.FitError, match="at least 1"):
        fit.simulate(0)
