"""The command line's main function: parse, run, and turn what went wrong into an exit code."""
# ruff: noqa: T201 (a command line prints)

import os
import sys
import warnings
from argparse import Namespace
from collections.abc import Sequence

from lmmformula.cli.arguments import parser
from lmmformula.errors import FitWarning, LmmFormulaError

FAILED, INTERRUPTED = 1, 130
"""Exit codes beside 0 and argparse's 2: an error that the user can mend, and control-C."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code: 0 done, 1 an error the user can mend, 2 bad usage, 130 interrupted."""
    typed = parser()
    options = typed.parse_args(arguments)
    if options.command is None:
        typed.print_help()
        return 0
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        warnings.simplefilter("always", FitWarning)
        try:
            code = run(options)
            sys.stdout.flush()
        except LmmFormulaError as error:
            print(f"error: {error}", file=sys.stderr)
            return FAILED
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return INTERRUPTED
        except BrokenPipeError:
            # The reader of our output has gone; without this Python would complain once more while closing stdout.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return FAILED
        except OSError as error:
            print(f"error: {error.strerror or error}: {error.filename or 'output'}", file=sys.stderr)
            return FAILED
    return code


def run(options: Namespace) -> int:
    """Do what was asked; the actions are imported here, so that `--help` imports none of them."""
    from lmmformula.cli.actions import ACTIONS

    return ACTIONS[options.command](options) or 0


def _show_warning(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    if issubclass(category, FitWarning):
        print(f"warning: {message}", file=sys.stderr)
