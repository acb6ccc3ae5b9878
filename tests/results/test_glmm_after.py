"""After the fit of a generalised linear mixed model: tests, intervals, comparisons, what is printed."""

import pickle

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf
from corpus import dataset
from lmmformula.families.calculus.links import LINKS
from lmmformula.fit.glmm import fit_glmm
from lmmformula.inference.intervals.wald import own_bounds
from lmmformula.ir.family import Family

pytestmark = pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")
"""Few draws are enough for what is tested here."""

CBPP = "cbind(incidence, size - incidence) ~ period + (1 | herd)"

SUMMARY = """\
Generalized linear mixed model fit by maximum likelihood (Laplace Approximation) ['glmerMod']
 Family: binomial  ( logit )
Formula: cbind(incidence, size - incidence) ~ period + (1 | herd)
   Data: cbpp

     AIC      BIC   logLik deviance df.resid
   194.1    204.2    -92.0    184.1       51

Scaled residuals:
    Min      1Q  Median      3Q     Max
-2.3818 -0.7888 -0.2024  0.5146  2.8796

Random effects:
 Groups Name        Variance Std.Dev.
 herd   (Intercept) 0.4125   0.6423
Number of obs: 56, groups:  herd, 15

Fixed effects:
            Estimate Std. Error z value Pr(>|z|)
(Intercept)  -1.3985     0.2325  -6.016 1.79e-09
period2      -0.9923     0.3066  -3.236 0.001212
period3      -1.1287     0.3266  -3.455 0.000549
period4      -1.5803     0.4274  -3.697 0.000218

Correlation of Fixed Effects:
        (Intr) perid2 perid3
period2 -0.364
period3 -0.340  0.278
period4 -0.261  0.212  0.196"""


@pytest.fixture(scope="module")
def model() -> lf.Model:
    """The model of contagious bovine pleuropneumonia."""
    return lf.Model(CBPP, dataset("cbpp"), family="binomial")


@pytest.fixture(scope="module")
def fit(model: lf.Model) -> lf.GeneralizedMixedFit:
    """Its fit."""
    found = model.fit()
    assert isinstance(found, lf.GeneralizedMixedFit)
    return found


def test_bounds_of_what_is_not_known_at_all() -> None:
    """Counts without an excess of variance: their shape may be anything, and no warning of numpy says so."""
    assert own_bounds(LINKS["log"], 1e6, 1e12, 1.96) == (0.0, np.inf)
    low, high = own_bounds(LINKS["logit"], 1e-9, 1e-2, 1.96)
    assert (low, high) == pytest.approx((0.0, 1.0))


def test_the_summary(fit: lf.GeneralizedMixedFit) -> None:
    """The layout is lme4's."""
    assert "\n".join(line.rstrip() for line in str(fit).splitlines()) == SUMMARY
    assert fit.summary() == str(fit)


def test_the_brief_form_of_a_model_without_random_terms() -> None:
    """It is called a generalised linear model, and names its shape."""
    text = repr(lf.Model("ynb ~ x", dataset("sim_glmm"), family="negbinomial").fit())
    assert text.startswith("Generalized linear model fit by maximum likelihood\n Family: negbinomial  ( log )\n")
    assert "\nshape: " in text
    assert "Random effects" not in text


@pytest.mark.parametrize("show", ["_repr_html_", "to_markdown", "to_latex"])
def test_tables(fit: lf.GeneralizedMixedFit, show: str) -> None:
    """A notebook and a paper have the same numbers."""
    text = getattr(fit, show)()
    for number in ("0.6423", "0.00121", "194.0526"):
        assert number in text


def test_tidy(fit: lf.GeneralizedMixedFit) -> None:
    """The columns are those of a linear mixed model; tests are z tests."""
    linear = lf.lmer("Reaction ~ Days + (Days | Subject)", dataset("sleepstudy"))
    frame = fit.tidy(["fixed", "ran_pars", "ran_vals"])
    assert frame.columns.tolist() == linear.tidy(["fixed", "ran_pars", "ran_vals"]).columns.tolist()
    assert (
        fit.glance().columns.tolist() == linear.glance().rename(columns={"reml_criterion": "deviance"}).columns.tolist()
    )
    fixed = frame[frame["effect"] == "fixed"]
    np.testing.assert_allclose(fixed["statistic"], fit.fixef / fit.std_errors)
    assert np.isinf(fixed["df"]).all()
    assert fixed["p_value"].iloc[0] == pytest.approx(1.79e-9, rel=1e-2)
    assert frame["term"].tolist()[4:6] == ["sd__(Intercept)", "(Intercept)"]
    assert len(fit.augment()) == 56
    assert fit.augment()["scaled"].iloc[0] == pytest.approx(fit.residuals("pearson")[0])


