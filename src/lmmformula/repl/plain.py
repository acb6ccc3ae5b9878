"""A session of plain lines: from a pipe, from a file, or where there is no terminal."""

from collections.abc import Iterable, Iterator
from typing import TextIO

from lmmformula.repl.commands import Quit
from lmmformula.repl.session import Session
from lmmformula.repl.typing.tokens import wants_more

PROMPT, MORE = "lmm> ", "...> "


def run_lines(session: Session, lines: Iterable[str], out: TextIO, errors: TextIO, *, echo: bool = False) -> int:
    """
    Carry out lines; return the exit code, 1 if any of them failed.

    echo : print each line before what came of it, as a terminal would show it

    >>> import sys
    >>> run_lines(Session(), ["y ~ x +", "  (1 | g)", ":help quit"], sys.stdout, sys.stdout, echo=True)
    lmm> y ~ x +
    ...>   (1 | g)
    y ~ x + (1 | g)
    no data yet: `:data FILE` reads some
    lmm> :help quit
    :quit
    end the session
    0
    """
    failed = False
    for statement in statements(lines):
        if echo:
            first, *more = statement.split("\n")
            print("\n".join([PROMPT + first, *(MORE + line for line in more)]), file=out)
        try:
            reply = session.run(statement)
        except Quit:
            break
        failed |= reply.failed
        for warning in reply.warnings:
            print(f"warning: {warning}", file=errors)
        if reply.text:
            print(reply.text, file=errors if reply.failed else out, flush=True)
    return int(failed)


def statements(lines: Iterable[str]) -> Iterator[str]:
    r"""
    Join the lines that belong together; an empty line and a command end what is open.

    >>> list(statements(["y ~ x + (1", "| g)", "# a remark", ":fit"]))
    ['y ~ x + (1\n| g)', ':fit']
    """
    waiting: list[str] = []
    for line in map(str.rstrip, lines):
        if waiting and (not line.strip() or line.lstrip().startswith(":")):
            yield "\n".join(waiting)
            waiting = []
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        waiting.append(line)
        text = "\n".join(waiting)
        if text.lstrip().startswith(":") or not wants_more(text):
            yield text
            waiting = []
    if waiting:
        yield "\n".join(waiting)
