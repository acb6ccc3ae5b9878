"""Long runs: failures name their part, checkpoints count nothing twice, memory and progress are told."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf
from lmmformula.data.chunks import files as chunks_files
from lmmformula.design.parts.passes import Report
from lmmformula.design.sums.added import PartialProducts

FORMULA = "y ~ x + (x | g) + (1 | h)"


def frames(n: int = 600, k: int = 8) -> list[pd.DataFrame]:
    """Rows of a model with two crossed factors, in k parts."""
    rng = np.random.default_rng(4)
    g, h, x = rng.integers(0, 15, n), rng.integers(0, 9, n), rng.normal(size=n)
    y = 1 + x + rng.normal(size=15)[g] * (1 + 0.5 * x) + rng.normal(size=9)[h] + rng.normal(size=n)
    data = pd.DataFrame({"y": y, "x": x, "g": g, "h": h})
    return [data.iloc[own] for own in np.array_split(np.arange(n), k)]


class Source:
    """Frames that fail once, when a given one is read in a given pass; counts what it gives away."""

    def __init__(self, given: list[pd.DataFrame], *, fail_in_pass: int = 0, fail_at: int = -1) -> None:
        self.given = given
        self.fail = (fail_in_pass, fail_at)
        self.passes = 0
        self.read = 0

    def __call__(self) -> Iterator[pd.DataFrame]:
        """Begin a pass."""
        self.passes += 1
        for i, frame in enumerate(self.given):
            if (self.passes, i) == self.fail:
                raise OSError("the network is down")
            self.read += 1
            yield frame


@pytest.mark.parametrize("fail_at", [0, 3, 7])
def test_a_run_that_was_stopped_goes_on_and_counts_nothing_twice(fail_at: int, tmp_path: Path) -> None:
    """After a failure in the second pass, the same call goes on, and comes to the same bits."""
    undisturbed = lf.Model(FORMULA, lambda: iter(frames()), progress=False).fit()
    source = Source(frames(), fail_in_pass=3, fail_at=fail_at)  # the first look at the names of the columns is a pass
    with pytest.raises(lf.DataError, match=rf"frame {fail_at} can't be read: the network is down"):
        lf.Model(FORMULA, source, progress=False, checkpoint=tmp_path)
    assert (tmp_path / "sums.npz").exists() == (fail_at > 0)
    stages: list[Report] = list[Report]()
    fit = lf.Model(FORMULA, source, progress=stages.append, checkpoint=tmp_path).fit()
    assert {report.stage for report in stages} == {"summing"}, "the first pass was kept"
    assert [report.done for report in stages] == list(range(fail_at + 1, 9)), "parts that were summed are skipped"
    assert fit.nobs == undisturbed.nobs
    assert fit.reml_criterion == undisturbed.reml_criterion
    assert fit.fixef.tolist() == undisturbed.fixef.tolist()


def test_a_finished_checkpoint_needs_no_data(tmp_path: Path) -> None:
    """The sums of a complete run are there at once."""
    first = lf.Model(FORMULA, lambda: iter(frames()), progress=False, checkpoint=tmp_path).fit()
    stages: list[Report] = []
    again = lf.Model(FORMULA, lambda: iter(frames()), progress=stages.append, checkpoint=tmp_path).fit()
    assert stages == []
    assert again.reml_criterion == first.reml_criterion


def test_a_checkpoint_of_another_model_or_of_changed_files_is_refused(tmp_path: Path) -> None:
    """Sums of one model must not be continued by another, nor those of files that were written anew."""
    data, folder = tmp_path / "data", tmp_path / "checkpoint"
    data.mkdir()
    for i, frame in enumerate(frames()):
        frame.to_parquet(data / f"{i}.parquet")
    lf.Model(FORMULA, data, progress=False, checkpoint=folder)
    with pytest.raises(lf.DataError, match="another model, or of data that have changed"):
        lf.Model("y ~ x + (1 | g)", data, progress=False, checkpoint=folder)
    frames()[0][:10].to_parquet(data / "0.parquet")
    with pytest.raises(lf.DataError, match="another model, or of data that have changed"):
        lf.Model(FORMULA, data, progress=False, checkpoint=folder)


@pytest.mark.parametrize("name", ["first_pass.json", "sample.npz", "sums.npz"])
def test_a_damaged_checkpoint_is_refused(name: str, tmp_path: Path) -> None:
    """Files that were cut off, or are no files of ours, are told as what they are."""
    lf.Model(FORMULA, frames(), progress=False, checkpoint=tmp_path)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:40])
    with pytest.raises(lf.DataError, match="can't be read") as refused:
        lf.Model(FORMULA, frames(), progress=False, checkpoint=tmp_path)
    assert "remove its files" in refused.value.hint


@pytest.mark.parametrize("option", [{"memory_limit": "4 GB"}, {"memory_limit": 0}, {"progress": 3}, {"checkpoint": 5}])
def test_options_of_the_wrong_kind_are_refused(option: dict[str, Any]) -> None:
    """The message names the option, and says what it can be."""
    with pytest.raises(lf.DataError, match=rf"{next(iter(option))} is"):
        lf.Model(FORMULA, frames(), **option)


def test_a_failure_in_a_file_names_file_and_row_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a user needs in order to mend one file of a thousand."""
    monkeypatch.setattr(chunks_files, "BATCH_ROWS", 50)
    for i, frame in enumerate(frames(k=3)):
        frame.to_parquet(tmp_path / f"part{i}.parquet", row_group_size=50)
    frame = frames(k=3)[1].reset_index(drop=True)
    frame.loc[120, "y"] = np.inf
    frame.to_parquet(tmp_path / "part1.parquet", row_group_size=50)
    with pytest.raises(lf.DataError, match=r"`y` is infinite in 1 row .*part1.parquet, row group 2") as refused:
        lf.Model(FORMULA, tmp_path, progress=False)
    assert "^" in str(refused.value)


