"""The command line: what it prints, where, and its exit codes."""

import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import lmmformula as lf
from corpus import dataset
from lmmformula import cli
from lmmformula.cli.arguments import COMMANDS, parser
from lmmformula.cli.shell import completion_script

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


WRITERS = {
    ".csv": lambda frame, path: frame.to_csv(path, index=False),
    ".tsv": lambda frame, path: frame.to_csv(path, index=False, sep="\t"),
    ".parquet": lambda frame, path: frame.to_parquet(path),
    ".feather": lambda frame, path: frame.to_feather(path),
}


@pytest.mark.parametrize("suffix", WRITERS)
def test_data_come_from_files(suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """CSV, TSV, Parquet and Feather; the file's name stands in the heading."""
    path = tmp_path / f"data{suffix}"
    WRITERS[suffix](dataset("sleepstudy"), path)
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


def test_a_fit_is_saved(tmp_path: Path) -> None:
    """`--save` writes what `load` reads."""
    path = tmp_path / "fit.json"
    assert cli.main(["fit", FORMULA, "--data", "sleepstudy", "--save", str(path)]) == 0
    assert round(lf.load(path).sigma, 2) == 25.59
    posterior = tmp_path / "posterior.nc"
    assert cli.main(["sample", FORMULA, "--data", "sleepstudy", *QUICK, "--save", str(posterior)]) == 0
    assert lf.load(posterior).draws.n_chains == 2


TABLES = [
    (["fit", FORMULA], ["effect", "group", "term", "estimate"], 6),
    (["fit", FORMULA, "--table", "tidy"], ["effect", "group", "term", "estimate"], 6),
    (["fit", FORMULA, "--table", "glance"], ["nobs", "sigma", "loglik"], 1),
    (["fit", FORMULA, "--table", "augment"], ["row", "Reaction", "Days", "Subject", "fitted"], 180),
    (["fit", FORMULA, "--table", "ranef"], ["group", "level", "term", "estimate"], 36),
    (["fit", FORMULA, "--table", "anova"], ["term", "sum_sq"], 1),
    (["sample", FORMULA, *QUICK], ["parameter", "mean", "sd"], 6),
    (["compare", FORMULA, *QUICK], ["group", "name", "estimate"], 6),
    (["power", FORMULA, "--effect", "Days=5", "--n-groups", "6", "12", "--n", "20", "--seed", "1"],
     ["n_groups", "n_rows", "power"], 2),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "names", "rows"), TABLES)
