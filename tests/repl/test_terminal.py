"""A session at a terminal: keys in, a screen out; and once through a real pseudo-terminal."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

import lmmformula as lf
from lmmformula.repl import plain, terminal
from lmmformula.repl.session import Session
from lmmformula.repl.state import data_from
from lmmformula.repl.terminal import KeptHistory, coloured, history_file, run_terminal, split_lines
from lmmformula.repl.typing.live import look

FORMULA = "Reaction ~ Days + (Days | Subject)"


@pytest.fixture(autouse=True)
def no_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests write no history but where they say so."""
    monkeypatch.setenv("LMMFORMULA_HISTORY", "")


@pytest.fixture
def keys() -> Iterator[PipeInput]:
    """A keyboard."""
    with create_pipe_input() as keyboard, create_app_session(input=keyboard, output=DummyOutput()):
        yield keyboard


def typed(keys: PipeInput, text: str) -> Session:
    """The session after some keys, the last of which end it."""
    session = Session(data_from("sleepstudy"))
    keys.send_text(text)
    assert run_terminal(session, keys=keys, screen=DummyOutput()) == 0
    return session


def test_lines_are_carried_out(keys: PipeInput) -> None:
    """Enter ends a line that is complete."""
    session = typed(keys, f"{FORMULA}\r:fit\r:quit\r")
    assert session.state.fit is not None


def test_a_family_is_looked_at_and_chosen(keys: PipeInput) -> None:
    """While it is typed the model is shown in it; then it is the model's."""
    session = typed(keys, f"{FORMULA}\r:family lognormal\r:fit\r\x04")
    assert session.state.fit is not None
    assert session.state.fit.ir.family.name == "lognormal"


def test_enter_goes_on_with_what_is_not_complete(keys: PipeInput) -> None:
    """And Escape Enter goes on with what is."""
    session = typed(keys, "Reaction ~ Days +\r(Days\r| Subject)\x1b\r; sd ~ exponential(1)\r\x04")
    assert session.state.need_ir().formula == FORMULA
    assert [str(prior) for prior in session.state.priors] == ["sd ~ exponential(1)"]


def test_control_c_gives_up_a_line_and_not_the_session(keys: PipeInput) -> None:
    """What was typed is forgotten."""
    session = typed(keys, f"Reaction ~ nonsense\x03{FORMULA}\r\x04")
    assert session.state.need_ir().formula == FORMULA


