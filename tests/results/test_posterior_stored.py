"""Posteriors written to a netCDF file and read back."""

import copy
import json
import pickle
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf
import programs
from corpus import dataset
from fits import data_of, model_of
from lmmformula.results.netcdf import HEADER, Named, read_netcdf, write_netcdf

pytestmark = [
    pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning"),
    pytest.mark.filterwarnings("ignore:.*trials:lmmformula.FitWarning"),
]
"""Few draws are enough for what is tested here."""

IDENTIFIERS = ["lmm-003r", "lmm-024m", "lmm-041r", "lmm-012r", "lmm-119r", "lmm-014r", "lmm-004r"]
"""Correlated slopes, crossed factors, a factor's columns, scale(), splines, offset(), `||`."""
SUMS = 1e-11
"""Draws come back to the bit, but in another order in memory, in which sums are rounded otherwise."""


@cache
def posterior_of(identifier: str) -> lf.Posterior:
    """Return a few draws of a model of a record."""
    return model_of(identifier).sample(seed=2, draws=50, warmup=100, chains=2, progress=False)


def reloaded(posterior: lf.Posterior, folder: Path, **options: Any) -> lf.Posterior:
    """Save a posterior and load it."""
    posterior.save(folder / "posterior.nc", **options)
    again = lf.load(folder / "posterior.nc")
    assert isinstance(again, lf.Posterior)
    return again


@pytest.mark.parametrize("identifier", IDENTIFIERS)
def test_what_needs_no_rows_is_the_same(identifier: str, tmp_path: Path) -> None:
    """Draws, summary, effects, variance components, verdict, print, program and predictions of new rows survive."""
    posterior = posterior_of(identifier)
    again = reloaded(posterior, tmp_path)
    assert again.ir == posterior.ir
    assert again.schema == posterior.schema
    assert str(again) == str(posterior)
    assert again.draws_frame(random=True).equals(posterior.draws_frame(random=True))
    pd.testing.assert_frame_equal(again.summary(random=True), posterior.summary(random=True), rtol=SUMS)
    pd.testing.assert_frame_equal(again.varcorr.frame, posterior.varcorr.frame, rtol=SUMS)
    assert again.diagnostics() == posterior.diagnostics()
    assert (again.nobs, again.ngroups, again.program.code) == (
        posterior.nobs, posterior.ngroups, posterior.program.code,
    )  # fmt: skip
    for group, frame in posterior.coef().items():
        pd.testing.assert_frame_equal(again.coef()[group], frame, rtol=SUMS)
    from corpus import record

    rows = data_of(record("lmm", identifier)).dropna().head(20)
    for options in ({}, {"random": "population"}, {"interval": "prediction"}):
        np.testing.assert_allclose(again.predict(rows, **options), posterior.predict(rows, **options), rtol=SUMS)


def test_with_its_data_a_posterior_is_what_it_was(tmp_path: Path) -> None:
    """Fitted values, marginal means, log likelihoods, responses like the data's: all that needs the rows."""
    data = programs.frame("small")
    model = lf.Model("y ~ x + f + (x | a) + (1 | b)", data, weights="w", offset="o")
    posterior = model.sample(seed=1, draws=50, warmup=100, chains=2, progress=False)
    again = reloaded(posterior, tmp_path, data=True)
    np.testing.assert_allclose(again.fitted, posterior.fitted, rtol=SUMS)
    np.testing.assert_allclose(again.emmeans("f").frame["mean"], posterior.emmeans("f").frame["mean"], rtol=SUMS)
    np.testing.assert_allclose(again.log_likelihood(), posterior.log_likelihood(), rtol=SUMS)
    np.testing.assert_allclose(again.posterior_predictive(1), posterior.posterior_predictive(1), rtol=SUMS)
    np.testing.assert_array_equal(again.design.Zt.toarray(), posterior.design.Zt.toarray())
    again.save(tmp_path / "again.nc", data=True)
    (header, arrays), (first, given) = (read_netcdf(tmp_path / name) for name in ("again.nc", "posterior.nc"))
    assert header == first
    assert arrays.keys() == given.keys()
    assert all(np.array_equal(arrays[name], values) for name, values in given.items())