def test_tables(arguments: list[str], names: list[str], rows: int, capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON, CSV and Markdown: the same columns and rows in each."""
    printed = {}
    for kind in ("json", "csv", "markdown"):
        assert cli.main([*arguments, "--data", "sleepstudy", f"--{kind}"]) == 0
        printed[kind] = capsys.readouterr().out
    records = json.loads(printed["json"])
    frame = pd.read_csv(io.StringIO(printed["csv"]))
    lines = printed["markdown"].splitlines()
    assert len(records) == len(frame) == len(lines) - 2 == rows
    assert list(records[0]) == list(frame.columns)
    assert names == [name for name in frame.columns if name in names]
    assert [cell.strip() for cell in lines[0].split("|")[1:-1]] == list(frame.columns)
    assert set(lines[1]) <= set("| -:")


def test_tables_are_exact(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON and CSV have every digit; what is missing is null."""
    fit = lf.lmer(FORMULA, dataset("sleepstudy"))
    cli.main(["fit", FORMULA, "--data", "sleepstudy", "--json"])
    records = json.loads(capsys.readouterr().out)
    assert records[1]["estimate"] == fit.fixef["Days"]
    assert records[-1]["p_value"] is None


HERDS = ["cbind(incidence, size - incidence) ~ period + (1 | herd)", "--data", "cbpp", "--family", "binomial"]
SHARES = ["prop ~ period + (1 | herd)", "--data", "cbpp_obs", "--family", "binomial", "--weights", "size"]
LIKING = ["Informed.liking ~ Product + (1 | Consumer)", "--data", "ham", "--family", "cumulative"]
TICKS = ["TICKS ~ YEAR + (1 | BROOD)", "--data", "grouseticks", "--family", "negbinomial"]

FAMILIES = [
    (["fit", *HERDS], "logLik deviance"),
    (["fit", *SHARES], "period4      -1.5803     0.4274  -3.697"),
    (["fit", *HERDS, "--nagq", "9"], "Family: binomial  ( logit )"),
    (["fit", *HERDS, "--ml", "--table", "tidy"], "sd__(Intercept)"),
    (["fit", *HERDS, "--table", "glance", "--json"], '"loglik": -92.026'),
    (["fit", *HERDS, "--table", "augment", "--csv"], "row,herd,incidence,size,period,fitted"),
    (["fit", *HERDS, "--table", "ranef", "--csv"], "herd,1,(Intercept),0.59"),
    (["fit", *TICKS, "--csv"], ",shape,"),
    (["fit", *TICKS, "--curvature", "expected"], "(Laplace Approximation, expected curvature)"),
    (["explain", *LIKING], "logit(P(Informed.liking ≤ k)) = cutpoint[k] - ("),
    (["explain", *SHARES], "Family     binomial, link logit"),
    (["stan", *LIKING], "ordered_logistic"),
    (["stan", *SHARES], "binomial_logit"),
    (["sample", *LIKING, *QUICK], "Standard deviations and correlations; cutpoints"),
    (["sample", *TICKS, *QUICK, "--csv"], "shape,"),
    (["compare", *SHARES, *QUICK], "beside the posterior of prop ~ period + (1 | herd)"),
    (["compare", *TICKS, *QUICK, "--markdown"], "| family shape |"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "expected"), FAMILIES)
def test_families(arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command does what the family can; trials are a column of weights where the response is a share."""
    assert cli.main(arguments) == 0
    assert expected in capsys.readouterr().out


def test_a_fit_of_a_family_is_saved(tmp_path: Path) -> None:
    """As a gaussian one is."""
    path = tmp_path / "fit.json"
    assert cli.main(["fit", *HERDS, "--save", str(path)]) == 0
    assert lf.load(path).family.name == "binomial"


def test_a_posterior_of_a_family_is_saved(tmp_path: Path) -> None:
    """With the family."""
    path = tmp_path / "liking.nc"
    assert cli.main(["sample", *LIKING, *QUICK, "--save", str(path)]) == 0
    assert lf.load(path).ir.family.name == "cumulative"


def test_a_table_instead_of_the_summary(capsys: pytest.CaptureFixture[str]) -> None:
    """`--table` alone prints text."""
    assert cli.main(["fit", FORMULA, "--data", "sleepstudy", "--table", "glance"]) == 0
    assert capsys.readouterr().out.split()[:3] == ["nobs", "sigma", "loglik"]


@pytest.mark.parametrize("suffix", [".csv", ".json", ".md"])
def test_a_file_has_the_format_of_its_name(suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`-o` beside the summary on stdout."""
    path = tmp_path / f"table{suffix}"
    assert cli.main(["fit", FORMULA, "--data", "sleepstudy", "-o", str(path)]) == 0
    assert "REML criterion" in capsys.readouterr().out
    assert {".csv": "effect,", ".json": "[", ".md": "| effect"}[suffix] in path.read_text(encoding="utf-8")


def test_power(capsys: pytest.CaptureFixture[str]) -> None:
    """A curve over numbers of levels, the effect's size given or estimated."""
    command = ["power", FORMULA, "--data", "sleepstudy", "--n", "20", "--seed", "1", "--effect"]
    assert cli.main([*command, "Days=4", "--n-groups", "9", "18"]) == 0
    assert "Power to find Days = 4" in capsys.readouterr().out
    assert cli.main([*command, "Days"]) == 0
    assert "Power to find Days = 10.47 " in capsys.readouterr().out


def test_a_session_from_a_pipe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines on stdin, with data from the command line."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{FORMULA}\n:fit ml\n"))
    assert cli.main(["repl", "sleepstudy"]) == 0
    assert "maximum likelihood" in capsys.readouterr().out
    monkeypatch.setattr(sys, "stdin", io.StringIO(":fit\n"))
    assert cli.main(["repl"]) == 1
    assert "there is no model yet" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_has_examples_that_can_be_typed(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command line of the examples is one that the parser reads."""
    with pytest.raises(SystemExit) as caught:
        cli.main([*command.split(), "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    lines = text.partition("examples:\n")[2].splitlines()
    examples = [line.strip() for line in lines if line.strip().startswith(("lmmformula", "echo"))]
    assert examples or command == "completion"
    for example in examples:
        words = shlex.split(example.rpartition("| ")[2] if example.startswith("echo") else example.partition(" > ")[0])
        assert words[0] == "lmmformula"
        parser().parse_args(words[1:])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_all_commands_and_options(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The script names every command, every long option, and the data sets."""
    assert cli.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for name in (*COMMANDS, "sleepstudy", "markdown", "n-groups", "marginal", "cmdstan"):
        assert name in script
    if shutil.which(shell) is not None:
        check = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True, check=False)
        assert (check.returncode, check.stderr) == (0, "")


