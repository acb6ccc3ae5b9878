"""Likelihood ratio tests against R's: between fits, of fixed terms, and of random terms."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2

import lmmformula as lf
from corpus import dataset, records
from fits import fit_of
from lmmformula.inference.tests.likelihood_ratio import compare_fits, drop_fixed_terms, reduce_random_terms


def agrees(frame: Any, table: dict[str, Any], columns: dict[str, str]) -> None:
    """Compare columns of a frame with those of R's table."""
    for ours, theirs in columns.items():
        known = np.array(table[theirs], float)
        tolerance = {"rtol": 1e-5} if ours == "p_value" else {"rtol": 1e-6, "atol": 1e-6}
        np.testing.assert_allclose(frame[ours].to_numpy(float), known, **tolerance, err_msg=ours)


COMPARISONS = [(about, reml) for about in records("lrt") for reml in (True, False) if reml or not about["REML"]]


@pytest.mark.parametrize(
    ("about", "reml"), COMPARISONS, ids=lambda value: value["id"] if isinstance(value, dict) else ""
)
def test_comparisons_are_lme4s(about: dict[str, Any], *, reml: bool) -> None:
    """`anova(m0, m1)`: of ML fits, of REML fits fitted again, and of restricted likelihoods, given in any order."""
    formulas = about.get("formulas") or [about["formula0"], about["formula1"]]
    fits = [lf.lmer(formula, dataset(about["dataset"]), reml=reml) for formula in formulas]
    table = compare_fits(fits[::-1], refit=not about["REML"])
    columns = {"npar": "npar", "aic": "AIC", "bic": "BIC", "loglik": "logLik", "deviance": "deviance"}
    agrees(table.frame, about["table"], columns | {"chisq": "Chisq", "df": "Df", "p_value": "Pr(>Chisq)"})
    said = "fitted again by ML" if reml and not about["REML"] else "restricted" if about["REML"] else "tests"
    assert said in table.title


@pytest.mark.parametrize("about", records("ranova"), ids=lambda about: about["id"])
def test_reduced_random_terms_are_lmertests(about: dict[str, Any]) -> None:
    """`ranova`: names of what is left out, likelihoods and tests."""
    table = reduce_random_terms(fit_of(about["fit_id"]))
    assert list(table.frame.index) == about["table"]["rows"]
    columns = {"npar": "npar", "loglik": "logLik", "aic": "AIC", "lrt": "LRT", "df": "Df", "p_value": "Pr(>Chisq)"}
    agrees(table.frame, about["table"], columns)
    assert "boundary" in table.notes[0]


@pytest.mark.parametrize("about", records("drop1"), ids=lambda about: about["id"])
def test_dropped_fixed_terms_are_lme4s(about: dict[str, Any]) -> None:
    """`drop1(test = "Chisq")`: what is dropped, AIC and tests."""
    table = drop_fixed_terms(fit_of(about["fit_id"]))
    assert list(table.frame.index) == about["table"]["rows"]
    agrees(table.frame, about["table"], {"df": "npar", "aic": "AIC", "lrt": "LRT", "p_value": "Pr(Chi)"})


REDUCTIONS = {
    "y ~ x + (x * z | g)": {"x:z in (x * z | g)": 4},
    "y ~ x + (x + z | g)": {"x in (x + z | g)": 3, "z in (x + z | g)": 3},
    "y ~ x + (0 + f3 | g)": {"f3 in (0 + f3 | g)": 5},
    "y ~ x + (0 + x + z | g)": {"x in (0 + x + z | g)": 2, "z in (0 + x + z | g)": 2},
    "y ~ x + (1 | g) + (1 | h)": {"(1 | g)": 1, "(1 | h)": 1},
}


@pytest.mark.parametrize("formula", REDUCTIONS)
def test_rules_of_reduction(formula: str) -> None:
    """Slopes go one by one, none before an interaction that holds it; the last one leaves an intercept behind."""
    frame = reduce_random_terms(lf.lmer(formula, dataset("toy"))).frame
    found = frame["df"].iloc[1:].astype(int).to_dict()
    assert {name.replace("x + z + x:z", "x * z"): df for name, df in found.items()} == REDUCTIONS[formula]


def test_reductions_of_a_single_term_end_in_a_linear_model() -> None:
    """Without its only random term the model is fitted by least squares, and its restricted likelihood compares."""
    data = dataset("Dyestuff2")
    frame = reduce_random_terms(lf.lmer("Yield ~ 1 + (1 | Batch)", data)).frame
    assert frame["lrt"].iloc[1] == pytest.approx(0, abs=1e-8)
    assert frame["p_value"].iloc[1] == pytest.approx(1)