def test_a_file_without_the_column_is_named(tmp_path: Path) -> None:
    """Files of one folder may differ; the one that lacks a column is found."""
    for i, frame in enumerate(frames(k=3)):
        (frame.drop(columns="h") if i == 2 else frame).to_parquet(tmp_path / f"part{i}.parquet")
    with pytest.raises(lf.DataError, match=r"no column named 'h' .*part2.parquet"):
        lf.Model(FORMULA, tmp_path, progress=False)


def test_data_that_change_between_the_passes_are_noticed() -> None:
    """Rows and levels of the second pass are those of the first, or the run ends."""
    for change, message in ((lambda f: f[:-1], "the second pass found"), (lambda f: f + 7, "it did not have")):
        source = Source(frames())

        def changing(source: Source = source, change: object = change) -> Iterator[pd.DataFrame]:
            for frame in source():
                yield frame if source.passes < 3 else change(frame)  # type: ignore[operator]

        with pytest.raises(lf.DataError, match=message):
            lf.Model(FORMULA, changing, progress=False)


def test_rows_that_are_drawn_anew_in_each_pass_are_noticed() -> None:
    """As many rows, but other ones: of one column alone, of one row alone, or from the first call on."""
    rows = pd.concat(frames()).reset_index(drop=True)
    other = rows.assign(x=rows["x"].to_numpy()[::-1])
    one = rows.copy()
    one.loc[500, "y"] += 0.01
    for found, since in ((other, 3), (one, 3), (other, 2), (rows[:100], 2)):
        calls: list[int] = []

        def source(found: pd.DataFrame = found, since: int = since, calls: list[int] = calls) -> Iterator[pd.DataFrame]:
            calls.append(1)
            yield from [found if len(calls) >= since else rows]

        with pytest.raises(lf.DataError, match="other rows") as refused:
            lf.Model(FORMULA, source, progress=False)
        assert "same rows" in refused.value.hint


