"""The stand-in for CmdStan, against unmodified cmdstanpy and against the genuine executable inside `prophet`."""

from __future__ import annotations

import json
import logging
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from standin import build_standin, genuine_cmdstan, genuine_tool
from standin.stancsv import read_rows

if TYPE_CHECKING:
    from types import ModuleType

    from cmdstanpy import CmdStanModel

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is made of POSIX scripts"),
    pytest.mark.skipif(shutil.which("make") is None, reason="cmdstanpy compiles with make, which is not installed"),
]

PROGRAM = """\
data {
  int<lower=1> N;
  vector[N] y;
  matrix[2, 3] M;
}
parameters {
  real mu;
  real<lower=0> sigma;
  matrix[2, 3] B;
}
model {
  mu ~ normal(0, 10);
  sigma ~ exponential(1);
  to_vector(B) ~ normal(to_vector(M), 1);
  y ~ normal(mu, sigma);
}
generated quantities {
  real z = normal_rng(mu, sigma);
}
"""
DATA: dict[str, Any] = {"N": 6, "y": [1.0, 2.5, 3.0, 2.0, 1.5, 2.2], "M": [[1, 2, 3], [4, 5, 6]]}
START = {"mu": 2.0, "sigma": 0.7, "B": [[1, 2, 3], [4, 5, 6]], "z": 0.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one stand-in for all tests of this file."""
    return build_standin(tmp_path_factory.mktemp("standin") / "cmdstan")


@pytest.fixture
def cmdstanpy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return cmdstanpy as it is installed, told that the stand-in is CmdStan, and silent."""
    import cmdstanpy

    monkeypatch.setenv("CMDSTAN", str(folder))
    monkeypatch.setenv("STAN_NUM_THREADS", "1")
    monkeypatch.setattr(logging.getLogger("cmdstanpy"), "disabled", True)
    return cmdstanpy  # type: ignore[no-any-return]


def write(folder: Path, text: str = PROGRAM, name: str = "model.stan") -> Path:
    """Write a program into a folder that may have to be made."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.fixture(scope="module")
def executable(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the executable of the program above, once for all tests that only run it."""
    file = write(tmp_path_factory.mktemp("model"))
    subprocess.run(["make", "-C", folder, file.with_suffix("")], check=True, capture_output=True)  # noqa: S607
    return file.with_suffix("")


@pytest.fixture
def model(cmdstanpy: ModuleType, executable: Path) -> CmdStanModel:
    """Return the model of that executable."""
    return cmdstanpy.CmdStanModel(exe_file=executable)


def test_cmdstanpy_reads_version_and_options(cmdstanpy: ModuleType, tmp_path: Path) -> None:
    """The installation says it is CmdStan 2.37, and an executable says which options it was made with."""
    assert cmdstanpy.cmdstan_version() == (2, 37)
    model = cmdstanpy.CmdStanModel(stan_file=write(tmp_path), cpp_options={"STAN_THREADS": "TRUE"})
    assert model.exe_info()["stan_version_minor"] == "37"
    assert model.exe_info()["STAN_THREADS"] == "true"
    assert model.exe_info()["STAN_OPENCL"] == "false"


def test_executable_is_made_once_and_again_when_the_program_is_newer(
    cmdstanpy: ModuleType, folder: Path, tmp_path: Path
) -> None:
    """Compiling an unchanged program does not run make; a later change does."""
    file = write(tmp_path)

    def made() -> int:
        return (folder / "made.txt").read_text(encoding="utf-8").splitlines().count(str(tmp_path / "model"))

    cmdstanpy.CmdStanModel(stan_file=file)
    cmdstanpy.CmdStanModel(stan_file=file)
    assert made() == 1
    cmdstanpy.CmdStanModel(stan_file=file, force_compile=True)
    assert made() == 2


@pytest.mark.parametrize("threads", [False, True], ids=["a process a chain", "one process"])
def test_draws_are_those_of_stanli(cmdstanpy: ModuleType, tmp_path: Path, *, threads: bool) -> None:
    """With one seed, start, metric and step size, cmdstanpy returns the very numbers that stanli returns."""
    import stanli

    options = {"STAN_THREADS": "TRUE"} if threads else {}
    model = cmdstanpy.CmdStanModel(stan_file=write(tmp_path / "a folder"), cpp_options=options)
    metric = np.linspace(0.1, 0.9, 8)
    settings = {"chains": 2, "seed": 11, "step_size": 0.3}
    fit = model.sample(
        data=DATA,
        inits=[START, START],
        inv_metric=[metric, metric],
        iter_warmup=160,
        iter_sampling=50,
        adapt_delta=0.9,
        max_treedepth=7,
        sig_figs=18,
        show_progress=False,
        **settings,
    )
    peer = stanli.Model(stan_code=PROGRAM, data=DATA)
    parameters = {name: value for name, value in START.items() if name != "z"}
    told = {"inits": peer.unconstrain(parameters), "inv_metric": metric, "delta": 0.9, "max_depth": 7}
    same = peer.sample(warmup=160, samples=50, refresh=0, **told, **settings)
    assert fit.column_names == (*stanli.SAMPLER_COLUMNS, *same.names)
    np.testing.assert_array_equal(fit.draws()[:, :, 7:], same.draws().swapaxes(0, 1))
    np.testing.assert_array_equal(fit.draws()[:, :, :7], same.sampler_stats.swapaxes(0, 1))
    np.testing.assert_allclose(fit.inv_metric, same.inv_metric, rtol=1e-5)
    np.testing.assert_allclose(fit.step_size, same.step_size, rtol=1e-5)


def test_metric_and_step_size_stay_as_given_without_adaptation(model: CmdStanModel) -> None:
    """What is passed in files reaches the sampler: with adaptation off it is what the sampler ends with."""
    metric = np.diag(np.linspace(0.1, 0.9, 8)) + 0.01
    kept = {"iter_warmup": 0, "iter_sampling": 10, "adapt_engaged": False, "show_progress": False}
    fit = model.sample(data=DATA, chains=1, inits=START, inv_metric=metric, step_size=0.125, **kept)
    assert fit.metric_type == "dense_e"
    np.testing.assert_allclose(fit.inv_metric[0], metric, rtol=1e-5)
    assert fit.step_size[0] == 0.125


def test_warmup_is_saved_and_draws_are_thinned(model: CmdStanModel) -> None:
    """There are as many rows of warm-up and of draws as cmdstanpy asked for."""
    fit = model.sample(
        data=DATA, chains=1, iter_warmup=75, iter_sampling=50, save_warmup=True, thin=2, show_progress=False
    )
    assert fit.draws().shape[0] == 25
    assert fit.draws(inc_warmup=True).shape[0] == 38 + 25


def test_console_shows_progress_as_cmdstan_does(model: CmdStanModel) -> None:
    """The lines that cmdstanpy's progress bars read are there, at the interval asked for."""
    fit = model.sample(data=DATA, chains=1, iter_warmup=100, iter_sampling=100, refresh=50, show_progress=False)
    console = Path(fit.runset.stdout_files[0]).read_text(encoding="utf-8")
    assert re.findall(r"^Iteration: +(\d+) / 200 \[ *\d+%\]  \((\w+)\)$", console, re.MULTILINE) == [
        ("1", "Warmup"),
        ("50", "Warmup"),
        ("100", "Warmup"),
        ("101", "Sampling"),
        ("150", "Sampling"),
        ("200", "Sampling"),
    ]


def test_mode_is_found(model: CmdStanModel) -> None:
    """`optimize(jacobian=True)` finds the posterior mode, and the other mode is refused."""
    mode = model.optimize(data=DATA, jacobian=True, seed=1)
    np.testing.assert_allclose(mode.stan_variable("B"), DATA["M"], atol=1e-3)
    with pytest.raises(RuntimeError, match="jacobian=1"):
        model.optimize(data=DATA, jacobian=False, seed=1)


BAD_DATA = {
    "a variable that is missing": (
        {"N": 6, "M": DATA["M"]},
        r"variable name=y; .* \(in 'model.stan', line 3, column 2",
    ),
    "a wrong size": (DATA | {"y": [1.0]}, r"variable name=y; position=0; dims declared=\(6\); dims found=\(1\)"),
    "a value out of bounds": (DATA | {"N": 0, "y": []}, r"N is 0, but must be greater than or equal to 1"),
    "text for numbers": (DATA | {"y": ["a"] * 6}, r"string values not allowed"),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data_end_in_an_error_that_names_the_variable(model: CmdStanModel, tmp_path: Path, case: str) -> None:
    """The executable fails, and cmdstanpy finds the sentence in its output."""
    data, message = BAD_DATA[case]
    file = tmp_path / "data.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(RuntimeError, match=message):
        model.sample(data=str(file), chains=1, show_progress=False)


@pytest.mark.parametrize("genuine", [False, True], ids=["stand-in stanc", "genuine stanc"])
def test_compile_errors_name_file_and_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, genuine: bool) -> None:
    """A program with an undeclared variable does not compile, and stanc's message is handed on."""
    import cmdstanpy

    if genuine and genuine_tool("stanc") is None:
        pytest.skip("the genuine stanc comes with the package prophet, which is not installed")
    monkeypatch.setenv("CMDSTAN", str(build_standin(tmp_path / "cmdstan", genuine=genuine)))
    monkeypatch.setattr(logging.getLogger("cmdstanpy"), "disabled", True)
    broken = PROGRAM.replace("y ~ normal(mu, sigma)", "y ~ normal(mu, sgma)")
    with pytest.raises(ValueError, match=r"(?s)Semantic error in 'model.stan', line 15, column 17.*not in scope"):
        cmdstanpy.CmdStanModel(stan_file=write(tmp_path, broken))


@pytest.mark.filterwarnings("ignore:The 'float_precision' argument")  # cmdstanpy 1.3 reads its summary the old way
def test_summaries_are_made(model: CmdStanModel) -> None:
    """The tools stansummary and diagnose, genuine or not, read what the executable wrote."""
    fit = model.sample(data=DATA, chains=2, seed=1, iter_warmup=100, iter_sampling=100, show_progress=False)
    assert fit.summary().loc["B[2,3]", "Mean"] == pytest.approx(fit.stan_variable("B")[:, 1, 2].mean(), rel=1e-4)
    assert "divergent transitions" in fit.diagnose()


# The rest holds the stand-in against the genuine executable inside `prophet`, a model of CmdStan 2.37.


@pytest.fixture(scope="module")
def twins(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Make the stand-in of the genuine executable's program; return both and a folder with data, start and metric."""
    found = genuine_cmdstan()
    if found is None:
        pytest.skip("a genuine CmdStan executable comes with the package prophet, which is not installed")
    genuine, program = found
    home = tmp_path_factory.mktemp("twins")
    shutil.copy(program, home / "prophet.stan")
    subprocess.run(["make", "-C", folder, home / "prophet"], check=True, capture_output=True)  # noqa: S607
    n = 20
    times = [i / n for i in range(n)]
    data = {"T": n, "t": times, "y": [0.2 + 0.5 * t + (-1) ** i * 0.1 for i, t in enumerate(times)], "cap": [1.0] * n}
    data |= {"S": 2, "t_change": [0.3, 0.6], "K": 1, "X": [[i % 3] for i in range(n)], "sigmas": [10.0], "tau": 0.05}
    data |= {"trend_indicator": 0, "s_a": [1.0], "s_m": [0.0]}
    start = {"k": 0.0, "m": 0.0, "delta": [0.0, 0.0], "sigma_obs": 1.0, "beta": [0.0]}
    for name, values in {"d": data, "bad": data | {"y": [1.0]}, "i": start, "m": {"inv_metric": [1.0] * 6}}.items():
        (home / f"{name}.json").write_text(json.dumps(values), encoding="utf-8")
    return genuine, home / "prophet", home


SETUP = "id=2 random seed=5 data file=d.json init=i.json output file=o.csv"
RUN = f"{SETUP} refresh=50 method=sample num_samples=60 num_warmup=200"
COMMANDS = [
    RUN,
    f"{RUN} algorithm=hmc engine=nuts max_depth=8 stepsize=0.5 metric=diag_e metric_file=m.json adapt delta=0.9",
    f"{RUN} save_warmup=1 thin=3 algorithm=hmc metric=dense_e adapt engaged=1",
    f"{RUN} algorithm=hmc metric=unit_e adapt engaged=0",
    "sample num_samples=10 random seed=1 data file=d.json output file=o.csv sig_figs=4",
    "random seed=5 data file=d.json init=0 output file=o.csv method=optimize jacobian=1",
    "random seed=5 data file=d.json init=0 output file=o.csv method=optimize algorithm=lbfgs history_size=7 jacobian=1",
    "random seed=5 data file=d.json init=0.5 output file=o.csv method=pathfinder num_psis_draws=20 num_paths=2",
    "random seed=5 data file=d.json output file=o.csv method=laplace mode=mode.csv draws=20",
]


def shape_of(text: str) -> list[str]:
    """Reduce console output or Stan CSV to its frame: measured numbers and dates become marks, draws their count."""
    text = re.sub(r"start_datetime.*|(?<=stancflags =).*|\d+(?:\.\d+)?(?= seconds)", "*", text)
    text = re.sub(r"(?m)(?<=Step size = ).*|^# -?[\d.e-]+(?:, .*)?$", "*", text)
    rows = r"(?m)(?:^(?:-?\d|nan)[^\n]*,[^\n]*\n)+"
    return re.sub(rows, lambda found: f"{found[0].count(chr(10))} rows\n", text).splitlines()


@pytest.mark.parametrize("command", COMMANDS)
def test_files_have_the_frame_of_the_genuine_executable(twins: tuple[Path, Path, Path], command: str) -> None:
    """Configuration, header, number of rows, adaptation and times are written line by line as CmdStan writes them."""
    *executables, home = twins
    frames = []
    if "mode.csv" in command:
        words = [executables[0], *COMMANDS[-3].replace("o.csv", "mode.csv").split()]
        subprocess.run(words, cwd=home, check=True, capture_output=True)
    for executable in executables:
        subprocess.run([executable, *command.split()], cwd=home, check=True, capture_output=True)
        frames.append(shape_of((home / "o.csv").read_text(encoding="utf-8")))
    assert frames[1] == frames[0]


def test_console_has_the_frame_of_the_genuine_executable(twins: tuple[Path, Path, Path]) -> None:
    """What is echoed, and the progress lines, are those of CmdStan, all but its words on the cost of a gradient."""
    *executables, home = twins
    frames = []
    for executable in executables:
        run = subprocess.run([executable, *RUN.split()], cwd=home, check=True, capture_output=True, text=True)
        frames.append(
            [line for line in shape_of(run.stdout) if line and not line.startswith(("Gradient", "1000 tr", "Adjust"))]
        )
    assert frames[1] == frames[0]


FAULTS = [
    "data file=d.json method=sampel",
    "data file=d.json method=sample foo=3",
    "data file=d.json method=sample metric=dense_e",
    "data file=d.json method=sample num_samples=-1",
    "data file=none.json method=sample",
    "data file=d.json init=none.json method=sample",
    "data file=bad.json method=sample",
    "data file=d.json output file=o.csv method=sample algorithm=hmc metric_file=bad.json",
]


@pytest.mark.parametrize("command", FAULTS)
def test_faults_end_as_in_the_genuine_executable(twins: tuple[Path, Path, Path], command: str) -> None:
    """A fault ends with the same exit code, and the first line on standard error is the same."""
    *executables, home = twins
    ends = []
    for executable in executables:
        run = subprocess.run([executable, *command.split()], cwd=home, check=False, capture_output=True, text=True)
        ends.append((run.returncode, run.stderr.splitlines()[0]))
    assert ends[1] == ends[0]
    assert ends[0][0] == 1


def test_posterior_is_that_of_the_genuine_executable(twins: tuple[Path, Path, Path]) -> None:
    """Means agree within five standard errors: two implementations, one program, one posterior."""
    *executables, home = twins
    means, errors = [], []
    for executable in executables:
        words = [*SETUP.split(), "sample", "num_samples=4000", "thin=4"]
        subprocess.run([executable, *words], cwd=home, check=True, capture_output=True)
        names, rows = read_rows(home / "o.csv")
        parameters = rows[:, names.index("k") : names.index("beta.1") + 1]
        means.append(parameters.mean(0))
        # Thinned draws are nearly independent; a factor of 2 allows for what is left.
        errors.append(2 * parameters.std(0) / np.sqrt(len(parameters)))
    z = (means[1] - means[0]) / np.hypot(*errors)
    assert np.abs(z).max() < 5
