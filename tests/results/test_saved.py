"""Fits written to a file and read back."""

import copy
import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fits
import lmmformula as lf
from corpus import dataset
from lmmformula.design.columns.summaries import NumericSummary
from lmmformula.inference import worked_out as keeping
from lmmformula.results.files.fits import checksum, to_json
from lmmformula.results.files.kept_numbers import NOTHING, Kept, kept_of
from lmmformula.results.predict import uncertainty
from lmmformula.results.predict.grid_values import column_summary, fixed_variables, used_as_levels

IDENTIFIERS = ["lmm-003r", "lmm-024m", "lmm-041r", "lmm-012r", "lmm-107r", "lmm-119r", "lmm-014r", "lmm-004r"]
"""Correlated slopes, crossed factors, a factor's columns, scale(), weights and offset, splines, offset(), `||`."""


def reloaded(fit: lf.LinearMixedFit, folder: Path) -> lf.LinearMixedFit:
    """Save a fit and load it."""
    fit.save(folder / "fit.json")
    return lf.load(folder / "fit.json")


@pytest.mark.parametrize("identifier", IDENTIFIERS)
def test_what_needs_no_data_is_the_same_to_the_bit(identifier: str, tmp_path: Path) -> None:
    """Estimates, criteria, random effects, counts and the brief print survive."""
    fit = fits.fit_of(identifier)
    again = reloaded(fit, tmp_path)
    assert again.ir == fit.ir
    assert again.schema == fit.schema
    for name in ("sigma", "deviance", "reml_criterion", "aic", "bic", "nobs", "ngroups", "df_residual", "is_singular"):
        assert getattr(again, name) == getattr(fit, name)
    for name in ("fixef", "vcov", "theta", "std_errors"):
        np.testing.assert_array_equal(getattr(again, name), getattr(fit, name))
    for group, modes in fit.ranef().items():
        assert again.ranef()[group].equals(modes)
    assert repr(again) == repr(fit)
    assert again.varcorr.frame.equals(fit.varcorr.frame)


@pytest.mark.parametrize("identifier", IDENTIFIERS)
def test_a_loaded_fit_predicts_new_rows(identifier: str, tmp_path: Path) -> None:
    """Predictions for rows of the data are those of the fit: bases of splines and scales come with the schema."""
    fit = fits.fit_of(identifier)
    rows = fits.data_of(lf_record(identifier)).dropna().head(20)
    again = reloaded(fit, tmp_path)
    if identifier == "lmm-107r":
        rows = rows.drop(columns="off").assign(off=0.5)
    np.testing.assert_array_equal(again.predict(rows), fit.predict(rows))
    np.testing.assert_array_equal(again.predict(rows, random="population"), fit.predict(rows, random="population"))


def lf_record(identifier: str) -> dict[str, object]:
    """Return the record of a fit."""
    from corpus import record

    return record("lmm", identifier)


def test_the_population_has_intervals_without_the_data(tmp_path: Path) -> None:
    """Standard errors and prediction intervals of the population need beta's covariance only."""
    fit = fits.fit_of("lmm-003r")
    again = reloaded(fit, tmp_path)
    options = {"random": "population", "se_fit": True, "interval": "prediction"}
    np.testing.assert_array_equal(again.predict({"Days": [1.0]}, **options), fit.predict({"Days": [1.0]}, **options))


@pytest.mark.parametrize(
    "ask",
    [
        lambda fit: fit.fitted,
        lambda fit: fit.residuals(),
        lambda fit: fit.simulate(),
        lambda fit: fit.refit(np.arange(180.0)),
        lambda fit: fit.icc(),
        lambda fit: fit.ranef(condvar=True),
        lambda fit: fit.predict(),
        lambda fit: fit.design.Zt,
    ],
)
def test_what_needs_the_data_says_so(ask: object, tmp_path: Path) -> None:
    """Not an attribute error, but a sentence and what to do."""
    again = reloaded(fits.fit_of("lmm-003r"), tmp_path)
    with pytest.raises(lf.FitError, match="loaded from a file"):
        ask(again)  # type: ignore[operator]


