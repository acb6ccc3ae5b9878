"""Small data in files and queries keep their rows; large ones can do without theirs what a saved fit can."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf
from lmmformula.design.parts import gathering

FORMULA = "y ~ x * f + k + factor(m) + (x | g)"


def rows(n: int = 900) -> pd.DataFrame:
    """Numbers, text, a variable of two values, one used as levels, and groups."""
    rng = np.random.default_rng(5)
    g, x = rng.integers(0, 12, n), rng.normal(size=n)
    frame = pd.DataFrame({"x": x, "f": rng.choice(list("abc"), n, p=[0.5, 0.2, 0.3]), "g": g, "other": x > 0})
    frame["k"], frame["m"] = rng.integers(0, 2, n) * 3.0, rng.integers(1, 5, n)
    frame["w"], frame["count"] = rng.uniform(1, 2, n), rng.poisson(3, n)
    frame["y"] = 1 + x + (frame["f"] == "b") + frame["k"] + rng.normal(size=12)[g] * (1 + x / 2) + rng.normal(size=n)
    frame.loc[[3, 500], "f"] = None
    return frame


DATA = rows()
PARTS = [DATA.iloc[:250], DATA.iloc[250:260], DATA.iloc[260:]]


def _parquet(folder: Path) -> Any:
    DATA.to_parquet(folder / "rows.parquet", row_group_size=200)
    return str(folder / "*.parquet")


def _semicolons(folder: Path) -> Any:
    DATA.to_csv(folder / "rows.csv.gz", sep=";", decimal=",", index=False)
    return folder / "rows.csv.gz"


def _two_files(folder: Path) -> Any:
    for i, part in enumerate(PARTS):
        part.to_csv(folder / f"rows{i}.csv", index=False)
    return sorted(folder.glob("*.csv"))


def _duckdb(folder: Path) -> Any:
    return pytest.importorskip("duckdb").sql(f"from '{_parquet(folder)}'")


def _lazy(folder: Path) -> Any:
    return pytest.importorskip("polars").scan_parquet(_parquet(folder))


def _dataset(folder: Path) -> Any:
    _parquet(folder)
    return pytest.importorskip("pyarrow.dataset").dataset(folder)


STORED: dict[str, Callable[[Path], Any]] = {
    "Parquet": _parquet, "semicolons, compressed": _semicolons, "files": _two_files, "DuckDB": _duckdb,
    "LazyFrame": _lazy, "Dataset": _dataset,
}  # fmt: skip


@pytest.mark.parametrize("source", STORED)
def test_small_data_are_read_into_memory_and_that_is_said(source: str, tmp_path: Path) -> None:
    """Everything that needs rows works, and is what the frame in memory gives; what is not Gaussian is fitted, too."""
    reports: list[Any] = []
    data = STORED[source](tmp_path)
    model = lf.Model(FORMULA, data, progress=reports.append)
    fit, whole = model.fit(), lf.Model(FORMULA, DATA).fit()
    np.testing.assert_allclose(fit.residuals(), whole.residuals(), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(fit.emmeans("f").frame["emmean"], whole.emmeans("f").frame["emmean"], rtol=1e-8)
    np.testing.assert_allclose(fit.anova(type="III")["p_value"], whole.anova(type="III")["p_value"], rtol=1e-4)
    assert "900 rows were read into memory" in model.explain()
    assert "read into memory" in reports[-1].text
    assert model.update(". ~ . + other").fit().nobs == 898
    counted = lf.Model("count ~ poly(x, 2) + (1 | g)", data, family="poisson").fit()
    np.testing.assert_allclose(
        counted.fixef, lf.Model("count ~ poly(x, 2) + (1 | g)", DATA, family="poisson").fit().fixef, rtol=1e-6
    )


def test_the_user_has_the_last_word(tmp_path: Path) -> None:
    """`keep_rows` reads what would be summed, and sums what would be read; a checkpoint means a long run."""
    path = _parquet(tmp_path)
    assert not lf.Model(FORMULA, path, keep_rows=False, progress=False).design.has_rows
    assert not lf.Model(FORMULA, path, checkpoint=tmp_path / "run", progress=False).design.has_rows
    assert not lf.Model(FORMULA, PARTS, progress=False).design.has_rows
    kept = lf.Model(FORMULA, PARTS, keep_rows=True, progress=False)
    assert kept.fit().nobs == len(kept.fit().residuals()) == 898
    assert lf.Model(FORMULA, lambda: iter(PARTS), keep_rows=True, progress=False).design.has_rows
    with pytest.raises(lf.DataError, match="keep_rows is"):
        lf.Model(FORMULA, path, keep_rows="yes")
    with pytest.raises(lf.DataError, match="keep_rows is for data that come in parts"):
        lf.Model(FORMULA, DATA, keep_rows=True)


def test_what_is_large_is_not_read_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a quarter of the memory rows are summed; columns that the model does not read are left out before that."""
    more = pd.DataFrame(np.ones((len(DATA), 200)), columns=[f"z{i}" for i in range(200)])
    wide = pd.concat([DATA, more], axis=1)
    wide.to_parquet(tmp_path / "wide.parquet", row_group_size=100)
    size = len(DATA) * 8 * gathering.COPIES
    for columns, has_rows in ((300, True), (20, True), (3, False)):
        monkeypatch.setattr(gathering, "memory_share", lambda columns=columns: 2.0 * columns * size)
        model = lf.Model(FORMULA, tmp_path / "wide.parquet", progress=False)
        assert model.design.has_rows == has_rows
        assert ("z7" in model.table) == (columns == 300 or not has_rows)
        assert model.update(". ~ . + x:z7 - x:z7").fit().nobs == 898


