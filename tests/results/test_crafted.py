"""Files that were made to be wrong: refused when they are read, never later."""

import json
import struct
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fits
import lmmformula as lf
from corpus import record
from damage import WRONG, damaged, places
from lmmformula.ir.functions import REGISTERED
from lmmformula.results.files.fits import checksum
from lmmformula.results.netcdf import CHECKSUM, HEADER, Named, _checksum, read_netcdf, write_netcdf

ASK: list[Callable[[Any], object]] = [
    str,
    repr,
    lambda found: found.summary(),
    lambda found: found.tidy(),
    lambda found: found.ranef(),
    lambda found: found.coef(),
    lambda found: str(found.varcorr),
    lambda found: found.confint(method="wald") if isinstance(found, lf.LinearMixedFit) else found.confint(),
    lambda found: found.predict(found.rows),
    lambda found: found.predict(found.rows, interval="prediction"),
    lambda found: str(found.emmeans(next(iter(found.schema.variables)))),
    lambda found: found.anova(type="II"),
    lambda found: found.diagnostics(),
    lambda found: found.fitted,
    lambda found: found.log_likelihood(),
]
"""What a fit or a posterior, or one of them, is asked; what it can not do it says."""


def cases(content: Any, n: int) -> list[Any]:
    """Choose damages at random, the same in every run."""
    everything = [(path, i) for path in places(content) for i in range(len(WRONG))]
    chosen = np.random.default_rng(1).choice(len(everything), n, replace=False)
    return [(everything[c][0], damaged(content, everything[c][0], WRONG[everything[c][1]])) for c in chosen]


def examine(path: Path, identifier: str, where: object) -> bool:
    """Load a file and ask what was loaded; nothing but our own errors may come of it."""
    try:
        found = lf.load(path)
    except lf.LmmFormulaError:
        return False
    object.__setattr__(found, "rows", fits.data_of(record("lmm", identifier)).dropna().head(3))
    for ask in ASK:
        try:
            ask(found)
        except lf.LmmFormulaError:
            continue
        except AttributeError as error:
            if error.obj is found:  # fits have no diagnostics, posteriors no analysis of variance
                continue
            raise
        except Exception as error:
            raise AssertionError(f"{where}: {error!r}") from error
    return True


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What is computed of wrong numbers may overflow."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("identifier", ["lmm-003r", "lmm-028r", "lmm-119r", "lmm-014r"])
def test_a_damaged_fit_is_refused_at_once(identifier: str, tmp_path: Path) -> None:
    """Though its checksum is right: what is loaded answers, or says what it lacks."""
    path = tmp_path / "fit.json"
    fits.fit_of(identifier).save(path)
    assert examine(path, identifier, "whole")
    content = json.loads(path.read_text())
    del content["checksum"]
    refused = 0
    for where, wrong in cases(content, 100):
        try:
            path.write_text(json.dumps(wrong | {"checksum": checksum(wrong)}))
        except (TypeError, ValueError):  # no JSON
            continue
        refused += not examine(path, identifier, where)
    assert refused > 50


@pytest.mark.slow
@pytest.mark.parametrize("data", [False, True])
def test_a_damaged_posterior_is_refused_at_once(data: bool, tmp_path: Path) -> None:  # noqa: FBT001 (a case)
    """Its header, and its arrays: left out, cut, flattened, of other numbers."""
    path, identifier = tmp_path / "posterior.nc", "lmm-003r"
    posterior = fits.model_of(identifier).sample(seed=2, draws=20, warmup=50, chains=2, progress=False)
    posterior.save(path, data=data)
    header, arrays = read_netcdf(path)

    def write(header: Any, arrays: dict[str, np.ndarray]) -> None:
        named = {name: Named([f"{name}{i}" for i in range(values.ndim)], values) for name, values in arrays.items()}
        write_netcdf(path, header, named)

    refused = 0
    for where, wrong in cases(header, 80):
        try:
            write(wrong, arrays)
        except (TypeError, ValueError):
            continue
        refused += not examine(path, identifier, where)
    for name, values in arrays.items():
        for other in (None, values[:1], values[..., :1], values.ravel(), values * 0 - 7, values.astype(float)):
            write(header, {n: other if n == name else v for n, v in arrays.items() if n != name or other is not None})
            refused += not examine(path, identifier, name)
    assert refused > 60


def test_deep_nesting_and_endless_numbers_are_no_fits(tmp_path: Path) -> None:
    """The reader of JSON has limits of its own, which are ours."""
    for text in (
        "[" * 200_000,
        '{"a":' * 200_000,
        "9" * 10_000,
        '{"format": "lmmformula fit", "version": ' + "9" * 9999,
    ):
        (tmp_path / "fit.json").write_text(text)
        with pytest.raises(lf.FitError, match=r"fit\.json"):
            lf.load(tmp_path / "fit.json")


@pytest.mark.parametrize("shape", [[2**40], [2**62, 2**62], [-1], [0, -5], ["x"], 3, [[0]], None, [1.5, 0]])
def test_no_memory_is_taken_for_what_a_header_says(shape: Any, tmp_path: Path) -> None:
    """Arrays with nothing in them are the only ones whose shape the header knows."""
    from scipy.io import netcdf_file

    text = json.dumps({"format": "lmmformula posterior", "version": 1, "empty": {"a": shape}})
    with netcdf_file(str(tmp_path / "a.nc"), "w", version=2) as file:
        setattr(file, HEADER, text)
        setattr(file, CHECKSUM, str(_checksum(text, {})))
    with pytest.raises(lf.FitError, match="damaged"):
        lf.load(tmp_path / "a.nc")


def test_any_word_of_a_header_may_be_wrong(tmp_path: Path) -> None:
    """Lengths, counts and places of a netCDF file: each word in turn is huge, negative or nothing."""
    path = tmp_path / "a.nc"
    write_netcdf(path, {"a": 1}, {"x": Named(("d", "e"), np.ones((3, 4)))})
    whole = path.read_bytes()
    for place in range(4, len(whole) - 12 * 8, 4):
        for word in (0x7FFFFFFF, 0xFFFFFFFF, 0x40000000, 0):
            path.write_bytes(whole[:place] + struct.pack(">I", word) + whole[place + 4 :])
            try:
                header, arrays = read_netcdf(path)
            except lf.FitError:
                continue
            assert (header, arrays["x"].size) == ({"a": 1}, 12)  # a word that says nothing


def test_no_function_of_the_users_is_called_by_reading(tmp_path: Path) -> None:
    """What has been registered is called when new rows are predicted, and not before."""
    calls: list[int] = []

    def counted(x: Any) -> Any:
        calls.append(1)
        return 2 * x

    lf.register("counted", counted)
    try:
        data = fits.data_of(record("lmm", "lmm-003r"))
        lf.Model("Reaction ~ counted(Days) + (1 | Subject)", data).fit().save(tmp_path / "fit.json")
        calls.clear()
        again = lf.load(tmp_path / "fit.json")
        assert not calls
        again.predict({"Days": [1.0], "Subject": ["308"]})
        assert calls
    finally:
        REGISTERED.pop("counted", None)


def test_means_of_offsets_are_a_list(tmp_path: Path) -> None:
    """A single number in its place is refused when the file is read."""
    path = tmp_path / "fit.json"
    fits.fit_of("lmm-003r").save(path)
    content = json.loads(path.read_text())
    del content["checksum"]
    content["kept"]["grid"]["offsets"] = {"shape": [], "numbers": [0.0]}
    path.write_text(json.dumps(content | {"checksum": checksum(content)}))
    with pytest.raises(lf.FitError, match=r"damaged|grid"):
        lf.load(path)
