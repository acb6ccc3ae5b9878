import json
from dataclasses import replace
from typing import Any

import pytest

from lmmformula.errors import DataError, FormulaError
from lmmformula.formula.parse import parse_text
from lmmformula.ir.family import Family
from lmmformula.ir.lower.model import lower, update
from lmmformula.ir.lower.priors import lower_priors
from lmmformula.ir.model import ModelIR
from lmmformula.ir.priors import DISTRIBUTIONS, Prior, PriorTarget
from lmmformula.stan.program import priors as stan_priors


def read(text: str) -> ModelIR:
    """Parse and lower."""
    return lower(parse_text(text))


@pytest.mark.parametrize(
    ("formula", "bound"),
    [
        ("y ~ .", "y ~ x + z + `my var`"),
        ("y ~ . - x", "y ~ z + `my var`"),
        ("y ~ .^2 - x:z", "y ~ x + z + `my var` + x:`my var` + z:`my var`"),
        ("y ~ x:.", "y ~ x + x:z + x:`my var`"),
        ("log(y) ~ . + (1 | x)", "log(y) ~ x + z + `my var` + (1 | x)"),
        ("cbind(x, y) ~ 0 + .", "cbind(x, y) ~ 0 + z + `my var`"),
        ("y ~ z + . + offset(x)", "y ~ z + x + `my var` + offset(x)"),
        ("y ~ x", "y ~ x"),
    ],
)
def test_the_dot_stands_for_all_columns_that_the_response_leaves(formula: str, bound: str) -> None:
    """bind() replaces `.` in the order of the columns; what is bound prints without it and is read as itself."""
    ir = read(formula).bind(["y", "x", "z", "my var"])
    assert str(ir) == bound
    assert ir == read(bound)
    assert ir.bind(["other"]) is ir


CORRECTED = """\
no column named 'tigth'
    y ~ . - tigth
            ^^^^^
did you mean 'tight'?"""


def test_what_is_taken_from_the_dot_must_be_there() -> None:
    """`. - tight` without a column tight is refused, as R does."""
    with pytest.raises(DataError) as caught:
        read("y ~ . - tigth").bind(["y", "x", "tight"])
    assert str(caught.value) == CORRECTED


def test_all_columns_that_are_read_are_listed() -> None:
    """variables() lists each column once: response, fixed terms, offsets, random terms, grouping factors."""
    ir = read("log(y) ~ a*x + offset(log(n)) + (poly(z, 2) | g/h)")
    assert [variable.name for variable in ir.variables()] == ["y", "a", "x", "n", "z", "h", "g"]
    assert ir.source[ir.variables()[-1].span.start] == "g"


@pytest.mark.parametrize(
    ("old", "change", "new"),
    [
        ("y ~ x + z", ". ~ . - x", "y ~ z"),
        ("y ~ x + (x | g)", ". ~ . + z + (1 | h)", "y ~ x + z + (x | g) + (1 | h)"),
        ("y ~ x + (x | g) + (1 | h)", ". ~ . - (x | g)", "y ~ x + (1 | h)"),
        ("y ~ x + (x || g)", ". ~ . - (0 + x | g)", "y ~ x + (1 | g)"),
        ("y ~ x + (1 | a/b)", ". ~ . - (1 | a/b) + (x | a)", "y ~ x + (x | a)"),
        ("y ~ a*b", ". ~ . - a:b", "y ~ a + b"),
        ("y ~ a + b", ". ~ .^2", "y ~ a + b + a:b"),
        ("y ~ x", "log(.) ~ .", "log(y) ~ x"),
        ("y ~ x", "~ . + z", "y ~ x + z"),
        ("y ~ 0 + x", ". ~ . + z", "y ~ 0 + x + z"),
        ("y ~ 0 + x", ". ~ . + 1", "y ~ x"),
        ("y ~ x + offset(z)", ". ~ . - offset(z)", "y ~ x"),
        ("cbind(s, f) ~ x", ". ~ 1", "cbind(s, f) ~ 1"),
        (
            "y ~ x\nb ~ normal(0, 1)",
            ". ~ . + z; sd ~ exponential(1)",
            "y ~ x + z\nb ~ normal(0, 1)\nsd ~ exponential(1)",
        ),
    ],
)
def test_update_edits_a_model(old: str, change: str, new: str) -> None:
    """Dots stand for the old sides, as in R's update(); random-effects terms are added and removed like any other."""
    ir = replace(read(old), family=Family("poisson", "log"))
    updated = update(ir, change)
    assert str(updated) == new
    assert updated.family == Family("poisson", "log")