def test_parts_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    """A column of several kinds; ordered categories in two orders; categories that differ are sorted."""
    a = pd.DataFrame({"y": [1.0, 2, 4], "f": pd.Categorical(["b", "a", "b"], ["b", "a"], ordered=True)})
    b = pd.DataFrame({"y": [3.0, 5, 1], "f": pd.Categorical(["a", "b", "b"], ["a", "b"], ordered=True)})
    with pytest.raises(lf.DataError, match="ordered categories differ"):
        lf.Model("y ~ f", [a, b], keep_rows=True)
    a["f"], b["f"] = a["f"].cat.as_unordered(), b["f"].cat.as_unordered()
    assert lf.Model("y ~ f", [a, b], keep_rows=True).design.fixed_names == ("(Intercept)", "fb")
    for i, part in enumerate((a, b)):
        part.to_parquet(tmp_path / f"{i}.parquet")
    assert lf.Model("y ~ f", tmp_path).design.fixed_names == ("(Intercept)", "fb")
    with pytest.raises(lf.DataError, match="mixes"):
        lf.Model("y ~ f", [a, b.assign(f=[1, 2, 3])], keep_rows=True)


AFTER: dict[str, Callable[[Any], Any]] = {
    "marginal means": lambda fit: fit.emmeans("f").frame,
    "of two": lambda fit: fit.emmeans(["f", "k"]).pairs().frame,
    "of levels of numbers": lambda fit: fit.emmeans("m").frame,
    "at values": lambda fit: fit.emmeans("f", at={"x": 1.5}).frame,
    "slopes": lambda fit: fit.slopes("x", by="f").frame,
    "type I": lambda fit: fit.anova(type="I").frame,
    "type II": lambda fit: fit.anova(type="II").frame,
    "type III": lambda fit: fit.anova(type="III").frame,
}


@pytest.mark.parametrize("what", AFTER)
@pytest.mark.parametrize("kind", ["parts", "from a checkpoint", "saved and loaded"])
def test_a_fit_without_rows_can_do_what_a_saved_one_can(what: str, kind: str, tmp_path: Path) -> None:
    """Means, slopes and tests are those of the rows in memory; they are kept in checkpoints and files, too."""
    options = {"progress": False} | ({"checkpoint": tmp_path} if kind == "from a checkpoint" else {})
    fit = lf.Model(FORMULA, PARTS, **options).fit()
    if kind == "from a checkpoint":
        fit = lf.Model(FORMULA, PARTS, **options).fit()
    whole = lf.Model(FORMULA, DATA).fit()
    if kind == "saved and loaded":
        fit.save(tmp_path / "fit.json")
        whole.save(tmp_path / "whole.json")
        fit, whole = lf.load(tmp_path / "fit.json"), lf.load(tmp_path / "whole.json")
    pd.testing.assert_frame_equal(AFTER[what](fit), AFTER[what](whole), rtol=1e-4)


def test_empty_cells_and_dropped_columns_are_known_without_rows() -> None:
    """What can't be estimated is NaN, as it is with the rows."""
    empty = DATA[(DATA["f"] != "c") | (DATA["m"] != 2)].reset_index(drop=True)
    formula = "y ~ f * factor(m) + (1 | g)"
    with pytest.warns(lf.FitWarning, match="dropped"):
        fit = lf.Model(formula, [empty[:300], empty[300:]], progress=False).fit()
    with pytest.warns(lf.FitWarning, match="dropped"):
        whole = lf.Model(formula, empty).fit()
    found, wanted = fit.emmeans(["f", "m"]).frame, whole.emmeans(["f", "m"]).frame
    assert wanted["emmean"].isna().sum() == 1
    pd.testing.assert_frame_equal(found, wanted, rtol=1e-4)


def test_a_linear_model_of_parts_tells_its_r_squared(tmp_path: Path) -> None:
    """With and without an intercept, and from a file."""
    for formula in ("y ~ x + f", "y ~ 0 + f"):
        fit, whole = lf.Model(formula, PARTS, progress=False).fit(), lf.Model(formula, DATA).fit()
        assert fit.r_squared == pytest.approx(whole.r_squared)
        assert str(fit).splitlines()[-2:] == str(whole).splitlines()[-2:]
        fit.save(tmp_path / "fit.json")
        assert lf.load(tmp_path / "fit.json").r_squared == pytest.approx(whole.r_squared)
    with pytest.raises(lf.FitError, match="needs the rows"):
        _ = lf.Model("y ~ x", PARTS, weights="w", progress=False).fit().r_squared


def test_files_without_rows_say_so(tmp_path: Path) -> None:
    """There is nothing to be read into memory, and nothing to be summed."""
    DATA.head(0).to_parquet(tmp_path / "none.parquet")
    DATA.head(0).to_csv(tmp_path / "none.csv", index=False)
    for name in ("none.parquet", "none.csv"):
        with pytest.raises(lf.DataError, match="the data have no rows"):
            lf.Model(FORMULA, tmp_path / name, progress=False)
