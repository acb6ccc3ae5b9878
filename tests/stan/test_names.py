"""Identifiers of a program: none is used twice, whatever columns and levels are called."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import stanli
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from designs import design, model
from lmmformula.ir.names import backticked
from lmmformula.stan.generate import StanProgram, stan_program
from lmmformula.stan.program.edited import declarations

PARTS = """a b c _c _1 _2 _ . 1 x X N y u L z sd cor mean means scale location lower prior level
           Intercept cutpoint rng lpdf lp data é 温 :""".split()  # noqa: SIM905 (a list of so many would be one a line)
"""What names are made of: pieces of identifiers of a program, and what no identifier can hold."""
WORDS = st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).map("".join).filter(lambda name: name.strip(" "))
NAMES = st.lists(WORDS, min_size=5, max_size=5, unique=True)
MODELS = [
    "{y} ~ {x} + ({x} | {a}) + (1 | {b})",
    "{y} ~ {x} + ({x} | {a}) + (1 | {b})\nsd[{a}, {x}] ~ exponential(3)",
    "{y} ~ {x} + ({x} | {a}) + ({x} | {b})\nsd[{b}] ~ lognormal(1, 2)\nsd[{b}, {x}] ~ uniform(0, 9)",
    "{y} ~ {x} + (1 | {a}) + (0 + {z} | {b})\nsd ~ uniform(0, 9)\nb[{x}] ~ cauchy(1, 2)",
    "{y} ~ {x} + {z} + ({x} || {a}) + ({z} | {b})\nb[{z}] ~ cauchy(1, 2)",
]


def program_named(names: list[str], text: str, geometry: str) -> StanProgram:
    """Write a program of a model whose columns have these names."""
    rng = np.random.default_rng(3)
    y, x, z, a, b = (backticked(name) for name in names)
    columns = (rng.normal(size=60), rng.normal(size=60), rng.normal(size=60), np.arange(60) % 5, np.arange(60) % 7)
    text = text.format(y=y, x=x, z=z, a=a, b=b)
    built = design(text, pd.DataFrame(dict(zip(names, columns, strict=True))))[1]
    form = "conditional" if geometry else "auto"
    asked = {names[3]: geometry, names[4]: "centered"} if geometry else {}
    return stan_program(replace(model(text)), built, form=form, geometry=asked)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(NAMES, st.sampled_from(MODELS), st.sampled_from(["", "centered", "noncentered"]))
@example(["y", "x", "z", "a", "a_c"], MODELS[0], "")
@example(["y", "x", "z", "a", "a_1"], MODELS[1], "noncentered")
@example(["y", "x", "z", "g", "u"], MODELS[3], "")
def test_identifiers_are_used_once(names: list[str], text: str, geometry: str) -> None:
    """No name is declared twice, the compiler accepts the program, and each number of a prior has its own entry."""
    program = program_named(names, text, geometry)
    declared = Counter(name for block in declarations(program.code).values() for name in block)
    assert max(declared.values()) == 1
    assert stanli.stan_to_mir(program.code)
    used = [n.name for s in program.program.sections for own in s.statements for n in own.arguments if n.name]
    assert len(used) == len(set(used))
    assert set(used) <= set(program.data)


def test_a_geometry_of_a_group_called_u() -> None:
    """The mean of the effects of a group `u` is a parameter, which nothing else of the program is called as."""
    frame = pd.DataFrame({"y": np.arange(60.0) % 11, "g": np.arange(60) % 20, "u": np.arange(60) % 7})
    built = design("y ~ 1 + (1 | g) + (1 | u)", frame)[1]
    program = stan_program(model("y ~ 1 + (1 | g) + (1 | u)"), built, geometry={"u": "centered"})
    assert program.code.count("mean_u;") == 1
    assert stanli.stan_to_mir(program.code)


@pytest.mark.parametrize("other", ["a_c", "a_1"])
def test_terms_have_priors_of_their_own(other: str) -> None:
    """Where the names of two groups' numbers would be one, each group keeps the number it was given."""
    names = ["y", "x", "z", "a", other]
    program = program_named(names, f"{MODELS[0]}\nsd[a] ~ exponential(2)\nsd[{other}] ~ exponential(3)", "")
    statements = [own for section in program.program.sections for own in section.statements]
    rates = {own.left: float(program.data[own.arguments[0].name]) for own in statements if own.left.startswith("sd_")}
    assert rates == {"sd_a": 2.0, f"sd_{other}": 3.0}