def test_control_c_stops_a_fit_and_not_the_session(keys: PipeInput, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is there still, and the next line is read."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(lf.Model, "fit", interrupted)
    session = typed(keys, f"{FORMULA}\r:fit\rsd ~ exponential(1)\r\x04")
    assert session.state.fit is None
    assert len(session.state.priors) == 1


def test_history_is_kept_between_sessions(keys: PipeInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the file that the environment names; the up arrow brings it back."""
    monkeypatch.setenv("LMMFORMULA_HISTORY", str(tmp_path / "deep" / "history"))
    typed(keys, f"{FORMULA}\r\x04")
    assert f"+{FORMULA}\n" in (tmp_path / "deep" / "history").read_text(encoding="utf-8")
    with create_pipe_input() as again:
        assert typed(again, "\x1b[A\r\x04").state.need_ir().formula == FORMULA


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_history_that_can_not_be_written_ends_no_session() -> None:
    """The line is forgotten when the session is over."""
    KeptHistory("/dev/full").store_string("y ~ x")


PLACES = [
    ({"LMMFORMULA_HISTORY": "/h/file"}, Path("/h/file")),
    ({"LMMFORMULA_HISTORY": ""}, None),
    ({"XDG_STATE_HOME": "/state"}, Path("/state/lmmformula/history")),
    ({"HOME": "/home/me"}, Path("/home/me/.local/state/lmmformula/history")),
]


@pytest.mark.parametrize(("environment", "expected"), PLACES)
def test_where_history_is_kept(
    environment: dict[str, str], expected: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the environment says, else in the state folder."""
    for name in ("LMMFORMULA_HISTORY", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert history_file() == expected


def test_history_that_cannot_be_kept_is_done_without(
    keys: PipeInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file in the way of the folder is no reason to refuse a session."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("LMMFORMULA_HISTORY", str(tmp_path / "file" / "history"))
    assert typed(keys, f"{FORMULA}\r\x04").state.model is not None


def test_colours_are_those_of_the_grammar() -> None:
    """Columns, functions, bars, numbers and what is wrong each have a style; the text itself stays as it is."""
    state = Session(data_from("sleepstudy")).state
    text = "Reaction ~ poly(Days, 2) + (1 | Subject) + z"
    fragments = coloured(text, look(text, state), state)
    assert "".join(str(fragment[1]) for fragment in fragments) == text
    styles = {str(fragment[1]): fragment[0] for fragment in fragments}
    assert {name: styles[name] for name in ("Days", "poly", "|", "2", "z")} == {
        "Days": "class:column",
        "poly": "class:function",
        "|": "class:bar",
        "2": "class:number",
        "z": "class:wrong",
    }


@pytest.mark.parametrize("text", ["", ":fit ml Reaction ~ x", "y ~ x ? z", "y ~\n  (x", "b[x] ~ normal(0, 1)", "# no"])
def test_colours_never_change_the_text(text: str) -> None:
    """Whatever is typed."""
    state = Session().state
    lines = split_lines(coloured(text, look(text, state), state))
    assert "\n".join("".join(str(part[1]) for part in line) for line in lines) == text


def test_errors_and_warnings_have_colours(monkeypatch: pytest.MonkeyPatch, keys: PipeInput) -> None:
    """And go to the same screen as all else."""
    said: list[str] = []
    monkeypatch.setattr(terminal, "print_formatted_text", lambda text, **_: said.extend(map(str, text)))
    typed(keys, "Reaction ~ Dayz\rReaction ~ Days + I(2*Days)\r\x04")
    assert any("class:error" in part and "did you mean 'Days'?" in part for part in said)
    assert any("class:warning" in part and "linearly dependent" in part for part in said)


class Terminal:
    """A pseudo-terminal with a session in it."""

    def __init__(self) -> None:
        import pty
        import termios

        self.child, self.screen = pty.fork()
        if self.child == 0:
            os.environ.update(TERM="xterm", LMMFORMULA_HISTORY="")
            os.execv(sys.executable, [sys.executable, "-m", "lmmformula", "repl", "sleepstudy"])  # noqa: S606
        termios.tcsetwinsize(self.screen, (40, 100))
        self.shown = ""

    def type(self, text: str, *until: str) -> None:
        """Send keys, and wait until some texts have appeared, one after the other."""
        os.write(self.screen, text.encode())
        self.shown = seen = ""
        for wanted in until:
            while wanted not in seen:
                new = self.read()
                assert new, f"{wanted!r} never came, but {self.shown!r}"
                self.shown, seen = self.shown + new, seen + new
            seen = seen.partition(wanted)[2]

    def read(self) -> str:
        """Read what has been drawn; nothing if nothing is drawn any more."""
        import select

        if not select.select([self.screen], [], [], 30)[0]:
            return ""
        try:
            new = os.read(self.screen, 65_536)
        except OSError:  # Linux says so that the other side has gone
            return ""
        os.write(self.screen, b"\x1b[1;1R" * new.count(b"\x1b[6n"))  # the program asks where the cursor is
        return new.decode(errors="replace")

    def end(self) -> int:
        """End the session by control-D, and return its exit code."""
        os.write(self.screen, b"\x04")
        while self.read():
            pass
        _, status = os.waitpid(self.child, 0)
        os.close(self.screen)
        return os.waitstatus_to_exitcode(status)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_pseudo_terminal() -> None:
    """Toolbar, error with caret, completion, a fit, control-C: as a user sees them."""
    session, prompt = Terminal(), plain.PROMPT.rstrip()
    session.type("", prompt, "sleepstudy: 180 rows")
    session.type("Reaction ~ Dayz ", "^^^^", "did you mean 'Days'?")
    session.type("\x03", prompt)
    session.type("Reaction ~ Days + (1 | Su", "18 levels")
    session.type("\t", "Subject")
    session.type(")", "k=1, 18 levels, 1 parameter")
    session.type("\r", "4 parameters in all.", prompt)  # before the prompt is there, keys would go astray
    session.type(":fit\r", "REML criterion at convergence: 1786.5", prompt, "fitted")
    session.type(":sample 1000000 seed=1\r", "sampling")
    session.type("\x03", "interrupted", prompt)
    assert session.end() == 0