def test_tidy_in_the_library_of_the_data() -> None:
    """Polars data give polars frames."""
    polars = pytest.importorskip("polars")
    data = polars.from_pandas(dataset("cbpp"))
    fit = lf.glmer(CBPP, data, family="binomial")
    assert isinstance(fit.tidy(), polars.DataFrame)
    assert isinstance(fit.tidy(frame="pandas"), pd.DataFrame)


def test_intervals(fit: lf.GeneralizedMixedFit) -> None:
    """Fixed effects have normal bounds, standard deviations normal ones of their logarithms."""
    found = fit.confint()
    low, high = found["period2"]
    assert (low + high) / 2 == pytest.approx(fit.fixef["period2"])
    assert (high - low) / 2 == pytest.approx(1.959964 * fit.std_errors["period2"])
    low, high = found["sd[herd, (Intercept)]"]
    assert np.sqrt(low * high) == pytest.approx(fit.varcorr["herd"].sds[0])
    assert fit.confint("ran_pars").labels == ("sd[herd, (Intercept)]",)
    assert fit.confint(["period3"], level=0.5).labels == ("period3",)


def test_standard_errors_of_variance_parameters_are_those_of_a_linear_mixed_model() -> None:
    """Of log y they are the same, whether by differences of Laplace's gradient or by exact second derivatives."""
    data = dataset("sleepstudy").assign(L=np.log(dataset("sleepstudy")["Reaction"]))
    linear = lf.Model("L ~ Days + (Days | Subject)", data).fit(reml=False).confint("ran_pars")
    fit = lf.Model("Reaction ~ Days + (Days | Subject)", data, family="lognormal").fit().confint("ran_pars")
    assert fit.labels == linear.labels
    np.testing.assert_allclose(fit.low, linear.low, rtol=1e-5)
    np.testing.assert_allclose(fit.high, linear.high, rtol=1e-5)


def test_intervals_of_probabilities_stay_between_0_and_1() -> None:
    """So do those of correlations between -1 and 1; at a boundary there are none."""
    formula = "SiblingNegotiation ~ FoodTreatment + offset(logBroodSize) + (1 | Nest)"
    fit = lf.glmer(formula, dataset("Owls"), family="zero_inflated_negbinomial")
    low, high = fit.confint()["zi"]
    assert 0 < low < fit.fit.parameters["zi"] < high < 1
    singular = lf.glmer("ybin ~ x * tr + (x | grp)", dataset("sim_glmm"), family="binomial")
    assert np.isnan(singular.confint()["cor[grp, (Intercept), x]"]).all()


def test_likelihood_ratios(model: lf.Model, fit: lf.GeneralizedMixedFit) -> None:
    """Fits are compared in the order of their size: chi-squared 25.61 on 3 degrees of freedom."""
    smaller = model.update(". ~ . - period").fit()
    table = fit.anova(smaller)
    assert table.frame.index.tolist() == ["model 2", "model 1"]
    assert table["chisq"].iloc[1] == pytest.approx(smaller.deviance - fit.deviance)
    assert table["df"].iloc[1] == 3
    assert str(lf.anova(fit, smaller)) == str(table)


def test_information_criteria() -> None:
    """Families of counts compare: likelihoods keep their constants."""
    data = dataset("sim_glmm")
    poisson, negbinomial = (lf.Model("ynb ~ x + (1 | grp)", data, family=f).fit() for f in ("poisson", "negbinomial"))
    table = lf.criteria(poisson=poisson, negbinomial=negbinomial).frame
    assert table["n_parameters"].tolist() == [3, 4]
    assert table.loc["negbinomial", "aic"] == pytest.approx(negbinomial.aic)
    assert table["delta_aic"].tolist()[1] == 0.0


