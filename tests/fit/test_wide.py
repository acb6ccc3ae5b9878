"""Terms of very many coefficients: the same numbers by ways that need no k^4 of them, or a message before they do."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

import lmmformula as lf
from corpus import dataset
from lmmformula.fit.algebra import blocks, plan
from lmmformula.fit.moments import moments
from lmmformula.fit.search import start

CASES = {
    "us": ("Reaction ~ Days + (Days | Subject)", "sleepstudy"),
    "ar1": ("score ~ Machine + ar1(0 + Machine | Worker, hom = FALSE)", "Machines"),
    "cs": ("score ~ Machine + cs(0 + Machine | Worker, hom = TRUE)", "Machines"),
    "nested": ("yield ~ nitro + (1 | Block/Variety)", "Oats"),
    "crossed": ("rt ~ cond + (cond | subj) + (1 | item)", "sim_crossed"),
}


@pytest.mark.parametrize("case", CASES)
def test_both_ways_give_the_same_fit(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Criterion, uncertainty of the variances and the moments of Kenward and Roger, with every block called large."""
    formula, data = CASES[case]

    def found() -> list[Any]:
        fit = lf.lmer(formula, dataset(data))
        sums = moments(fit.design, fit.fit)
        return [np.array([fit.fit.criterion]), fit.fit.vcov, fit.variance_parameters.vcov, sums.U, sums.traces]

    usual = found()
    monkeypatch.setattr(blocks, "LARGE", 0)
    monkeypatch.setattr(start, "MAX_TABLE", 0)
    for one, other in zip(usual, found(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * np.abs(one).max())


def visits(times: int) -> dict[str, Any]:
    """Return three visits at each time in each of four groups."""
    rng = np.random.default_rng(0)
    n = 12 * times
    return {"y": rng.normal(size=n), "t": np.arange(n) // 12, "g": np.arange(n) % 4, "c": rng.poisson(2, n)}


def test_many_times_take_megabytes() -> None:
    """A table of k^4 numbers would be 190 MB, and a matrix for each parameter of an unstructured term as much."""
    model = lf.Model("y ~ 1 + ar1(t | g)", visits(70))
    tracemalloc.start()
    try:
        fit = model.fit()
        largest = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert fit.n_parameters == 4
    assert largest < 40e6


@pytest.mark.parametrize(("response", "family"), [("y", "gaussian"), ("c", "poisson")])
def test_a_matrix_that_does_not_fit_is_refused_by_its_size(
    response: str, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before memory is taken; the message has the number of parameters, and what has fewer."""
    monkeypatch.setattr(plan, "memory_share", lambda: 1e6)
    model = lf.Model(f"{response} ~ 1 + (0 + factor(t) | g)", visits(30), family=family)
    with pytest.raises(lf.LmmFormulaError, match="30 coefficients of 'g' has 465 parameters") as caught:
        model.fit()
    assert "ar1()" in str(caught.value)