def test_update_says_what_is_wrong_in_the_new_formula() -> None:
    """An error of the result shows the result."""
    with pytest.raises(FormulaError, match="no function `lgo`"):
        update(read("y ~ x"), ". ~ lgo(x)")


def test_priors_are_read_with_their_numbers() -> None:
    """A statement becomes a target with canonical selectors, a distribution and numbers."""
    ir = read("y ~ x; sd[ 'my g' , I( x^2 ) ] ~ student_t(3, -1/2, 2^2)")
    assert ir.priors == (Prior(PriorTarget("sd", ("my g", "I(x^2)")), "student_t", (3.0, -0.5, 4.0)),)
    assert str(ir.priors[0]) == 'sd["my g", "I(x^2)"] ~ student_t(3, -0.5, 4)'
    assert lower_priors(()) == ()


def test_every_distribution_of_the_language_is_known_to_stan() -> None:
    """The names that parse are those the Stan side has a table for, with as many numbers."""
    names = {name: stan_priors.ALIASES.get(name, name) for name in DISTRIBUTIONS}
    assert {**stan_priors.DISTRIBUTIONS, **stan_priors.ALIASES}.keys() == names.keys()
    for name, stan_name in names.items():
        assert len(stan_priors.DISTRIBUTIONS[stan_name].arguments) == len(DISTRIBUTIONS[name]), name


def broken(change: dict[str, Any]) -> dict[str, Any]:
    """Return a dict that to_dict() made, damaged."""
    encoded = read("y ~ log(x) + (1 | g); b ~ normal(0, 1)").to_dict()
    return json.loads(json.dumps(encoded)) | change


@pytest.mark.parametrize(
    "encoded",
    [
        {},
        broken({"version": 99}),
        broken({"response": {"kind": "value", "expressions": []}}),
        broken({"response": {"kind": "value", "expressions": [{"apply": "system", "arguments": [], "keywords": []}]}}),
        broken({"offsets": [{"apply": "exec", "arguments": [{"variable": "x"}], "keywords": [], "package": ""}]}),
        broken({"offsets": [{"constant": 1, "type": "eval", "text": ""}]}),
        broken({"offsets": [{"variable": 1}]}),
        broken({"random": [{"intercept": True, "terms": [], "group": [], "name": "", "structure": "us"}]}),
        broken({"random": None}),
        broken({"fixed": {"intercept": 1, "terms": [], "pending": None}}),
        broken({"family": "gaussian"}),
        broken({"priors": [{"parameter": "b"}]}),
    ],
)
def test_a_dict_that_is_no_model_is_refused(encoded: dict[str, Any]) -> None:
    """from_dict() reads what to_dict() wrote and nothing else; no function comes in that a formula can't call."""
    with pytest.raises(FormulaError):
        ModelIR.from_dict(encoded)


DEEP: dict[str, Any] = {"variable": "x"}
for _ in range(5_000):
    DEEP = {"apply": "+", "arguments": [DEEP, {"variable": "z"}], "keywords": [], "package": ""}

CONSTANT = {"constant": "2", "type": "float", "text": "z"}
POLY = {"apply": "poly", "arguments": [{"variable": "x"}, CONSTANT], "keywords": [], "package": ""}
GROUPED = {"intercept": True, "terms": [], "group": ["g"], "name": "", "structure": "us", "homogeneous": False}


