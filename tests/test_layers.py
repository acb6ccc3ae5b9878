"""The architecture, held by a test: who may import whom, and what an import costs."""

import ast
import json
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
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


def imports(text: str) -> set[str]:
    """Names of all modules that a file imports, wherever in it; each name imported from a package may be one."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_lazy_imports_and_those_for_types_are_imports() -> None:
    """An import counts inside a function, under `TYPE_CHECKING`, and of a module by its package."""
    assert imports("if TYPE_CHECKING:\n    import a.b\ndef f():\n    from c import d") == {"a.b", "c", "c.d"}


def test_no_files_import_each_other_by_any_path() -> None:
    """There is no circle among the files; the `__init__` of a package only hands names on, and is left out."""
    source = ROOT / "src"
    files = [path for path in source.rglob("*.py") if path.name != "__init__.py"]
    modules = {".".join(path.relative_to(source).with_suffix("").parts): path for path in files}
    graph = {name: imports(path.read_text(encoding="utf-8")) & modules.keys() for name, path in modules.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("a circle: " + " imports ".join(reversed(error.args[1])))


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
