"""Words of other packages, as arguments, attributes and functions, are answered with ours."""

import copy
import inspect
import pickle
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

import lmmformula as lf
from corpus import dataset
from lmmformula.newcomers import ARGUMENTS, ATTRIBUTES, FUNCTIONS

pytestmark = pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")

FORMULA = "y ~ x + (1 | g)"


def model() -> lf.Model:
    """Make a small model."""
    return lf.Model(FORMULA, dataset("toy"))


@cache
def fit() -> Any:
    """Fit it."""
    return model().fit()


@cache
def posterior() -> Any:
    """Sample it."""
    return model().sample(chains=1, draws=20, warmup=50, seed=1, progress=False)


ARGUMENT: dict[str, tuple[Callable[[], object], str, str]] = {
    "ziformula": (lambda: lf.Model(FORMULA, dataset("toy"), ziformula="~ 1"), "Model()", "zero_inflated_poisson"),
    "REML": (lambda: lf.lmer(FORMULA, dataset("toy"), REML=False), "lmer()", "reml="),
    "nAGQ": (lambda: lf.glmer(FORMULA, dataset("toy"), family="poisson", nAGQ=9), "glmer()", "nagq="),
    "subset": (lambda: lf.Model(FORMULA, dataset("toy"), subset="x > 0"), "Model()", "part of the data frame"),
    "control": (lambda: lf.lmer(FORMULA, dataset("toy"), control=1), "lmer()", "settings="),
    "groups": (lambda: lf.Model("y ~ x", dataset("toy"), groups="g"), "Model()", "(x | group)"),
    "prior": (lambda: lf.Model(FORMULA, dataset("toy"), prior="b ~ normal(0, 1)"), "Model()", "priors="),
    "cores": (lambda: model().sample(cores=4), "sample()", "parallel_chains="),
    "iter": (lambda: model().sample(iter=2000), "sample()", "warmup= and draws="),
    "alpha": (lambda: fit().confint(alpha=0.05), "confint()", "level="),
    "re_form": (lambda: fit().predict(re_form=None), "predict()", 'random="conditional" or "population"'),
    "start": (lambda: model().sample(start=[1.0]), "sample()", "warm_start=False"),
    "parm": (lambda: fit().confint(parm="x"), "confint()", "parameters="),
    "test": (lambda: lf.anova(fit(), test="Chisq"), "anova()", "likelihood ratios"),
    "type": (lambda: fit().residuals(type="pearson"), "residuals()", "kind="),
    "wieghts": (lambda: lf.Model(FORMULA, dataset("toy"), wieghts="w"), "Model()", "did you mean weights=?"),
    "seeds": (lambda: fit().simulate(seeds=1), "simulate()", "did you mean seed=?"),
    "kinds": (lambda: posterior().ranef(kinds=1), "ranef()", "it has"),
}


@pytest.mark.parametrize("name", ARGUMENT)
def test_arguments_of_other_packages(name: str) -> None:
    """The error names the function and the argument, says what to write, and is a TypeError, too."""
    call, where, hint = ARGUMENT[name]
    with pytest.raises(lf.LmmFormulaError) as caught:
        call()
    assert isinstance(caught.value, TypeError)
    assert caught.value.message == f"{where} has no argument '{name}'"
    assert hint in caught.value.hint


