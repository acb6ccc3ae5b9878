"""A session at a terminal: colours, completion, a toolbar that says what the line would mean, and a history."""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any

from prompt_toolkit import PromptSession, print_formatted_text
from prompt_toolkit.application.current import get_app
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import completion_is_selected
from prompt_toolkit.formatted_text import FormattedText, StyleAndTextTuples
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import Lexer
from prompt_toolkit.output import Output
from prompt_toolkit.styles import Style

from lmmformula.errors import Span
from lmmformula.ir.functions import FUNCTIONS, REGISTERED
from lmmformula.ir.priors import DISTRIBUTIONS
from lmmformula.repl.commands import Quit
from lmmformula.repl.describe import MOST_COLUMNS
from lmmformula.repl.plain import MORE, PROMPT
from lmmformula.repl.session import Reply, Session
from lmmformula.repl.state import State
from lmmformula.repl.typing.completion import candidates
from lmmformula.repl.typing.facts import column_text
from lmmformula.repl.typing.live import Look, look, toolbar
from lmmformula.repl.typing.tokens import Piece, wants_more

HISTORY_VARIABLE = "LMMFORMULA_HISTORY"
"""Names the history file; empty for none."""

STYLE = Style.from_dict(
    {
        "prompt": "bold",
        "column": "ansicyan",
        "function": "ansiblue",
        "unknown": "italic",
        "number": "ansimagenta",
        "string": "ansigreen",
        "operator": "",
        "bar": "bold ansiyellow",
        "command": "bold ansiblue",
        "wrong": "underline ansired",
        "error": "ansired",
        "warning": "ansiyellow",
        "bottom-toolbar": "noreverse",
        "toolbar.sizes": "bold",
        "toolbar.dim": "ansibrightblack",
        "toolbar.error": "ansired",
        "toolbar.warning": "ansiyellow",
    }
)

WELCOME = "lmmformula: type a formula, or :help; control-D ends the session"


def run_terminal(session: Session, *, keys: Input | None = None, screen: Output | None = None) -> int:
    """
    Read, carry out and print until the user has had enough.

    keys, screen : where keys come from and what is drawn on; the terminal where None
    """
    say = _printer(screen)
    say(Reply(WELCOME))
    Thread(target=warm_up, args=(session.state,)).start()
    prompt = _prompt(session, keys, screen)
    while True:
        try:
            line = prompt.prompt()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return 0
        try:
            say(session.run(line))
        except Quit:
            return 0


def warm_up(state: State) -> None:
    """Import what typing may need, and read the columns, while the user reads the first lines."""
    for name in ("lark", "scipy.linalg", "formulaic"):
        import_module(name)
    if state.data is not None:
        for name in state.data.table.names[:MOST_COLUMNS]:
            column_text(state.data.table, name)


def history_file() -> Path | None:
    """Return where the lines of earlier sessions are kept: `LMMFORMULA_HISTORY`, else the state folder of XDG."""
    named = os.environ.get(HISTORY_VARIABLE)
    if named is not None:
        return Path(named).expanduser() if named else None
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(home).expanduser() / "lmmformula" / "history"


def _history() -> History:
    """Open the history; in memory where it can't be kept."""
    path = history_file()
    if path is None:
        return InMemoryHistory()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except (OSError, ValueError):
        return InMemoryHistory()
    return KeptHistory(str(path))


class KeptHistory(FileHistory):
    """The history in a file; on a full disk the session goes on without."""

    def store_string(self, string: str) -> None:
        """Add a line to the file."""
        with suppress(OSError):
            super().store_string(string)


def _prompt(session: Session, keys: Input | None, screen: Output | None) -> PromptSession[str]:
    eye = Eye(session)

    def below() -> StyleAndTextTuples:
        return FormattedText(toolbar(eye.look(get_app().current_buffer.text), session.state))

    return PromptSession(
        [("class:prompt", PROMPT)],
        prompt_continuation=lambda *_: [("class:prompt", MORE)],
        multiline=True,
        lexer=Colours(eye),
        completer=Names(session),
        complete_while_typing=True,
        bottom_toolbar=below,
        key_bindings=_keys(),
        history=_history(),
        style=STYLE,
        input=keys,
        output=screen,
        enable_open_in_editor=True,
    )