def test_rows_may_come_in_another_order(tmp_path: Path) -> None:
    """Queries without an order give rows as they come, and sums of theirs with other last digits: that is no change."""
    rows = pd.concat(frames()).reset_index(drop=True)
    calls: list[int] = []

    def source() -> Iterator[pd.DataFrame]:
        calls.append(1)
        yield rows[:1]
        yield rows[1:] if len(calls) < 3 else rows[:0:-1].assign(x=lambda frame: frame["x"] * (1 + 1e-15))

    fit = lf.Model(FORMULA, source, progress=False, checkpoint=tmp_path).fit()
    assert fit.reml_criterion == pytest.approx(lf.Model(FORMULA, rows).fit().reml_criterion, rel=1e-9)
    assert len(calls) == 3


def test_progress_tells_parts_and_needs() -> None:
    """A function is told each part of each pass and, in between, what the sums will need."""
    reports: list[Report] = []
    lf.Model(FORMULA, frames(), progress=reports.append)
    assert [report.stage for report in reports] == ["learning"] * 8 + ["ready"] + ["summing"] * 8
    assert str(reports[3]).startswith("learning: 4 of 8 parts")
    assert str(reports[8]).startswith("600 rows; sums for 15 levels of 'g', 9 levels of 'h', about 134 pairs")


def test_crossed_factors_that_do_not_compress_are_refused_before_they_are_summed() -> None:
    """Where nearly every row is a pair of levels of its own, sums are as large as the data; the sample shows it."""
    rng = np.random.default_rng(1)
    n = 40_000
    data = pd.DataFrame({"y": rng.normal(size=n), "g": rng.integers(0, 3000, n), "h": rng.integers(0, 3000, n)})
    stages: list[Report] = []
    with pytest.raises(lf.DataError, match=r"pairs of 'g' and 'h': about .* and the limit is 1.0 MB") as refused:
        lf.Model("y ~ 1 + (1 | g) + (1 | h)", [data[:20_000], data[20_000:]], progress=stages.append, memory_limit=1e6)
    assert "summing" not in {report.stage for report in stages}
    assert "memory_limit" in refused.value.hint


def test_sums_travel_as_files_and_add_up(tmp_path: Path) -> None:
    """Sums of sites that may not share rows: written without pickles, read, added in any order."""
    from functools import partial

    from lmmformula.data.chunks.sources import as_chunks
    from lmmformula.data.table import read_table
    from lmmformula.design.parts.first_pass import Plan
    from lmmformula.design.parts.passes import Passes, StreamSettings
    from lmmformula.design.parts.second_pass import part_products
    from lmmformula.design.parts.two_passes import first_pass

    chunks = as_chunks(frames())
    assert chunks is not None
    plan = Plan(lf.parse(FORMULA))
    frozen = first_pass(plan, Passes(chunks, plan.columns, StreamSettings(progress=False)), None, "omit")
    kernel = partial(part_products, frozen, frozen.levels())
    sites = [kernel(read_table(frame), ()) for frame in frames()]
    for i, site in enumerate(sites):
        site.save(tmp_path / f"site{i}.npz")
    back = [PartialProducts.load(tmp_path / f"site{i}.npz") for i in range(len(sites))]
    forwards, backwards = sum(back[1:], start=back[0]), sum(back[-2::-1], start=back[-1])
    together = kernel(read_table(pd.concat(frames())), ())
    for total in (forwards, backwards):
        assert total.n == together.n
        for name, array in together.arrays().items():
            np.testing.assert_allclose(total.arrays()[name], array, rtol=1e-10, atol=1e-10, err_msg=name)


ROWS = ["fitted", "residuals", "augment", "simulate", "cooks_distance", "predict"]


