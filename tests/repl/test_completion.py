"""What may come next, and the pieces that this is told from."""

from pathlib import Path

import pytest

import lmmformula as lf
from lmmformula.repl.session import Session
from lmmformula.repl.state import State, data_from
from lmmformula.repl.typing.completion import candidates
from lmmformula.repl.typing.live import look, toolbar
from lmmformula.repl.typing.tokens import tokenize, wants_more


@pytest.fixture(scope="module")
def state() -> State:
    """A model of the sleep study."""
    session = Session(data_from("sleepstudy"))
    session.run("Reaction ~ Days + (Days | Subject)")
    return session.state


NEXT = [
    ("", ["Reaction", "Days", "Subject", "sd", "cor", "b", "Intercept", "sigma"]),
    ("Rea", ["Reaction"]),
    ("rea", ["Reaction"]),
    ("Reaction ~ Da", ["Days"]),
    ("Reaction ~ Days", ["Days"]),
    ("Reaction ~ Days ", []),
    ("Reaction ~ Days + (1 | ", ["Days", "Subject"]),
    ("Reaction ~ Days + (1 | Su", ["Subject"]),
    ("Reaction ~ (Days | Subject) + Su", ["Subject"]),
    ("Reaction ~ (Days\n| Su", ["Subject"]),
    ("Reaction ~ Days + # slopes\n (1 | Su", ["Subject"]),
    ("Reaction ~ (1 | Su # no", []),
    ("Reaction ~ pol", ["poly("]),
    ("Reaction ~ I(Da", ["Days"]),
    ("b[", ["(Intercept)", "Days"]),
    ("b[D", ["Days"]),
    ("sd[", ["Subject"]),
    ("sd[Subject, D", ["Days"]),
    ("cor[", ["Subject"]),
    ("b[Days] ~ no", ["normal("]),
    ("sd ~ half_n", ["half_normal("]),
    ("Reaction ~ Days\nsd ~ exp", ["exponential("]),
    (":a", [":ast", ":anova"]),
    (":x", [":X"]),
    (":data sleepstudy_", ["sleepstudy_na", "sleepstudy_x"]),
    (":fit m", ["ml"]),
    (":fit ml Rea", ["Reaction"]),
    (":prior sd ~ half_n", ["half_normal("]),
    (":ranef ", ["Subject"]),
    (":anova I", ["I", "II", "III"]),
    (":confint p", ["profile"]),
    (":plot pr", ["profile", "predictions", "priors"]),
    (":family bin", ["binomial", "binomial(logit)", "binomial(probit)", "binomial(cloglog)"]),
    (":family zero_inflated_n", ["zero_inflated_negbinomial"]),
    (":family binomial(p", ["binomial(probit)"]),
    (":weights ", ["Reaction", "Days", "none"]),
    (":sample s", ["seed="]),
    (":sample 100 en", ["engine="]),
    (":emmeans D", ["Days"]),
    (":confint h", ["hdi"]),
    (":eq ", ["latex"]),
    (":predict D", ["Days="]),
    (":predict Days=1 S", ["Subject="]),
    (":help sim", ["simplify"]),
    (":simplify ", ["drop"]),
    (":undo x", []),
    (":nonsense x", []),
]


@pytest.mark.parametrize(("line", "expected"), NEXT)
def test_what_may_come_next(line: str, expected: list[str], state: State) -> None:
    """Only what can stand there is offered."""
    assert [c.text for c in candidates(line, state)] == expected


def test_a_candidate_replaces_the_word_it_completes(state: State) -> None:
    """Each says from where on it is to stand, and what it is."""
    (found,) = candidates(":fit ml Reaction ~ (1 | Sub", state)
    assert (found.text, found.start, found.about) == ("Subject", 24, "18 levels")


def test_files_are_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data files and folders for `:data`, any file for others."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "a.txt", "a.doc"):
        (tmp_path / name).touch()
    (tmp_path / "a_folder").mkdir()
    (tmp_path / "a_folder" / "b.parquet").touch()
    assert [c.text for c in candidates(":data a", State()) if "." in c.text or "/" in c.text] == [
        "a.csv",
        "a.txt",
        "a_folder/",
    ]
    assert [c.text for c in candidates(":data a_folder/", State())] == ["a_folder/b.parquet"]
    assert [c.text for c in candidates(":stan a.d", State())] == ["a.doc"]


