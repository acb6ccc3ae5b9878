"""The model a user holds."""

import json
import pickle
import re
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import lmmformula as lf
from corpus import dataset, record
from lmmformula.api.input.families import read_family
from lmmformula.ir.family import Family
from lmmformula.ir.functions import REGISTERED

FORMULA = "Reaction ~ Days + (Days | Subject)"


def test_the_main_job() -> None:
    """One formula and one data frame: fit, program, posterior and comparison, with the numbers that R has."""
    model = lf.Model("y ~ x + (x | group)", dataset("coffee"))
    fit = model.fit()
    assert fit.reml_criterion == pytest.approx(3675.3, abs=0.05)
    assert list(fit.fixef) == pytest.approx([4.11141, 0.46835], abs=1e-5)
    assert list(fit.std_errors) == pytest.approx([0.90321, 0.09713], abs=1e-5)
    assert list(fit.varcorr["group"].sds) == pytest.approx([9.025, 0.895], abs=1e-3)
    assert fit.sigma == pytest.approx(0.981, abs=5e-4)
    assert list(fit.ranef()["group"].loc["1"]) == pytest.approx([-7.2738, -0.7390], abs=1e-4)
    assert fit.explained_variance() == pytest.approx(0.988435, abs=1e-6)
    program = model.stan()
    posterior = model.sample(seed=123, progress=False)
    assert posterior.program.code == program.code
    assert posterior.diagnostics().ok
    assert abs(lf.compare(fit, posterior).largest()[1]) < 0.5


def test_ml_instead_of_reml() -> None:
    """`reml=False` minimises the deviance."""
    fit = lf.Model(FORMULA, dataset("sleepstudy")).fit(reml=False)
    expected = record("lmm", "lmm-003m")
    assert fit.deviance == pytest.approx(expected["criterion"]["value"], abs=1e-7)
    assert not fit.reml


FRAMES = {
    "pandas": lambda data: data,
    "polars": pl.from_pandas,
    "pyarrow": pa.Table.from_pandas,
    "mapping": lambda data: {name: data[name].to_numpy() for name in data},
}


@pytest.mark.parametrize("kind", FRAMES)
def test_any_data_frame_gives_the_same_fit(kind: str) -> None:
    """pandas, polars, pyarrow, and a mapping of columns."""
    data: Any = FRAMES[kind](dataset("sleepstudy"))
    fit = lf.Model(FORMULA, data).fit()
    assert fit.reml_criterion == pytest.approx(1743.6282719599653, abs=1e-7)


def test_weights_and_offset_by_name_and_as_arrays() -> None:
    """Both ways are the same model; a named offset is found again in new data."""
    data = dataset("toy")
    named = lf.Model("y ~ x + (1 | g) + (1 | h)", data, weights="w", offset="off").fit()
    arrays = lf.Model("y ~ x + (1 | g) + (1 | h)", data, weights=data["w"].to_numpy(), offset=data["off"]).fit()
    assert named.reml_criterion == pytest.approx(record("lmm", "lmm-107r")["criterion"]["value"], abs=1e-6)
    assert arrays.reml_criterion == pytest.approx(named.reml_criterion, abs=1e-9)
    np.testing.assert_allclose(named.predict(data), named.fitted)


def test_lmer_and_glmer_are_shorthands() -> None:
    """For people who come from R."""
    data = dataset("sleepstudy")
    assert lf.lmer(FORMULA, data).loglik == pytest.approx(lf.Model(FORMULA, data).fit().loglik)
    assert not lf.lmer(FORMULA, data, reml=False).reml
    assert lf.glmer(FORMULA, data, family="gaussian").deviance == pytest.approx(1751.9393, abs=1e-3)


def test_other_families() -> None:
    """They are fitted and sampled from one model; what there is not is said."""
    data = dataset("sleepstudy").assign(slow=lambda d: (d["Reaction"] > 300).astype(float))
    model = lf.Model("slow ~ Days + (1 | Subject)", data, family="binomial")
    assert model.ir.family == Family("binomial", "logit")
    assert "bernoulli_logit_glm" in model.stan().code
    assert isinstance(model.fit(), lf.GeneralizedMixedFit)
    with pytest.raises(lf.FitError, match="does not allow"):
        model.stan(form="marginal")
    with pytest.raises(lf.FitError, match="link log"):
        lf.Model("Reaction ~ Days + (1 | Subject)", data, family="Gamma(inverse)").stan()


