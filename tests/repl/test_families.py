"""Families of a session: how they are chosen, what is told of them while typing, and what commands make of them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lmmformula as lf
from corpus import dataset
from lmmformula.api.input.parsing import specification
from lmmformula.data.table import read_table
from lmmformula.families.table import FAMILIES
from lmmformula.ir.family import Family
from lmmformula.repl.doing.families import is_fitted, is_sampled, own_parameters, response_words
from lmmformula.repl.session import Session
from lmmformula.repl.state import State, data_from
from lmmformula.repl.typing.completion import candidates
from lmmformula.repl.typing.facts import Facts, Preview
from lmmformula.repl.typing.live import look, toolbar

TICKS = "TICKS ~ YEAR + (1 | BROOD)"
HERDS = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
LIKING = "Informed.liking ~ Product + (1 | Consumer)"


def session_of(data: str, *lines: str) -> Session:
    """Make a session in which all lines succeed."""
    session = Session(data_from(data))
    for line in lines:
        reply = session.run(line)
        assert not reply.failed, reply.text
    return session


def below(data: str, line: str, *before: str) -> str:
    """What stands below a line that is being typed."""
    state = session_of(data, *before).state
    return "".join(text for _, text in toolbar(look(line, state), state))


# --- the table of families ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_offered_works(name: str) -> None:
    """Each link has a fit or a program."""
    for link in FAMILIES[name].links:
        family = Family(name, link)
        assert is_fitted(family) or is_sampled(family)
    assert (FAMILIES[name].support == "numbers") == (name in ("gaussian", "student"))


def test_the_list_marks_what_is_in_use() -> None:
    """The first line tells of the family, the others of all."""
    text = session_of("grouseticks", ":family negbinomial").run(":family").text
    assert text.startswith("negbinomial(log): log(mean) = linear predictor; own parameters shape; methods Laplace, St")
    assert all(f"\n{name} " in text for name in FAMILIES)
    assert "Laplace, Stan" in text


RESPONSES = [
    ("poisson", [0.0, 2, 0, 9], None, "counts from 0 to 9, 50 % are 0"),
    ("zero_inflated_negbinomial", [0.0, 1200], None, "counts from 0 to 1,200, 50 % are 0"),
    ("poisson", [1.0, 3], None, "counts from 1 to 3"),
    ("binomial", [0.0, 1, 1], None, "2 of 3"),
    ("binomial", [0.25, 0.5], [4.0, 2], "2 of 6"),
    ("binomial", [0.25, 0.5], None, "shares without trials: `:weights COLUMN` gives them"),
    ("beta", [0.25, 0.5], None, "0.25 to 0.5"),
    ("Gamma", [], None, "no complete row"),
]


@pytest.mark.parametrize(("name", "y", "trials", "expected"), RESPONSES)
def test_what_a_response_is(name: str, y: list[float], trials: list[float] | None, expected: str) -> None:
    """In words that fit its family."""
    family = Family(name, "")
    assert response_words(family, np.array(y), None if trials is None else np.array(trials)) == expected


def test_many_categories_are_not_all_named() -> None:
    """The first two and the last are."""
    family, y = Family("cumulative", "logit"), np.array([1.0])
    assert response_words(family, y, categories=tuple("abc")) == "3 categories, a < b < c"
    assert response_words(family, y, categories=tuple("abcdefghij")) == "10 categories, a < b < ... < j"


# --- while typing ---------------------------------------------------------------------------------------------------

LIVE = [
    ("grouseticks", [":family poisson"], TICKS,
     " 403 x 3   (1 | BROOD): k=1, 118 levels, 1 parameter\n TICKS: counts from 0 to 85, 31 % are 0   log(mean) = X"),
    ("grouseticks", [":family negbinomial"], "TICKS ~ 1 + offset(HEIGHT)",
     " 403 x 1\n TICKS: counts from 0 to 85, 31 % are 0   log(mean) = Xβ + offset"),
    ("cbpp", [":family binomial(probit)"], HERDS,
     " 1 parameter\n cbind(incidence, size - incidence): 99 of 842   probit(p) = Xβ + Zb"),
    ("cbpp", [":family binomial"], "incidence/size ~ 1",
     " 56 x 1\n incidence/size: 99 of 842   logit(p) = Xβ"),
    ("cbpp_obs", [":family binomial", ":weights size"], "prop ~ 1", " 56 x 1\n prop: 99 of 842   logit(p) = Xβ"),
    ("ham", [":family cumulative"], LIKING,
     "\n Informed.liking: 9 categories, 1 < 2 < ... < 9   logit(P(<= k)) = cutpoint[k] - (Xβ + Zb)"),
    ("sleepstudy", [":family lognormal"], "Reaction ~ Days",
     " 180 x 2\n Reaction: 194.332 to 466.353   mean of the logarithm = Xβ"),
    ("sleepstudy", [":family poisson"], "Reaction ~ Days", "must be whole numbers from 0 in the family poisson"),
    ("ham", [":family cumulative"], "Gender ~ 1", "has 2 categories, and a cumulative model needs three or more"),
    ("cbpp", [":family cumulative"], "period ~ 1",
     "\n the response `period` is a factor without an order, and read as 1 < 2 < 3 < 4; ordered(...) says so"),
    ("grouseticks", [TICKS], ":family poisson", "log(mean) = Xβ + Zb\n :family [NAME(LINK)]   the response's dist"),
    ("sleepstudy", ["Reaction ~ Days"], ":family poisson", "must be whole numbers from 0"),
    ("sleepstudy", ["Reaction ~ Days"], ":family poi", " :family [NAME(LINK)]   the response's distribution"),
    ("grouseticks", [":family poisson"], "", " grouseticks: 403 rows   poisson(log)   type a formula"),
    ("grouseticks", [":family poisson", TICKS, ":fit"], "", f"   {TICKS}   poisson(log)   fitted"),
    ("cbpp_obs", [":weights size"], "", "weights size"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "before", "line", "expected"), LIVE)
def test_what_is_told_while_typing(data: str, before: list[str], line: str, expected: str) -> None:
    """Sizes, what the response is in the family, and what the linear predictor is of; or why it can't be."""
    assert expected in below(data, line, *before)