def test_a_loaded_fit_prints_and_saves_again(tmp_path: Path) -> None:
    """A second file equals the first."""
    fit = fits.fit_of("lmm-003r")
    again = reloaded(fit, tmp_path)
    assert str(again) == str(fit)
    again.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "fit.json").read_bytes()


def test_a_linear_model_is_saved_alike(tmp_path: Path) -> None:
    """Without random terms: coefficients, printed summary, prediction intervals with Student's t."""
    fit = lf.Model("Reaction ~ Days", dataset("sleepstudy")).fit()
    again = reloaded(fit, tmp_path)
    assert "Residual standard error: 47.71 on 178 degrees of freedom" in str(again)
    assert str(again) == str(fit)
    assert again.explained_variance() == fit.explained_variance()
    mine, theirs = (f.predict({"Days": [4.0]}, interval="prediction") for f in (again, fit))
    np.testing.assert_array_equal(mine, theirs)


def test_the_file_holds_no_data(tmp_path: Path) -> None:
    """No response, no columns: nothing as long as the data is in the file."""
    reloaded(fits.fit_of("lmm-003r"), tmp_path)

    def longest(value: object) -> int:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        return max([len(value) if isinstance(value, list) else 0, *map(longest, inner)])

    assert longest(json.loads((tmp_path / "fit.json").read_text())) == 18 * 2 * 2  # covariances of 18 levels' effects


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "no JSON"),
        ("[1]", "holds no fit"),
        ('{"format": "lmmformula fit", "version": 99}', "version 99"),
        ('{"format": "lmmformula fit", "version": 1}', "damaged"),
    ],
)
def test_other_files_are_refused(text: str, message: str, tmp_path: Path) -> None:
    """Whatever is wrong with a file is a FitError that names it."""
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(lf.FitError, match=message):
        lf.load(path)
    with pytest.raises(lf.FitError, match="can't read"):
        lf.load(tmp_path / "absent.json")


def test_an_offset_given_as_an_array_is_still_unknown_for_new_rows(tmp_path: Path) -> None:
    """The loaded fit remembers that there was one."""
    data = dataset("toy")
    fit = lf.Model("y ~ x + (1 | g)", data, offset=data["off"].to_numpy()).fit()
    with pytest.raises(lf.FitError, match="given as an array"):
        reloaded(fit, tmp_path).predict(data)


DAMAGE = {
    "data_name": -1,
    "source": None,
    "nobs": -1,
    "levels": ["308"],
    "beta": [1.0, 2.0],
    "relative_covariance": [[["x"]]],
}


@pytest.mark.parametrize("key", DAMAGE)
def test_what_was_changed_since_is_refused(key: str, tmp_path: Path) -> None:
    """Any value that is not the one that was saved, be it as good as the old one: the file has a checksum."""
    reloaded(fits.fit_of("lmm-003r"), tmp_path)

    def changed(value: object) -> object:
        if isinstance(value, list):
            return [changed(each) for each in value]
        if isinstance(value, dict):
            return {name: DAMAGE[key] if name == key else changed(each) for name, each in value.items()}
        return value

    content = changed(json.loads((tmp_path / "fit.json").read_text()))
    (tmp_path / "fit.json").write_text(json.dumps(content))
    with pytest.raises(lf.FitError, match="is damaged: it is not what was saved"):
        lf.load(tmp_path / "fit.json")


def test_a_file_without_its_checksum_is_refused(tmp_path: Path) -> None:
    """Whatever else it holds, or holds no longer."""
    reloaded(fits.fit_of("lmm-003r"), tmp_path)
    content = json.loads((tmp_path / "fit.json").read_text())
    for name in ("checksum", "kept"):
        del content[name]
        (tmp_path / "fit.json").write_text(json.dumps(content))
        with pytest.raises(lf.FitError, match="is damaged"):
            lf.load(tmp_path / "fit.json")


