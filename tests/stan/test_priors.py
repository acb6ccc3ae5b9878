"""Prior statements: which parameter they reach, what they become, and how bad ones are refused."""

import re

import numpy as np
import pytest

from designs import design, model
from lmmformula.errors import FormulaError
from lmmformula.ir.names import backticked
from lmmformula.ir.priors import Prior, PriorTarget
from lmmformula.stan.generate import StanProgram, stan_program
from lmmformula.stan.program.priors import DISTRIBUTIONS, Slot, resolve
from programs import FRAMES

FORMULA = "y ~ x + z + (x | a) + (1 | b)"


def program(statements: str, formula: str = FORMULA, **options: bool) -> StanProgram:
    """Generate the program of a formula with prior statements on the small frame."""
    text = f"{formula}\n{statements}"
    return stan_program(model(text), design(text, FRAMES["small"]())[1], **options)


def rows(statements: str, formula: str = FORMULA) -> dict[str, str]:
    """Return the table of priors: target -> distribution, those given by statements alone."""
    return {row.target: row.distribution for row in program(statements, formula).priors if not row.default}


RESOLVED = {
    "a target reaches all its parameters": (
        "sd ~ exponential(1)",
        {"sd[a, (Intercept)]": "exponential(1)", "sd[a, x]": "exponential(1)", "sd[b, (Intercept)]": "exponential(1)"},
    ),
    "a group is more specific than all": (
        "sd[b] ~ normal(0, 1)\nsd ~ exponential(1)",
        {"sd[a, (Intercept)]": "exponential(1)", "sd[a, x]": "exponential(1)", "sd[b, (Intercept)]": "normal(0, 1)"},
    ),
    "a coefficient is more specific than its group": (
        "sd[a, x] ~ cauchy(0, 2)\nsd[a] ~ normal(0, 1)",
        {"sd[a, (Intercept)]": "normal(0, 1)", "sd[a, x]": "cauchy(0, 2)"},
    ),
    "the later of equals wins": (
        "b ~ normal(0, 1)\nb ~ normal(0, 2)",
        {"b[x]": "normal(0, 2)", "b[z]": "normal(0, 2)"},
    ),
    "one coefficient": ("b[z] ~ student_t(3, 0, 1/2)", {"b[z]": "student_t(3, 0, 0.5)"}),
    "intercept and residual": (
        "Intercept ~ normal(1, 2)\nsigma ~ gamma(2, 0.1)",
        {"Intercept": "normal(1, 2)", "sigma": "gamma(2, 0.1)"},
    ),
    "correlations": ("cor ~ lkj(4)", {"cor[a]": "lkj(4)"}),
    "correlations of a group": ("cor[a] ~ lkj(4)", {"cor[a]": "lkj(4)"}),
}


NAMES = {
    "for": "sd[`for`] ~ exponential(1)",
    "a b": "sd[`a b`] ~ exponential(1)",
    "x`y": "sd[`x\\`y`] ~ exponential(1)",
}


@pytest.mark.parametrize("name", NAMES)
def test_grouping_factors_of_any_name_have_priors(name: str) -> None:
    """A grouping factor whose name needs backticks is named in them, and reached."""
    frame = FRAMES["small"]().rename(columns={"a": name})
    text = f"y ~ x + (x | {backticked(name)})\n{NAMES[name]}"
    table = stan_program(model(text), design(text, frame)[1]).priors
    assert [row.target for row in table if not row.default] == [f"sd[{name}, (Intercept)]", f"sd[{name}, x]"]


COLUMN_INTERCEPT = {
    "b[Intercept] ~ normal(0, 3)": "b[Intercept]",
    "sd[a, Intercept] ~ exponential(3)": "sd[a, (Intercept)]",
    "sd[a, `Intercept`] ~ exponential(3)": "sd[a, Intercept]",
    "Intercept ~ normal(0, 3)": "Intercept",
}