def test_what_does_not_compare(fit: lf.GeneralizedMixedFit) -> None:
    """Other responses, and fits of other kinds."""
    other = lf.glmer("ypois ~ x + (1 | grp)", dataset("sim_glmm"), family="poisson")
    with pytest.raises(lf.FitError, match="different responses"):
        fit.anova(other)
    with pytest.raises(lf.FitError, match="a fit of another kind"):
        fit.anova(lf.lmer("Yield ~ 1 + (1 | Batch)", dataset("Dyestuff")))  # type: ignore[arg-type]


COMPARED = [
    (CBPP, "cbpp", "binomial"),
    ("ynb ~ x + (1 | grp)", "sim_glmm", "negbinomial"),
    ("yig ~ x + (x || grp)", "sim_glmm", "Gamma(log)"),
    ("ybeta ~ x + (1 | grp)", "sim_glmm", "beta"),
    ("Reaction ~ Days + (Days | Subject)", "sleepstudy", "lognormal"),
    ("Reaction ~ Days + (1 | Subject)", "sleepstudy", "student"),
    ("SiblingNegotiation ~ FoodTreatment + (1 | Nest)", "Owls", "zero_inflated_poisson"),
    ("ypois ~ x", "sim_glmm", "poisson"),
]


@pytest.mark.parametrize(("formula", "name", "family"), COMPARED, ids=[family for _, _, family in COMPARED])
def test_fit_and_posterior_side_by_side(formula: str, name: str, family: str) -> None:
    """One model, both fits: every parameter of the posterior has its estimate, and they are near each other."""
    model = lf.Model(formula, dataset(name), family=family)
    fit, posterior = model.fit(), model.sample(chains=2, warmup=300, draws=200, seed=3, progress=False)
    found = lf.compare(fit, posterior)
    assert (found.fixed["in_sds"].abs() < 1.0).all()
    assert (found.variance["in_sds"].abs() < 2.0).all()
    assert found.variance["estimate"].notna().all()
    assert np.isfinite(found.random.to_numpy()).all()
    assert " ".join(str(found).split()).startswith(f"Laplace's approximation beside the posterior of {formula}")
    assert "<table>" in found._repr_html_()


def test_models_that_do_not_compare(fit: lf.GeneralizedMixedFit) -> None:
    """A posterior of another family is refused."""
    other = lf.Model("incidence ~ period + (1 | herd)", dataset("cbpp"), family="poisson")
    posterior = other.sample(chains=1, warmup=100, draws=20, seed=3, progress=False)
    with pytest.raises(lf.FitError, match="different models"):
        lf.compare(fit, posterior)
    negbinomial = lf.Model("incidence ~ period + (1 | herd)", dataset("cbpp"), family="negbinomial").fit()
    with pytest.raises(lf.FitError, match="of the family negbinomial, the posterior of poisson"):
        lf.compare(negbinomial, posterior)


def test_quadrature(model: lf.Model, fit: lf.GeneralizedMixedFit) -> None:
    """It is named in the heading, refits are by quadrature too, and it does not compare with Laplace's method."""
    better = lf.glmer(CBPP, dataset("cbpp"), family="binomial", nagq=5)
    assert isinstance(better, lf.GeneralizedMixedFit)
    assert "(Adaptive Gauss-Hermite Quadrature, nAGQ = 5)" in str(better)
    assert better.refit(better.design.y).deviance == pytest.approx(better.deviance, abs=1e-8)
    with pytest.raises(lf.FitError, match="different ways"):
        fit.anova(better)
    assert "quadrature with 5 nodes" in str(better.anova(model.update(". ~ . - period").fit(nagq=5)))
    with pytest.raises(lf.FitError, match="needs no quadrature"):
        lf.glmer("Yield ~ 1 + (1 | Batch)", dataset("Dyestuff"), family="gaussian", nagq=5)