def test_arguments_that_are_missing_or_too_many() -> None:
    """They are counted as Python does, and said in one sentence."""
    for call in (lambda: lf.Model(FORMULA), lambda: lf.Model(FORMULA, dataset("toy"), "poisson")):  # type: ignore[call-arg, misc]
        with pytest.raises(
            lf.LmmFormulaError, match=r"(?s)Model\(\): .* argument.*it takes spec, data, family"
        ) as caught:
            call()
        assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize(
    ("of", "name", "ours"),
    [
        (fit, "VarCorr", "varcorr"), (fit, "isSingular", "is_singular"), (fit, "logLik", "loglik"), (fit, "AIC", "aic"),
        (fit, "params", "fixef"), (fit, "resid", "residuals()"), (fit, "conf_int", "confint()"),
        (fit, "bse", "std_errors"), (fit, "random_effects", "ranef()"), (fit, "formula", "ir.formula"),
        (posterior, "samples", "draws"), (posterior, "waic", "loo()"), (posterior, "conf_int", "confint()"),
        (model, "VarCorr", "fit().varcorr"), (model, "predict", "fit().predict()"), (model, "stancode", "stan().code"),
        (model, "rhat", "sample().diagnostics()"), (model, "mcmc", "sample()"),
    ],
)  # fmt: skip
def test_attributes_of_other_packages(of: Callable[[], Any], name: str, ours: str) -> None:
    """The error says where it is here, and is an AttributeError, so that the attribute isn't there."""
    with pytest.raises(lf.LmmFormulaError, match=f"has no '{name}'") as caught:
        getattr(of(), name)
    assert isinstance(caught.value, AttributeError)
    assert caught.value.hint == f"it is .{ours}"
    assert not hasattr(of(), name)


def test_functions_count_their_arguments() -> None:
    """Those of the package do, as methods do."""
    for call in (lf.anova, lf.load, lambda: lf.compare(fit()), lambda: lf.power(fit())):  # type: ignore[call-arg]
        with pytest.raises(lf.LmmFormulaError, match="missing a required argument") as caught:
            call()
        assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize("formula", ["y ~ x + (1 | g", "y ~ s(x)", "y ~ nothing + (1 | g)"])
def test_faults_of_a_formula_have_short_traces(formula: str) -> None:
    """The user's line and the function called: what is between says nothing of the formula."""
    with pytest.raises(lf.LmmFormulaError) as caught:
        lf.Model(formula, dataset("toy"))
    assert len(caught.traceback) <= 3


def test_what_a_mode_has_not_sampling_has() -> None:
    """A mode says where its own numbers are, and that whatever needs a spread is the posterior's."""
    mode = model().optimize(seed=1)
    for name, ours in (("params", "fixef"), ("emmeans", "sample().emmeans()"), ("conf_int", "sample().confint()")):
        with pytest.raises(lf.LmmFormulaError) as caught:
            getattr(mode, name)
        assert caught.value.hint == f"it is .{ours}"


def test_misspelt_and_unknown_attributes() -> None:
    """A near name is proposed; where there is none, nothing is."""
    with pytest.raises(AttributeError, match=r"(?s)has no 'summry'.*did you mean \.summary\(\)\?"):
        _ = fit().summry
    with pytest.raises(lf.LmmFormulaError) as caught:
        _ = fit().qqq
    assert not caught.value.hint


def test_functions_of_other_packages() -> None:
    """Of the package itself, too."""
    hints = {
        "brm": "there is Model(...).sample()",
        "glmr": "did you mean glmer?",
        "VarCorr": "a fit has it: fit.varcorr",
        "poisson": 'there is a text: family="binomial(probit)", of Model() and glmer()',
        "qqq": "",
    }
    for name, hint in hints.items():
        with pytest.raises(lf.LmmFormulaError) as caught:
            getattr(lf, name)
        assert isinstance(caught.value, AttributeError)
        assert caught.value.hint == hint


def test_an_attribute_that_fails_keeps_its_own_error() -> None:
    """What goes wrong inside a property isn't taken for a missing one."""
    made = copy.copy(fit())
    object.__setattr__(made, "design", None)
    made.__dict__.pop("vcov", None)
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'fixed_names'"):
        _ = made.vcov


def test_what_answers_is_what_it_was() -> None:
    """Names, signatures and texts of methods stay; results are still copied and pickled."""
    assert list(inspect.signature(lf.Model.fit).parameters)[:3] == ["self", "reml", "nagq"]
    assert lf.LinearMixedFit.confint.__doc__.strip().startswith("Return intervals")
    assert copy.deepcopy(fit()).fixef.equals(fit().fixef)
    assert pickle.loads(pickle.dumps(fit())).fixef.equals(fit().fixef)  # noqa: S301 (our own)


