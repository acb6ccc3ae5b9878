"""The command line's main function: parse, run, and turn what went wrong into an exit code."""
# ruff: noqa: T201 (a command line prints)

import sys
import warnings
from argparse import Namespace
from collections.abc import Sequence

from lmmformula.cli.arguments import parser
from lmmformula.cli.streams import prepare_streams, silence_stdout
from lmmformula.errors import FitWarning, LmmFormulaError
from lmmformula.screen import told_of

FAILED, INTERRUPTED, UNREAD = 1, 130, 141
"""Exit codes beside 0 and argparse's 2: an error that the user can mend, control-C, and a reader that has gone."""


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run one command; return the exit code.

    0 done, 1 an error the user can mend, 2 bad usage, 130 interrupted, 141 nobody reads the output any more
    """
    prepare_streams()
    try:
        try:
            return _told(arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        silence_stdout()
        return UNREAD
    except OSError as error:
        if error.filename is None:
            silence_stdout()
        print(f"error: {error.strerror or error}: {error.filename or 'output'}", file=sys.stderr)
        return FAILED


def _told(arguments: Sequence[str] | None) -> int:
    """Run one command, and tell what went wrong."""
    typed = parser()
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = typed.parse_args([*words[1:2], "--help"] if words[:1] == ["help"] else words)
    if options.command is None:
        typed.print_help()
        return 0
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        warnings.simplefilter("always", FitWarning)
        try:
            return run(options)
        except LmmFormulaError as error:
            print(told_of(f"error: {error}"), file=sys.stderr)
            return FAILED
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return INTERRUPTED


def run(options: Namespace) -> int:
    """Do what was asked; the actions are imported here, so that `--help` imports none of them."""
    from lmmformula.cli.actions import ACTIONS

    return ACTIONS[options.command](options) or 0


def _show_warning(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    if issubclass(category, FitWarning):
        print(told_of(f"warning: {message}"), file=sys.stderr)
