"""What the tests of engines share: a stand-in for CmdStan, a real one where there is one, and a cache of programs."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from standin import build_standin


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for the compiled programs of all tests; its name has a space."""
    return tmp_path_factory.mktemp("cmdstan") / "a cache"


@pytest.fixture(scope="session")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one stand-in for all tests."""
    return build_standin(tmp_path_factory.mktemp("standin") / "cmdstan")


@pytest.fixture(params=["standin", pytest.param("real", marks=pytest.mark.cmdstan)])
def cmdstan(request: pytest.FixtureRequest, standin: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Point cmdstanpy to the stand-in, or leave it to find the CmdStan that is installed."""
    _point_to(request.param, standin, home, monkeypatch)
    return str(request.param)


@pytest.fixture(params=["stanli", "standin", pytest.param("real", marks=pytest.mark.cmdstan)])
def engine(request: pytest.FixtureRequest, standin: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of each engine; CmdStan is the stand-in, or the real one where there is one."""
    if request.param == "stanli":
        return "stanli"
    if sys.platform == "win32" or shutil.which("make") is None:
        pytest.skip("cmdstanpy compiles with make, and the stand-in is made of POSIX scripts")
    _point_to(request.param, standin, home, monkeypatch)
    return "cmdstan"


def _point_to(which: str, standin: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let cmdstanpy find the stand-in or the real CmdStan, and keep what it compiles in a cache of the tests' own."""
    import cmdstanpy

    # cmdstanpy sets these itself; after the test they are as they were.
    for name in ("CMDSTAN", "STAN_NUM_THREADS"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    if which == "standin":
        monkeypatch.setenv("CMDSTAN", str(standin))
    else:
        try:
            cmdstanpy.cmdstan_path()
        except ValueError as error:
            pytest.skip(f"no CmdStan is installed, and no package registry holds one: {error}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    monkeypatch.setattr(Path, "home", lambda: home)