def test_a_file_may_be_laid_out_anew(tmp_path: Path) -> None:
    """Other blanks and another order of the keys change nothing."""
    fit = fits.fit_of("lmm-003r")
    reloaded(fit, tmp_path)
    content = json.loads((tmp_path / "fit.json").read_text())
    (tmp_path / "fit.json").write_text(json.dumps(dict(reversed(content.items()))))
    assert repr(lf.load(tmp_path / "fit.json")) == repr(fit)


TESTED = [*IDENTIFIERS, "lmm-003m", "lmm-028r", "lmm-030r", "lmm-056m", "lmm-058m", "lmm-098r", "lmm-102r", "lmm-106r",
          "lmm-112r", "lmm-113r", "lmm-117r"]  # fmt: skip
"""Beside those above: ML, ordered factors, contrasts, singular, poly(), dropped columns, missing rows, factor(k)."""

TABLES: dict[str, Callable[[Any], object]] = {
    "summary": lambda fit: fit.summary(),
    "summary by z": lambda fit: fit.summary("asymptotic"),
    "print": str,
    "tidy": lambda fit: fit.tidy().to_string(),
    "glance": lambda fit: fit.glance().to_string(),
    "confint": lambda fit: fit.confint(),
    "vcov of the variances": lambda fit: fit.tidy("ran_pars").to_string(),
    "contrast": lambda fit: fit.contrast(np.eye(len(fit.fixef))),
    "linear hypothesis": lambda fit: fit.linear_hypothesis(np.eye(len(fit.fixef))),
    "anova I": lambda fit: fit.anova(type="I"),
    "anova II": lambda fit: fit.anova(type="II"),
    "anova III": lambda fit: fit.anova(type="III"),
}


@pytest.mark.parametrize("identifier", TESTED)
def test_tests_are_those_of_the_fit_to_the_character(identifier: str, tmp_path: Path) -> None:
    """Summaries, intervals, contrasts, analyses of variance: all that Satterthwaite's degrees of freedom are in."""
    fit = fits.fit_of(identifier)
    again = reloaded(fit, tmp_path)
    for name, table in TABLES.items():
        assert str(table(again)) == str(table(fit)), name


@pytest.mark.parametrize("identifier", [i for i in TESTED if i != "lmm-024m"])
def test_marginal_means_and_slopes_are_those_of_the_fit(identifier: str, tmp_path: Path) -> None:
    """Of each variable of the fixed effects, with their comparisons; an offset's too."""
    fit = fits.fit_of(identifier)
    again = reloaded(fit, tmp_path)
    for name in fixed_variables(fit):
        mine, theirs = (f.emmeans(name, ddf="satterthwaite") for f in (again, fit))
        assert str(mine) == str(theirs)
        assert str(mine.pairs()) == str(theirs.pairs())
        if isinstance(column_summary(fit, name), NumericSummary) and name not in used_as_levels(fit):
            assert str(again.slopes(name, ddf="satterthwaite")) == str(fit.slopes(name, ddf="satterthwaite"))


def test_parameters_of_a_structure_are_counted_alike(tmp_path: Path) -> None:
    """Degrees of freedom and criteria of a loaded fit, where theta has more entries than there are parameters."""
    fit = lf.lmer("Reaction ~ Days + ar1(Days | Subject)", dataset("sleepstudy"))
    again = reloaded(fit, tmp_path)
    assert len(again.theta) > again.design.n_variance_parameters == 2
    assert (again.n_parameters, again.df_residual) == (fit.n_parameters, fit.df_residual) == (5, 175)
    assert (again.aic, again.bic) == (fit.aic, fit.bic)