@pytest.mark.parametrize(
    ("encoded", "hint"),
    [
        (broken({"offsets": [{"variable": ""}]}), "no formula says what it does: "),
        (broken({"offsets": [POLY]}), "no formula says what it does"),
        (broken({"offsets": [{**POLY, "package": "os"}]}), "no formula says what it does: there is no function `os::"),
        (broken({"random": [{**GROUPED, "name": "h"}]}), "no formula says what it does"),
        (broken({"random": [{**GROUPED, "homogeneous": True}]}), "no formula says what it does"),
        (broken({"random": [{**GROUPED, "group": ["g", "g"]}]}), "no formula says what it does"),
        (broken({"fixed": {"intercept": True, "terms": [[]], "pending": None}}), "no formula says what it does"),
        (broken({"offsets": [DEEP]}), "a part of it is not what it should be"),
        (broken({"offsets": [{"constant": 10**400, "type": "float", "text": ""}]}), "a part of it is not what it"),
        ({"version": 1}, "there is no 'fixed', or not this one"),
        ([1], "it is a list, not a dictionary"),
    ],
)
def test_a_dict_can_do_nothing_that_a_formula_can_not(encoded: Any, hint: str) -> None:
    """Its text must read back as the same model; so no limit and no check of the language can be gone around."""
    with pytest.raises(FormulaError) as caught:
        ModelIR.from_dict(encoded)
    assert caught.value.message == "this is no model that to_dict() made"
    assert caught.value.hint.startswith(hint)


def test_a_dot_bound_to_columns_reads_back_with_its_labels() -> None:
    """`(a + b):x + .` once was written so that a:x came back as x:a."""
    ir = read("y ~ (a + b):x + .").bind(["y", "x", "z", "b", "a"])
    assert [term.label for term in read(str(ir)).fixed.terms] == [term.label for term in ir.fixed.terms]


SLOPES = r"""
\begin{aligned}
\text{Reaction}_i &=
\beta_{0} + \beta_{1} \, \text{Days}_i + u_{0, \text{Subject}[i]} + u_{1, \text{Subject}[i]} \, \text{Days}_i
+ \varepsilon_i \\
\begin{pmatrix} u_{0, j} \\ u_{1, j} \end{pmatrix} &\sim
\mathcal{N}\left(0, \begin{pmatrix} \tau_{0}^2 & \rho_{01} \tau_{0} \tau_{1} \\
\rho_{01} \tau_{1} \tau_{0} & \tau_{1}^2 \end{pmatrix}\right), \quad j = 1, \dots, J_{\text{Subject}} \\
\varepsilon_i &\sim \mathcal{N}\left(0, \sigma^2\right) \\
\sigma &\sim \text{exponential}(0.1)
\end{aligned}
"""


def test_the_model_in_mathematics() -> None:
    """The whole LaTeX of one random intercept and slope."""
    ir = read("Reaction ~ Days + (Days | Subject); sigma ~ exponential(0.1)")
    assert ir.latex().split() == SLOPES.split()


@pytest.mark.parametrize(
    ("formula", "part"),
    [
        ("y ~ `a_b%` + (1 | g)", r"{\text{`a}\_\text{b}\%\text{`}}_i"),
        ("y ~ a:b + (1 | g)", r"\beta_{1} \, \text{a}_i \cdot \text{b}_i"),
        ("y ~ offset(z)", r"\beta_{0} + \text{z}_i + \varepsilon_i"),
        ("y ~ 1 + (1 | g) + (1 | h)", r"u^{(2)}_{0, j} &\sim \mathcal{N}\left(0, \left(\tau^{(2)}_{0}\right)^2\right)"),
        ("y ~ 1 + diag(x | g)", r"\begin{pmatrix} \tau_{0}^2 & 0 \\ 0 & \tau_{1}^2 \end{pmatrix}"),
        (
            "y ~ 1 + cs(x | g, hom = TRUE)",
            r"\begin{pmatrix} \tau^2 & \rho \tau^2 \\ \rho \tau^2 & \tau^2 \end{pmatrix}",
        ),
        ("y ~ 1 + ar1(x + z | g)", r"\rho^2 \tau^2"),
        ("y ~ 1 + (a + b + c | g)", r"\mathcal{N}\left(0, \Sigma\right)"),
    ],
)
def test_parts_of_the_mathematics(formula: str, part: str) -> None:
    """Names are escaped, structures written out, many coefficients a symbol."""
    assert part in read(formula).latex()
