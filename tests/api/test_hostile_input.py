"""Whatever is put into the public entries ends right or in an error of ours, whose message can be read."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf
from lmmformula.ir.functions import REGISTERED

ROWS = 40
FORMULA = "y ~ x + f + (x | g)"


def sample() -> pd.DataFrame:
    """Return a small data set."""
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "y": rng.normal(size=ROWS),
            "x": rng.normal(size=ROWS),
            "f": np.tile(list("uvwt"), ROWS // 4),
            "g": np.repeat(list("abcdefgh"), 5),
        }
    )


DATA = sample()
MODEL = lf.Model(FORMULA, DATA)
JUNK: list[Any] = [
    0, -1, 1.5, True, "", "nope", "\x00", "x" * 10_000, b"x", [], [1], (), {}, {"x": 1}, {1: 2}, object(), 1j,
    np.ones(ROWS), np.full(ROWS, np.nan), np.full(ROWS, np.inf), np.ones((ROWS, 2)), ["a"] * ROWS, [None] * ROWS,
    pd.Series(np.ones(ROWS)), DATA, math.nan, 10**400, [10**400] * ROWS, np.datetime64("2020-01-01"), iter([1]), int,
]  # fmt: skip


def names(values: list[Any]) -> list[str]:
    """Return a short name of each value, for the test's id."""
    return [f"{i}-{type(value).__name__}" for i, value in enumerate(values)]


def registered(name: Any) -> None:
    """Register a function, and forget it."""
    lf.register(name, np.sin)
    REGISTERED.pop(name)


ENTRIES: dict[str, Callable[[Any], object]] = {
    "parse": lf.parse,
    "Model(spec)": lambda junk: lf.Model(junk, DATA),
    "Model(data)": lambda junk: lf.Model(FORMULA, {"y": junk, "x": DATA["x"], "f": DATA["f"], "g": DATA["g"]}),
    "weights": lambda junk: lf.Model(FORMULA, DATA, weights=junk),
    "offset": lambda junk: lf.Model(FORMULA, DATA, offset=junk),
    "contrasts": lambda junk: lf.Model(FORMULA, DATA, contrasts=junk),
    "contrasts of f": lambda junk: lf.Model(FORMULA, DATA, contrasts={"f": junk}),
    "family": lambda junk: lf.Model(FORMULA, DATA, family=junk),
    "priors": lambda junk: lf.Model(FORMULA, DATA, priors=junk),
    "na_action": lambda junk: lf.Model(FORMULA, DATA, na_action=junk),
    "data": lambda junk: lf.Model(FORMULA, junk),
    "form": lambda junk: MODEL.stan(form=junk),
    "update": MODEL.update,
    "start": lambda junk: MODEL.fit(start=junk),
    "reml": lambda junk: MODEL.fit(reml=junk),
    "settings": lambda junk: MODEL.fit(settings=junk),
    "from_dict": lf.ModelIR.from_dict,
    "register": registered,
    "datasets.load": lf.datasets.load,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("junk", JUNK, ids=names(JUNK))
@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_takes_it_or_says_what_is_wrong(entry: str, junk: Any) -> None:
    """No error but ours comes out, its message is short and can be printed on a terminal."""
    try:
        ENTRIES[entry](junk)
    except lf.LmmFormulaError as error:
        told = str(error)
    else:
        told = ""
    assert len(told) < 5_000
    assert told.replace("\n", "").isprintable()


FIT = MODEL.fit()
ASKED: dict[str, Callable[[Any], object]] = {
    "predict": FIT.predict,
    "random": lambda junk: FIT.predict(DATA, random=junk),
    "new_levels": lambda junk: FIT.predict(DATA, new_levels=junk),
    "interval": lambda junk: FIT.predict(DATA, interval=junk),
    "level": lambda junk: FIT.predict(DATA, interval="confidence", level=junk),
    "refit": FIT.refit,
    "seed": lambda junk: FIT.simulate(1, seed=junk),
    "residuals": FIT.residuals,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("junk", JUNK, ids=names(JUNK))
@pytest.mark.parametrize("entry", ASKED)
def test_a_fit_answers_or_says_what_is_wrong(entry: str, junk: Any) -> None:
    """The same holds for what a fit is asked."""
    try:
        ASKED[entry](junk)
    except lf.LmmFormulaError as error:
        told = str(error)
    else:
        told = ""
    assert len(told) < 5_000


@pytest.mark.parametrize(
    ("number", "message"), [(0, "n must be a whole number of at least 1, and 0 was given"), ("2", "and '2' was given")]
)
def test_the_number_of_simulations_is_checked(number: Any, message: str) -> None:
    """It is a whole number of at least 1."""
    with pytest.raises(lf.FitError, match=message):
        FIT.simulate(number)


def test_reml_is_no_name_of_a_method() -> None:
    """`reml="ML"` would be true, and so REML: it is refused."""
    with pytest.raises(lf.FitError, match="reml is True or False, not 'ML'"):
        MODEL.fit(reml="ML")  # type: ignore[arg-type]


def test_a_broken_file_is_told_by_its_name(tmp_path: Path) -> None:
    """A line with more fields than the first is no error of pandas'; nor is a name that no file can have."""
    broken = tmp_path / "broken.csv"
    broken.write_text("y,x,g\n1,2,a\n1,2,a,3,4\n")
    with pytest.raises(lf.DataError, match=r"broken\.csv can't be read"):
        lf.Model("y ~ x + (1 | g)", broken)
    for name in ("", "x" * 10_000, "\x00"):
        with pytest.raises(lf.DataError, match="there is no file"):
            lf.Model("y ~ x + (1 | g)", name)
