"""Every example runs, and every fenced Python block of the README and of docs/ runs and prints what it says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("script", EXAMPLES, ids=[e.stem for e in EXAMPLES])
def test_example_runs(script: Path, tmp_path: Path) -> None:
    """An example ends with exit code 0 and prints something; what it writes, it writes into the working folder."""
    environment = os.environ | {"MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
