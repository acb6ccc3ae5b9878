"""Pictures: what is drawn, checked by the numbers on the axes."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fits
import lmmformula as lf
from corpus import dataset

matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is an optional extra")
matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402 (the backend comes first)

SIZES = [None, (4.0, 3.0), (9.0, 6.0)]


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def sleep() -> lf.LinearMixedFit:
    """The fit that everyone knows."""
    return fits.fit_of("lmm-003r")


def drawn(axes: object) -> None:
    """Draw the figure: a layout that has no room is a warning, and so an error."""
    first = np.atleast_1d(axes).ravel()[0]
    getattr(first, "figure", first).canvas.draw()


@pytest.mark.parametrize("figsize", SIZES)
@pytest.mark.parametrize("kind", ["fit", "ranef", "residuals", "profile", "predictions"])
def test_every_picture_of_a_fit_is_drawn(sleep: lf.LinearMixedFit, kind: str, figsize: tuple[float, float]) -> None:
    """At its own size, at that of a column of text, and at that of a page."""
    drawn(sleep.plot(kind, figsize=figsize))


@pytest.mark.parametrize("figsize", SIZES)
@pytest.mark.parametrize("kind", ["densities", "traces", "priors", "predictions"])
def test_every_picture_of_a_posterior_is_drawn(kind: str, figsize: tuple[float, float]) -> None:
    """At its own size, at that of a column of text, and at that of a page."""
    drawn(fits.posterior_of("lmm-003r").plot(kind, figsize=figsize))


@pytest.mark.parametrize("figsize", [None, (4.0, 3.0), (4.0, 7.0)])
@pytest.mark.parametrize("kind", ["all", "fixed", "variance", "random"])
def test_every_picture_of_a_comparison_is_drawn(kind: str, figsize: tuple[float, float]) -> None:
    """Side by side where there is room, else one above the other: at each of the sizes."""
    comparison = lf.compare(fits.fit_of("lmm-003r"), fits.posterior_of("lmm-003r"))
    drawn(comparison.plot(kind, figsize=figsize))


def test_each_level_has_a_panel_with_its_data_and_lines(sleep: lf.LinearMixedFit) -> None:
    """The points are the responses of the subject, the line its fitted values, in the order of days."""
    axes = sleep.plot("fit", levels=["308", "309"])
    data, population, own = (line.get_ydata() for line in axes[0].lines)
    np.testing.assert_allclose(data, dataset("sleepstudy").Reaction[:10])
    np.testing.assert_allclose(own, sleep.fitted[:10])
    np.testing.assert_allclose(population, sleep.predict(random="population")[:10])
    assert [ax.get_title() for ax in axes] == ["308", "309"]


def test_random_effects_are_sorted_and_have_their_conditional_intervals(sleep: lf.LinearMixedFit) -> None:
    """Each panel has a coefficient's modes in ascending order; bars are 1.96 conditional standard deviations."""
    axes = sleep.plot("ranef")
    assert [ax.get_title() for ax in axes] == ["Subject\n(Intercept)", "Subject\nDays"]
    modes, covariances = sleep.ranef(condvar=True)
    container = axes[0].containers[0]
    np.testing.assert_allclose(container.lines[0].get_xdata(), np.sort(modes["Subject"]["(Intercept)"]))
    bars = container.lines[2][0].get_segments()[0]
    assert bars[1, 0] - bars[0, 0] == pytest.approx(2 * 1.959964 * np.sqrt(covariances["Subject"][0, 0, 0]))


def test_a_profile_crosses_the_lines_at_the_bounds(sleep: lf.LinearMixedFit) -> None:
    """The dashed lines of a panel stand near the bounds of the profile interval."""
    axes = sleep.plot("profile", parameters="sigma")
    bounds = [segment[0, 0] for segment in axes[0].collections[0].get_segments()]
    np.testing.assert_allclose(bounds, sleep.confint("sigma", method="profile")["sigma"], rtol=2e-3)


def test_bands_are_those_of_predict(sleep: lf.LinearMixedFit) -> None:
    """The picture's means are the population's predictions between the smallest and the largest day."""
    ax = sleep.plot("predictions")
    line = ax.lines[-1]
    np.testing.assert_allclose(line.get_ydata(), sleep.predict({"Days": line.get_xdata()}, random="population"))
    assert line.get_xdata()[[0, -1]].tolist() == [0.0, 9.0]


def test_other_variables_are_held_at_typical_values() -> None:
    """Factors at their most frequent level, unless the caller says another."""
    fit = lf.Model("weight ~ Time * Diet + (Time | Rat)", dataset("BodyWeight")).fit()
    first = fit.plot("predictions").lines[-1].get_ydata()
    third = fit.plot("predictions", at={"Diet": "3"}).lines[-1].get_ydata()
    assert first[0] == pytest.approx(fit.predict({"Time": [1.0], "Diet": ["1"]}, random="population")[0])
    assert third[0] == pytest.approx(fit.predict({"Time": [1.0], "Diet": ["3"]}, random="population")[0])