def test_a_linear_model_compares_with_a_mixed_one() -> None:
    """Least squares counts as the ML fit that it is beside ML fits, and as REML beside REML fits."""
    data = dataset("Dyestuff")
    mixed, plain = (lf.lmer(formula, data) for formula in ("Yield ~ 1 + (1 | Batch)", "Yield ~ 1"))
    by_ml = compare_fits([plain, mixed]).frame
    ml = lf.lmer("Yield ~ 1 + (1 | Batch)", data, reml=False)
    np.testing.assert_allclose(by_ml["loglik"], [plain.loglik, ml.loglik])
    restricted = compare_fits([plain, mixed], refit=False).frame
    np.testing.assert_allclose(restricted["loglik"], [-plain.reml_criterion / 2, mixed.loglik])


def refusals() -> dict[str, tuple[list[lf.LinearMixedFit], bool, str]]:
    """Comparisons that mean nothing."""
    toy, with_gaps = dataset("toy"), dataset("toy_na")
    one = lf.lmer("y ~ x + (1 | g)", toy)
    return {
        "one fit": ([one], True, "at least two"),
        "other rows": ([one, lf.lmer("y ~ x + (1 | g)", toy.iloc[:200])], True, "240 rows and model 2 to 200"),
        "missing values": (
            [lf.lmer(f"y ~ {x} + (1 | g)", with_gaps) for x in ("1", "x")], True, "rows and model 2 to",
        ),
        "other response": ([one, lf.lmer("I(2 * y) ~ x + (1 | g)", toy)], True, "different responses"),
        "other weights": ([one, lf.Model("y ~ x + (1 | g)", toy, weights="w").fit()], True, "different weights"),
        "other fixed effects by REML": ([one, lf.lmer("y ~ z + (1 | g)", toy)], False, "different fixed effects"),
        "REML beside ML": ([one, lf.lmer("y ~ x + (1 | h)", toy, reml=False)], False, "REML and ML"),
    }  # fmt: skip


@pytest.mark.parametrize("case", refusals())
def test_likelihoods_that_do_not_compare_are_refused(case: str) -> None:
    """Different rows, responses, weights, and restricted likelihoods of different fixed effects."""
    fits, refit, message = refusals()[case]
    with pytest.raises(lf.FitError, match=message):
        compare_fits(fits, refit=refit)


def test_a_linear_model_has_no_random_terms_to_reduce() -> None:
    """The message says so."""
    with pytest.raises(lf.FitError, match="no random terms"):
        reduce_random_terms(lf.lmer("y ~ x", dataset("toy")))


def test_dropping_a_factor_codes_the_others_anew() -> None:
    """Without an intercept, the factor that is left takes all of its levels: R's rule, not a deletion of columns."""
    data = dataset("toy")
    frame = drop_fixed_terms(lf.lmer("y ~ 0 + f2 + f3 + (1 | g)", data, reml=False)).frame
    direct = lf.lmer("y ~ 0 + f3 + (1 | g)", data, reml=False)
    assert frame["aic"]["f2"] == pytest.approx(direct.aic)


def test_an_autoregression_is_one_parameter_more_than_an_intercept() -> None:
    """`(1 | g)` is the limit of a correlation of one; eight times add no further parameter."""
    data = dataset("sim_ar1")
    smaller, larger = (lf.lmer(f"y ~ x + {r}", data, reml=False) for r in ("(1 | id)", "ar1(0 + time | id)"))
    test = compare_fits([smaller, larger]).frame.iloc[1]
    ratio = 2 * (larger.loglik - smaller.loglik)
    assert (test["npar"], test["df"]) == (5, 1)
    assert test["p_value"] == pytest.approx(chi2.sf(ratio, 1))
    assert larger.aic - smaller.aic == pytest.approx(2 - ratio)
    reduced = reduce_random_terms(larger).frame
    assert (reduced["npar"].tolist(), reduced["df"].iloc[1]) == ([5, 4], 1)


def test_structures_in_a_generalised_fit_are_counted_by_their_parameters() -> None:
    """Two fixed effects, a standard deviation and a correlation."""
    data = dataset("sim_glmm")
    fit = lf.glmer("ypois ~ x + cs(0 + tr | grp, hom = TRUE)", data, family="poisson")
    assert fit.n_parameters == 4
    assert fit.aic == pytest.approx(8 - 2 * fit.loglik)
    smaller = lf.glmer("ypois ~ x + (1 | grp)", data, family="poisson")
    assert lf.anova(smaller, fit).frame["df"].iloc[1] == 1


@pytest.mark.parametrize("reml", [True, False])
def test_a_structured_model_is_never_below_one_that_it_contains(*, reml: bool) -> None:
    """Of several minima, one of them without a residual, the lowest is found, so that no ratio is negative."""
    data = dataset("sleepstudy").assign(f=lambda d: d["Days"].astype(str))
    fit = lf.lmer("Reaction ~ Days + ar1(0 + f | Subject) + (1 | Subject)", data, reml=reml)
    assert fit.converged
    assert (reduce_random_terms(fit).frame["lrt"].iloc[1:] > 0.1).all()