def test_the_expected_curvature() -> None:
    """It is named in the heading, whatever is fitted again has it, and it does not compare with the observed one."""
    formula, data = "TICKS ~ YEAR + (1 | BROOD)", dataset("grouseticks")
    model = lf.Model(formula, data, family="negbinomial")
    observed, expected = model.fit(), lf.glmer(formula, data, family="negbinomial", curvature="expected")
    assert isinstance(observed, lf.GeneralizedMixedFit)
    assert isinstance(expected, lf.GeneralizedMixedFit)
    assert abs(observed.deviance - expected.deviance) > 0.01
    assert "(Laplace Approximation, expected curvature)" in str(expected)
    assert "curvature" not in str(observed)
    smaller = lf.Model("TICKS ~ 1 + (1 | BROOD)", data, family="negbinomial").fit(curvature="expected")
    tested = expected.anova(smaller)
    assert "expected curvature" in str(tested)
    assert expected.drop1().frame["aic"]["YEAR"] == pytest.approx(smaller.aic, abs=1e-6)
    without = lf.Model("TICKS ~ YEAR", data, family="negbinomial").fit(curvature="expected")
    assert without.loglik == pytest.approx(expected.ranova().frame["loglik"].iloc[1], abs=1e-6)
    with pytest.raises(lf.FitError, match=r"approximated in different ways \(curvature\)"):
        observed.anova(expected)
    again = expected.refit(expected.design.y)
    assert again.fit.curvature == "expected"
    assert again.deviance == pytest.approx(expected.deviance, abs=1e-6)
    assert pickle.loads(pickle.dumps(expected)).fit.curvature == "expected"  # noqa: S301 (our own)
    kept = expected.bootstrap(lambda fit: float(fit.fit.curvature == "expected"), n=2, seed=1, workers=1)
    assert (kept.replicates == 1.0).all()
    profiled = [fit.confint("YEAR96", method="profile", workers=1).low[0] for fit in (observed, expected)]
    assert abs(profiled[0] - profiled[1]) > 1e-4


def test_a_curvature_that_there_is_not() -> None:
    """Wrong words are refused, and the expected one where it has no meaning."""
    batches = lf.Model("Yield ~ 1 + (1 | Batch)", dataset("Dyestuff"))
    for wrong in ("fisher", None, 1):
        with pytest.raises(lf.FitError, match='"observed" or "expected"'):
            batches.fit(curvature=wrong)  # type: ignore[arg-type]
    with pytest.raises(lf.FitError, match="a gaussian likelihood needs no approximation"):
        batches.fit(curvature="expected")
    with pytest.raises(lf.FitError, match="a gaussian likelihood needs no approximation"):
        lf.glmer("Yield ~ 1 + (1 | Batch)", dataset("Dyestuff"), family="gaussian", curvature="expected")
    ticks = lf.Model("TICKS ~ YEAR + (1 | BROOD)", dataset("grouseticks"), family="zero_inflated_poisson")
    with pytest.raises(lf.FitError, match="with the observed curvature alone"):
        ticks.fit(curvature="expected")


def test_lmer_fits_gaussian_models() -> None:
    """And says who fits the others; glmer of a gaussian family is lmer by maximum likelihood."""
    with pytest.raises(lf.FitError, match="lmer fits gaussian models"):
        lf.lmer(CBPP, dataset("cbpp"), family="binomial")
    fit = lf.glmer("Yield ~ 1 + (1 | Batch)", dataset("Dyestuff"), family="gaussian")
    assert isinstance(fit, lf.LinearMixedFit)
    assert not fit.reml


def test_data_in_parts_are_refused() -> None:
    """Laplace's method reads rows, which are not kept of data in parts; nor are models of other families summed."""
    data = dataset("cbpp")
    with pytest.raises(lf.FitError, match="only gaussian models can be summed"):
        lf.Model("incidence ~ period + (1 | herd)", [data.iloc[:30], data.iloc[30:]], family="poisson")
    streamed = lf.Model("incidence ~ period + (1 | herd)", [data.iloc[:30], data.iloc[30:]])
    with pytest.raises(lf.FitError, match="needs the rows of the data"):
        fit_glmm(streamed.design, Family("poisson", "log"))


def test_refusals_name_what_can_be_done() -> None:
    """A link without a fit is refused with the one there is; a family without one with the families, and Stan."""
    with pytest.raises(lf.FitError, match=r"(?s)no fit by Laplace's method.*write family=\"Gamma\(log\)\""):
        lf.Model("yig ~ x + (1 | grp)", dataset("sim_glmm"), family="Gamma(inverse)").fit()
    with pytest.raises(lf.FormulaError, match=r"(?s)not supported yet.*the families are: gaussian"):
        lf.Model("yig ~ x + (1 | grp)", dataset("sim_glmm"), family="inverse.gaussian").fit()