DESIGNS = [
    ("grouseticks", "poisson", TICKS, ""),
    ("cbpp", "binomial", HERDS, ""),
    ("cbpp_obs", "binomial", "prop ~ period + (1 | herd)", "size"),
    ("ham", "cumulative", LIKING, ""),
    ("ham", "cumulative(cloglog)", "Informed.liking ~ 1 + (1 | Consumer)", ""),
    ("sleepstudy_x", "gaussian", "Reaction ~ Days + (1 | Subject)", "w"),
]


def preview(data: str, family: str, formula: str, weights: str) -> Preview:
    """What is said of a formula."""
    return Facts(read_table(dataset(data))).preview(specification(formula, family, None), weights)


@pytest.mark.parametrize(("data", "family", "formula", "weights"), DESIGNS)
def test_what_is_told_is_what_the_model_has(data: str, family: str, formula: str, weights: str) -> None:
    """Rows, columns and parameters; an ordinal response has cutpoints in the place of the intercept."""
    seen = preview(data, family, formula, weights)
    design = lf.Model(formula, dataset(data), family=family, weights=weights or None).design
    assert (seen.n, seen.p) == (design.nobs, design.n_fixed)
    assert sum(term.n_parameters for term in seen.terms) == len(design.theta_names)


def test_rows_without_weights_are_not_counted() -> None:
    """As the model leaves them out."""
    data = dataset("sleepstudy_x").assign(w=lambda d: d["w"].where(d.index % 9 > 0))
    facts, ir = Facts(read_table(data)), specification("Reaction ~ Days", "gaussian", None)
    assert facts.preview(ir).n == 180
    assert facts.preview(ir, "w").n == lf.Model("Reaction ~ Days", data, weights="w").design.nobs == 160


@pytest.mark.parametrize(
    ("data", "family", "formula"),
    [
        ("sleepstudy", "poisson", "Reaction ~ Days"),
        ("sleepstudy", "beta", "Reaction ~ Days"),
        ("sleepstudy", "binomial", "Reaction ~ Days"),
        ("ham", "cumulative", "Gender ~ 1"),
        ("ham", "cumulative", "Age ~ 1"),
        ("sleepstudy", "gaussian", "cbind(Reaction, Days) ~ 1"),
    ],
)
def test_errors_are_those_of_the_model(data: str, family: str, formula: str) -> None:
    """What the family can't have is refused while typing, in the model's words and at its place."""
    with pytest.raises(lf.LmmFormulaError) as early:
        preview(data, family, formula, "")
    with pytest.raises(lf.LmmFormulaError) as late:
        lf.Model(formula, dataset(data), family=family)
    assert str(early.value) == str(late.value)