@pytest.mark.parametrize("what", ROWS)
def test_what_needs_rows_says_so(what: str) -> None:
    """No rows are kept; a FitError says what works instead."""
    fit = lf.Model(FORMULA, frames(), progress=False).fit()

    def call() -> None:
        found = getattr(fit, what)
        found() if callable(found) else found

    with pytest.raises(lf.FitError, match="needs the rows of the data") as refused:
        call()
    assert "predict(newdata) works" in refused.value.hint


def test_what_needs_no_rows_works() -> None:
    """Summaries, tables, predictions for new rows, intervals, and tests are those of one table."""
    data = pd.concat(frames(), ignore_index=True)
    whole = lf.Model(FORMULA, data).fit()
    fit = lf.Model(FORMULA, frames(), progress=False).fit()
    pd.testing.assert_frame_equal(fit.glance(), whole.glance(), rtol=1e-7)
    pd.testing.assert_frame_equal(fit.tidy(), whole.tidy(), rtol=1e-5)
    pd.testing.assert_series_equal(fit.predict(data[:5]), whole.predict(data[:5]), rtol=1e-5)
    assert fit.icc() == pytest.approx(whole.icc(), rel=1e-6)
    assert fit.icc("g") == pytest.approx(whole.icc("g"), rel=1e-6)
    for formula in (FORMULA, "y ~ x + (1 | g) + (0 + x | g)"):
        a, b = (lf.Model(formula, given, **o).fit() for given, o in ((data, {}), (frames(), {"progress": False})))
        wanted, found = (one.predict(data[:9], interval="confidence") for one in (a, b))
        pd.testing.assert_frame_equal(found, wanted, rtol=1e-5)
    assert fit.r2().marginal == pytest.approx(whole.r2().marginal, rel=1e-6)
    assert fit.r2().conditional == pytest.approx(whole.r2().conditional, rel=1e-6)
    assert fit.explained_variance() == pytest.approx(whole.explained_variance(), rel=1e-6)
    without_residuals = str(whole).replace(str(whole).split("\n\n")[2] + "\n\n", "")
    assert str(fit) == without_residuals
    assert "9 levels" in str(lf.Model(FORMULA, frames(), progress=False).explain())


def test_fits_of_data_in_parts_compare_by_their_likelihoods() -> None:
    """A likelihood ratio test needs no rows; that the data are the same is seen by a sample of them."""
    data = pd.concat(frames(), ignore_index=True)
    small, large = "y ~ 1 + (x | g)", "y ~ x + (x | g)"
    whole = lf.anova(lf.Model(small, data).fit(), lf.Model(large, data).fit())
    fits = [lf.Model(formula, frames(), progress=False).fit() for formula in (small, large)]
    found = lf.anova(*fits)
    assert found["chisq"].iloc[1] == pytest.approx(whole["chisq"].iloc[1], rel=1e-6)
    others = [frame.assign(y=frame["y"][::-1].to_numpy()) for frame in frames()]
    with pytest.raises(lf.FitError, match="different responses"):
        lf.anova(fits[0], lf.Model(large, others, progress=False).fit())


def test_fits_of_data_in_parts_are_tested_updated_copied_and_saved(tmp_path: Path) -> None:
    """F tests of terms in sequence; a new model of the same parts; pickles and files."""
    import pickle

    data = pd.concat(frames(), ignore_index=True)
    model = lf.Model(FORMULA, frames(), progress=False)
    whole, fit = lf.Model(FORMULA, data).fit(), model.fit()
    pd.testing.assert_frame_equal(fit.anova().frame, whole.anova().frame, rtol=1e-4)
    smaller = model.update(". ~ . - (1 | h)").fit()
    assert smaller.reml_criterion == pytest.approx(lf.Model("y ~ x + (x | g)", data).fit().reml_criterion, rel=1e-10)
    copy = pickle.loads(pickle.dumps(fit))  # noqa: S301 (made a line ago)
    assert str(copy) == str(fit)
    assert copy.fit.theta.tolist() == fit.fit.theta.tolist()
    fit.save(tmp_path / "fit.json")
    assert str(lf.load(tmp_path / "fit.json")) == str(fit)
