"""Which CmdStan is found, what it can read, and the minutes that it compiles: on stand-ins, through real cmdstanpy."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import lmmformula as lf
from lmmformula.errors import EngineError
from lmmformula.stan.engines.choice import optimize, sample
from lmmformula.stan.program.edited import version_needed
from programs import EVERY, program_of
from standin import build_standin

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is made of POSIX scripts"),
    pytest.mark.skipif(shutil.which("make") is None, reason="cmdstanpy compiles with make, which is not installed"),
]

BRIEF: dict[str, Any] = {"engine": "cmdstan", "chains": 1, "warmup": 60, "draws": 20, "seed": 3, "progress": False}


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has been compiled yet."""
    monkeypatch.setenv("STAN_NUM_THREADS", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)


@pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")
def test_an_old_cmdstan_says_which_version_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """2.35 has no sum_to_zero_vector: the error says so, and what it hints at runs."""
    monkeypatch.setenv("CMDSTAN", str(build_standin(tmp_path / "cmdstan", version="2.35.0")))
    data = lf.datasets.load("Penicillin")
    model = lf.Model("diameter ~ 1 + (1 | plate) + (1 | sample)", data)
    settings = BRIEF | {"form": "conditional"}
    with pytest.raises(EngineError, match=r"CmdStan 2\.35 is too old for this program, which needs 2\.36") as caught:
        model.sample(**settings)
    assert "install_cmdstan" in caught.value.hint
    _, _, geometry = caught.value.hint.partition("geometry=")
    assert geometry == "{'plate': 'noncentered', 'sample': 'noncentered'}"
    assert model.sample(**settings, geometry=dict.fromkeys(("plate", "sample"), "noncentered")).nobs == 144
    edited = model.stan(form="conditional").code.replace("sum_to_zero_vector[N_plate]", "vector[N_plate]")
    with pytest.raises(EngineError, match="2\\.36") as caught:
        model.sample(**settings, code=edited)
    assert "geometry" not in caught.value.hint
    assert model.sample(**settings, code=edited.replace("sum_to_zero_vector[", "vector[")).nobs == 144


def test_a_very_old_cmdstan_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that can't read today's arrays; one that does not tell its version is tried."""
    monkeypatch.setenv("CMDSTAN", str(build_standin(tmp_path / "old", version="2.32.2")))
    with pytest.raises(EngineError, match=r"CmdStan 2\.32 is too old .* needs 2\.33"):
        sample(program_of("intercept"), **BRIEF)
    monkeypatch.setenv("CMDSTAN", str(build_standin(tmp_path / "own", version="nightly")))
    assert sample(program_of("intercept"), **BRIEF).n_draws == 20


@pytest.mark.parametrize("name", EVERY)
def test_headers_say_the_version_that_is_needed(name: str) -> None:
    """It is 2.36 where there is a sum_to_zero_vector; the text of an edited program says the same."""
    program = program_of(name)
    needed = (2, 36) if "sum_to_zero_vector" in program.code else (2, 33)
    assert version_needed(program) == version_needed(replace(program, edited=True)) == needed
    assert f"for Stan {needed[0]}.{needed[1]} or later" in program.code


@pytest.mark.parametrize(("place", "reason"), [("missing", "is no folder"), ("", "has no makefile")])
def test_a_wrong_path_is_named(place: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """$CMDSTAN is said to be wrong, instead of that there were no CmdStan."""
    monkeypatch.setenv("CMDSTAN", str(tmp_path / place))
    with pytest.raises(EngineError, match="CMDSTAN names no CmdStan") as caught:
        sample(program_of("intercept"), **BRIEF)
    assert caught.value.message.endswith(f"{tmp_path / place} {reason}")
    assert "unset it" in caught.value.hint


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_compiling_is_said_once(standin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal is told while a program is compiled, of a mode too; not when it is there already, nor a callable."""
    monkeypatch.setenv("CMDSTAN", str(standin))
    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    sample(program_of("intercept"), **BRIEF | {"progress": lambda *_: None})
    assert terminal.getvalue() == ""
    optimize(program_of("slope"), engine="cmdstan", seed=1)
    assert "compiling, once" in terminal.getvalue()
    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    sample(program_of("slope"), **BRIEF | {"progress": True})
    assert "compiling" not in terminal.getvalue()
    assert "0/80" in terminal.getvalue()
    assert "None" not in terminal.getvalue()


SLOW = """\
#!/bin/sh
sleep 600 &
echo $! > {folder}/compiler
echo compiling >&3
wait
"""

COMPILE = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from lmmformula.stan.engines.choice import sample
from programs import program_of

try:
    sample(program_of("intercept"), engine="cmdstan", chains=1, warmup=60, draws=20, progress=False)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_interrupt_ends_the_compiler(standin: Path, tmp_path: Path) -> None:
    """SIGINT to Python alone ends what make has started, and leaves nothing half made."""
    make = tmp_path / "make.sh"
    make.write_text(SLOW.replace(">&3", f"> {tmp_path}/pipe").format(folder=tmp_path), encoding="utf-8")
    make.chmod(0o755)
    os.mkfifo(tmp_path / "pipe")
    environment = {"CMDSTAN": str(standin), "MAKE": str(make), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    with subprocess.Popen(
        [sys.executable, "-c", COMPILE], env=os.environ | environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert (tmp_path / "pipe").read_text(encoding="utf-8") == "compiling\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60)[0] == "interrupted\n"
    compiler = int((tmp_path / "compiler").read_text(encoding="utf-8"))
    assert ended(compiler)
    assert list((tmp_path / "cache").rglob("*.stan")) == []


def ended(process: int) -> bool:
    """Wait a while for the end of a process that is not ours; one that nobody has waited for is at its end."""
    state = Path(f"/proc/{process}/stat")
    for _ in range(100):
        try:
            os.kill(process, 0)
            if Path("/proc").is_dir() and state.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False


def test_modes_of_both_kinds_are_told_apart(standin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`jacobian=False` is in the heading, since the numbers are others."""
    monkeypatch.setenv("CMDSTAN", str(standin))
    mode = lf.Model("Yield ~ 1 + (1 | Batch)", lf.datasets.load("Dyestuff")).optimize(engine="cmdstan", seed=1)
    assert str(mode).startswith("Posterior mode of Yield ~ 1 + (1 | Batch)")
    raw = replace(mode.point.raw, jacobian=False)
    other = replace(mode, point=replace(mode.point, raw=raw))
    assert str(other).startswith("Posterior mode of the parameters as declared, of Yield ~ 1 + (1 | Batch)")