def test_priors_of_the_family_are_offered() -> None:
    """Its own parameters; cutpoints in the place of an intercept."""
    offered = {c.text for c in candidates("", session_of("ham", ":family cumulative", LIKING).state)}
    assert "cutpoint" in offered
    assert not offered & {"sigma", "Intercept"}
    offered = {c.text for c in candidates("", session_of("grouseticks", ":family negbinomial", TICKS).state)}
    assert {"shape", "Intercept"} <= offered
    assert "sigma" not in offered


# --- models ---------------------------------------------------------------------------------------------------------

SAYS = [
    ("grouseticks", [":family poisson", TICKS],
     "TICKS on 403 rows, poisson(log), counts from 0 to 85, 31 % are 0: 3 fixed\neffects"),
    ("grouseticks", [":family poisson", TICKS], "4 parameters in all."),
    ("grouseticks", [":family negbinomial", TICKS], "5 parameters in all."),
    ("ham", [":family cumulative", LIKING], "fixed effects (Product2, Product3, Product4); 8 cutpoints;"),
    ("ham", [":family cumulative", "Informed.liking ~ 1 + (1 | Consumer)"], "no fixed effects; 8 cutpoints;"),
    ("ham", [":family cumulative", LIKING, ":eq"], "logit(P(Informed.liking ≤ k)) = cutpoint[k] - (β1·Product2"),
    ("grouseticks", [":family poisson", TICKS, ":eq"], "log(mean of TICKS) = β1"),
    ("grouseticks", [":family poisson", TICKS, ":explain"], "Family     poisson, link log"),
    ("grouseticks", [":family poisson", TICKS, ":fit"], "Family: poisson  ( log )"),
    ("grouseticks", [":family poisson", TICKS, ":fit ml"], "Laplace Approximation"),
    ("grouseticks", [":family negbinomial", TICKS, ":fit curvature=expected"], "expected curvature"),
    ("cbpp", [":family binomial", HERDS, ":fit nagq=9"], "Family: binomial  ( logit )"),
    ("cbpp", [":family binomial", HERDS, ":summary"], "z value"),
    ("cbpp", [":family binomial", HERDS, ":confint"], "95 % intervals (Wald)"),
    ("cbpp", [":family binomial", HERDS, ":ranef"], "herd, 15 levels"),
    ("cbpp", [":family binomial", HERDS, ":predict period=2 herd=1"], "0.141748 (with the random effects"),
    ("cbpp", [":family binomial", HERDS, ":predict"], "0     0.3082076"),
    ("cbpp", [":family binomial", HERDS, ":priors"], "sd[herd, (Intercept)]  student_t(3, 0, 2.5)         default"),
    ("cbpp", [":family binomial", HERDS, ":stan"], "binomial_logit"),
    ("cbpp", [":family binomial", HERDS, ". ~ . - period", ":diff"], "25.610   3  <0.0001"),
    ("cbpp_obs", [":family binomial", ":weights size", "prop ~ period + (1 | herd)", ":fit"], "logLik deviance"),
    ("grouseticks", [":family poisson", TICKS, ":family negbinomial", ":diff"],
     f"before: {TICKS}, poisson(log)\nnow:    {TICKS}, negbinomial(log)"),
    ("grouseticks", [":family poisson", TICKS, ":fit", ":family negbinomial", ":history"],
     f"1. {TICKS}, poisson(log)   AIC 2038.6\n2. {TICKS}, negbinomial(log)"),
    ("grouseticks", [TICKS, ":family poisson", ":undo"], TICKS),
    ("ham", [":family cumulative", LIKING, ":optimize seed=1"], "Posterior mode of Informed.liking"),
    ("grouseticks", [":family poisson(sqrt)", ":family"], "sqrt(mean) = linear predictor; methods Laplace\n"),
    ("ham", [":family ordinal(probit)"], "the family is cumulative(probit)"),
    ("sleepstudy", [":family Gamma"], "the family is Gamma(log)"),
    ("cbpp", [":family binomial", HERDS, ":anova II"], "period  24.949   3  <0.0001"),
    ("cbpp", [":family binomial", HERDS, ":emmeans period"], "period1 - period2"),
    ("cbpp", [":family binomial", HERDS, ":simplify"], "to leave out first: (1 | herd)"),
    ("cbpp", [":family binomial", HERDS, ":confint profile"], "-1.617"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "lines", "expected"), SAYS)
