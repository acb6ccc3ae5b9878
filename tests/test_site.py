"""The docs site: it builds without a warning, and the pages speak of what is there."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import lmmformula as lf

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(page.relative_to(DOCS).as_posix() for page in DOCS.glob("**/*.md"))
COMING_FROM = sorted((DOCS / "coming_from").glob("*.md"))
KINDS = {"lf": lf, "model": lf.Model, "fit": lf.LinearMixedFit, "posterior": lf.Posterior, "program": lf.StanProgram}
USE = re.compile(r"`(lf|model|fit|posterior|program)\.(\w+)")


@pytest.mark.slow
def test_site_builds(tmp_path: Path) -> None:
    """The builder finds nothing to warn of: every link leads somewhere, and every name of the reference exists."""
    if importlib.util.find_spec("mkdocs") is None or importlib.util.find_spec("mkdocstrings_handlers") is None:
        pytest.skip("mkdocs is not installed; `make docs` installs it")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    built = tmp_path / "site"
    written = {file.relative_to(built).as_posix() for file in built.glob("**/*.html")}
    assert {page.replace(".md", ".html") for page in PAGES} <= written
    fetched = re.compile(r"""<(?:script|img|iframe|link[^>]*stylesheet)[^>]*(?:src|href)="(?:https?:)?//""")
    for page in built.glob("**/*.html"):
        text = page.read_text(encoding="utf-8")
        assert not fetched.search(text), f"{page.name} fetches something from elsewhere"
        assert "```" not in text, f"{page.name} shows a fence that was not understood"


@pytest.mark.parametrize("page", PAGES)
def test_page_is_in_the_navigation(page: str) -> None:
    """A page that no menu leads to is not found by anybody."""
    assert re.search(rf": {re.escape(page)}$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), flags=re.MULTILINE)


@pytest.mark.parametrize("name", [name for name in lf.__all__ if name not in {"__version__", "datasets"}])
def test_public_name_is_in_the_reference(name: str) -> None:
    """The reference leaves no public name out."""
    assert f"::: lmmformula.{name}\n" in (DOCS / "api.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", COMING_FROM, ids=[page.stem for page in COMING_FROM])
def test_translations_exist(page: Path) -> None:
    """Every method and function that a table gives as the translation exists."""
    rows = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    here = [USE.findall(row.replace(r"\|", "").split("|")[2]) for row in rows]
    used = {use for cell in here for use in cell}
    assert used
    missing = [f"{kind}.{name}" for kind, name in sorted(used) if not hasattr(KINDS[kind], name)]
    fields = {"program.code", "program.data", "model.ir", "model.design", "model.schema"}  # of instances
    assert not set(missing) - fields


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md", *(f"docs/{page}" for page in PAGES)])
def test_links_lead_to_files(page: str) -> None:
    """A relative link names a file that is there, for those who read the pages in the repository."""
    source = ROOT / page
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", source.read_text(encoding="utf-8"))
    assert [link for link in links if not (source.parent / link).exists()] == []


def test_examples_are_listed() -> None:
    """The page of examples has a row for each of them, with the script's own sentence."""
    page = (DOCS / "examples.md").read_text(encoding="utf-8")
    for script in (ROOT / "examples").glob("*.py"):
        sentence = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8")))
        assert f"| `{script.name}` | {sentence} |" in page
    assert all(f"`{notebook.name}`" in page for notebook in (ROOT / "examples").glob("*.ipynb"))


@pytest.mark.parametrize(("kind", "name"), [("posterior", "update")])
def test_what_is_said_to_be_missing_is(kind: str, name: str) -> None:
    """Once this fails, something was added: take it off the lists of what is missing in docs/coming_from."""
    assert not hasattr(KINDS[kind], name)


def test_the_inverse_gaussian_family_is_missing() -> None:
    """As above, for what the list of lme4 says first."""
    with pytest.raises(lf.FormulaError, match="not supported yet"):
        lf.glmer("Reaction ~ Days + (1 | Subject)", lf.datasets.load("sleepstudy"), family="inverse.gaussian")