def test_offsets_stand_at_the_same_mean(tmp_path: Path) -> None:
    """Also that of an array, which nobody can look up any more."""
    data = dataset("toy").assign(e=lambda d: np.exp(d["x"]))
    extra = np.linspace(0, 1, len(data))
    fit = lf.Model("y ~ f2 + offset(log(e)) + (1 | g)", data, offset=extra).fit()
    again = reloaded(fit, tmp_path)
    for options in ({}, {"at": {"e": 2}}, {"offset": 1.5}):
        mine, theirs = (f.emmeans("f2", ddf="satterthwaite", **options) for f in (again, fit))
        assert str(mine) == str(theirs)


def test_all_combinations_are_there(tmp_path: Path) -> None:
    """Cells of two factors, at a value of a third variable; what the columns that were dropped leave empty is empty."""
    data = dataset("toy")
    data = data[~((data["f2"] == data["f2"].iloc[0]) & (data["f3"] == data["f3"].iloc[0]))]
    with pytest.warns(lf.FitWarning):
        fit = lf.Model("y ~ f2 * f3 + x + (1 | g)", data).fit()
    again = reloaded(fit, tmp_path)
    mine, theirs = (f.emmeans("~ f2 * f3", at={"x": 1}, ddf="satterthwaite") for f in (again, fit))
    assert mine.frame["emmean"].isna().sum() == 1
    assert str(mine) == str(theirs)


def test_the_default_of_marginal_means_is_satterthwaites_method(tmp_path: Path) -> None:
    """Kenward and Roger's needs sums over rows; asked for by name, it is refused."""
    again = reloaded(fits.fit_of("lmm-041r"), tmp_path)
    assert "Satterthwaite" in again.emmeans("Machine").title
    for ask in (again.emmeans, lambda name, ddf: again.contrast(f"{name}B", ddf=ddf)):
        with pytest.raises(lf.FitError, match=r"Kenward-Roger's method needs the rows .* loaded from a file"):
            ask("Machine", ddf="kenward-roger")
    with pytest.raises(lf.FitError, match="Kenward-Roger"):
        again.summary("kenward-roger")


@pytest.mark.parametrize("weights", ["proportional", "outer", "cells", "flat"])
def test_weights_by_rows_need_the_rows(weights: Any, tmp_path: Path) -> None:
    """The file knows which levels there are, but not how often."""
    again = reloaded(fits.fit_of("lmm-028r"), tmp_path)
    for ask in (lambda: again.emmeans("recipe", weights=weights), lambda: again.slopes("recipe", weights=weights)):
        with pytest.raises(lf.FitError, match="needs the rows of the data"):
            ask()


def test_what_is_kept_reads_back() -> None:
    """What another version kept is not read; a design with rows has nothing that was kept."""
    assert kept_of(fits.fit_of("lmm-003r").design) is NOTHING
    assert Kept.from_dict(NOTHING.to_dict()).to_dict() == NOTHING.to_dict()
    assert Kept.from_dict({}) is NOTHING
    assert Kept.from_dict(NOTHING.to_dict() | {"version": 99, "grid": 3}) is NOTHING


def from_an_older_version(fit: lf.LinearMixedFit, folder: Path) -> lf.LinearMixedFit:
    """Save a fit as older versions did, with nothing that was worked out from the rows; load it."""
    content = json.loads(to_json(fit.ir, fit.schema, fit.design, fit.fit, fit.data_name))
    del content["kept"]
    write_content(folder / "old.json", content)
    return lf.load(folder / "old.json")  # type: ignore[return-value]


def write_content(path: Path, content: dict[str, Any]) -> None:
    """Write what a file is to hold, with the checksum that belongs to it."""
    del content["checksum"]
    path.write_text(json.dumps(content | {"checksum": checksum(content)}))