def test_what_lines_say(data: str, lines: list[str], expected: str) -> None:
    """Each command does what it is there for in the family that is in use."""
    assert expected in str(session_of(data, *lines[:-1]).run(lines[-1]))


FAILS = [
    ("ham", [":family cumulative", LIKING, ":fit"], "there is no fit of the family cumulative(logit)\n`:sample`"),
    ("ham", [":family cumulative", LIKING, ":summary"], "the model was not sampled yet"),
    ("ham", [":family cumulative", LIKING, "sigma ~ exponential(1)"], "in the family cumulative(logit)\nit has cut"),
    ("ham", [":family cumulative", LIKING, ":compare"], "the model was not sampled yet"),
    ("cbpp", [":family binomial", HERDS, "sigma ~ exponential(1)"], "has no `sigma` in the family binomial(logit)"),
    ("cbpp", [":family binomial", HERDS, "cor ~ lkj(2)"], "the model has no `cor`"),
    ("cbpp", [":family binomial", "incidence/size ~ period", "sd ~ normal(0, 1)"], "the model has no `sd`"),
    ("cbpp", [":family binomial", HERDS, ":plot predictions"], "the model was not sampled yet"),
]  # fmt: skip


def test_fits_of_families_are_saved_and_loaded(tmp_path: Path) -> None:
    """And the session goes on in their family."""
    session = session_of("cbpp", ":family binomial", HERDS, ":fit")
    session.run(f":save {tmp_path / 'fit.json'}")
    assert "184.1" in str(session_of("cbpp", f":load {tmp_path / 'fit.json'}").run(":fit"))


@pytest.mark.parametrize(("data", "lines", "expected"), FAILS)
def test_what_goes_wrong(data: str, lines: list[str], expected: str) -> None:
    """What a family does not have is refused, with what it has instead."""
    reply = session_of(data, *lines[:-1]).run(lines[-1])
    assert reply.failed
    assert expected in reply.text


def test_a_model_that_does_not_fit_a_family_is_given_up() -> None:
    """Said, and taken back by one `:undo`; the family stays for the formula to come."""
    session = session_of("grouseticks", TICKS, ":fit")
    reply = session.run(":family cumulative")
    assert not reply.failed
    assert "the family is cumulative(logit)\nthe model does not fit it: " in reply.text
    assert session.state.ir is None
    assert session.run(":undo").text == TICKS
    assert session.state.fit is not None


def test_priors_of_another_family_are_given_up() -> None:
    """Those of parameters that both have stay."""
    session = session_of("grouseticks", TICKS, "sigma ~ exponential(1)", "sd ~ exponential(1)")
    assert "prior given up, since the model has no such parameter: sigma ~ exp" in session.run(":family poisson").text
    assert list(map(str, session.state.priors)) == ["sd ~ exponential(1)"]


def test_without_data_the_family_waits() -> None:
    """And is that of the model once there are some."""
    session = Session()
    for line in (":family poisson", TICKS, ":data grouseticks"):
        assert not session.run(line).failed
    assert session.state.need_model().ir.family.name == "poisson"


def test_an_update_keeps_family_and_weights() -> None:
    """As R's update()."""
    session = session_of(
        "cbpp_obs", ":family binomial", ":weights size", "prop ~ period + (1 | herd)", ". ~ . - period"
    )
    design = session.state.need_model().design
    assert design.weights is not None
    assert session.state.need_ir().family.name == "binomial"
    assert "weights size" in session.run(":history").text


def test_other_data_without_the_weights_forget_them() -> None:
    """A name that is no column there means nothing."""
    session = session_of("cbpp_obs", ":weights size", ":data sleepstudy")
    assert session.state.weights == ""
    assert session_of("cbpp_obs", ":weights size", ":data cbpp").state.weights == "size"


def test_an_ordinal_posterior_answers_in_the_place_of_a_fit(tmp_path: Path) -> None:
    """Of a family without a fit all questions go to the draws; saved and loaded they answer without data."""
    session = session_of("ham", ":family cumulative", LIKING, ":sample 60 chains=2 warmup=150 seed=1")
    for line, expected in (
        (":summary", "cutpoints"),
        (":confint", "quantiles of the posterior"),
        (":confint hdi", "Product2"),
        (":ranef", "Consumer, 81 levels"),
        (":predict Product=2 Consumer=1", "9: 0."),
        (":predict", "and 638 more"),
        (":emmeans Product", "Product1 - Product2"),
    ):
        reply = session.run(line)
        assert not reply.failed, reply.text
        assert expected in reply.text
    path = tmp_path / "liking.nc"
    session.run(f":save {path}")
    loaded = Session()
    assert (
        loaded.run(f":load {path}").text == f"posterior of {LIKING}, cumulative(logit): 648 rows; its data are not here"
    )
    assert loaded.run(":predict Product=2 Consumer=1").text == session.run(":predict Product=2 Consumer=1").text
    assert "there are no data yet" in loaded.run(":sample").text


