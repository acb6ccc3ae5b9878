"""What one result can do the others can, or say in a sentence why not."""

import inspect
import re
from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Any

import pytest

import lmmformula as lf
from corpus import dataset
from lmmformula.api.methods.abilities import ABILITIES, RESULTS, lacking

pytestmark = pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")

CLASSES = {name: getattr(lf, name) for name in RESULTS}


@cache
def result(name: str) -> Any:
    """Make a result of each kind."""
    formula, data = "y ~ x + (1 | g)", dataset("toy")
    if name == "LinearMixedFit":
        return lf.lmer(formula, data)
    if name == "GeneralizedMixedFit":
        return lf.Model(formula, data, loglik_weights=[1.0] * len(data)).fit()
    return lf.Model(formula, data).sample(chains=1, draws=20, warmup=50, seed=1, progress=False)


def public(cls: type) -> set[str]:
    """Names of methods."""
    return {n for n in dir(cls) if not n.startswith("_") and isinstance(inspect.getattr_static(cls, n), FunctionType)}


def arguments(cls: type, method: str) -> set[str]:
    """Names of a method's arguments."""
    return set(inspect.signature(getattr(cls, method)).parameters) - {"self"}


METHODS = sorted(set().union(*map(public, CLASSES.values())))


@pytest.mark.parametrize("name", RESULTS)
@pytest.mark.parametrize("method", METHODS)
def test_each_method_is_there_or_the_table_says_why_not(method: str, name: str) -> None:
    """A sentence and what there is instead; so is each argument that a sibling has."""
    ability, there = lacking(name, method), method in public(CLASSES[name])
    assert there or ability is not None
    if ability is not None or not there:
        return
    siblings = [cls for other, cls in CLASSES.items() if method in public(cls) and lacking(other, method) is None]
    missing = set().union(*(arguments(cls, method) for cls in siblings)) - arguments(CLASSES[name], method)
    for argument in missing:
        assert lacking(name, f"{method}({argument})") is not None, argument
        with pytest.raises(lf.FitError) as refused:
            getattr(result(name), method)(**{argument: None})
        assert not isinstance(refused.value, TypeError)
        assert refused.value.hint


@pytest.mark.parametrize("what", ABILITIES)
def test_the_table_is_true(what: str) -> None:
    """What a result has it does not refuse; what it lacks it refuses by the sentence of the table."""
    ability, (method, argument) = ABILITIES[what], re.fullmatch(r"(\w+)(?:\((\w+)\))?", what).groups()  # type: ignore[union-attr]
    assert ability.results
    assert set(ability.results) < set(RESULTS)
    assert ability.why
    assert ability.instead
    for name in RESULTS:
        if name in ability.results:
            assert hasattr(CLASSES[name], method) or hasattr(result(name), method)
            assert argument is None or argument in arguments(CLASSES[name], method)
            continue
        given = {} if argument is None else {argument: True}
        with pytest.raises(lf.FitError) as refused:
            _ = getattr(result(name), method)(**given)
        if argument != "influence":  # whose methods say it of themselves
            assert refused.value.message == ability.said(result(name))
            assert refused.value.hint == ability.instead


CALLS: dict[str, Callable[[Any], object]] = {
    "anova": lambda fit: fit.anova(ddf="asymptotic", refit=False, names=None),
    "contrast": lambda fit: fit.contrast("x", ddf="asymptotic", adjust="none"),
    "linear_hypothesis": lambda fit: fit.linear_hypothesis("x", ddf="asymptotic"),
    "drop1": lambda fit: fit.drop1(test="lrt", ddf="asymptotic"),
    "tidy": lambda fit: fit.tidy(method="wald", ddf="asymptotic"),
    "summary": lambda fit: fit.summary(ddf="asymptotic"),
    "augment": lambda fit: fit.augment(influence=False),
    "predict": lambda fit: fit.predict(scale="response", interval="prediction", se_fit=True),
    "r2": lambda fit: fit.r2(method="delta"),
    "icc": lambda fit: fit.icc("g", method="delta"),
    "refit": lambda fit: fit.refit(fit.simulate(1, seed=1).iloc[:, 0]),
}


@pytest.mark.parametrize("call", CALLS)
def test_fits_answer_the_same_calls(call: str) -> None:
    """With the same arguments, of which some have one value alone in other families than the gaussian."""
    kinds = {type(CALLS[call](result(name))) for name in RESULTS[:2]}
    assert len(kinds) == 1 or call == "refit"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda fit: fit.anova(ddf="kenward-roger"), "Kenward-Roger's .* are of gaussian models"),
        (lambda fit: fit.contrast("x", ddf="satterthwaite"), "are of gaussian models"),
        (lambda fit: fit.power("x", test="t"), "t tests are of gaussian models"),
        (lambda fit: fit.tidy(ddf="nothing"), "ddf='nothing' is not known"),
        (lambda fit: fit.variance_vcov(), "the covariance of variance parameters is computed for gaussian models"),
    ],
)
def test_values_of_gaussian_models_are_refused(call: Callable[[Any], object], message: str) -> None:
    """In words, where an argument has them for gaussian models alone."""
    with pytest.raises(lf.FitError, match=message):
        call(result("GeneralizedMixedFit"))


def test_effects_of_levels_have_covariances_in_draws_too() -> None:
    """`ranef(condvar=True)` of a posterior has those of the draws."""
    posterior = result("Posterior")
    modes, V = posterior.ranef(condvar=True)
    draws = posterior.draws.modes[0].reshape(-1, len(modes["g"]))
    assert V["g"].shape == (len(modes["g"]), 1, 1)
    assert V["g"][:, 0, 0] == pytest.approx(draws.var(axis=0, ddof=1))