@pytest.mark.parametrize("statement", COLUMN_INTERCEPT)
def test_a_column_may_be_called_intercept(statement: str) -> None:
    """Only among a group's effects does the word mean the intercept, unless it is quoted; and it prints as it reads."""
    frame = FRAMES["small"]().rename(columns={"x": "Intercept"})
    text = f"y ~ Intercept + (Intercept | a)\n{statement}"
    for spec in (text, str(model(text))):
        table = stan_program(model(spec), design(spec, frame)[1]).priors
        assert [row.target for row in table if not row.default] == [COLUMN_INTERCEPT[statement]]


@pytest.mark.parametrize("about", RESOLVED)
def test_statements_reach_their_parameters(about: str) -> None:
    """The most specific statement wins, of equally specific ones the last; all else keeps its default."""
    statements, expected = RESOLVED[about]
    assert rows(statements) == expected


def test_every_parameter_has_a_row_in_the_table() -> None:
    """The table of priors lists each target once, says what is default, and shows the line of the program."""
    table = program("b[x] ~ normal(0, 1)").priors
    assert [row.target for row in table] == [
        "Intercept", "b[x]", "b[z]", "sd[a, (Intercept)]", "sd[a, x]", "cor[a]", "sd[b, (Intercept)]", "sigma",
    ]  # fmt: skip
    assert [row.target for row in table if not row.default] == ["b[x]"]
    code = program("b[x] ~ normal(0, 1)").code
    assert all(row.stan in code for row in table)


REFUSED = {
    "no such coefficient": ("b[w] ~ normal(0, 1)", "no parameter 'b[w]'", "b[x], b[z], sd[a, (Intercept)]"),
    "no such group": ("sd[c] ~ normal(0, 1)", "no parameter 'sd[c]'", "sd[b, (Intercept)]"),
    "no such coefficient of a group": ("sd[b, x] ~ normal(0, 1)", "no parameter 'sd[b, x]'", "sd[a, x]"),
    "correlations of a group that has none": ("cor[b] ~ lkj(2)", "no parameter 'cor[b]'", "cor[a]"),
    "positive prior of a number that may be negative": ("b ~ exponential(1)", "b[x] can be negative", "normal"),
    "half prior of such a number": ("Intercept ~ half_normal(0, 1)", "Intercept can be negative", "normal"),
    "matrix prior of a number": ("sigma ~ lkj(2)", "sigma is a number, lkj is for matrices", "exponential"),
    "number's prior of a matrix": ("cor ~ normal(0, 1)", "cor[a] is a correlation matrix", "lkj(2)"),
    "uniform beyond the range": ("sigma ~ uniform(-1, 5)", "sigma lies between 0 and infinity", ""),
}


@pytest.mark.parametrize("about", REFUSED)
def test_statements_that_fit_nothing_are_refused(about: str) -> None:
    """A prior that no parameter can have is an error with a caret under the statement and with what would do."""
    statement, message, hint = REFUSED[about]
    with pytest.raises(FormulaError) as caught:
        program(statement)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert "^" in str(caught.value)


NUMBERS = {
    "too few": (Prior(PriorTarget("sigma"), "normal", (0.0,)), "takes 2 numbers, not 1"),
    "negative scale": (Prior(PriorTarget("sigma"), "normal", (0.0, -1.0)), "scale of normal must be positive, not -1"),
    "infinite": (Prior(PriorTarget("sigma"), "normal", (float("inf"), 1.0)), "must be a finite number"),
    "empty interval": (Prior(PriorTarget("sigma"), "uniform", (3.0, 2.0)), "uniform(3, 2) is empty"),
    "no such distribution": (Prior(PriorTarget("sigma"), "nromal", (0.0, 1.0)), "no prior distribution 'nromal'"),
    "raw Stan": (Prior(PriorTarget("sigma"), "normal(0, 1); target += 1e9; //", ()), "no prior distribution"),
}