def test_priors_are_the_densities_of_the_program() -> None:
    """Half distributions integrate to one over positive numbers; the correlation's is flat for lkj(1)."""
    from scipy.integrate import trapezoid

    from lmmformula.present.pictures.posterior import prior_density

    posterior = fits.posterior_of("lmm-003r")
    points = np.linspace(0, 20000, 400001)
    for name in ("sd[Subject, Days]", "sigma"):
        assert trapezoid(prior_density(posterior, name, points), points) == pytest.approx(1.0, abs=1e-3)
    correlations = np.linspace(-1, 1, 2001)
    name = "cor[Subject, (Intercept), Days]"
    assert trapezoid(prior_density(posterior, name, correlations), correlations) == pytest.approx(1.0, abs=1e-3)
    assert prior_density(posterior, "(Intercept)", points) is None


def test_rows_left_out_leave_no_holes() -> None:
    """A fit that keeps the places of rows with missing values draws those it has."""
    data = dataset("sleepstudy").copy()
    data.loc[[0, 5], "Reaction"] = np.nan
    fit = lf.Model("Reaction ~ Days + (Days | Subject)", data, na_action="exclude").fit()
    axes = fit.plot("fit", levels=["308"])
    assert len(axes[0].lines[0].get_ydata()) == 8
    drawn(fit.plot("residuals"))
    drawn(fit.plot("predictions"))


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("scatter", {}, "there are: fit, ranef"),
        ("fit", {"x": "Subject"}, "not a numeric column"),
        ("fit", {"levels": ["1"]}, "has no level '1'"),
        ("fit", {"group": "Item"}, "not a grouping factor"),
        ("ranef", {"group": "Item"}, "not a grouping factor"),
        ("profile", {"parameters": "slope"}, "no parameter"),
        ("fit", {"colour": "red"}, "the picture 'fit' has no option 'colour'"),
        ("profile", {"points": 3}, "it has: parameters, level, figsize"),
        ("predictions", {"at": {"Diet": 3}}, "'Diet' is no variable of the model"),
        ("predictions", {"at": 3}, "at must be a mapping"),
    ],
)
def test_what_can_not_be_drawn_is_said(
    sleep: lf.LinearMixedFit, kind: str, options: dict[str, object], message: str
) -> None:
    """An unknown picture, variable, level or group is an error that names those there are."""
    with pytest.raises(lf.FitError, match=message):
        sleep.plot(kind, **options)