COMPLETED = [
    (["lmmformula", "co"], ["compare", "completion"]),
    (["lmmformula", "fit", "--t"], ["--table"]),
    (["lmmformula", "fit", "--table", "a"], ["augment", "anova"]),
    (["lmmformula", "fit", "--data", "sleepstudy_"], ["sleepstudy_na", "sleepstudy_x"]),
    (["lmmformula", "repl", "sleepstudy_"], ["sleepstudy_na", "sleepstudy_x"]),
    (["lmmformula", "completion", "z"], ["zsh"]),
    (["lmmformula", "stan", "--form", "m"], ["marginal"]),
    (["lmmformula", "fit", "--family", "bi"], ["binomial"]),
    (["lmmformula", "sample", "--family", "cu"], ["cumulative"]),
]


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(("words", "expected"), COMPLETED)
def test_bash_completes(words: list[str], expected: list[str], tmp_path: Path) -> None:
    """What bash offers behind some words."""
    typed = f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _lmmformula; echo ${{COMPREPLY[@]}}"
    script = f"{completion_script('bash')}\n{typed}"
    run = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)  # noqa: S607
    assert run.stdout.split() == expected


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish")
@pytest.mark.parametrize(("words", "expected"), COMPLETED)
def test_fish_completes(words: list[str], expected: list[str], tmp_path: Path) -> None:
    """What fish offers behind some words, descriptions left out; it brings files where bash leaves them to readline."""
    script = f"{completion_script('fish')}\ncomplete -C '{' '.join(words)}'"
    environment = {"HOME": str(tmp_path), "PATH": os.defpath}
    run = subprocess.run(
        ["fish", "-c", script],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=environment,
    )
    assert sorted(line.partition("\t")[0] for line in run.stdout.splitlines()) == sorted(expected)


def test_zsh_knows_the_formula() -> None:
    """A command that takes a formula completes options behind it: zsh offers nothing behind a word it doesn't know."""
    lines = {line.partition(")")[0].strip(): line for line in completion_script("zsh").splitlines() if ") _arg" in line}
    for name, entry in COMMANDS.items():
        assert ("'1:formula:'" in lines[name]) == ("model" in entry.options)


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


def test_options_of_the_engine_reach_it(capsys: pytest.CaptureFixture[str]) -> None:
    """They have the names of `Model.sample`'s; what the engine lacks is an error that says which has it."""
    words = ["sample", "Reaction ~ Days + (1 | Subject)", "--data", "sleepstudy", *QUICK]
    more = [
        "--thin",
        "2",
        "--adapt-delta",
        "0.95",
        "--max-treedepth",
        "6",
        "--metric",
        "dense_e",
        "--form",
        "conditional",
    ]
    assert cli.main([*words, *more]) == 0
    output = capsys.readouterr().out
    assert "2 chains of 50 draws" in output
    assert "conditional form" in output
    assert cli.main([*words, "--algorithm", "pathfinder"]) == 1
    assert "engine='cmdstan'" in capsys.readouterr().err
    assert cli.main([*words, "--adapt-delta", "2"]) == 1
    assert "adapt_delta must be a number between 0 and 1" in capsys.readouterr().err


def test_compare_prints_both(capsys: pytest.CaptureFixture[str]) -> None:
    """Estimates beside posterior means."""
    assert cli.main(["compare", FORMULA, "--data", "sleepstudy", *QUICK]) == 0
    output = capsys.readouterr().out
    assert "REML beside the posterior of Reaction ~ Days + (Days | Subject)" in output
    assert "Largest difference: " in output


