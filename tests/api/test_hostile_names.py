"""Names that would drive a terminal, or that look like other names: in no text of ours do they do any harm."""

import unicodedata
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf
from lmmformula.errors import difference, legible, meant, skeleton
from lmmformula.repl.session import Session
from lmmformula.repl.state import data_of

RED = "\x1b[31m"
Y, X, F, G = (f"`{name}{RED}`" for name in "yxfg")
FORMULA = f"{Y} ~ {X} * {F} + (1 | {G})"


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    """Names and levels that turn a terminal red."""
    rng = np.random.default_rng(0)
    g, x = np.arange(96) % 8, rng.normal(size=96)
    f = np.array(["a", "b", "c"])[np.arange(96) // 2 % 3]
    y = 1 + x + (f == "b") + rng.normal(size=8)[g] + 0.3 * rng.normal(size=96)
    levels = {"f": [v + RED for v in f], "g": [f"{v}{RED}" for v in g]}
    return pd.DataFrame({name + RED: values for name, values in ({"y": y, "x": x} | levels).items()})


TABLES: dict[str, Callable[[Any], Any]] = {
    "fit": lambda fit: fit,
    "summary": lambda fit: fit.summary(),
    "variances": lambda fit: fit.varcorr,
    "Wald": lambda fit: fit.confint(method="wald"),
    "profile": lambda fit: fit.profile("fixed"),
    "bootstrap": lambda fit: fit.bootstrap(n=5, seed=1),
    "anova": lambda fit: fit.anova(),
    "ranova": lambda fit: fit.ranova(),
    "drop1": lambda fit: fit.drop1(),
    "means": lambda fit: fit.emmeans(f"f{RED}"),
    "pairs": lambda fit: fit.emmeans(f"f{RED}").pairs(),
    "slopes": lambda fit: fit.slopes(f"x{RED}"),
    "influence": lambda fit: fit.influence(f"g{RED}"),
    "power": lambda fit: fit.power(fit.design.fixed_names[1], n=2, seed=1),
    "r2": lambda fit: fit.r2(),
}


@pytest.fixture(scope="module")
def fit(data: pd.DataFrame) -> Any:
    """The fit of all tables."""
    return lf.Model(FORMULA, data).fit()


@pytest.mark.filterwarnings("ignore::lmmformula.FitWarning")
@pytest.mark.parametrize("what", TABLES)
def test_no_table_prints_what_a_terminal_would_obey(what: str, fit: Any) -> None:
    """`str` and `repr`, HTML, Markdown and LaTeX."""
    found = TABLES[what](fit)
    shown = [str(found), repr(found)]
    shown += [getattr(found, name)() for name in ("_repr_html_", "_repr_markdown_", "to_latex") if hasattr(found, name)]
    assert not any("\x1b" in text for text in shown)
    assert "\\x1b" in shown[0] or what == "r2"


@pytest.mark.filterwarnings("ignore::lmmformula.FitWarning")
def test_no_text_of_models_and_posteriors_does(data: pd.DataFrame) -> None:
    """Explanations, programs, posteriors, modes and comparisons."""
    model = lf.Model(FORMULA, data)
    posterior = model.sample(chains=1, draws=20, warmup=50, seed=1, progress=False)
    shown = [model, model.explain(), model._repr_html_(), model.stan().code, posterior, posterior.diagnostics()]
    shown += [posterior.summary(), posterior.confint(), posterior.varcorr, model.optimize(seed=1)]
    shown += [lf.compare(model.fit(), posterior), lf.anova(model.fit(), model.update(f". ~ . - {X}:{F}").fit())]
    assert not any("\x1b" in str(text) for text in shown)


@pytest.mark.filterwarnings("ignore::lmmformula.FitWarning")
def test_no_data_frame_of_ours_does(data: pd.DataFrame, fit: Any) -> None:
    """What it prints is escaped; what it holds are the names as they are."""
    shown = [fit.tidy(), fit.ranef(), fit.coef(), lf.Model(FORMULA, data).priors]
    assert not any("\x1b" in text for frame in shown for text in (str(frame), repr(frame)))
    assert all("\\x1b" in str(frame) for frame in shown)
    assert f"g{RED}" in fit.ranef()


@pytest.mark.filterwarnings("ignore::lmmformula.FitWarning")
def test_no_pandas_table_does(data: pd.DataFrame, fit: Any) -> None:
    """Nor does what is made of it; it is indexed by the names as they are."""
    g = f"g{RED}"
    tables = {
        "fixef": fit.fixef, "vcov": fit.vcov, "errors": fit.std_errors, "theta": fit.theta, "ranef": fit.ranef()[g],
        "coef": fit.coef()[g], "augment": fit.augment(), "anova": fit.anova().frame, "varcorr": fit.varcorr.frame,
        "variances": fit.variance_vcov(), "refits": fit.refit(fit.simulate(2, seed=1)), "tidy": fit.tidy(),
        "profile": fit.profile("sigma").frame, "intervals": fit.confint(method="wald").frame,
    }  # fmt: skip
    for what, table in tables.items():
        for made in (table, table.copy(), table.head(2), table.T, table.iloc[::-1]):
            shown = [str(made), repr(made), getattr(made, "_repr_html_", str)()]
            assert not any("\x1b" in text for text in shown), what
        assert any("\\x1b" in text for text in shown) or what == "profile", what
    x = fit.design.fixed_names[1]
    assert fit.fixef[x] == fit.tidy()["estimate"][1]
    assert fit.vcov.loc[x, x] == pytest.approx(fit.std_errors[x] ** 2)
    assert f"0{RED}" in fit.ranef()[g].index
    assert list(fit.augment().columns[:4]) == list(data.columns)


COMMANDS = [":data", ":columns", ":head", ":terms", ":explain", ":X", ":Z", ":eq", ":eq latex", ":ast", ":ir", ":fit",
            ":summary", ":anova", ":confint", ":ranef", f":emmeans f{RED}", ":predict", ":priors"]  # fmt: skip


def test_no_command_of_a_session_does(data: pd.DataFrame) -> None:
    """Whatever is asked of a model of such names."""
    session = Session(data_of(data, f"data{RED}", "data"))
    for line in (FORMULA, *COMMANDS):
        assert "\x1b" not in str(session.run(line)), line


def test_no_warning_does(data: pd.DataFrame) -> None:
    """Python prints a warning's own text."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        lf.Model(f"{Y} ~ {X} + I(2 * {X}) + (1 | {G})", data)
        warnings.warn("one\x1b[31m\ntwo", lf.FitWarning, stacklevel=1)
    assert len(caught) == 2
    assert not any("\x1b" in str(warning.message) for warning in caught)
    assert str(caught[1].message) == legible("one\x1b[31m\ntwo") == "one\\x1b[31m\ntwo"


ACUTE, CYRILLIC = unicodedata.normalize("NFD", "é"), "\u0430"
ALIKE = [
    ("é", ACUTE, "it has U+00E9 where this has U+0065 U+0301"),
    ("a", CYRILLIC, "it has U+0061 where this has U+0430"),
    ("big x", "big\u00a0x", "it has U+0020 where this has U+00A0"),
    ("ab", "a\u200bb", "it has nothing where this has U+200B"),
    ("Days", "days", ""),
]


@pytest.mark.parametrize(("one", "other", "said"), ALIKE)
def test_the_character_that_differs_is_named(one: str, other: str, said: str) -> None:
    """Composed and decomposed letters, other alphabets, blanks, and what is invisible; capitals one can see."""
    assert skeleton(one) == skeleton(other)
    assert difference(one, other).strip() == said
    hint = meant(other, ["zzz", one])
    assert hint.startswith(f"did you mean '{one}'?")
    assert hint.endswith(said or "?")


def _model(formula: str, **options: Any) -> Any:
    rows = np.arange(30)
    data = {"y": rows % 7 + rows / 30, "a": rows % 3 + 0.0, "é": rows % 4, "g": rows % 5}
    return lf.Model(formula, data | {"f": np.array(["café", "b", "c"])[rows % 4 % 3]}, **options)


ASKED: dict[str, Callable[[], Any]] = {
    "formula": lambda: _model(f"y ~ {ACUTE} + (1 | g)"),
    "dot": lambda: _model(f"y ~ . - {CYRILLIC}"),
    "weights": lambda: _model("y ~ a", weights=CYRILLIC),
    "contrasts": lambda: _model("y ~ f", contrasts={"f\u200b": "contr.sum"}),
    "relevel": lambda: _model(f"y ~ relevel(f, 'caf{ACUTE}')"),
    "prior": lambda: _model(f"y ~ a + (1 | g)\nb[{CYRILLIC}] ~ normal(0, 1)").stan(),
    "new column": lambda: _model("y ~ a").fit().predict({CYRILLIC: [1.0]}),
    "new level": lambda: _model("y ~ f").fit().predict({"f": [f"caf{ACUTE}"]}),
    "new group": lambda: _model("y ~ a + (1 | f)").fit().predict({"a": [1.0], "f": [f"caf{ACUTE}"]}),
    "means": lambda: _model("y ~ a").fit().emmeans(CYRILLIC),
    "means at": lambda: _model("y ~ f").fit().emmeans("f", at={"f": f"caf{ACUTE}"}),
    "contrast": lambda: _model("y ~ a").fit().contrast(f"{CYRILLIC} = 0"),
}


@pytest.mark.filterwarnings("ignore::lmmformula.FitWarning")
@pytest.mark.parametrize("where", ASKED)
def test_names_that_look_alike_are_told_apart_wherever_they_are_given(where: str) -> None:
    """Columns, levels, coefficients, parameters: the hint shows both by the numbers of their characters."""
    with pytest.raises(lf.LmmFormulaError) as refused:
        ASKED[where]()
    assert "where this has U+" in refused.value.hint
