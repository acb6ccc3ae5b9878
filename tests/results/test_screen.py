"""What results show at a prompt: whole, within the width of the terminal, and the same as when they are printed."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf
from corpus import dataset
from lmmformula.inference.intervals.parameters import MOST_ERROR
from lmmformula.repl.session import Session
from lmmformula.results.tables.lines import table_lines
from lmmformula.screen import folded, screen_width

pytestmark = pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")

MODEL = lf.Model("Reaction ~ Days + (Days | Subject)", dataset("sleepstudy"))


@cache
def fit() -> Any:
    """Fit once."""
    return MODEL.fit()


@cache
def posterior() -> Any:
    """Sample once."""
    return MODEL.sample(chains=2, draws=60, warmup=100, seed=1, progress=False)


def test_the_width_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """COLUMNS says it; where nothing is printed to a terminal there is none."""
    monkeypatch.setenv("COLUMNS", "72")
    assert screen_width() == 72
    monkeypatch.setenv("COLUMNS", "wide")
    assert screen_width() is None


FRAMES = {
    "tidy": lambda: fit().tidy(),
    "glance": lambda: fit().glance(),
    "priors": lambda: MODEL.priors,
    "summary": lambda: posterior().summary(),
    "tidy of a posterior": lambda: posterior().tidy(),
}


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("columns", ["80", ""])
def test_frames_show_all_their_columns(name: str, columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """None hides behind dots, on any terminal, and the frame is a pandas one."""
    monkeypatch.setenv("COLUMNS", columns)
    frame = FRAMES[name]()
    assert isinstance(frame, pd.DataFrame)
    shown = repr(frame)
    assert all(re.search(rf"(^|\s){re.escape(str(column))}(\s|$)", shown) for column in frame.columns)
    assert "..." not in shown
    if columns and name != "priors":  # a statement may be wider than any terminal
        assert max(map(len, shown.split("\n"))) <= 80


@pytest.mark.parametrize("width", [80, 60])
def test_tables_fit_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns without room stand below, with the names of their rows; no number is broken."""
    whole = str(posterior())
    monkeypatch.setenv("COLUMNS", str(width))
    for text in (str(posterior()), str(fit().anova()), str(fit().contrast("Days = 0"))):
        table = [line for line in text.split("\n") if re.match(r"(sd\[|cor\[|Days|\(Int|sigma)", line)]
        assert table
        assert max(map(len, table)) <= width
    numbers = re.compile(r"-?\d+\.\d+")
    assert set(numbers.findall(whole)) == set(numbers.findall(str(posterior())))


def test_a_table_without_room_is_cut_into_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of the rows stand before each piece."""
    monkeypatch.setenv("COLUMNS", "12")
    assert table_lines(["", "mean", "sd"], [["sigma", "11.0", "2.5"]]) == [
        "       mean",
        "sigma  11.0",
        "        sd",
        "sigma  2.5",
    ]


def test_help_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command does is folded beside its name."""
    wide = Session().run(":help").text
    monkeypatch.setenv("COLUMNS", "60")
    narrow = Session().run(":help").text
    commands = [line for line in narrow.split("\n") if line.startswith((":", " " * 20))]
    assert max(map(len, commands)) <= 60
    assert narrow.split() == wide.split()
    assert folded("a b", 1) == "a b"


def test_what_a_prompt_shows_is_what_is_printed() -> None:
    """Shares of variance, diagnostics and programs are no dumps of fields; effects are tables by group."""
    assert repr(fit().r2()) == str(fit().r2())
    assert repr(posterior().diagnostics()) == str(posterior().diagnostics())
    program = MODEL.stan()
    assert repr(program) == (
        f"StanProgram('Reaction ~ Days + (Days | Subject)', marginal form, {len(str(program).splitlines())} lines; "
        "print() shows them)"
    )
    for effects in (fit().ranef(), fit().coef(), posterior().ranef()):
        assert isinstance(effects, dict)
        assert repr(effects).startswith("Subject:\n")
        assert "..." not in repr(effects)
        assert len(repr(effects).split("\n")) == 21


def test_compared_fits_are_told_apart() -> None:
    """By their families where these differ, and by names."""
    fits = [
        lf.Model("TICKS ~ YEAR + (1 | BROOD)", dataset("grouseticks"), family=family).fit()
        for family in ("poisson", "negbinomial")
    ]
    notes = lf.anova(*fits).notes
    assert notes[0].endswith("(1 | BROOD), poisson(log)")
    assert notes[1].endswith("(1 | BROOD), negbinomial(log)")
    named = lf.anova(*fits, names=["Poisson", "with dispersion"])
    assert list(named.frame.index) == ["Poisson", "with dispersion"]
    linear = [MODEL.update(f". ~ Days + {random}").fit() for random in ("(1 | Subject)", "(Days | Subject)")]
    assert list(lf.anova(*linear, names=["a", "b"]).frame.index) == ["a", "b"]
    for wrong in ("ab", ["a"], ["a", "a"]):
        with pytest.raises(lf.FitError, match="names are one for each of the 2 fits"):
            lf.anova(*linear, names=wrong)


def test_a_standard_deviation_near_zero_has_no_wald_bounds() -> None:
    """A logarithm that is known to a factor of a thousand says nothing; the others keep their bounds."""
    rng = np.random.default_rng(11)
    g = np.repeat(np.arange(10), 6)
    seen = 0
    for _ in range(60):
        data = {"y": 0.08 * rng.normal(size=10)[g] + rng.normal(size=60), "g": g}
        found = lf.Model("y ~ 1 + (1 | g)", data).fit().confint(method="wald").frame
        low, high = found.loc["sd[g, (Intercept)]", ["conf_low", "conf_high"]]
        assert not high / low > np.exp(2 * 1.96 * MOST_ERROR) * 1.001
        assert np.isfinite(found.loc["sigma", "conf_low"])
        seen += bool(np.isnan(low))
    assert 0 < seen < 60


def test_traces_of_formula_errors_are_short(tmp_path: Path) -> None:
    """Of ours there is one frame, below the user's line."""
    script = tmp_path / "wrong.py"
    script.write_text("import lmmformula as lf\nlf.Model('y ~ x + (1 | g', {'y': [1.0]})\n", encoding="utf-8")
    said = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False).stderr
    assert said.count('  File "') == 2
    assert "add a `)`" in said
