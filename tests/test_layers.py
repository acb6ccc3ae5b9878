"""The architecture, held by a test: who may import whom, and what an import costs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_stages_import_only_earlier_stages() -> None:
    """The layers and the forbidden imports of pyproject.toml hold."""
    linter = Path(sys.executable).with_name("lint-imports")
    if not linter.exists():
        pytest.skip("import-linter is not installed beside this Python")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def imported_by(statement: str) -> set[str]:
    """Names of the modules that a fresh interpreter holds after a statement."""
    code = f"{statement}\nimport sys, json\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("heavy", ["pandas", "formulaic", "cmdstanpy", "arviz", "stanli", "lark", "rich", "scipy"])
def test_importing_the_package_imports_nothing_heavy(heavy: str) -> None:
    """What costs more than a blink is imported by whoever first uses it."""
    assert heavy not in imported_by("import lmmformula")


def test_fitting_a_numeric_model_needs_no_formulaic_and_no_stan() -> None:
    """A fit of numeric columns pays for neither the contrasts nor the sampler."""
    modules = imported_by(
        "import lmmformula as lf\nlf.Model('y ~ x + (x | group)', lf.datasets.load('coffee')).fit().fixef"
    )
    assert not modules & {"formulaic", "stanli", "cmdstanpy", "arviz"}