def _keys() -> KeyBindings:
    """Let Enter end what is complete, and go on with what is not; Escape Enter always makes a new line."""
    bindings = KeyBindings()

    @bindings.add("enter", filter=~completion_is_selected)
    def _enter(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if not buffer.text.lstrip().startswith(":") and wants_more(buffer.text):
            buffer.newline()
        else:
            buffer.validate_and_handle()

    @bindings.add("enter", filter=completion_is_selected)
    def _accept(event: KeyPressEvent) -> None:
        event.current_buffer.complete_state = None

    @bindings.add("escape", "enter")
    def _newline(event: KeyPressEvent) -> None:
        event.current_buffer.newline()

    return bindings


def _printer(screen: Output | None) -> Callable[[Reply], None]:
    def say(reply: Reply) -> None:
        parts = [("class:warning", f"warning: {warning}\n") for warning in reply.warnings]
        parts += [("class:error" if reply.failed else "", f"{reply.text}\n")] if reply.text else []
        if parts:
            print_formatted_text(FormattedText(parts), style=STYLE, end="", output=screen)

    return say


class Eye:
    """Looks at lines, at each only once."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._look: Callable[[str, State], Look] = lru_cache(maxsize=64)(look)

    def look(self, line: str) -> Look:
        """Look at a line in the present state."""
        return self._look(line, self.session.state)


class Names(Completer):
    """Completes by what the session knows."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """List the ways to go on; none unasked before anything is typed."""
        before = document.text_before_cursor
        if not before.strip() and not complete_event.completion_requested:
            return
        for found in candidates(before, self.session.state):
            if before[found.start :] != found.text:
                yield Completion(found.text, start_position=found.start - len(before), display_meta=found.about)


class Colours(Lexer):
    """Colours a line by the grammar's terminals, and underlines what is wrong."""

    def __init__(self, eye: Eye) -> None:
        self.eye = eye

    def lex_document(self, document: Document) -> Callable[[int], StyleAndTextTuples]:
        """Return a function from line numbers to coloured lines."""
        lines = split_lines(coloured(document.text, self.eye.look(document.text), self.eye.session.state))
        return lambda number: lines[number] if number < len(lines) else []

    def invalidation_hash(self) -> Any:  # noqa: ANN401 (the base class says so)
        """Colours change with the state."""
        return id(self.eye.session.state)


def coloured(text: str, seen: Look, state: State) -> StyleAndTextTuples:
    """Cut a text into fragments of one style; all fragments together are the text."""
    fragments: StyleAndTextTuples = []
    position = 0
    if text.startswith(":"):
        position = len(text.partition(" ")[0])
        fragments.append(("class:command", text[:position]))
    for i, piece in enumerate(seen.pieces):
        fragments.append(("", text[position : piece.start]))
        follows = seen.pieces[i + 1].kind if i + 1 < len(seen.pieces) else ""
        fragments += _marked(piece, _style(piece, follows, state), seen.marked)
        position = piece.end
    return [*fragments, ("", text[position:])]


def _style(piece: Piece, follows: str, state: State) -> str:
    match piece.kind:
        case "NAME" if follows == "OPEN":
            known = piece.text in FUNCTIONS or piece.text in REGISTERED or piece.text in DISTRIBUTIONS
            return "class:function" if known else "class:unknown"
        case "NAME" | "QUOTED":
            name = piece.text.strip("`")
            return "class:column" if state.data is not None and name in state.data.table else "class:unknown"
        case "NUMBER":
            return "class:number"
        case "STRING":
            return "class:string"
        case "OR":
            return "class:bar"
        case _:
            return "class:operator"


def _marked(piece: Piece, style: str, wrong: Span | None) -> StyleAndTextTuples:
    """Underline the part of a piece that is wrong."""
    if wrong is None or wrong.end <= piece.start or piece.end <= wrong.start:
        return [(style, piece.text)]
    start, end = max(wrong.start - piece.start, 0), min(wrong.end, piece.end) - piece.start
    parts = [(style, piece.text[:start]), ("class:wrong", piece.text[start:end]), (style, piece.text[end:])]
    return [(name, text) for name, text in parts if text]


def split_lines(fragments: StyleAndTextTuples) -> list[StyleAndTextTuples]:
    r"""
    Cut fragments where lines end.

    >>> split_lines([("a", "x\ny"), ("b", "z")])
    [[('a', 'x')], [('a', 'y'), ('b', 'z')]]
    """
    lines: list[StyleAndTextTuples] = [[]]
    for style, text, *_ in fragments:
        first, *rest = str(text).split("\n")
        if first:
            lines[-1].append((str(style), first))
        lines.extend([(str(style), line)] if line else [] for line in rest)
    return lines