@pytest.mark.parametrize(
    "ask",
    [
        lambda fit: fit.plot("predictions"),
        lambda fit: fit.slopes("Days"),
        lambda fit: fit.emmeans("Days"),
        lambda fit: fit.anova(),
        lambda fit: fit.contrast("Days"),
        lambda fit: fit.confint("sigma"),
    ],
)
def test_older_files_say_what_they_lack(ask: Callable[[Any], object], tmp_path: Path) -> None:
    """They are read, and print; the columns of the model are known, but not what was in them."""
    fit = fits.fit_of("lmm-003r")
    again = from_an_older_version(fit, tmp_path)
    assert repr(again) == repr(fit)
    assert "Scaled residuals" not in again.summary()
    assert again.tidy()["p_value"].isna().all()
    with pytest.raises(lf.LmmFormulaError, match="loaded from a file"):
        ask(again)
    again.save(tmp_path / "new.json")
    assert repr(lf.load(tmp_path / "new.json")) == repr(fit)


def test_a_save_does_not_fail_for_what_can_not_be_worked_out(tmp_path: Path) -> None:
    """A column that is not what it was, and a fit that none of the tests are defined for."""
    fit = fits.fit_of("lmm-003r")
    table = replace(fit.table, raw={}, _columns={}, _factors={})
    again = reloaded(replace(fit, table=table), tmp_path)
    assert kept_of(again.design).grid is None
    assert str(again.summary()) == str(fit.summary())
    with pytest.raises(lf.LmmFormulaError, match="loaded from a file"):
        again.emmeans("Days")


def test_streamed_data_are_kept_as_far_as_they_are_known(tmp_path: Path) -> None:
    """Of data in parts there are cross-products, which tell degrees of freedom, but no columns."""
    data = dataset("sleepstudy")
    fit = lf.Model("Reaction ~ Days + (Days | Subject)", [data.head(90), data.tail(90)]).fit()
    again = reloaded(fit, tmp_path)
    for name in ("summary", "print", "tidy", "confint", "contrast"):
        assert str(TABLES[name](again)) == str(TABLES[name](fit)), name
    assert "Satterthwaite" in again.summary()


def test_types_of_anova_that_are_known_are_kept(tmp_path: Path) -> None:
    """Cross-products and a sample of the rows tell all types; those that were weighted tell type III alone."""
    data = dataset("toy").assign(w=lambda frame: 1.0 + np.arange(len(frame)) % 3)
    for weights, known, unknown in ((None, ("I", "II", "III"), ()), ("w", ("III",), ("I", "II"))):
        parts = [data.head(120), data.tail(120)]
        fit = lf.Model("y ~ x * f3 + (1 | g)", parts, weights=weights, progress=False).fit()
        again = reloaded(fit, tmp_path)
        for kind in known:
            assert str(again.anova(type=kind)) == str(fit.anova(type=kind))
        for kind in unknown:
            with pytest.raises(lf.FitError, match="loaded from a file"):
                again.anova(type=kind)


def test_tests_of_very_many_coefficients_are_not_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The summary is lme4's then, and marginal means need z intervals."""
    monkeypatch.setattr(keeping, "MOST_COEFFICIENTS", 2)
    fit = fits.fit_of("lmm-041r")
    again = reloaded(fit, tmp_path)
    assert again.summary() == str(fit)
    assert str(again.emmeans("Machine", ddf="asymptotic")) == str(fit.emmeans("Machine", ddf="asymptotic"))
    with pytest.raises(lf.FitError, match="loaded from a file"):
        again.anova()


def test_a_summary_without_fixed_effects_names_no_tests(tmp_path: Path) -> None:
    """There are none; nor are there for the fit that was not saved."""
    fit = lf.Model("Yield ~ 0 + (1 | Batch)", dataset("Dyestuff")).fit()
    assert "t-tests" not in fit.summary()
    assert str(reloaded(fit, tmp_path).summary()) == str(fit.summary())


