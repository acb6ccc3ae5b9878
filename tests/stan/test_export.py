"""Programs as files: what is written, under which names, and that it runs without this package."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import lmmformula as lf
import programs
from corpus import dataset
from stanc import stanc_or_skip, unexplained, warnings_of
from standin import build_standin

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="names and scripts are those of POSIX systems")

QUICK = ["--chains", "2", "--warmup", "100", "--draws", "50"]
NAMES = ["model", "a.b", "with blank", 'it\'s "quoted"', "-n", "größe 温度", "{name}", "$HOME", "`ls`", "x.data"]


def program() -> Any:
    """Generate a small program."""
    return lf.Model("Yield ~ 1 + (1 | Batch)", dataset("Dyestuff")).stan()


def run(script: Path, *options: str, **environment: str) -> str:
    """Run a written script without this package on the path."""
    command = [sys.executable, "-c", ISOLATED, str(script), *options]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


ISOLATED = """
import runpy, sys
sys.modules["lmmformula"] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize("name", NAMES)
def test_four_files_share_a_name(name: str, tmp_path: Path) -> None:
    """Whatever it is, so that two models fit into one folder; the text and its data are what is run."""
    made = program()
    assert made.write(tmp_path / f"{name}.stan") == tmp_path / f"{name}.stan"
    made.write(str(tmp_path / "other.stan"))
    endings = (".stan", ".data.json", ".run.py", ".README.md")
    assert {file.name for file in tmp_path.iterdir()} == {stem + end for stem in (name, "other") for end in endings}
    assert (tmp_path / f"{name}.stan").read_text(encoding="utf-8") == made.code
    assert json.loads((tmp_path / f"{name}.data.json").read_text(encoding="utf-8"))["N"] == 30
    assert "lmmformula" not in (tmp_path / f"{name}.run.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["model", 'it\'s "quoted" 温度'])
def test_the_script_runs_with_stanli(name: str, tmp_path: Path) -> None:
    """It finds its program by its own name, from any folder, and prints a summary of all variables."""
    program().write(tmp_path / f"{name}.stan")
    output = run(tmp_path / f"{name}.run.py", *QUICK)
    assert all(word in output for word in ("sigma", "sd_Batch", "u_Batch[6]"))


def test_the_script_runs_with_cmdstan(tmp_path: Path) -> None:
    """Through unmodified cmdstanpy, on the stand-in; the table has a row for every element."""
    if shutil.which("make") is None:
        pytest.skip("cmdstanpy compiles with make")
    home = build_standin(tmp_path / "cmdstan")
    made = lf.Model("Reaction ~ Days + (Days | Subject)", dataset("sleepstudy")).stan(form="conditional")
    made.write(tmp_path / "model.stan")
    output = run(tmp_path / "model.run.py", "--engine", "cmdstan", *QUICK, CMDSTAN=str(home))
    assert all(f"u_Subject[{level},{column}]" in output for level in range(1, 19) for column in (1, 2))
    assert all(word in output for word in ("sigma", "sd_Subject[1]", "R_hat"))
    assert "..." not in output


def test_the_shell_commands_of_the_readme_run(tmp_path: Path) -> None:
    """As they stand, but for the two paths: make, sample, stansummary."""
    if shutil.which("make") is None:
        pytest.skip("make is needed")
    home = build_standin(tmp_path / "cmdstan")
    program().write(tmp_path / "model.stan")
    text = (tmp_path / "model.README.md").read_text(encoding="utf-8")
    block = text.split("By CmdStan from the shell")[1].split("\n\n")[1]
    commands = block.replace("/path/to/this/folder", str(tmp_path)).replace("/path/to/cmdstan", str(home))
    commands = commands.replace("num_chains=4", "num_chains=4 num_samples=50 num_warmup=100")
    done = subprocess.run(["/bin/sh", "-e", "-c", commands], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "sd_Batch" in done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_quotes_the_name(name: str) -> None:
    """For the shell, so that it runs nothing else, and for Python."""
    from lmmformula.stan.export import readme

    text = readme(name)
    line = next(line for line in text.splitlines() if line.strip().startswith("MODEL="))
    done = subprocess.run(
        ["/bin/sh", "-c", f'{line.strip()}\nprintf %s "$MODEL"'], capture_output=True, text=True, check=True
    )
    shown = "model" if "`" in name else name
    assert done.stdout == f"/path/to/this/folder/{shown}"
    python = next(line for line in text.splitlines() if "CmdStanModel(stan_file" in line)
    compile(python.strip(), "README", "exec")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("model", r"ends in \.stan(?s:.*)'model\.stan'"),
        ("model.txt", r"ends in \.stan"),
        (".stan", r"ends in \.stan"),
        ("missing/folder/model.stan", "No such file or directory"),
        ("nul\0.stan", "can't write"),
    ],
)
def test_other_names_are_refused(path: str, message: str, tmp_path: Path) -> None:
    """And nothing is written."""
    with pytest.raises(lf.FitError, match=message):
        program().write(f"{tmp_path}/{path}")
    assert list(tmp_path.iterdir()) == []


def test_every_kind_of_program_is_written(tmp_path: Path) -> None:
    """Names of the data that no file name could have make no difference."""
    for name in ("hostile", "poisson_prior", "sums_slope"):
        made = programs.program_of(name)
        made.write(tmp_path / "model.stan")
        assert json.loads((tmp_path / "model.data.json").read_text(encoding="utf-8")).keys() == made.data.keys()


def test_what_names_no_file_is_refused() -> None:
    """A path is text or a path."""
    with pytest.raises(lf.FitError, match="named by text or a path"):
        program().write(None)


def test_the_readme_says_what_pedantic_mode_says(tmp_path: Path) -> None:
    """A parameter that is said to have no priors has a line in the model block: a false alarm, which is told."""
    made = program()
    made.write(tmp_path / "model.stan")
    assert "no priors: a false alarm" in " ".join((tmp_path / "model.README.md").read_text(encoding="utf-8").split())
    warnings = warnings_of(stanc_or_skip(), tmp_path / "model.stan", tmp_path)
    assert any("has no priors" in warning for warning in warnings)
    assert unexplained(warnings, made.code) == []
