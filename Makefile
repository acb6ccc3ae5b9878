# Every target sets up what it needs in .venv; PYTHON picks the interpreter.
PYTHON ?= python3
BIN := .venv/bin
# one process a core, as the linear algebra of small models gains nothing from more
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist worksteal

.PHONY: demo test test-slow lint bench docs clean

demo: .venv/.installed
	$(BIN)/lmmformula demo

test: .venv/.developer lint
	$(PYTEST) -m "not slow"

test-slow: .venv/.developer .venv/.docs
	$(PYTEST) -m slow

lint: .venv/.developer
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: .venv/.developer
	$(BIN)/python benchmarks/reml.py

# the variable silences an advertisement of another site builder
docs: .venv/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

clean:
	rm -rf .venv dist build site .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/bin/python:
	$(PYTHON) -c "import sys; sys.exit('lmmformula needs Python 3.11 or later; set PYTHON=...' if sys.version_info < (3, 11) else 0)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"

.venv/.installed: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

.venv/.developer: .venv/.installed
	$(BIN)/python -m pip install --quiet --group dev
	# prophet's wheel holds genuine CmdStan tools; the tests use those alone, and skip what needs them without it
	-$(BIN)/python -m pip install --quiet --no-deps --only-binary :all: "prophet>=1.1.7"
	touch $@

.venv/.docs: .venv/.installed
	$(BIN)/python -m pip install --quiet --group docs
	touch $@