@pytest.mark.parametrize("about", NUMBERS)
def test_numbers_of_a_prior_are_checked(about: str) -> None:
    """Arity, signs and finiteness are checked for statements that no grammar has seen, too."""
    statement, message = NUMBERS[about]
    slot = Slot("sigma", (), ("student_t", (3.0, 0.0, 1.0)), lower=0.0)
    with pytest.raises(FormulaError, match=re.escape(message)):
        resolve([slot], [statement])


@pytest.mark.parametrize("name", [name for name, d in DISTRIBUTIONS.items() if d.support != "correlation"])
def test_every_distribution_becomes_a_statement(name: str) -> None:
    """Each distribution of the table compiles as the prior of a positive parameter."""
    import stanli

    numbers = [str(number) for number in (3, 1, 2)[: len(DISTRIBUTIONS[name].arguments)]]
    numbers = ["1", "4"] if name == "uniform" else numbers
    made = program(f"sigma ~ {name}({', '.join(numbers)})")
    assert re.search(rf"sigma ~ {name}\(", made.code)
    stanli.Model(stan_code=made.code, data=made.data)


@pytest.mark.parametrize("factor", [10.0, 1e-6, 1e6])
def test_defaults_are_free_of_units(factor: float) -> None:
    """Measured in other units, y and x have the same default priors in those units."""
    text = "y ~ x + (x | a)"
    frame = FRAMES["small"]()
    before = stan_program(model(text), design(text, frame)[1]).data
    y = stan_program(model(text), design(text, frame.assign(y=factor * frame.y))[1]).data
    x = stan_program(model(text), design(text, frame.assign(x=factor * frame.x))[1]).data
    for name in ("prior_Intercept_location", "prior_Intercept_scale", "prior_b_scale", "prior_sd_a_scale"):
        np.testing.assert_allclose(y[name], factor * before[name], rtol=1e-12)
    np.testing.assert_allclose(y["prior_sigma_scale"], factor * before["prior_sigma_scale"], rtol=1e-12)
    np.testing.assert_allclose(x["prior_b_scale"], before["prior_b_scale"] / factor, rtol=1e-12)
    np.testing.assert_allclose(x["prior_sd_a_scale"], before["prior_sd_a_scale"] / [1, factor], rtol=1e-12)
    np.testing.assert_allclose(x["prior_sigma_scale"], before["prior_sigma_scale"], rtol=1e-12)


def test_defaults_do_not_mind_outliers_or_a_constant_offset() -> None:
    """One wild row moves the default scale of sigma little, and an offset moves the intercept's location with it."""
    frame = FRAMES["small"]()
    text = "y ~ x + (1 | a)"
    calm = stan_program(model(text), design(text, frame)[1]).data
    wild = stan_program(model(text), design(text, frame.assign(y=frame.y.where(frame.index > 0, 1e6)))[1]).data
    assert wild["prior_sigma_scale"] < 1.2 * calm["prior_sigma_scale"]
    shifted = design(text, frame.assign(five=5.0), offset="five")[1]
    moved = stan_program(model(text), shifted).data["prior_Intercept_location"]
    assert moved == pytest.approx(calm["prior_Intercept_location"] - 5)


def test_numbers_stand_in_the_data_or_in_the_text() -> None:
    """A program reads the numbers of its priors from its data, unless it is to hold them itself."""
    statement = "b ~ normal(0, 0.3)"
    from_data, in_place = program(statement), program(statement, literals=True)
    assert "b ~ normal(0, prior_b_scale);" in from_data.code
    assert from_data.data["prior_b_scale"] == 0.3
    assert "b ~ normal(0, 0.3);" in in_place.code
    assert not [name for name in in_place.data if name.startswith("prior_")]


def test_uniform_priors_bound_their_parameters() -> None:
    """A uniform prior bounds the parameter it is for, and only that element of a vector."""
    code = program("sd[a, x] ~ uniform(1, 5)\nb ~ uniform(-2, 2)", literals=True).code
    assert "vector<lower=[0, 1]', upper=[positive_infinity(), 5]'>[2] sd_a;" in code
    assert "vector<lower=-2, upper=2>[2] b;" in code