def test_without_data_only_functions_are_known() -> None:
    """Nothing is offered that isn't there."""
    assert candidates("y", State()) == []
    assert [c.text for c in candidates("y ~ sqr", State())] == ["sqrt("]
    assert candidates("b[x", State()) == []


def test_names_that_are_no_words_are_put_into_backticks() -> None:
    """Also while they are half typed."""
    from lmmformula.repl.state import data_of

    data = data_of({"y": [1.0, 2.0], "my x": [1.0, 2.0]}, "d", "d")
    assert [c.text for c in candidates("y ~ `my", State(data=data))] == ["`my x`"]


OPEN = [
    ("y ~ x", False), ("y ~ x +", True), ("y ~", True), ("y ~ (1", True), ("y ~ (1 | g)", False), ("b[x", True),
    ("y ~ `a", True), ("y ~ 'a", True), ("", False), ("y ~ ?", False), ("y ~ (1 # (\n| g)", False),
    ("y ~ (1\n| g", True), ("y ~ x # +", False), ("y ~ x +\n", True), ("y ~ x\n+ z", False), ("y ~ x\n", False),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), OPEN)
def test_what_wants_more(text: str, *, expected: bool) -> None:
    """Open brackets, open quotes and operators at the end."""
    assert wants_more(text) is expected


def test_pieces_cover_what_is_typed() -> None:
    """Each stands where it says; what is no token ends the list."""
    text = "y ~ x + (1 | g) ? z"
    found = tokenize(text)
    assert all(text[piece.start : piece.end] == piece.text for piece in found)
    assert found[-1].kind == "BAD"
    assert found[-1].text == "? z"


LOOKS = [
    ("", " sleepstudy: 180 rows   Reaction ~ Days + (Days | Subject)"),
    ("Reaction ~ Days + (Days | Subject)", " 180 x 2   (Days | Subject): k=2, 18 levels, 3 parameters"),
    ("Reaction ~ Days + (Days || Subject)",
     " 180 x 2   (1 | Subject): k=1, 18 levels, 1 parameter   (0 + Days | Subject): k=1, 18 levels, 1 parameter"),
    ("Reaction ~ Day", " no column named 'Day' ..."),
    ("Reaction ~ Dayz", " no column named 'Dayz'\n     Reaction ~ Dayz\n                ^^^^\n did you mean 'Days'?\n"),
    ("Reaction ~ (Days", " `(` is opened and never closed ..."),
    ("Reaction", " the formula has no `~` ..."),
    (". ~ . - (Days | Subject)", " 180 x 2\n Reaction ~ Days"),
    ("sd ~ exponential(1)", " prior: sd ~ exponential(1)"),
    ("Reaction ~ Days + I(2 * Days)",
     " 180 x 3\n column `I(2 * Days)` depends on earlier ones, and would be dropped"),
    (":fit ml Reaction ~ Days", " 180 x 2"),
    (":fit nagq=5 Reaction ~ Days", " 180 x 2"),
    (":prior clear", " :prior [STATEMENT|clear]   set a prior, or clear all"),
    (":fit ml", " :fit [reml|ml|nagq=9] [FORMULA]   fit the model"),
    (":undo", " :undo   back to the model before the last change"),
    (":nonsense x", " no such command; :help lists them"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), LOOKS)
def test_what_the_toolbar_says(line: str, expected: str, state: State) -> None:
    """Sizes, doubts, errors with their caret, or how a command is used."""
    assert "".join(text for _, text in toolbar(look(line, state), state)) == expected


def test_looking_fits_nothing(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """No design is built and no optimizer runs while typing."""

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("typing must not come here")

    monkeypatch.setattr(lf.Model, "__init__", fail)
    monkeypatch.setattr(lf.Model, "fit", fail)
    for end in range(len("Reaction ~ Days * log(Days + 1) + (Days | Subject)")):
        look("Reaction ~ Days * log(Days + 1) + (Days | Subject)"[:end], state)