def test_families_are_read_as_r_writes_them() -> None:
    """A name, a name with a link, or the IR's own record."""
    assert read_family("poisson") == Family("poisson", "log")
    assert read_family("bernoulli") == Family("binomial", "logit")
    assert read_family('binomial(link = "probit")') == Family("binomial", "probit")
    assert read_family(Family("Gamma", "log")) == Family("Gamma", "log")


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("nbinom2", "negbinomial"), ("beta_family", "beta"), ("betar", "beta"), ("t_family", "student"),
        ("Bernoulli", "binomial"), ("Poisson", "poisson"), ("zip", "zero_inflated_poisson"), ("clm", "cumulative"),
        ('zero_inflated_poisson(link = "log", link_zi = "logit")', "zero_inflated_poisson"),
        ('cumulative("logit", threshold = "flexible")', "cumulative"), ("Gamma(log)", "Gamma"),
    ],
)  # fmt: skip
def test_families_are_known_by_the_names_of_other_packages(name: str, ours: str) -> None:
    """Capitals don't matter, and what says what is so anyway is read."""
    assert read_family(name).name == ours


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tweedie", "the family 'tweedie' is not supported yet"),
        ("quasipoisson", "quasi-likelihoods have no density"),
        ("gausian", "there is no family 'gausian'"),
        ("zero_inflated_poisson(link_zi = probit)", "no choice of link_zi = probit"),
        ("cumulative(threshold = equidistant)", "no choice of threshold = equidistant"),
    ],
)
def test_families_that_are_not_there_are_refused(name: str, message: str) -> None:
    """In words that say whether it is a misprint, not yet, or never."""
    with pytest.raises(lf.FormulaError, match=message):
        read_family(name)


def test_the_link_of_gamma_is_said_once() -> None:
    """Where it isn't named, since R means another one; not again by what is made of the model."""
    data = dataset("sleepstudy")
    with pytest.warns(lf.FitWarning, match="the family Gamma has the link log here, and inverse in R"):
        model = lf.Model("Reaction ~ Days + (1 | Subject)", data, family="Gamma")
    assert model.ir.family == Family("Gamma", "log")
    assert model.update(". ~ . - Days").fit().converged


def test_a_model_from_an_ir() -> None:
    """A parsed formula serves as well as its text, and keeps its priors."""
    ir = lf.parse(FORMULA + "\nsd ~ exponential(1)")
    model = lf.Model(ir, dataset("sleepstudy"))
    assert model.ir == ir
    assert model.fit().fixef["Days"] == pytest.approx(10.467, abs=1e-3)


def test_priors_join_those_of_the_text() -> None:
    """As a text or a list; the later of two for one target wins."""
    data = dataset("sleepstudy")
    text = lf.Model(FORMULA + "\nb ~ normal(0, 9)\nsigma ~ exponential(1)", data, priors="b ~ normal(0, 5)")
    listed = lf.Model(FORMULA, data, priors=["b ~ normal(0, 5)", "sigma ~ exponential(1)"])
    for model in (text, listed):
        table = model.priors.set_index("target")
        assert table.loc["b[Days]", "distribution"] == "normal(0, 5)"
        assert table.loc["sigma", "distribution"] == "exponential(1)"
        assert list(table["default"]) == [True, False, True, True, True, False]


def test_a_fault_in_a_prior_is_marked_in_the_prior() -> None:
    """The caret points into the statement, wherever it was given."""
    with pytest.raises(lf.FormulaError) as caught:
        lf.Model(FORMULA, dataset("sleepstudy"), priors=["b ~ normal(0, 5)", "sigma ~ exponential(1"])
    assert "sigma ~ exponential(1" in str(caught.value)


def test_missing_rows_are_counted() -> None:
    """In the design, in the printed fit and in the explanation."""
    model = lf.Model("y ~ x + z + f3 + (x | g) + (1 | h)", dataset("toy_na"))
    dropped = len(dataset("toy_na")) - model.design.nobs
    assert dropped > 0
    assert f"({dropped} observations deleted due to missingness)" in str(model.fit())
    assert "left out with missing values" in model.explain()


def test_the_program_is_written_with_its_data(tmp_path: Any) -> None:
    """`write` makes two files; the data are JSON."""
    program = lf.Model("y ~ x + (x | group)", dataset("coffee")).stan()
    program.write(tmp_path / "coffee.stan")
    assert (tmp_path / "coffee.stan").read_text(encoding="utf-8") == program.code
    assert json.loads((tmp_path / "coffee.data.json").read_text(encoding="utf-8"))["N"] == 1000


def test_forms_and_literals_reach_the_program() -> None:
    """The conditional form declares random effects, literals write numbers of the priors in place."""
    model = lf.Model("y ~ x + (x | group)", dataset("coffee"))
    assert model.stan().form == "marginal"
    assert model.stan(form="conditional").form == "conditional"
    assert "prior_" in model.stan().code
    assert "prior_" not in model.stan(literals=True).code


def test_repr_of_a_model() -> None:
    """The formula and the number of rows."""
    assert repr(lf.Model(FORMULA, dataset("sleepstudy"))) == f"Model('{FORMULA}', 180 rows)"


