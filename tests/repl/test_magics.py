"""`%lmm` and `%%lmm` in IPython."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lmmformula as lf

IPython = pytest.importorskip("IPython", reason="IPython is not installed")

FORMULA = "Reaction ~ Days + (Days | Subject)"


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A shell with the extension and two data frames, that leaves nothing in anybody's home."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    made = InteractiveShell(config=Config({"HistoryManager": {"hist_file": ":memory:"}}))
    made.run_line_magic("load_ext", "lmmformula")
    made.user_ns.update(sleep=lf.datasets.load("sleepstudy"), coffee=lf.datasets.load("coffee"))
    yield made
    InteractiveShell.clear_instance()
    made.history_manager.end_session()


def test_a_line_fits(shell: Any) -> None:
    """To the data frame that has the columns; the fit shows itself as HTML."""
    fit = shell.run_line_magic("lmm", FORMULA)
    assert isinstance(fit, lf.LinearMixedFit)
    assert fit.data_name == "sleep"
    assert round(fit.reml_criterion, 1) == 1743.6
    assert "<table>" in fit._repr_html_()


def test_a_line_changes_the_model(shell: Any) -> None:
    """As R's update(), and commands of the session speak of it."""
    shell.run_line_magic("lmm", FORMULA)
    fit = shell.run_line_magic("lmm", ". ~ . - (Days | Subject) + (1 | Subject)")
    assert round(fit.reml_criterion, 1) == 1786.5
    assert "  + (1 | Subject)" in shell.run_line_magic("lmm", ":diff")
    assert "model = lf.Model('Reaction ~ Days + (1 | Subject)', data)" in shell.run_line_magic("lmm", ":script")


def test_data_are_read_anew(shell: Any) -> None:
    """A column that was added in place is there."""
    shell.run_line_magic("lmm", FORMULA)
    shell.user_ns["sleep"]["late"] = shell.user_ns["sleep"]["Days"] > 5
    assert "lateTRUE" in shell.run_line_magic("lmm", "~ . + late").fixef


def test_a_cell_holds_a_formula_and_priors(shell: Any) -> None:
    """Without priors it is fitted; what else to do may be said."""
    assert isinstance(shell.run_cell_magic("lmm", "sleep", f"{FORMULA}\n"), lf.LinearMixedFit)
    assert shell.run_cell_magic("lmm", "sleep ml", FORMULA).fit.reml is False
    text = shell.run_cell_magic("lmm", "sleep stan", f"{FORMULA}\nsd ~ exponential(0.01)\n")
    assert "exponential" in text
    assert shell.run_line_magic("lmm", ":priors").count("typed") == 2


@pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")
def test_a_cell_with_priors_is_sampled(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And compared, where that is asked for."""
    sample = lf.Model.sample

    def quick(model: lf.Model) -> lf.Posterior:
        return sample(model, chains=2, warmup=200, draws=100, seed=1, progress=False)

    monkeypatch.setattr(lf.Model, "sample", quick)
    assert isinstance(shell.run_cell_magic("lmm", "sleep", f"{FORMULA}\nsd ~ exponential(0.01)"), lf.Posterior)
    assert isinstance(shell.run_cell_magic("lmm", "sleep compare", FORMULA), lf.Comparison)


def test_families(shell: Any) -> None:
    """A line keeps the family for those to come; a cell stands alone."""
    shell.user_ns["ticks"] = lf.datasets.load("grouseticks")
    fit = shell.run_line_magic("lmm", "--family poisson TICKS ~ YEAR + (1 | BROOD)")
    assert isinstance(fit, lf.GeneralizedMixedFit)
    assert shell.run_line_magic("lmm", "--family negbinomial . ~ .").aic < fit.aic
    assert "poisson(log)\nnow: " in shell.run_line_magic("lmm", ":diff")
    assert shell.run_line_magic("lmm", "TICKS ~ 1 + (1 | BROOD)").family.name == "negbinomial"
    assert isinstance(shell.run_cell_magic("lmm", "sleep", FORMULA), lf.LinearMixedFit)


def test_weights(shell: Any) -> None:
    """Of a cell, or of a line; they are forgotten with the data that have them."""
    shell.user_ns["herds"] = lf.datasets.load("cbpp_obs")
    fit = shell.run_cell_magic("lmm", "herds fit --family binomial --weights size", "prop ~ period + (1 | herd)")
    assert round(fit.loglik, 3) == -92.026
    assert "weights='size'" in shell.run_line_magic("lmm", ":script")
    assert shell.run_line_magic("lmm", f"--family gaussian {FORMULA}").design.weights is None


def test_a_cell_without_a_fit_is_sampled(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a family does not have is not tried."""
    shell.user_ns["ham"] = lf.datasets.load("ham")
    monkeypatch.setattr(lf.Model, "sample", lambda _: "sampled")
    formula = "Informed.liking ~ Product + (1 | Consumer)"
    assert shell.run_cell_magic("lmm", "ham --family=cumulative(probit)", formula) == "sampled"


FAULTS = [
    ("--family weibull y ~ x", None, "the family 'weibull' is not supported yet"),
    ("sleep --family poisson", FORMULA, "must be whole numbers from 0"),
    ("sleep --weights size", FORMULA, "no column named 'size'"),
    ("Reaction ~ Dayz", None, "no data frame has the columns `Dayz`, `Reaction`"),
    ("y ~ ", None, "nothing stands behind `~`"),
    (":nonsense", None, "there is no command `:nonsense`"),
    ("nothing", FORMULA, "there is no variable `nothing`"),
    ("sleep fly", FORMULA, "a cell needs the name of its data"),
    ("sleep", "Reaction ~ Dayz", "did you mean 'Days'?"),
]


@pytest.mark.parametrize(("line", "cell", "message"), FAULTS)
def test_faults_have_no_traceback(shell: Any, line: str, cell: str | None, message: str) -> None:
    """They are IPython's usage errors, with our message."""
    from IPython.core.error import UsageError

    with pytest.raises(UsageError) as caught:
        shell.run_line_magic("lmm", line) if cell is None else shell.run_cell_magic("lmm", line, cell)
    assert message in str(caught.value)


def test_several_data_frames_are_not_guessed_among(shell: Any) -> None:
    """Unless one of them is in use."""
    from IPython.core.error import UsageError

    shell.user_ns["more"] = shell.user_ns["sleep"].copy()
    with pytest.raises(UsageError, match="several data frames have these columns: sleep, more"):
        shell.run_line_magic("lmm", FORMULA)
    shell.run_cell_magic("lmm", "more", FORMULA)
    assert shell.run_line_magic("lmm", "Reaction ~ 1 + (1 | Subject)").data_name == "more"


def test_help(shell: Any) -> None:
    """An empty line lists the commands."""
    assert ":simplify" in shell.run_line_magic("lmm", "")
