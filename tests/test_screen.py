"""What results show at a prompt: whole, within the width of the terminal, and the same as when they are printed."""

import re
import subprocess
import sys
from collections.abc import Iterator
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


@cache
def counts() -> pd.DataFrame:
    """Rows with long names of columns and levels."""
    rng = np.random.default_rng(4)
    i = np.arange(120)
    score, effect = rng.normal(size=120), rng.normal(size=10)[i // 12]
    treatment = np.array(["control", "drug a", "drug b"])[i % 3]
    y = score + effect + rng.normal(size=120)
    names = {"treatment_group": treatment, "baseline_score": score, "hospital": [f"hospital {k}" for k in i // 12]}
    return pd.DataFrame(names | {"y": y, "n": rng.poisson(np.exp(0.5 + 0.3 * score))})


RIGHT = "treatment_group * baseline_score + (baseline_score | hospital)"


@cache
def results() -> dict[str, Any]:
    """One result of each kind: a fit, one of another family, their posteriors."""
    models = [lf.Model(f"y ~ {RIGHT}", counts()), lf.Model(f"n ~ {RIGHT}", counts(), family="poisson")]
    told = {"chains": 2, "draws": 40, "warmup": 60, "seed": 1, "progress": False}
    fits, posteriors = [one.fit() for one in models], [one.sample(**told) for one in models]
    linear = lf.Model("y ~ treatment_group * baseline_score", counts()).fit()
    quick = {"seed": 1, "progress": False}
    return {
        "models": models, "linear": linear, "fits": fits, "posteriors": posteriors,
        "modes": [models[0].optimize(seed=1)],
        "bootstrap": fits[0].bootstrap(n=3, **quick), "profile": fits[0].profile("sigma", progress=False),
        "power": fits[0].power("baseline_score", n=3, **quick), "comparison": lf.compare(fits[0], posteriors[0]),
    }  # fmt: skip


def everything() -> Iterator[object]:
    """Make all that prints of them."""
    found = results()
    yield from (*found["modes"], found["bootstrap"], found["profile"], found["power"], found["comparison"])
    yield from (*found["fits"], *found["posteriors"], found["linear"], found["linear"].summary())
    yield from (one for model in found["models"] for one in (model.explain(), model.priors))
    first, second = found["fits"]
    yield from (first.ranova(), first.drop1(), first.r2(), first.influence("hospital"), first.variance_vcov())
    yield from (
        first.summary(ddf="kenward-roger"),
        first.anova(type="II"),
        lf.criteria(first),
        found["comparison"].summary(),
    )
    yield lf.anova(lf.Model("y ~ baseline_score + (1 | hospital)", counts()).fit(), first)
    for fit in (first, second):
        means = fit.emmeans("treatment_group")
        yield from (fit.summary(), fit.trace, fit.varcorr, fit.vcov, fit.ranef(), fit.coef(), fit.glance(), fit.tidy())
        yield from (fit.anova(), fit.confint(method="wald"), fit.augment(), means, means.frame, means.pairs())
        yield from (fit.slopes("baseline_score", by="treatment_group"), fit.contrast("baseline_score = 0"))
        yield from (fit.linear_hypothesis(["baseline_score = 0"]), fit.predict(interval="confidence"))
    for posterior in found["posteriors"]:
        means = posterior.emmeans("treatment_group")
        yield from (posterior.summary(), posterior.diagnostics(), posterior.varcorr, posterior.vcov, posterior.tidy())
        yield from (
            posterior.confint(),
            means,
            means.pairs(),
            posterior.contrast("baseline_score = 0"),
            posterior.ranef(),
        )


@pytest.mark.filterwarnings("ignore::lmmformula.FitWarning")
@pytest.mark.parametrize("width", [80, 60])
def test_all_that_prints_fits_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is longer, printed or at a prompt, but what is one word."""
    results()
    monkeypatch.setenv("COLUMNS", str(width))
    for shown in everything():
        for line in f"{shown}\n{shown!r}".split("\n"):
            assert len(line) <= width or len(line.split()) == 1, (type(shown), line)


@pytest.mark.filterwarnings("ignore::lmmformula.FitWarning")
def test_no_number_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed at 60 columns has the numbers of what is printed without a terminal."""
    numbers = re.compile(r"(?<![\w.])-?\d+\.\d+(?:e[+-]\d+)?")
    fit, posterior = results()["fits"][0], results()["posteriors"][0]
    shown = (fit, fit.confint(method="wald"), fit.anova(), fit.varcorr, posterior, results()["comparison"])
    wide = [numbers.findall(str(one)) for one in shown]
    monkeypatch.setenv("COLUMNS", "60")
    for one, whole in zip(shown, wide, strict=True):
        assert sorted(numbers.findall(str(one))) == sorted(whole)


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