def test_models_are_cross_validated() -> None:
    """Alone, and beside the last one that was sampled."""
    pytest.importorskip("arviz")
    quick = ":sample 60 chains=2 warmup=150 seed=1"
    session = session_of("grouseticks", ":family poisson", TICKS, quick)
    assert "elpd_loo" in session.run(":loo").text
    session = session_of("grouseticks", ":family poisson", TICKS, quick, ":family negbinomial", quick)
    text = session.run(":loo").text
    assert f"before: {TICKS}, poisson(log)" in text
    assert "elpd_diff" in text


def test_pictures_of_a_family(tmp_path: Path) -> None:
    """Of priors before there is a fit, of the fit where there is one."""
    pytest.importorskip("matplotlib")
    session = session_of("cbpp", ":family binomial", HERDS)
    for kind in ("priors", "ranef", "residuals"):
        path = tmp_path / f"{kind}.png"
        assert session.run(f":plot {kind} {path}").text == f"written: {path}"
        assert path.read_bytes()[:4] == b"\x89PNG"


def test_the_script_names_family_and_weights() -> None:
    """Run by Python, it prints the session's numbers."""
    lines = [":family binomial", ":weights size", "prop ~ period + (1 | herd)", ":summary", ":family binomial(probit)",
             ":weights none", "incidence/size ~ period + (1 | herd)", ":confint", ":optimize seed=1"]  # fmt: skip
    session = session_of("cbpp_obs", *lines)
    script = session.run(":script").text
    assert "lf.Model('prop ~ period + (1 | herd)', data, family='binomial', weights='size')" in script
    assert "family='binomial(probit)')" in script
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "Error" not in run.stderr
    assert "-1.3985" in run.stdout
    assert "Posterior mode" in run.stdout


def test_a_program_is_written_with_what_runs_it(tmp_path: Path) -> None:
    """Program, data, script and readme."""
    session = session_of("cbpp", ":family binomial", HERDS)
    assert not session.run(f":stan {tmp_path / 'herds.stan'}").failed
    written = {path.name for path in tmp_path.iterdir()}
    assert {"herds.stan", "herds.data.json"} <= written
    assert len(written) > 2


LOADED = "Reaction ~ Days + (Days | Subject)"


def test_a_fit_is_loaded_with_its_model(tmp_path: Path) -> None:
    """On its data the session goes on with it; without them, or on others, it answers all the same."""
    path = tmp_path / "fit.json"
    session_of("sleepstudy", LOADED, "sd ~ exponential(1)", f":save {path}")
    session = session_of("sleepstudy", f":load {path}")
    assert session.state.model is not None
    assert list(map(str, session.state.priors)) == ["sd ~ exponential(1)"]
    assert session.run(":predict Days=3 Subject=308").text.startswith("312.662")
    assert "4 parameters" in session.run(". ~ . - (Days | Subject) + (1 | Subject)").text
    other = session_of("coffee")
    assert other.run(f":load {path}").text.endswith(
        "the data in use, or their weights, are not its own, and are put aside"
    )
    assert other.run(":predict Days=3 Subject=308").text.startswith("312.662")
    assert other.run(":undo").text.startswith("coffee")
    fewer = session_of("sleepstudy_na")  # the same columns, and other rows
    assert fewer.run(f":load {path}").text.endswith("put aside")


def test_a_fit_with_weights_is_loaded_beside_them(tmp_path: Path) -> None:
    """The file does not say which column they are."""
    path = tmp_path / "fit.json"
    session_of("sleepstudy_x", ":weights w", "Reaction ~ Days + (1 | Subject)", f":save {path}")
    assert session_of("sleepstudy_x", ":weights w", f":load {path}").state.model is not None
    assert "put aside" in session_of("sleepstudy_x").run(f":load {path}").text


def test_states_without_a_family_are_gaussian() -> None:
    """What was there before families were."""
    assert State().family.name == "gaussian"
    assert own_parameters(State().family) == ("sigma",)
