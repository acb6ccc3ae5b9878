"""What is installed from the wheel is complete: grammar, templates, data sets."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def unpacked_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel without network or isolation, and unpack it where nothing else is."""
    pytest.importorskip("hatchling")
    pytest.importorskip("build")
    place = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", place, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = place.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place / "unpacked")
    return place / "unpacked"


def run_with(wheel: Path, code: str) -> str:
    """Run code in an interpreter that sees the unpacked wheel before any checkout, from another folder."""
    guard = f"import lmmformula; assert lmmformula.__file__.startswith({str(wheel)!r}), lmmformula.__file__\n"
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(wheel)!r})\n{guard}{code}"]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=wheel).stdout.strip()


def test_the_wheel_parses(unpacked_wheel: Path) -> None:
    """The grammar of the top-level folder is inside the wheel."""
    assert run_with(unpacked_wheel, "print(lmmformula.parse('y~x+(x|g)'))") == "y ~ x + (x | g)"


def test_the_wheel_writes_stan_programs(unpacked_wheel: Path) -> None:
    """The templates and the data sets are inside the wheel."""
    code = "m = lmmformula.Model('y ~ x + (x | group)', lmmformula.datasets.load('coffee')); print(m.stan().code)"
    assert "parameters {" in run_with(unpacked_wheel, code)