@pytest.mark.parametrize("name", [name for name in programs.FAMILIES if name != "poisson_prior"])
def test_every_family_is_saved(name: str, tmp_path: Path) -> None:
    """With its own parameters; draws of the prior stay such."""
    case = programs.FAMILIES[name]
    model = lf.Model(case.text, programs.frame(case.data), family=case.family, weights=case.weights, offset=case.offset)
    posterior = model.sample_prior(seed=1, draws=20, chains=1, progress=False)
    again = reloaded(posterior, tmp_path)
    assert str(again) == str(posterior)
    assert str(again).startswith("Prior of")


@pytest.mark.parametrize(
    "ask",
    [
        lambda posterior: posterior.fitted,
        lambda posterior: posterior.predict(),
        lambda posterior: posterior.log_likelihood(),
        lambda posterior: posterior.posterior_predictive(1),
        lambda posterior: posterior.emmeans("Days", weights="cells"),
        lambda posterior: posterior.to_xarray(log_likelihood=True),
        lambda posterior: posterior.save("nowhere.nc", data=True),
        lambda posterior: posterior.program.data,
        lambda posterior: posterior.program.write("nowhere.stan"),
    ],
)
def test_what_needs_the_rows_says_so(ask: Any, tmp_path: Path) -> None:
    """Not an attribute error, but a sentence and what to do."""
    again = reloaded(posterior_of("lmm-003r"), tmp_path)
    with pytest.raises(lf.LmmFormulaError, match=r"loaded from a file|are not here"):
        ask(again)
    assert not hasattr(again.program, "no_such_thing")


def test_marginal_means_need_no_rows(tmp_path: Path) -> None:
    """Levels and means of columns are in the file; not in those of older versions, which are read for the rest."""
    posterior = posterior_of("lmm-041r")
    again = reloaded(posterior, tmp_path)
    assert str(again.emmeans("Machine").pairs()) == str(posterior.emmeans("Machine").pairs())
    sleep = posterior_of("lmm-003r")
    assert str(reloaded(sleep, tmp_path).slopes("Days")) == str(sleep.slopes("Days"))
    header, arrays = read_netcdf(tmp_path / "posterior.nc")
    del header["kept"]
    dims = {name: [f"{name}{i}" for i in range(values.ndim)] for name, values in arrays.items()}
    write_netcdf(tmp_path / "old.nc", header, {name: Named(dims[name], values) for name, values in arrays.items()})
    old = lf.load(tmp_path / "old.nc")
    assert str(old) == str(sleep)
    with pytest.raises(lf.LmmFormulaError, match="loaded from a file"):
        old.slopes("Days")


def test_groups_without_rows(tmp_path: Path) -> None:
    """ArviZ's groups are there but for the data; generated log likelihoods stay."""
    pytest.importorskip("xarray")
    model = model_of("lmm-003r")
    posterior = model.sample(seed=2, draws=20, chains=1, progress=False, log_lik=True, y_rep=True)
    tree = reloaded(posterior, tmp_path).to_xarray()
    assert set(tree.children) == {"posterior", "sample_stats", "log_likelihood", "posterior_predictive"}


def test_other_programs_read_the_file(tmp_path: Path) -> None:
    """It is xarray that finds the draws under the names of the program."""
    xarray = pytest.importorskip("xarray")
    posterior = posterior_of("lmm-003r")
    posterior.save(tmp_path / "posterior.nc")
    with xarray.open_dataset(tmp_path / "posterior.nc", engine="scipy") as found:
        np.testing.assert_array_equal(found["sigma"], posterior.raw["sigma"])
        assert found["u_Subject"].dims[:2] == ("chain", "draw")