def test_a_model_without_fixed_effects_is_tidied(tmp_path: Path) -> None:
    """After loading, too: there is nothing to test."""
    fit = lf.Model("Reaction ~ 0 + (1 | Subject)", dataset("sleepstudy")).fit()
    for each in (fit, reloaded(fit, tmp_path)):
        assert each.tidy()["effect"].tolist() == ["ran_pars", "ran_pars"]


def test_a_fit_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    """A folder that is not there, and what is no name of a file."""
    fit = fits.fit_of("lmm-003r")
    with pytest.raises(lf.FitError, match=r"can't write .*: No such file or directory"):
        fit.save(tmp_path / "nowhere" / "fit.json")
    with pytest.raises(lf.FitError, match="named by text or a path, not by 3"):
        fit.save(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("identifier", [*TESTED, "lmm-062r"])
def test_intervals_of_predictions_are_those_of_the_fit(identifier: str, tmp_path: Path) -> None:
    """With the random effects of levels that were seen, and of new ones: what is known of them is in the file."""
    fit = fits.fit_of(identifier)
    rows = fits.data_of(lf_record(identifier)).dropna().head(20)
    again = reloaded(fit, tmp_path)
    assert kept_of(again.design).modes is not None
    if identifier == "lmm-107r":
        rows = rows.drop(columns="off").assign(off=0.5)
    groups = [name for name in fit.ngroups if name in rows]
    strangers = rows.assign(**dict.fromkeys(groups, "nobody"))
    for new, random in ((rows, "conditional"), (strangers, "conditional"), (rows, "population")):
        options = {"random": random, "interval": "prediction", "new_levels": "population"}
        np.testing.assert_allclose(again.predict(new, **options), fit.predict(new, **options), rtol=1e-8)


def test_errors_of_very_many_random_effects_are_not_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The file would be large; then intervals with random effects need the rows, and predictions don't."""
    monkeypatch.setattr(uncertainty, "MOST_KEPT", 100)
    again = reloaded(fits.fit_of("lmm-003r"), tmp_path)
    new = {"Days": [1.0], "Subject": ["308"]}
    assert len(again.predict(new)) == 1
    with pytest.raises(lf.FitError, match="needs the rows of the data"):
        again.predict(new, se_fit=True)


COPIES: list[Callable[[Any], Any]] = [lambda value: pickle.loads(pickle.dumps(value)), copy.copy, copy.deepcopy]  # noqa: S301


@pytest.mark.parametrize("how", COPIES)
def test_fits_and_loaded_fits_are_copied(how: Callable[[Any], Any], tmp_path: Path) -> None:
    """By pickle and by copy, also after an interval has been asked for, which leaves a sparse factor behind."""
    fit = fits.fit_of("lmm-024m")
    for each in (fit, reloaded(fit, tmp_path)):
        rows = {"plate": ["a", "nobody"], "sample": ["B", "C"]}
        options = {"interval": "prediction", "new_levels": "population"}
        expected = each.predict(rows, **options)
        again = how(each)
        assert str(again) == str(fit)
        np.testing.assert_allclose(again.predict(rows, **options), expected, rtol=1e-12)
        with pytest.raises(lf.FitError, match="loaded from a file"):
            how(reloaded(fit, tmp_path)).fitted  # noqa: B018 (what is asked of it)


def test_what_intervals_need_is_worked_out_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By the first prediction; the next ones, leverages and the file take what was found."""
    model = fits.model_of("lmm-024m")
    fit, calls = model.fit(), []
    made = uncertainty.factorised_once
    monkeypatch.setattr(uncertainty, "factorised_once", lambda *given: calls.append(1) or made(*given))
    for _ in range(3):
        fit.predict({"plate": ["a"], "sample": ["B"]}, se_fit=True)
    fit.leverage()
    fit.save(tmp_path / "fit.json")
    assert len(calls) == 1
    monkeypatch.setattr(uncertainty, "MOST_KEPT", 1)
    model.fit().save(tmp_path / "fit.json")
    assert len(calls) == 1
