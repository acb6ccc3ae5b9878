"""What users pass by mistake: every method answers with a result or with one of our errors."""

import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf
from fits import posterior_of

WRONG: list[object] = [
    None, 0, -1, 1.5, float("nan"), 10**30, True, "", "nope", "~", "~ (1 |", b"x", object(), slice(1), print,
    [], [None], ["nope"], (1,), {}, {"nope": 1}, {"Type": "x"}, {None: 1}, np.array([1.0, 2.0]), np.eye(2),
    pd.Series([1, 2]), pd.DataFrame({"a": [1]}),
]  # fmt: skip
"""Nothing, numbers, texts, and containers of each kind."""

USUAL: dict[str, dict[str, Any]] = {
    "power": {"effect": "TypeT2", "n": 2, "progress": False},
    "bootstrap": {"n": 2, "progress": False},
    "emmeans": {"spec": "Type"},
    "slopes": {"variable": "Type"},
    "contrast": {"hypothesis": "TypeT2"},
    "linear_hypothesis": {"hypothesis": "TypeT2"},
    "refit": {"y": np.arange(36.0) ** 2 % 7},
}
"""Arguments without which a method says nothing."""

BOOTSTRAPPED: dict[str, Any] = {"method": "boot", "n": 2, "progress": False}
"""Those of a fit's `confint`: all of its arguments are then read."""

ELSEWHERE = {"plot", "save", "to_arviz", "to_xarray", "to_native", "loo", "waic", "to_netcdf", "draw"}
"""Methods of other tests: they draw, write files, or need a library or a generator of random numbers."""


def calls(of: type) -> Iterator[Any]:
    """List each method with each of its arguments."""
    for name in sorted(dir(of)):
        method = inspect.getattr_static(of, name)
        if name.startswith("_") or name in ELSEWHERE or not inspect.isfunction(method):
            continue
        for argument, about in list(inspect.signature(method).parameters.items())[1:]:
            if about.kind is not inspect.Parameter.VAR_KEYWORD and argument != "workers":
                yield pytest.param(
                    name, argument, about.kind is inspect.Parameter.VAR_POSITIONAL, id=f"{name}-{argument}"
                )


def answers(model: object, name: str, argument: str, *, several: bool) -> None:
    """Call a method with each wrong value in the place of an argument."""
    usual = BOOTSTRAPPED if not isinstance(model, lf.Posterior) and name == "confint" else USUAL.get(name, {})
    for value in WRONG:
        given = {**usual, **({} if several else {argument: value})}
        try:
            getattr(model, name)(*([value] if several else []), **given)
        except lf.LmmFormulaError as error:
            assert str(error)  # noqa: PT017 (any of our errors will do)


@pytest.fixture(scope="module")
def stool() -> lf.LinearMixedFit:
    """Return a fit of 36 rows."""
    return lf.lmer("effort ~ Type + (1 | Subject)", lf.datasets.load("ergoStool"))


@pytest.mark.filterwarnings("ignore::lmmformula.FitWarning")
@pytest.mark.parametrize(("name", "argument", "several"), list(calls(lf.LinearMixedFit)))
def test_a_fit_refuses_what_makes_no_sense(
    stool: lf.LinearMixedFit,
    name: str,
    argument: str,
    several: bool,  # noqa: FBT001 (a case)
) -> None:
    """No error of numpy, pandas or Python comes out of a method."""
    answers(stool, name, argument, several=several)


@pytest.fixture(scope="module")
def counts() -> lf.GeneralizedMixedFit:
    """Return a fit of another family, to as many rows with the same names."""
    data = lf.datasets.load("ergoStool").assign(effort=lambda frame: frame["effort"].astype(int))
    fit = lf.glmer("effort ~ Type + (1 | Subject)", data, family="poisson")
    assert isinstance(fit, lf.GeneralizedMixedFit)
    return fit


@pytest.mark.filterwarnings("ignore::lmmformula.FitWarning")
@pytest.mark.parametrize(("name", "argument", "several"), list(calls(lf.GeneralizedMixedFit)))
def test_a_fit_of_another_family_refuses_what_makes_no_sense(
    counts: lf.GeneralizedMixedFit,
    name: str,
    argument: str,
    several: bool,  # noqa: FBT001 (a case)
) -> None:
    """As a Gaussian one does."""
    answers(counts, name, argument, several=several)


def test_a_fit_of_another_family_takes_the_arguments_of_a_gaussian_one() -> None:
    """No method of the one raises a TypeError for an argument that the other has."""
    for name in dir(lf.LinearMixedFit):
        method, other = (inspect.getattr_static(of, name, None) for of in (lf.LinearMixedFit, lf.GeneralizedMixedFit))
        if not name.startswith("_") and inspect.isfunction(method):
            taken = inspect.signature(other).parameters
            if not any(about.kind is inspect.Parameter.VAR_KEYWORD for about in taken.values()):
                assert inspect.signature(method).parameters.keys() <= taken.keys(), name


@pytest.mark.filterwarnings("ignore::lmmformula.FitWarning")
@pytest.mark.parametrize(("name", "argument", "several"), list(calls(lf.Posterior)))
def test_a_posterior_refuses_what_makes_no_sense(name: str, argument: str, several: bool) -> None:  # noqa: FBT001
    """As a fit does."""
    answers(posterior_of("lmm-049r"), name, argument, several=several)


@pytest.mark.parametrize("value", WRONG, ids=lambda value: repr(value)[:20])
def test_what_is_no_fit_is_refused(stool: lf.LinearMixedFit, value: object) -> None:
    """By the functions that take fits."""
    for call in (
        lambda: lf.anova(stool, value),  # type: ignore[arg-type]
        lambda: lf.criteria(stool, value),  # type: ignore[arg-type]
        lambda: lf.power(value, "TypeT2"),  # type: ignore[arg-type]
    ):
        with pytest.raises(lf.FitError):
            call()


MESSAGES = [
    ("condvar", lambda fit: fit.ranef(condvar=np.eye(2)), "condvar is True or False"),
    ("n", lambda fit: fit.simulate(2.5), "n must be a whole number of at least 1, and 2.5 was given"),
    ("too many", lambda fit: fit.bootstrap(n=10**9), "n must be at most 10,000,000"),
    ("a statistic", lambda fit: fit.bootstrap("icc"), "a statistic is a function of a fit, not 'icc'"),
    ("parameters", lambda fit: fit.confint(3), "by a label or a list of labels, not by 3"),
    ("at", lambda fit: fit.emmeans("Type", at=[1]), r"at must be a mapping such as \{\"x\": \[0, 1\]\}"),
    ("assume", lambda fit: fit.power("TypeT2", assume={"sigma": "x"}), "assumed size of sigma must be a number"),
    ("n_groups", lambda fit: fit.power("TypeT2", n_groups=[6, 1]), "n_groups must be a whole number of at least 2"),
    ("group", lambda fit: fit.influence("Stool"), "'Stool' is not a grouping factor of the model"),
    ("workers", lambda fit: fit.profile(workers=0), "workers must be a whole number of at least 1"),
]


@pytest.mark.parametrize(("call", "message"), [pytest.param(*case[1:], id=case[0]) for case in MESSAGES])
def test_messages_say_what_is_wrong(stool: lf.LinearMixedFit, call: Any, message: str) -> None:
    """The argument, what it must be, and what was given."""
    with pytest.raises(lf.FitError, match=message):
        call(stool)
