"""Generated programs as text: read by people as code, accepted by Stan's compiler."""

import re
from math import prod
from pathlib import Path

import numpy as np
import pytest
import stanli

from lmmformula.stan.program.words import number_text
from programs import EVERY, program_of

GOLDEN = Path(__file__).parent / "golden"
each_case = pytest.mark.parametrize("name", EVERY)


def settled(code: str) -> str:
    """Return a program without what changes from release to release."""
    return re.sub(r"by lmmformula [\w.+-]+,", "by lmmformula,", code)


@each_case
def test_programs_read_as_reviewed(name: str, request: pytest.FixtureRequest) -> None:
    """The text of each program is the one that was read and committed; `--promote` accepts a new one."""
    path = GOLDEN / f"{name}.stan"
    text = settled(program_of(name).code)
    if request.config.getoption("--promote"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


def test_no_golden_file_is_left_over() -> None:
    """Each golden file belongs to a case."""
    assert {path.stem for path in GOLDEN.glob("*.stan")} == set(EVERY)


@each_case
def test_programs_compile(name: str) -> None:
    """Stan's compiler front end accepts each program."""
    assert stanli.stan_to_mir(program_of(name).code)


@each_case
def test_programs_hold_their_lines_short(name: str) -> None:
    """Lines of a program with names of usual length fit into 80 characters."""
    assert max(map(len, program_of(name).code.splitlines())) <= 80


def number(text: str, sizes: dict[str, int]) -> int:
    """Read a number, or the name of one among the data."""
    return sizes[text.strip()] if text.strip() in sizes else int(text)


@each_case
def test_data_are_those_the_program_declares(name: str) -> None:
    """Names, order and shapes of the data are those of the data block."""
    program = program_of(name)
    block = re.search(r"^data \{\n(.*?)^\}", program.code, re.DOTALL | re.MULTILINE)
    assert block is not None
    sizes = {key: int(value) for key, value in program.data.items() if value.shape == () and value.dtype.kind == "i"}
    declared = {}
    for line in block[1].splitlines():
        if line.strip().startswith("//"):
            continue
        found = re.match(r"\s*(?:array\[(\w+)\] )?(\w+)(<.*?>)?(\[.*?\])? (\w+);", line)
        assert found is not None, line
        inside = (f"{found[1]}," if found[1] else "") + (found[4] or "[]")[1:-1]
        shape = tuple(prod(number(n, sizes) for n in s.split("*")) for s in inside.split(",") if s.strip())
        declared[found[5]] = shape
    assert list(declared) == list(program.data)
    assert declared == {key: value.shape for key, value in program.data.items()}


@each_case
def test_programs_run_on_their_data(name: str) -> None:
    """Each program accepts its data, and its density and generated quantities are finite numbers."""
    program = program_of(name)
    model = stanli.Model(stan_code=program.code, data=program.data)
    point = np.random.default_rng(1).normal(scale=0.1, size=model.n_unconstrained)
    density, gradient = model.log_prob_grad(point)
    assert np.isfinite(density)
    assert np.all(np.isfinite(gradient))
    fit = model.sample(chains=1, warmup=5, samples=2, refresh=0)
    assert np.all(np.isfinite(fit.draws()))


def test_nested_programs_refuse_data_that_are_not() -> None:
    """A program for nested factors, given others, says so, and does not take them for nested."""
    program = program_of("nested")
    data = program.data | {"level_batch": np.roll(program.data["level_batch"], 1)}
    with pytest.raises(RuntimeError, match="level_cask_batch is not nested in level_batch"):
        stanli.Model(stan_code=program.code, data=data)


def test_programs_are_deterministic() -> None:
    """The same model on the same data gives the same text."""
    program_of.cache_clear()
    first = program_of("two_terms").code
    program_of.cache_clear()
    assert program_of("two_terms").code == first


@pytest.mark.parametrize("value", [1 / 3, 1e-320, -1e300, 5e9, 0.1, 123456789.0])
def test_numbers_in_a_program_are_read_back_exactly(value: float) -> None:
    """A number written into a program is the same number when it is read, and never a division of integers."""
    assert float(number_text(value)) == value
    assert "/" not in number_text(value)
