"""The command line: what it prints, where, and its exit codes."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import lmmformula as lf
from corpus import dataset
from lmmformula import cli

FORMULA = "Reaction ~ Days + (Days | Subject)"
QUICK = ["--chains", "2", "--warmup", "200", "--draws", "100", "--seed", "1"]


def test_fit_prints_the_summary(capsys: pytest.CaptureFixture[str]) -> None:
    """The same text as `print(fit)`, with the name of the data, and no escape codes."""
    assert cli.main(["fit", FORMULA, "--data", "sleepstudy"]) == 0
    output = capsys.readouterr().out
    assert "Formula: Reaction ~ Days + (Days | Subject)\n   Data: sleepstudy\n" in output
    assert "REML criterion at convergence: 1743.6" in output
    assert "\x1b" not in output


def test_fit_by_maximum_likelihood(capsys: pytest.CaptureFixture[str]) -> None:
    """`--ml` instead of `--reml`; both at once is bad usage."""
    assert cli.main(["fit", FORMULA, "--data", "sleepstudy", "--ml"]) == 0
    assert "maximum likelihood" in capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        cli.main(["fit", FORMULA, "--data", "sleepstudy", "--ml", "--reml"])
    assert caught.value.code == 2


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_data_come_from_files(suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """CSV, TSV and Parquet; the file's name stands in the heading."""
    path = tmp_path / f"data{suffix}"
    frame = dataset("sleepstudy")
    if suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    assert cli.main(["fit", FORMULA, "--data", str(path)]) == 0
    output = capsys.readouterr().out
    assert f"   Data: data{suffix}\n" in output
    assert "REML criterion at convergence: 1743.6" in output


def test_data_come_from_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`--data -` reads CSV."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(dataset("sleepstudy").to_csv(index=False)))
    assert cli.main(["fit", FORMULA, "--data", "-"]) == 0
    assert "1743.6" in capsys.readouterr().out


def test_fit_writes_a_table(tmp_path: Path) -> None:
    """`-o` writes what `tidy()` gives."""
    path = tmp_path / "estimates.csv"
    assert cli.main(["fit", FORMULA, "--data", "sleepstudy", "-o", str(path)]) == 0
    assert list(pd.read_csv(path)["term"])[:2] == ["(Intercept)", "Days"]


def test_explain_prints_the_model(capsys: pytest.CaptureFixture[str]) -> None:
    """Terms, levels, and the model in maths."""
    assert cli.main(["explain", FORMULA, "--data", "sleepstudy"]) == 0
    assert "Subject: 18 levels" in capsys.readouterr().out


def test_stan_prints_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    """On stdout, ready for a pipe; priors from the command line are in it."""
    assert cli.main(["stan", FORMULA, "--data", "sleepstudy", "--prior", "sigma ~ exponential(0.01)"]) == 0
    output = capsys.readouterr().out
    assert output.startswith("// Reaction ~ Days + (Days | Subject)")
    assert "sigma ~ exponential(prior_sigma_rate);" in output


def test_stan_writes_two_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Program and data side by side, and nothing on stdout."""
    path = tmp_path / "model.stan"
    assert cli.main(["stan", FORMULA, "--data", "sleepstudy", "-o", str(path), "--form", "conditional"]) == 0
    assert capsys.readouterr().out == ""
    assert json.loads((tmp_path / "model.data.json").read_text(encoding="utf-8"))["N"] == 180


def test_sample_prints_the_posterior(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table and the verdict; `-o` writes the table."""
    path = tmp_path / "posterior.csv"
    assert cli.main(["sample", FORMULA, "--data", "sleepstudy", *QUICK, "-o", str(path)]) == 0
    output = capsys.readouterr().out
    assert "ess_bulk" in output
    assert "Diagnostics: " in output
    assert "sigma" in list(pd.read_csv(path)["parameter"])


def test_compare_prints_both(capsys: pytest.CaptureFixture[str]) -> None:
    """Estimates beside posterior means."""
    assert cli.main(["compare", FORMULA, "--data", "sleepstudy", *QUICK]) == 0
    output = capsys.readouterr().out
    assert "REML beside the posterior of Reaction ~ Days + (Days | Subject)" in output
    assert "Largest difference: " in output


def test_the_demonstration(capsys: pytest.CaptureFixture[str]) -> None:
    """The coffee example both ways, with the numbers that R has, a verdict, and the time that sampling took."""
    assert cli.main(["demo"]) == 0
    output = capsys.readouterr().out
    assert "REML criterion at convergence: 3675.3" in output
    assert "Diagnostics: converged" in output
    assert "the sampling itself: " in output


def test_datasets_are_listed_and_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """All of them by name, or one as CSV."""
    assert cli.main(["datasets"]) == 0
    assert "coffee" in capsys.readouterr().out
    assert cli.main(["datasets", "Dyestuff"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "Batch,Yield"


FAULTS = [
    (["fit", FORMULA, "--data", "sleepstudi"], "did you mean 'sleepstudy'"),
    (["fit", FORMULA, "--data", "missing.csv"], "can't read the data 'missing.csv'"),
    (["fit", FORMULA, "--data", "missing.parquet"], "can't read the data 'missing.parquet'"),
    (["fit", "Reaction ~ Day", "--data", "sleepstudy"], "did you mean 'Days'"),
    (["fit", FORMULA, "--data", "sleepstudy", "--family", "Gamma"], "not available yet"),
    (["fit", FORMULA, "--data", "sleepstudy", "-o", "missing/folder/f.csv"], "missing/folder"),
    (["stan", FORMULA, "--data", "sleepstudy", "-o", "missing/folder/f.stan"], "No such file or directory"),
    (["datasets", "cofee"], "did you mean 'coffee'"),
]


@pytest.mark.parametrize(("arguments", "message"), FAULTS)
def test_faults_that_a_user_can_mend(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr, exit code 1, no traceback."""
    assert cli.main(arguments) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert message in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.parametrize("arguments", [[], ["fly"], ["fit"], ["fit", FORMULA], ["demo", "--chains", "0"]])
def test_bad_usage(arguments: list[str]) -> None:
    """Argparse's own exit code."""
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2


def test_an_interrupt_ends_quietly(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Control-C gives 130, as shells expect."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(lf.Model, "fit", interrupted)
    assert cli.main(["fit", FORMULA, "--data", "sleepstudy"]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_warnings_stand_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line each, without the place in our source."""
    data = dataset("sleepstudy").assign(Weeks=lambda d: d["Days"] / 7)
    data.to_csv(tmp_path / "data.csv", index=False)
    assert cli.main(["fit", "Reaction ~ Days + Weeks + (1 | Subject)", "--data", str(tmp_path / "data.csv")]) == 0
    error = capsys.readouterr().err
    assert error.startswith("warning: ")
    assert "Weeks" in error
    assert ".py" not in error


def test_the_installed_command() -> None:
    """`python -m lmmformula --version` in a process of its own, and a reader who goes away."""
    command = [sys.executable, "-m", "lmmformula"]
    output = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert output.stdout == f"lmmformula {lf.__version__}\n"
    gone = subprocess.run(  # noqa: S602
        f"{sys.executable} -m lmmformula datasets InstEval | head -1",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert gone.stderr == ""
