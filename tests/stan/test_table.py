"""
A table of models: each formula, family, form and extra becomes a program that compiles, runs, and is clean.

What the programs mean is tested elsewhere; here every pair of a formula and a family is one that somebody will type.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import stanli

import lmmformula as lf
from lmmformula.stan.generate import StanProgram
from lmmformula.stan.program.responses import SAMPLED
from lmmformula.stan.text.boxes import WIDTH
from programs import counts
from stanc import formatted, stanc_or_skip, unexplained, warnings_of

LONG = "a_very_long_name_" * 20
EVERY = 5
"""One program in so many is shown to stanc in the fast suite, the others in the slow one."""
BOTH = {"log_lik": True, "y_rep": True}


@dataclass(frozen=True)
class Row:
    """A model: formula and prior statements, family, and what is asked of its program."""

    text: str
    family: str = "gaussian"
    program: dict[str, Any] = field(default_factory=dict)
    model: dict[str, str] = field(default_factory=dict)
    hostile: bool = False


NUMBERS = (
    "data", "lambda", "y.1", "real", "target", "Größe", "温度", "with\nnewline", "a b", "1", "b", "Intercept", "X",
    "N", "sigma", "prior_b_scale", "normal", "class", "x__", "; target += 1e9; //", "*/", '"', "\\", "🙂", LONG,
)  # fmt: skip
FACTORS = (
    "model", "for", "群", "N_a", "u_a", "level_a", "sd_a", "parameters", "g.1", "g_1", "g\n// }", "{{ 7 * 7 }}", "_",
    "__", LONG + "g",
)  # fmt: skip


def quoted(name: str) -> str:
    """Write any name in a formula."""
    plain = name.replace("\\", "\\\\").replace("\n", "\\n").replace("`", "\\`")
    return f"`{plain}`"


@cache
def frame() -> pd.DataFrame:
    """Return responses of all families beside predictors and factors."""
    made = counts()
    rating = pd.Categorical([("bad", "fair", "good")[i % 7 % 3] for i in range(len(made))], ["bad", "fair", "good"])
    return made.assign(rating=rating.as_ordered())


@cache
def hostile_frame() -> pd.DataFrame:
    """Add copies under names, and with levels, that would break a program which used them as they are."""
    made = frame()
    levels = {"a0": "*/ }", "a1": "// \n target += 1e9;", "a2": '"', "a3": ""}
    factor, rng = made.a.cat.rename_categories(levels), np.random.default_rng(24)
    numbers = {name: rng.normal(size=len(made)) for name in NUMBERS}
    return made.rename(columns={"b": "h"}).assign(**numbers, **dict.fromkeys(FACTORS, factor))


# --- the table --------------------------------------------------------------------------------------------------------

GAUSSIAN = {
    "x": {}, "1 + (1 | a)": {}, "x + (x | a)": {}, "x + (x || a)": {}, "x * z + (x * z | a)": {}, "0 + (0 + x | a)": {},
    "f + (f | a)": {}, "0 + f + (0 + f | a)": {}, "x + (1 | a/b)": {}, "x + (1 | a) + (1 | b)": {},
    "x + (x | a) + (z | b)": {}, "x + (1 | a) + (1 | b) + (1 | f)": {}, "x + (1 | a) + (0 + x | a)": {},
    "poly(x, 2) + (1 | a:b)": {}, "x + ar1(0 + f | a)": {}, "x + cs(0 + f | a)": {}, "x + diag(f | a)": {},
    "log(w) + offset(o) + (1 | a)": {"weights": "w"}, "I(x^2) + (I(x^2) | a)": {"offset": "o"},
}  # fmt: skip
"""Right hand side -> weights and offset, for both forms."""
OTHERS = (
    "1", "x + z", "1 + (1 | a)", "x + (x | a)", "f + (1 | a) + (x || b)", "x + offset(o) + (1 | a/b)",
)  # fmt: skip
"""Right hand sides for families that are not Gaussian."""
RESPONSES = {
    "binomial": ("binary", "cbind(successes, failures)"),
    "poisson": ("count",),
    "negbinomial": ("count",),
    "zero_inflated_poisson": ("count",),
    "zero_inflated_negbinomial": ("count",),
    "student": ("y",),
    "Gamma": ("positive",),
    "lognormal": ("positive",),
    "beta": ("share",),
    "cumulative": ("rating",),
}


def gaussian_rows() -> Iterator[Row]:
    """Give each Gaussian model in both forms, in turn with log_lik and y_rep, cross-products and literal numbers."""
    for i, (right, options) in enumerate(GAUSSIAN.items()):
        yield Row(f"y ~ {right}", program=({}, BOTH, {"literals": True})[i % 3], model=options)
        if "|" in right:
            yield Row(f"y ~ {right}", program={"data_form": "crossproducts"}, model=options)
            yield Row(f"y ~ {right}", program={"form": "conditional"} | (BOTH if i % 2 else {}), model=options)
            group = "b" if "| b)" in right else "a"
            if i % 2 and "/" not in right and ":" not in right:
                geometry = {group: ("centered", "noncentered")[i // 2 % 2]}
                yield Row(f"y ~ {right}", program={"form": "conditional", "geometry": geometry}, model=options)


def family_rows() -> Iterator[Row]:
    """Cross every other family and link with every kind of right hand side."""
    for family in SAMPLED:
        for response in RESPONSES.get(family.name, ()):
            for i, right in enumerate(OTHERS):
                text = f"{response} ~ {right}"
                yield Row(text, f"{family.name}({family.link})", ({}, BOTH, {"literals": True})[i % 3])


def long_rows() -> Iterator[Row]:
    """Give models with names of usual length, some of whose assignments don't fit into a line."""
    centred = {"form": "conditional", "geometry": {"a": "centered"}}
    yield Row("y ~ x + z + (x + z | a)", program=centred)
    yield Row("y ~ x + z + I(x^2) + (x + z + I(x^2) | a)", program=centred | BOTH)
    yield Row("count ~ x + z + I(x^2) + (x + z + I(x^2) | a)", "poisson(log)", program=centred)
    yield Row("y ~ x + (x | a/b)")