def test_the_tables_name_what_there_is() -> None:
    """Every attribute and function that is proposed exists, and no word in a table is one of ours."""
    objects = (fit(), posterior(), model(), fit().emmeans("x"))
    for word, path in ATTRIBUTES.items():
        first = path.partition(".")[0].removesuffix("()")
        assert any(hasattr(one, first) for one in objects), word
    for instead in FUNCTIONS.values():
        assert instead.startswith("a text") or hasattr(lf, instead.partition("(")[0])
    ours = set(inspect.signature(lf.Model).parameters) | set(inspect.signature(lf.Model.sample).parameters)
    assert not ours & set(ARGUMENTS)


PUBLIC = [name for name in lf.__all__ if callable(getattr(lf, name)) and not name.endswith(("Error", "Warning"))]


@pytest.mark.parametrize("name", PUBLIC)
def test_what_is_called_wrongly_says_what_it_takes(name: str) -> None:
    """Without its arguments, and with one that it doesn't have, each function and class answers in our words."""
    called = getattr(lf, name)
    for arguments in ({}, {"wibble": 1}):
        with pytest.raises(lf.LmmFormulaError) as caught:
            called(**arguments)
        assert name in ("criteria", str(caught.value).partition("(")[0])
        assert caught.value.hint or name == "criteria"


WRONGLY: dict[str, tuple[Callable[[], object], str]] = {
    "a class that is made by others": (lambda: lf.LinearMixedFit("y ~ x"), "is made by lmer() or Model(...).fit()"),
    "a fit twice": (lambda: lf.Comparison(fit(), fit()), "compare needs a Posterior"),
    "a decorator": (lambda: lf.register("half"), "register(): missing a required argument: 'function'"),
    "no name of contrasts": (lambda: lf.Contrast(dataset("toy")), "is no kind of contrasts"),
    "the level's name": (lambda: lf.Contrast("treatment", base="b"), "relevel(f, ref = 'b')"),
    "R's word for it": (lambda: lf.Contrast("treatment", ref="b"), "it is base="),
    "no number": (lambda: lf.Contrast("poly", how_many="2"), "how_many is their number"),
    "emmeans' contrast": (lambda: fit().emmeans("x").contrast("pairwise"), "it is .pairs()"),
    "emmeans' method": (lambda: fit().emmeans("x").pairs(method="tukey"), "comparisons adjust= of pairs()"),
    "a table's data": (lambda: fit().anova().data, "it is .frame"),
    "computed weights": (lambda: lf.Model(FORMULA, dataset("toy"), weights="1/x"), "compute it first"),
    "text joined by &": (lambda: lf.Model("y ~ I(f2 & f3)", dataset("toy")), "an interaction is f1:f2"),
    "a prior of nothing": (
        lambda: lf.Model(FORMULA, dataset("toy"), priors="~ normal(0, 1)"),
        "say what has this prior",
    ),
    "a group by another name": (lambda: fit().ranef()["G"], "did you mean 'g'?"),
    "emmeans' formula": (lambda: fit().emmeans("pairwise ~ x"), ".pairs()"),
    "all arguments by name": (lambda: model().fit("ml"), "it takes reml=, "),
    "none at all": (lambda: fit().ranova("x"), "it takes no argument"),
    "a data set": (lf.datasets.load, "load(): missing a required argument: 'name'"),
}


@pytest.mark.parametrize("what", WRONGLY)
def test_constructors_and_tables_answer_too(what: str) -> None:
    """No TypeError or AttributeError of Python's where ours can say what is meant."""
    call, said = WRONGLY[what]
    with pytest.raises(lf.LmmFormulaError) as caught:
        call()
    assert said in str(caught.value)
