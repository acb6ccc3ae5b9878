"""Fits written to a file and read back."""

import json
from pathlib import Path

import numpy as np
import pytest

import fits
import lmmformula as lf
from corpus import dataset
from lmmformula.results.saved import SavedDesign

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
        lambda fit: fit.predict({"Days": [1.0], "Subject": ["308"]}, se_fit=True),
        lambda fit: fit.design.Zt,
    ],
)
def test_what_needs_the_data_says_so(ask: object, tmp_path: Path) -> None:
    """Not an attribute error, but a sentence and what to do."""
    again = reloaded(fits.fit_of("lmm-003r"), tmp_path)
    with pytest.raises(lf.FitError, match="loaded from a file"):
        ask(again)  # type: ignore[operator]


def test_a_loaded_fit_prints_and_saves_again(tmp_path: Path) -> None:
    """The summary leaves out the residuals; a second file equals the first."""
    fit = fits.fit_of("lmm-003r")
    again = reloaded(fit, tmp_path)
    text = str(again)
    assert "Fixed effects:" in text
    assert "Scaled residuals" not in text
    again.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "fit.json").read_bytes()


def test_a_linear_model_is_saved_alike(tmp_path: Path) -> None:
    """Without random terms: coefficients, printed summary, prediction intervals with Student's t."""
    fit = lf.Model("Reaction ~ Days", dataset("sleepstudy")).fit()
    again = reloaded(fit, tmp_path)
    assert "Residual standard error: 47.71 on 178 degrees of freedom" in str(again)
    mine, theirs = (f.predict({"Days": [4.0]}, interval="prediction") for f in (again, fit))
    np.testing.assert_array_equal(mine, theirs)


def test_the_file_holds_no_data(tmp_path: Path) -> None:
    """No response, no columns: nothing as long as the data is in the file."""
    reloaded(fits.fit_of("lmm-003r"), tmp_path)

    def longest(value: object) -> int:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        return max([len(value) if isinstance(value, list) else 0, *map(longest, inner)])

    assert longest(json.loads((tmp_path / "fit.json").read_text())) == 18


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


def test_absent_attributes_are_absent() -> None:
    """Only the names of the data raise the sentence; everything else is an ordinary AttributeError."""
    assert not hasattr(SavedDesign.__new__(SavedDesign), "no_such_thing")


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


def test_a_file_may_be_laid_out_anew(tmp_path: Path) -> None:
    """Other blanks and another order of the keys change nothing."""
    fit = fits.fit_of("lmm-003r")
    reloaded(fit, tmp_path)
    content = json.loads((tmp_path / "fit.json").read_text())
    (tmp_path / "fit.json").write_text(json.dumps(dict(reversed(content.items()))))
    assert repr(lf.load(tmp_path / "fit.json")) == repr(fit)


@pytest.mark.parametrize("ask", [lambda fit: fit.plot("predictions"), lambda fit: fit.slopes("Days")])
def test_what_needs_a_column_says_so(ask: object, tmp_path: Path) -> None:
    """The columns of the model are known, but not what was in them."""
    again = reloaded(fits.fit_of("lmm-003r"), tmp_path)
    with pytest.raises(lf.LmmFormulaError, match="loaded from a file"):
        ask(again)  # type: ignore[operator]


def test_a_model_without_fixed_effects_is_tidied(tmp_path: Path) -> None:
    """After loading, too, when there are no tests that could say that there is nothing to test."""
    fit = lf.Model("Reaction ~ 0 + (1 | Subject)", dataset("sleepstudy")).fit()
    for each in (fit, reloaded(fit, tmp_path)):
        assert each.tidy()["effect"].tolist() == ["ran_pars", "ran_pars"]