def hostile_rows() -> Iterator[Row]:
    """Give each hostile name to a predictor with a slope, or to a grouping factor; and a prior to what it names."""
    for name in NUMBERS:
        yield Row(f"y ~ {quoted(name)} + ({quoted(name)} | a)", program=BOTH)
        prior = f"b[{quoted(name)}] ~ normal(0, 1)"
        yield Row(f"count ~ {quoted(name)} + (1 | a)\n{prior}", "poisson(log)")
    for name in FACTORS:
        yield Row(f"y ~ x + (x | {quoted(name)})\nsd[{quoted(name)}] ~ exponential(1)")
        yield Row(f"y ~ x + (1 | {quoted(name)}) + (1 | h)", program={"form": "conditional"})
    several = " + ".join(quoted(name) for name in ("y.1", "Größe", "温度", "N", "sigma", "b"))
    yield Row(f"y ~ {several} + ({several} | `N_a`)", program={"form": "conditional"})
    yield Row("y ~ x + (1 | `g.1`) + (1 | `g_1`) + (1 | `g\\n// }`) + (1 | `_`) + (1 | `__`)")


ROWS = [*gaussian_rows(), *family_rows(), *(replace(row, hostile=True) for row in hostile_rows()), *long_rows()]
each_row = pytest.mark.parametrize("number", range(len(ROWS)), ids=lambda i: f"{i}: {ROWS[i].text!r:.60}")


@cache
def program_of(number: int) -> StanProgram:
    """Generate the program of a row."""
    row = ROWS[number]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lf.FitWarning)  # of singular fits, from which nothing is wanted here
        data = hostile_frame() if row.hostile else frame()
        return lf.Model(row.text, data, family=row.family, **row.model).stan(**row.program)


def test_the_table_is_long_and_covers_every_family() -> None:
    """There are at least 60 different programs, and every family and link that has programs is among them."""
    assert len({program_of(number).code for number in range(len(ROWS))}) >= 60
    assert {row.family for row in ROWS} >= {f"{f.name}({f.link})" for f in SAMPLED if f.name != "gaussian"}


