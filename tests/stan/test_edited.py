"""Programs that a user has edited: what they declare, what they are fed, and whether they can be read back."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lmmformula as lf
import programs
from fits import model_of
from lmmformula.stan.program.edited import check_read_back, declarations, edited, needed, same_parameters

pytestmark = pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")
"""Few draws are enough for what is tested here."""

SLEEPSTUDY = "lmm-003r"
RUN: dict[str, Any] = {"seed": 1, "draws": 100, "warmup": 100, "chains": 2, "progress": False}


def code_of(model: lf.Model, *changes: tuple[str, str]) -> str:
    """Return the program of a model with some of its text replaced."""
    code = model.stan().code
    for old, new in changes:
        assert old in code
        code = code.replace(old, new)
    return code


DECLARATIONS = {
    "one": ("data { int N; }", {"data": {"N": "int"}}),
    "bounds and sizes": (
        "parameters { array[2, N] vector<lower=0, upper=fmax(1, 2)>[K] x; }",
        {"parameters": {"x": "array[2,N]vector<lower=0,upper=fmax(1,2)>[K]"}},
    ),
    "several names": ("model { real a = f(1, 2), b; }", {"model": {"a": "real", "b": "real"}}),
    "inner blocks": ("model { real a; { real b; } for (i in 1:3) { real c; } }", {"model": {"a": "real"}}),
    "comments and strings": (
        'data { // real a;\n /* real b; } */ real c; }\nmodel { print("{ real d; }"); }',
        {"data": {"c": "real"}, "model": {}},
    ),
    "two words": ("generated quantities {\n  real real_x;\n}", {"generated quantities": {"real_x": "real"}}),
    "statements": ("model { x ~ normal(0, 1); target += 3; }", {"model": {}}),
    "never closed": ("data { int N; real x", {"data": {"N": "int", "x": "real"}}),
    "nothing": ("", {}),
}  # fmt: skip


@pytest.mark.parametrize("case", DECLARATIONS)
def test_declarations(case: str) -> None:
    """Block by block, types without blanks; what stands in inner braces, comments and strings is none."""
    code, expected = DECLARATIONS[case]
    found = {block: {name: own.type for name, own in names.items()} for block, names in declarations(code).items()}
    assert found == expected


@pytest.mark.parametrize("name", programs.EVERY)
def test_declarations_of_our_own_programs(name: str) -> None:
    """The data block declares what the program is fed; everything that the results are read from is declared."""
    program = programs.program_of(name)
    found = declarations(program.code)
    assert found["data"].keys() == program.data.keys()
    assert list(found.get("parameters", {})) == [own.name for own in program.program.parameters]
    outputs = {name for block in list(found)[1:] for name in found[block]}
    assert needed(program.parameters).keys() <= outputs
    assert same_parameters(program, edited(program, "// edited\n" + program.code))


def test_an_unchanged_text_gives_the_same_draws() -> None:
    """As a text, or as a file; comments don't matter."""
    model = model_of(SLEEPSTUDY)
    posterior = model.sample(code=code_of(model, ("// residual", "// what is left")), **RUN)
    assert np.array_equal(posterior.draws.beta, model.sample(**RUN).draws.beta)
    assert posterior.program.edited
    assert "stanli, marginal form, edited, 2 chains" in str(posterior)


def test_changes_count_and_additions_are_kept(tmp_path: Path) -> None:
    """Another prior moves the posterior; a new quantity is in `raw`; a new entry of the data is given."""
    model = model_of(SLEEPSTUDY)
    path = tmp_path / "mine.stan"
    path.write_text(_changed(model), encoding="utf-8")
    for text in (path, str(path)):
        posterior = model.sample(code=text, data={"limit": 40.0}, **RUN)
        assert posterior.sigma == pytest.approx(40, abs=0.3)
        np.testing.assert_allclose(posterior.raw["ratio"], posterior.draws.sds[0][..., 0] / posterior.draws.sigma)