def test_texts_show_themselves() -> None:
    """At a prompt `model.explain()` and `fit.summary()` show text, not its escapes; notebooks get HTML."""
    model = lf.Model(FORMULA, dataset("sleepstudy"))
    assert repr(model.explain()).startswith("Model      Reaction ~ Days")
    fit = model.fit()
    assert repr(fit.summary("none")) == str(fit)
    assert repr(fit) != str(fit)
    assert "<table>" in fit._repr_html_()
    assert "Pr(" not in fit._repr_html_()
    assert "Pr(&gt;|t|)" in fit.summary()._repr_html_()


def test_data_frames_may_carry_a_name() -> None:
    """Pandas' `attrs["name"]` shows in the heading."""
    data = dataset("sleepstudy").copy()
    data.attrs["name"] = "sleepstudy"
    assert "   Data: sleepstudy\n" in str(lf.Model(FORMULA, data).fit())
    assert "Data:" not in str(lf.Model(FORMULA, pd.DataFrame(dataset("sleepstudy").to_dict("list"))).fit())


def test_singular_fits_say_so() -> None:
    """The verdict is in the numbers and in print."""
    fit = lf.Model("Yield ~ 1 + (1 | Batch)", dataset("Dyestuff2")).fit()
    assert fit.is_singular
    assert fit.converged
    assert "estimated as zero" in str(fit)


@pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")
def test_models_fits_and_posteriors_can_be_pickled() -> None:
    """So that they can be stored, and sent to other processes."""
    model = lf.Model(FORMULA, dataset("sleepstudy"))
    fit, posterior = model.fit(), model.sample(seed=1, chains=2, warmup=100, draws=20, progress=False)
    again, fit_again, posterior_again = pickle.loads(pickle.dumps((model, fit, posterior)))  # noqa: S301
    assert again.ir == model.ir
    assert str(fit_again) == str(fit)
    pd.testing.assert_series_equal(posterior_again.fixef, posterior.fixef)


def test_update_edits_the_formula_and_keeps_all_else() -> None:
    """`.` stands for what was there; weights and priors stay."""
    model = lf.Model("y ~ x + z + (x | g)\nsd ~ exponential(1)", dataset("toy"), weights="w")
    updated = model.update(". ~ . - z - (x | g) + (1 | g)")
    assert str(updated.ir) == "y ~ x + (1 | g)\nsd ~ exponential(1)"
    assert np.array_equal(updated.design.weights, model.design.weights)
    assert updated.fit().fixef.to_dict() == lf.lmer("y ~ x + (1 | g)", dataset("toy"), weights="w").fixef.to_dict()


def test_a_registered_function_can_be_called() -> None:
    """`lf.register` allows one function of the user's; nothing else is ever called."""
    with pytest.raises(lf.FormulaError, match="there is no function `cube`"):
        lf.Model("y ~ cube(x) + (1 | g)", dataset("toy"))
    lf.register("cube", lambda x: x**3)
    try:
        model = lf.Model("y ~ cube(x) + (1 | g)", dataset("toy"))
        assert model.design.fixed_names == ("(Intercept)", "cube(x)")
        assert np.allclose(model.design.X[:, 1], dataset("toy")["x"] ** 3)
    finally:
        REGISTERED.pop("cube")


def test_data_form_and_geometry_reach_the_program() -> None:
    """A program of cross-products reads no rows, and a factor has the geometry that was asked for."""
    model = lf.Model("Reaction ~ Days + (Days | Subject)", lf.datasets.load("sleepstudy"))
    assert "X" not in model.stan(data_form="crossproducts").data
    declared = [
        {d.name for d in model.stan(geometry={"Subject": how}).program.parameters}
        for how in ("centered", "noncentered")
    ]
    assert "z_Subject" not in declared[0]
    assert "z_Subject" in declared[1]


@pytest.mark.parametrize("name", ["form", "warm_start", "prior_only"])
def test_a_prior_has_one_program(name: str) -> None:
    """What `sample_prior` decides itself is refused by its name."""
    model = lf.Model("Reaction ~ Days + (Days | Subject)", lf.datasets.load("sleepstudy"))
    with pytest.raises(lf.FitError, match=f"no choice of {name}"):
        model.sample_prior(**{name: "marginal"})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"form": "long"}, "form='long' is not known"),
        ({"data_form": 3}, "data_form=3 is not known"),
        ({"log_lik": "yes"}, "log_lik is True or False"),
        ({"geometry": "centered"}, "geometry is a mapping"),
        ({"geometry": {"Day": "centered"}}, "no grouping factor 'Day'"),
        ({"geometry": {"Subject": "round"}}, "no geometry 'round'"),
        ({"form": "marginal", "geometry": {"Subject": "centered"}}, "the effects of 'Subject' are integrated out"),
        ({"form": "conditional", "data_form": "crossproducts"}, "only the marginal form"),
    ],
)
def test_choices_of_a_program_that_are_none_are_refused(options: dict[str, Any], said: str) -> None:
    """A choice that there is not is named, and those there are."""
    model = lf.Model("Reaction ~ Days + (Days | Subject)", lf.datasets.load("sleepstudy"))
    with pytest.raises(lf.FitError, match=re.escape(said)):
        model.stan(**options)