def test_streamed_data_are_not_needed(tmp_path: Path) -> None:
    """A posterior of data in parts has no rows, and is saved without."""
    data = dataset("sleepstudy")
    model = lf.Model("Reaction ~ Days + (1 | Subject)", [data.head(90), data.tail(90)])
    posterior = model.sample(seed=1, draws=20, chains=1, progress=False)
    assert str(reloaded(posterior, tmp_path)) == str(posterior)
    with pytest.raises(lf.FitError, match="data=True needs the rows of the data"):
        posterior.save(tmp_path / "posterior.nc", data=True)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    """Cut anywhere, or with a byte turned in the header: a FitError that names the file, or the same posterior."""
    path = tmp_path / "posterior.nc"
    posterior_of("lmm-003r").save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    for length in [4, 8, 20, 100, 1000, *rng.integers(1000, len(whole) - 8, 20).tolist()]:
        path.write_bytes(whole[:length])
        with pytest.raises(lf.FitError, match=r"posterior\.nc"):
            lf.load(path)
    for place in rng.integers(3, 12_000, 200).tolist():
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x15]) + whole[place + 1 :])
        try:
            found = lf.load(path)
        except lf.LmmFormulaError:
            continue
        assert str(found) == str(posterior_of("lmm-003r"))  # what was turned says nothing


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"format": "lmmformula posterior", "version": 99}, "version 99"),
        ({"format": "lmmformula posterior", "version": 1}, "damaged"),
        ({"format": "something"}, "holds no posterior"),
    ],
)
def test_other_layouts_are_refused(header: dict[str, object], message: str, tmp_path: Path) -> None:
    """Whatever is in the header."""
    write_netcdf(tmp_path / "other.nc", header, {"x": Named(("a",), np.ones(2))})
    with pytest.raises(lf.FitError, match=message):
        lf.load(tmp_path / "other.nc")


def test_other_files_are_refused(tmp_path: Path) -> None:
    """Of other programs, of ArviZ, of none, and folders."""
    from scipy.io import netcdf_file

    path = tmp_path / "other.nc"
    with netcdf_file(str(path), "w") as file:
        file.title = "another's"
    with pytest.raises(lf.FitError, match="nothing that lmmformula"):
        lf.load(path)
    with netcdf_file(str(path), "w") as file:
        setattr(file, HEADER, json.dumps([1]))
    with pytest.raises(lf.FitError, match="damaged"):
        lf.load(path)
    path.write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(lf.FitError, match="no posterior"):
        lf.load(path)
    for absent in (tmp_path / "absent.nc", tmp_path):
        with pytest.raises(lf.FitError, match="can't read"):
            lf.load(absent)
    for target in (tmp_path / "no" / "folder.nc", tmp_path, f"{tmp_path}/nul\0.nc"):
        with pytest.raises(lf.FitError, match="can't write"):
            posterior_of("lmm-003r").save(target)
    for path in (3, None, [tmp_path]):
        with pytest.raises(lf.FitError, match="named by text or a path"):
            posterior_of("lmm-003r").save(path)  # type: ignore[arg-type]
        with pytest.raises(lf.FitError, match="named by text or a path"):
            lf.load(path)  # type: ignore[arg-type]
    assert [file.name for file in tmp_path.iterdir()] == ["other.nc"]


def test_arrays_come_back_as_they_went(tmp_path: Path) -> None:
    """Numbers, whole numbers, infinities, and arrays with nothing in them."""
    arrays = {"x": np.array([[1.5, np.nan, -np.inf]]), "n": np.array([3, -1]), "none": np.empty((2, 0))}
    named = {name: Named([f"{name}{i}" for i in range(values.ndim)], values) for name, values in arrays.items()}
    write_netcdf(tmp_path / "a.nc", {"word": "Größe"}, named)
    header, found = read_netcdf(tmp_path / "a.nc")
    assert header == {"word": "Größe"}
    for name, values in arrays.items():
        np.testing.assert_array_equal(found[name], values)
        assert found[name].dtype.kind == values.dtype.kind
    assert [file.name for file in tmp_path.iterdir()] == ["a.nc"]


@pytest.mark.parametrize("data", [False, True])
def test_loaded_posteriors_are_copied(data: bool, tmp_path: Path) -> None:  # noqa: FBT001 (a case)
    """By pickle and by copy."""
    again = reloaded(posterior_of("lmm-024m"), tmp_path, data=data)
    for copied in (pickle.loads(pickle.dumps(again)), copy.deepcopy(again), copy.copy(again)):  # noqa: S301
        assert str(copied) == str(again)
        assert copied.design.random_terms[0].levels == again.design.random_terms[0].levels