def _changed(model: lf.Model) -> str:
    code = code_of(model, ("sigma ~ student_t(3, 0, prior_sigma_scale)", "sigma ~ normal(limit, 0.1)"))
    code = code.replace("data {", "data {\n  real limit;", 1)
    return code.replace("generated quantities {", "generated quantities {\n  real ratio = sd_Subject[1] / sigma;")


def test_other_parameters_start_cold() -> None:
    """A program whose parameters are others has no start from the fit, and is sampled all the same."""
    model = model_of(SLEEPSTUDY)
    own = model.stan()
    code = code_of(model, ("real<lower=0> sigma;", "real<lower=0, upper=1000> sigma;"))
    assert not same_parameters(own, edited(own, code))
    assert model.sample(code=code, **RUN).sigma == pytest.approx(25.8, abs=2)


REFUSED = {
    "a variable that is gone": (("sigma", "noise"), "no variable 'sigma'"),
    "data that nobody has": (("data {\n  int", "data {\n  real z;\n  int"), r"wants the data 'z'(?s:.*)\^\n"),
    "a syntax error": (("real<lower=0> sigma;", "real<lower=0 sigma;"), r"line \d+(?s:.*)real<lower=0 sigma(?s:.*)\^"),
    "another shape": (("vector<lower=0>[2] sd_Subject", "vector<lower=0>[3] sd_Subject"), "does not accept"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_run_or_read_back_is_refused(case: str) -> None:
    """By the name that is wrong, or the place in the user's own text."""
    change, message = REFUSED[case]
    model = model_of(SLEEPSTUDY)
    code = code_of(model, change).replace("prior_noise_scale", "prior_sigma_scale")
    with pytest.raises(lf.EngineError, match=message):
        model.sample(code=code, **RUN)


def test_shapes_are_checked_after_sampling() -> None:
    """Draws of another shape than the model's are not read as if they were its own."""
    model = model_of(SLEEPSTUDY)
    program, draws = model.stan(), model.sample(**RUN).raw
    check_read_back(program, draws)
    draws.arrays["sigma"] = draws["sd_Subject"]
    with pytest.raises(lf.EngineError, match=r"'sigma' of the edited program has the shape \(2,\)"):
        check_read_back(program, draws)
    del draws.arrays["sigma"]
    with pytest.raises(lf.EngineError, match="no variable 'sigma'"):
        check_read_back(program, draws)


@pytest.mark.parametrize("code", [3, None, "absent.stan", Path("absent.stan"), "", b"data {}"])
def test_what_is_no_program(code: Any) -> None:
    """A path that leads nowhere, and other things than texts."""
    model = model_of(SLEEPSTUDY)
    data = {"x": 1.0} if code is not None else {"x": "text"}
    with pytest.raises(lf.EngineError):
        model.sample(code=code, data=data, **RUN)


def test_data_have_names() -> None:
    """Further data are refused unless they are a mapping."""
    model = model_of(SLEEPSTUDY)
    with pytest.raises(lf.EngineError, match="data is a mapping of names to numbers, not a list"):
        model.sample(data=[1.0], **RUN)


def test_log_likelihoods_of_an_edited_program_are_its_own() -> None:
    """They are not worked out by the model's family, which the text may no longer have."""
    model = model_of(SLEEPSTUDY)
    posterior = model.sample(code=code_of(model), **RUN)
    with pytest.raises(lf.FitError, match="was edited"):
        posterior.log_likelihood()
    generated = model.sample(code=model.stan(log_lik=True).code, **RUN)
    assert generated.log_likelihood().shape == (2, 100, 180)


def test_other_families_are_edited_too() -> None:
    """A binomial model with another prior."""
    model = lf.Model("binary ~ x + (1 | a)", programs.frame("counts"), family="binomial")
    code = model.stan().code.replace("b ~ normal(0, prior_b_scale)", "b ~ normal(2, 0.01)")
    assert model.sample(code=code, **RUN).fixef["x"] == pytest.approx(2, abs=0.02)