GENERALIZED = ["cbind(incidence, size - incidence) ~ period + (1 | herd)", "--data", "cbpp", "--family", "binomial"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], " herd   (Intercept) 0.4125   0.6423"),
        (["--table", "tidy"], "period2 -0.992333"),
        (["--table", "glance"], "184.052564"),
        (["--table", "ranef"], "0.590020"),
    ],
)
def test_other_families_are_fitted(options: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    """By Laplace's method, and printed as glmer's are."""
    assert cli.main(["fit", *GENERALIZED, *options]) == 0
    assert expected in capsys.readouterr().out


def test_other_families_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    """The Laplace fit stands beside the posterior."""
    run = ["--draws", "200", "--warmup", "200", "--seed", "1"]
    assert cli.main(["compare", *GENERALIZED, *run]) == 0
    output = capsys.readouterr().out
    assert output.startswith("Laplace's approximation beside the posterior of")
    assert "-0.992" in output


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


def test_nothing_is_answered_by_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """The program's name alone is no fault."""
    assert cli.main([]) == 0
    captured = capsys.readouterr()
    assert "examples:" in captured.out
    assert not captured.err


FAULTS = [
    (["fit", FORMULA, "--data", "nowhere"], "there is no file and no data set 'nowhere'"),
    (["fit", r"Reaction ~ Days\n b ~ normal(0, 1)", "--data", "sleepstudy"], "statements are separated by `;`"),
    (["fit", FORMULA, "--data", "sleepstudi"], "did you mean 'sleepstudy'"),
    (["fit", FORMULA, "--data", "missing.csv"], "can't read the data 'missing.csv'"),
    (["fit", FORMULA, "--data", "missing.parquet"], "can't read the data 'missing.parquet'"),
    (["fit", "Reaction ~ Day", "--data", "sleepstudy"], "did you mean 'Days'"),
    (["fit", FORMULA, "--data", "sleepstudy", "--family", "Gamma(inverse)"], "no fit by Laplace's method"),
    (["fit", FORMULA, "--data", "sleepstudy", "-o", "missing/folder/f.csv"], "missing/folder"),
    (["stan", FORMULA, "--data", "sleepstudy", "-o", "missing/folder/f.stan"], "No such file or directory"),
    (["fit", *LIKING], "no fit by Laplace's method"),
    (["compare", *LIKING], "no fit by Laplace's method"),
    (["fit", FORMULA, "--data", "sleepstudy", "--nagq", "9"], "a gaussian likelihood needs no quadrature"),
    (
        ["fit", FORMULA, "--data", "sleepstudy", "--curvature", "expected"],
        "a gaussian likelihood needs no approximation",
    ),
    (["fit", FORMULA, "--data", "sleepstudy", "--family", "weibull"], "the family 'weibull' is not supported yet"),
    (["explain", FORMULA, "--data", "sleepstudy", "--family", "poisson"], "must be whole numbers from 0"),
    (["power", *HERDS, "--effect", "period2", "--test", "t"], "t tests are of gaussian models, not of the family"),
    (["datasets", "cofee"], "did you mean 'coffee'"),
    (["fit", FORMULA, "--data", "sleepstudy", "-o", "fit.docx"], "can't tell the format of 'fit.docx'"),
    (["power", FORMULA, "--data", "sleepstudy", "--effect", "Days=big"], "the size of an effect is a number"),
    (["power", FORMULA, "--data", "sleepstudy", "--effect", "Dayz"], "Dayz"),
    (["repl", "missing.csv"], "can't read the data 'missing.csv'"),
]


@pytest.mark.parametrize(("arguments", "message"), FAULTS)
def test_faults_that_a_user_can_mend(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr, exit code 1, no traceback."""
    assert cli.main(arguments) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert message in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["fly"],
        ["fit"],
        ["fit", FORMULA],
        ["demo", "--chains", "0"],
        ["completion", "tcsh"],
        ["fit", FORMULA, "--data", "sleepstudy", "--json", "--csv"],
    ],
)
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


NULLS = "y,g,f\n" + "".join(f"{i % 5 + i / 10},{'abcde'[i % 5]},{('None', 'x', 'null')[i % 3]}\n" for i in range(15))


def test_words_for_nothing_are_levels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No row is lost to a level that another program would take for a missing value."""
    (tmp_path / "a.csv").write_text(NULLS)
    assert cli.main(["fit", "y ~ f + (1 | g)", "--data", str(tmp_path / "a.csv")]) == 0
    captured = capsys.readouterr()
    assert "Number of obs: 15" in captured.out
    assert "fnull" in captured.out
    assert "left out" not in captured.err


def test_rows_that_are_left_out_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """How many, why and which; what counts as missing can be said, and no table is disturbed by the telling."""
    (tmp_path / "a.csv").write_text(NULLS)
    command = ["fit", "y ~ f + (1 | g)", "--data", str(tmp_path / "a.csv"), "--na", "null", "--na", "-9"]
    assert cli.main([*command, "--csv"]) == 0
    captured = capsys.readouterr()
    wanted = "note: of 15 rows 5 left out with missing values (f in 5): rows 2, 5, 8, 11, 14, counted from 0\n"
    assert captured.err == wanted
    assert captured.out.startswith("effect,")


@pytest.mark.parametrize(("sep", "said"), [(";", "separated by ';', decimals by ','"), ("\t", "separated by tabs")])
def test_separators_are_found_out_and_told(
    sep: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a spreadsheet writes where the comma is for decimals is read, in the session too."""
    path = tmp_path / "sleep.csv"
    dataset("sleepstudy").to_csv(path, index=False, sep=sep, decimal=",")
    assert cli.main(["fit", FORMULA, "--data", str(path)]) == 0
    captured = capsys.readouterr()
    assert "REML criterion at convergence: 1743.6" in captured.out
    assert said in captured.err
    assert cli.main(["fit", FORMULA, "--data", str(path), "--sep", ","]) == 1


def run_in_shell(line: str, **variables: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a line of a shell in which `lmm` is the command."""
    command = f"{shlex.quote(sys.executable)} -m lmmformula"
    text = f'set -o pipefail; lmm() {{ {command} "$@"; }}; {line}'
    return subprocess.run(["bash", "-c", text], capture_output=True, check=False, env={**os.environ, **variables})  # noqa: S607


CLOSED = [
    ("lmm datasets >&-", 0),
    ("lmm datasets nothing >&- 2>&-", 1),
    ("lmm repl <&-", 0),
    ("lmm fit 'y ~ x' --data - <&-", 1),
    ("lmm datasets sleepstudy | (exec <&-; sleep 3)", 141),
    ("lmm datasets > /dev/full", 1),
    ("lmm fit --help | (exec <&-; sleep 3)", 0),
]


@pytest.mark.parametrize(("line", "code"), CLOSED)
def test_streams_may_be_closed_or_full(line: str, code: int) -> None:
    """Nothing but our own messages on stderr, and an exit code that tells what happened."""
    done = run_in_shell(line)
    assert done.returncode == code
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_any_encoding_of_the_output_will_do(encoding: str) -> None:
    """Mathematics are spelled where their signs are lacking, and names are written as far as they can be."""
    rows = r"y,\303\251t\303\251,g\n1,2,a\n3,3,b\n2,5,a\n5,6,b\n"
    line = f"printf '{rows}' | lmm explain 'y ~ été + (1 | g)' --data -"
    done = run_in_shell(line, PYTHONIOENCODING=encoding, PYTHONUTF8="1")
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode(encoding)
    maths, name = ("ε ~ N(0, σ²)", "β2·") if encoding == "utf-8" else ("epsilon ~ N(0, sigma^2)", "beta2*")
    assert maths in text
    assert name + "été".encode(encoding, "backslashreplace").decode(encoding) in text


def test_help_is_a_word_too(capsys: pytest.CaptureFixture[str]) -> None:
    """As `git help fit` is."""
    for words in (["help"], ["help", "fit"]):
        with pytest.raises(SystemExit) as caught:
            cli.main(words)
        assert caught.value.code == 0
        assert capsys.readouterr().out.startswith(f"usage: {' '.join(['lmmformula', *words[1:]])} [-h]")


@pytest.mark.parametrize(
    "words", [["datasets"], ["fit", FORMULA, "--table", "augment"], ["fit", "Reaction ~ Dayz + x"]]
)
def test_output_and_errors_fit_the_terminal(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line is wider."""
    monkeypatch.setenv("COLUMNS", "60")
    cli.main(words if words == ["datasets"] else [*words, "--data", "sleepstudy"])
    output = capsys.readouterr()
    assert max(map(len, [*output.out.split("\n"), *output.err.split("\n")])) <= 60