@each_row
def test_programs_compile_and_have_a_finite_density(number: int) -> None:
    """Each program takes its data; near the origin its log density and gradient are finite, and a draw is made."""
    program = program_of(number)
    model = stanli.Model(stan_code=program.code, data=program.data)
    density, gradient = model.log_prob_grad(np.random.default_rng(number).normal(scale=0.1, size=model.n_unconstrained))
    assert np.isfinite(density)
    assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize(
    "number",
    [pytest.param(i, marks=[pytest.mark.slow] * (i % EVERY > 0)) for i in range(len(ROWS))],
    ids=lambda i: f"{i}: {ROWS[i].text!r:.60}",
)
def test_the_genuine_stanc_finds_no_fault(number: int, tmp_path: Path) -> None:
    """Stan's own compiler warns of nothing in pedantic mode, and would print a program with short lines as it is."""
    stanc, code = stanc_or_skip(), program_of(number).code
    path = tmp_path / "model.stan"
    path.write_text(code, encoding="utf-8")
    assert unexplained(warnings_of(stanc, path, tmp_path), code) == []
    if not ROWS[number].hostile or max(map(len, code.splitlines())) <= WIDTH:  # long names may make long lines
        assert formatted(stanc, path) == code


INJECTED = (
    "sigma ~ normal(0, 1); target += 1e9;",
    "sigma ~ normal(0, 1)\ntarget += 1e9",
    "sigma ~ normal(0, 1) T[0, ]",
    "sigma ~ normal(0, 1)) + (1",
    "sigma ~ normal(0, 1) // the rest",
    "sigma ~ normal(0, prior_b_scale)",
    "sigma ~ normal(0, x)",
    "sigma ~ normal(0, reject())",
    "sigma ~ normal(0, normal_rng(0, 1))",
    "sigma ~ normal(0, __import__('os').getpid())",
    "sigma ~ normal(0, '1')",
    'sigma ~ normal(0, "1); target += (1")',
    "sigma ~ normal(0, {{ 7 * 7 }})",
    "sigma ~ normal(0, 1e999)",
    "sigma ~ normal(0, NaN)",
    "sigma ~ normal_lpdf(0, 1)",
    "sigma ~ system(0, 1)",
    "sigma ~ {{ 7 * 7 }}(0, 1)",
    "sigma ~ `normal(0, 1); target += 1e9; //`(0, 1)",
    "target ~ normal(0, 1)",
    "lp__ ~ normal(0, 1)",
    "sigma, b ~ normal(0, 1)",
    "sigma = 3",
    "sd[a; } model {] ~ normal(0, 1)",
    "sd[`a */ } model {`] ~ normal(0, 1)",
    'sd["a\\n} model {"] ~ normal(0, 1)',
    "b[__import__('os')] ~ normal(0, 1)",
    "cor ~ lkj(2); target += 1",
)
"""What a statement might smuggle into a program."""


@pytest.mark.parametrize("statement", INJECTED)
def test_injections_are_refused(statement: str) -> None:
    """Nothing but numbers, and names that the model has, comes from a prior into a program: all else is an error."""
    with pytest.raises(lf.FormulaError):
        lf.Model(f"y ~ x + (x | a)\n{statement}", frame()).stan()
    with pytest.raises(lf.FormulaError):
        lf.Model("y ~ x + (x | a)", frame(), priors=statement).stan()


@pytest.mark.parametrize("distribution", ["normal(0, 1); target += 1e9; //", "reject", "normal_lpdf", "{{ 7 * 7 }}"])
def test_injections_by_dictionary_are_refused(distribution: str) -> None:
    """A model read from a dictionary, which no grammar has seen, can't smuggle a distribution in either."""
    encoded = lf.parse("y ~ x + (x | a)\nsigma ~ normal(0, 1)").to_dict()
    (prior,) = encoded["priors"]
    prior["distribution"] = distribution
    with pytest.raises(lf.LmmFormulaError):
        lf.Model(lf.ModelIR.from_dict(encoded), frame()).stan()