def test_without_matplotlib_the_extra_is_named(sleep: lf.LinearMixedFit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to install it."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(lf.FitError, match=r"lmmformula\[plot\]"):
        sleep.plot("residuals")


def test_a_comparison_draws_both_with_their_intervals() -> None:
    """Each standard deviation has the fit's Wald interval and the posterior's quantiles, in a panel of its own."""
    fit, posterior = fits.fit_of("lmm-003r"), fits.posterior_of("lmm-003r")
    axes = lf.compare(fit, posterior).plot("variance")
    assert len(axes) == 4
    assert axes[1].get_ylabel() == "Subject: sd Days"
    (above, below), bounds = axes[1].containers, fit.confint("sd[Subject, Days]")["sd[Subject, Days]"]
    np.testing.assert_allclose(above.lines[2][0].get_segments()[0][:, 0], bounds, rtol=1e-6)
    draws = posterior.draws_frame()["sd[Subject, Days]"]
    np.testing.assert_allclose(below.lines[2][0].get_segments()[0][:, 0], np.quantile(draws, [0.025, 0.975]))


def test_random_effects_of_both_are_drawn_by_coefficient() -> None:
    """A panel each, with as many points as there are levels."""
    axes = lf.compare(fits.fit_of("lmm-003r"), fits.posterior_of("lmm-003r")).plot("random")
    assert [ax.get_title() for ax in axes] == ["Subject\n(Intercept)", "Subject\nDays"]
    assert len(axes[0].containers[0].lines[0].get_xdata()) == 18


@pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")
def test_a_linear_model_is_compared_and_drawn() -> None:
    """Without random effects, the pictures that need none are there, and the others say so."""
    model = lf.Model("Reaction ~ Days", dataset("sleepstudy"))
    comparison = lf.compare(model.fit(), model.sample(chains=2, draws=100, warmup=200, seed=1, progress=False))
    assert "Random effects" not in str(comparison)
    for kind in ("all", "fixed", "variance", "random"):
        drawn(comparison.plot(kind))
    with pytest.raises(lf.FitError, match="no random effects to draw"):
        comparison.fit.plot("fit")


@pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")
def test_a_fit_on_the_boundary_is_drawn() -> None:
    """A standard deviation of zero has no interval, and random effects of zero none either."""
    model = lf.Model("Yield ~ 1 + (1 | Batch)", dataset("Dyestuff2"))
    comparison = lf.compare(model.fit(), model.sample(chains=2, draws=100, warmup=200, seed=1, progress=False))
    for kind in ("all", "fixed", "variance", "random"):
        drawn(comparison.plot(kind))
    drawn(comparison.fit.plot("ranef"))
    drawn(comparison.fit.plot("profile"))


HOSTILE = {"y": "$y_1$ \\frac", "x": "_dose of the active ingredient in $mg$", "group": "_the $ university hospital {"}


def test_names_are_text_and_fit_their_panels() -> None:
    """Dollars start no formula, an underscore hides nothing from a legend, and long names are cut in the middle."""
    data = lf.datasets.load("coffee").rename(columns=HOSTILE)
    data[HOSTILE["group"]] = "the university hospital of " + data[HOSTILE["group"]].astype(str)
    y, x, g = (f"`{name}`".replace("\\", "\\\\") for name in HOSTILE.values())
    fit = lf.Model(f"{y} ~ {x} + ({x} | {g})", data).fit()
    for kind in ("fit", "ranef", "predictions"):
        drawn(fit.plot(kind, figsize=(4.0, 3.0)))
    title = fit.plot("fit")[0].get_title()
    assert "…" in title
    assert len(title) < 22


def test_small_figures_have_small_text_and_fewer_levels() -> None:
    """Nothing is as large as in a figure of its own size, and the axis says how many levels were left out."""
    fit = lf.Model("y ~ x + (x | group)", lf.datasets.load("coffee")).fit()
    large, small = fit.plot("fit"), fit.plot("fit", figsize=(4.0, 3.0))
    assert len(large) == 30
    assert len(small) == 12
    assert small[0].title.get_fontsize() < large[0].title.get_fontsize()
    assert small[0].figure.get_supxlabel() == "x   (12 of 100 levels)"
    assert len(fit.plot("fit", levels=["1", "2"], figsize=(4.0, 3.0))) == 2
    assert fit.plot("residuals", figsize=(20.0, 10.0))[0].xaxis.label.get_fontsize() == 10.0


def test_the_response_is_not_drawn_over_itself() -> None:
    """A response whose name needs quotes, or that is transformed, is no variable to draw over."""
    data = dataset("sleepstudy").rename(columns={"Reaction": "reaction time"})
    for response in ("`reaction time`", "log(`reaction time`)"):
        ax = lf.Model(f"{response} ~ Days + (Days | Subject)", data).fit().plot("predictions")
        assert ax.get_xlabel() == "Days"


def test_predictions_say_where_other_variables_stand() -> None:
    """Below the axis: those of the fixed effects, not the grouping factors."""
    fit = lf.Model("weight ~ Time * Diet + (Time | Rat)", dataset("BodyWeight")).fit()
    assert fit.plot("predictions").get_xlabel() == "Time\nDiet = 1"
    assert fit.plot("predictions", at={"Diet": "3"}).get_xlabel() == "Time\nDiet = 3"


def test_priors_of_a_model_are_drawn_before_anything_is_sampled() -> None:
    """A panel for each row of `model.priors`, on the scale of the parameter; halves integrate to one."""
    from scipy.integrate import trapezoid

    model = lf.Model(
        "Reaction ~ Days + (Days | Subject); sd ~ half_normal(0, 20); sigma ~ uniform(0, 90)", dataset("sleepstudy")
    )
    axes = model.plot("priors")
    drawn(axes)
    assert [ax.get_title().split("\n")[0] for ax in axes] == list(model.priors["target"])
    for ax in axes:
        outline = ax.collections[0].get_paths()[0].vertices
        assert abs(trapezoid(outline[:, 1], outline[:, 0])) == pytest.approx(1.0, abs=0.05)
    assert axes[5].get_title() == "sigma\nuniform(0, 90)"
    with pytest.raises(lf.FitError, match="there are: priors"):
        model.plot("posterior")


@pytest.mark.parametrize("figsize", [3, "wide", (1, 2, 3), (0, 3), ("a", "b"), (float("nan"), 3)])
def test_what_is_no_size_is_refused(sleep: lf.LinearMixedFit, figsize: object) -> None:
    """Before matplotlib has anything to say."""
    with pytest.raises(lf.FitError, match="is no size"):
        sleep.plot("residuals", figsize=figsize)


@pytest.mark.parametrize("kind", ["fit", "ranef", "residuals", "profile"])
def test_fits_of_other_families_are_drawn(kind: str) -> None:
    """With fitted means, modes and their conditional variances, and Pearson's residuals."""
    data = lf.datasets.load("cbpp").assign(number=lambda d: d["period"].astype(str).astype(float))
    fit = lf.glmer("cbind(incidence, size - incidence) ~ number + (1 | herd)", data, family="binomial")
    axes = fit.plot(kind)
    drawn(axes)
    if kind == "fit":
        rows = (data["herd"].astype(str) == axes[0].get_title()).to_numpy()
        np.testing.assert_allclose(axes[0].lines[2].get_ydata(), fit.fitted[rows])
    if kind == "residuals":
        assert axes[0].get_ylabel() == "pearson residual"
    with pytest.raises(lf.FitError, match="there are: fit, ranef, residuals"):
        fit.plot("traces")


@pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")
def test_predictions_of_other_families_have_the_bands_that_there_are() -> None:
    """The mean of a count has one; an ordinal response has no mean."""
    rng = np.random.default_rng(1)
    x, g = rng.normal(size=60), np.repeat(list("abcdef"), 10)
    sampling = {"chains": 2, "warmup": 200, "draws": 100, "seed": 1, "progress": False}
    count = lf.Model("n ~ x + (1 | g)", {"n": rng.poisson(3, 60), "x": x, "g": g}, family="poisson").sample(**sampling)
    assert count.plot("predictions").get_legend_handles_labels()[1] == ["data", "mean, 95 %"]
    levels = ["low", "mid", "high"]
    y = pd.Categorical(rng.choice(levels, 60), categories=levels, ordered=True)
    ordinal = lf.Model("y ~ x + (1 | g)", pd.DataFrame({"y": y, "x": x, "g": g}), family="cumulative").sample(
        **sampling
    )
    drawn(ordinal.plot("densities"))
    with pytest.raises(lf.FitError, match="probability for each category"):
        ordinal.plot("predictions")


@pytest.fixture(scope="module")
def curve(sleep: lf.LinearMixedFit) -> Any:
    """Power for two numbers of subjects, the larger first."""
    return sleep.power({"Days": 4}, n_groups=[18, 9], n=20, seed=1)


@pytest.mark.parametrize("figsize", SIZES)
def test_a_power_curve_is_drawn(curve: Any, figsize: tuple[float, float]) -> None:
    """At each of the sizes; points and bounds are those of its table, in the order of the sizes."""
    axes = curve.plot(figsize=figsize)
    drawn(axes)
    line = axes.containers[0].lines[0]
    np.testing.assert_array_equal(line.get_xdata(), [9, 18])
    np.testing.assert_array_equal(line.get_ydata(), curve.power[::-1])
    ends = np.array([segment[:, 1] for segment in axes.containers[0].lines[2][0].get_segments()])
    np.testing.assert_allclose(ends, curve.frame[["conf_low", "conf_high"]].to_numpy()[::-1])
    assert (axes.get_xlabel(), axes.get_title()) == ("levels of Subject", "Days = 4")


def test_the_power_that_is_wanted_is_a_line(curve: Any) -> None:
    """Beside that of the test's level; on axes of one's own; and no power but between 0 and 1."""
    axes = plt.subplots()[1]
    assert curve.plot(target=0.9, ax=axes) is axes
    heights = [line.get_ydata()[0] for line in axes.lines if len(set(line.get_ydata())) == 1]
    assert 0.9 in heights
    assert 0.05 in heights
    assert len(curve.plot(target=None).lines) == len(axes.lines) - 1
    for target in (0, 80, "0.8", float("nan")):
        with pytest.raises(lf.FitError, match="is no power"):
            curve.plot(target=target)


def test_power_of_a_linear_model_is_drawn_over_its_rows() -> None:
    """There are no levels; one design is one point."""
    fit = lf.Model("Reaction ~ Days", dataset("sleepstudy")).fit()
    axes = fit.power({"Days": 4}, n=20, seed=1).plot()
    assert axes.get_xlabel() == "rows"
    assert axes.get_xticks().tolist() == [180]


def test_predictions_are_drawn_without_the_rows(sleep: lf.LinearMixedFit, tmp_path: Path) -> None:
    """A fit from a file has the same mean and bands, over the same range, and no data."""
    sleep.save(tmp_path / "fit.json")
    again = lf.load(tmp_path / "fit.json")
    mine, theirs = again.plot("predictions"), sleep.plot("predictions")
    np.testing.assert_array_equal(mine.lines[0].get_xydata(), theirs.lines[1].get_xydata())
    assert (len(mine.lines), len(theirs.lines)) == (1, 2)
    for band, other in zip(mine.collections, theirs.collections, strict=True):
        np.testing.assert_array_equal(band.get_paths()[0].vertices, other.get_paths()[0].vertices)
    posterior = fits.posterior_of("lmm-003r")
    posterior.save(tmp_path / "posterior.nc")
    drawn(lf.load(tmp_path / "posterior.nc").plot("predictions"))
