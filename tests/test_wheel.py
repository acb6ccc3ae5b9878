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
    """The modules and the data sets are inside the wheel."""
    code = "m = lmmformula.Model('y ~ x + (x | group)', lmmformula.datasets.load('coffee')); print(m.stan().code)"
    assert "parameters {" in run_with(unpacked_wheel, code)


def test_the_wheel_says_what_it_holds(unpacked_wheel: Path) -> None:
    """Its licence expression is not the code's alone, and the texts are beside it."""
    (metadata,) = unpacked_wheel.glob("*.dist-info/METADATA")
    lines = metadata.read_text(encoding="utf-8").splitlines()
    expression = "MIT AND GPL-2.0-or-later AND (GPL-2.0-only OR GPL-3.0-only) AND GPL-3.0-or-later"
    assert f"License-Expression: {expression}" in lines
    named = [line.removeprefix("License-File: ") for line in lines if line.startswith("License-File: ")]
    assert {"LICENSE", "LICENSES/GPL-2.0.txt", "LICENSES/GPL-3.0.txt"} <= set(named)
    assert all((metadata.parent / "licenses" / name).is_file() for name in named)
