"""The methods of a fit that call `inference`: each answers as the function does."""

import pytest

import fits
import lmmformula as lf
from corpus import dataset


@pytest.fixture(scope="module")
def sleep() -> lf.LinearMixedFit:
    """The fit that everyone knows."""
    return fits.fit_of("lmm-003r")


def test_methods_answer_as_the_functions_do(sleep: lf.LinearMixedFit) -> None:
    """Intervals, profiles, refits, quality, influence, power."""
    assert sleep.confint("Days", method="profile")["Days"] == pytest.approx((7.3587, 13.5759), abs=1e-3)
    assert sleep.confint("Days", method="boot", n=20, seed=1).method.startswith("parametric bootstrap")
    assert len(sleep.profile("sigma").curves) == 1
    assert sleep.bootstrap(lambda fit: fit.sigma, n=2, seed=1).replicates.shape == (2, 1)
    assert sleep.r2().marginal == pytest.approx(0.2787, abs=1e-4)
    assert sleep.leverage().sum() == pytest.approx(29.02, abs=0.01)
    assert len(sleep.cooks_distance()) == 180
    assert sleep.influence("Subject").labels[0] == "308"
    assert lf.power(sleep, "Days", n=5, seed=1).found == sleep.power("Days", n=5, seed=1).found


def test_tidy_of_a_fit_has_tests_and_bounds(sleep: lf.LinearMixedFit) -> None:
    """The method completes what results know."""
    row = sleep.tidy("fixed").set_index("term").loc["Days"]
    assert row.p_value < 1e-5
    assert row.conf_low < row.estimate < row.conf_high
    assert "leverage" in sleep.augment(influence=True)


def test_criteria_take_fits_with_and_without_names() -> None:
    """Positional fits are numbered, keywords name them."""
    data = dataset("sleepstudy")
    a = lf.lmer("Reaction ~ Days + (1 | Subject)", data)
    b = lf.lmer("Reaction ~ Days + (Days | Subject)", data)
    assert lf.criteria(a, b).labels == ("model 1", "model 2")
    assert lf.criteria(a, slopes=b).labels == ("model 1", "slopes")


def test_a_loaded_fit_has_what_needs_no_data(sleep: lf.LinearMixedFit, tmp_path: object) -> None:
    """Its tidy frame has estimates and tests; intervals of parameters by Wald; profiles need the data."""
    sleep.save(f"{tmp_path}/fit.json")
    again = lf.load(f"{tmp_path}/fit.json")
    assert again.tidy().equals(sleep.tidy())
    assert again.confint().frame.equals(sleep.confint().frame)
    assert again.summary() == sleep.summary()
    for ask in (again.leverage, again.profile, lambda: again.confint(method="boot", n=2), again.ranova):
        with pytest.raises(lf.FitError, match="loaded from a file"):
            ask()
