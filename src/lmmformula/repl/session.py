"""A session: lines in, replies out. It neither reads a terminal nor writes one."""

import warnings
from dataclasses import dataclass

from lmmformula.errors import FitWarning, LmmFormulaError, SamplingWarning, legible
from lmmformula.repl.commands import carry_out
from lmmformula.repl.state import States
from lmmformula.screen import told_of


@dataclass(frozen=True, slots=True)
class Reply:
    """
    What came of a line.

    text : to be printed; an error's message where `failed`
    warnings : one line each, to be printed before
    """

    text: str
    failed: bool = False
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        told = (told_of(f"warning: {warning}") for warning in self.warnings)
        return "\n".join([*told, *([self.text] if self.text else [])])


class Session(States):
    """
    The states of a session, and what carries out a line.

    >>> session = Session()
    >>> print(session.run(":data Dyestuff"))
    Dyestuff: 30 rows, 2 columns
    Batch (factor, 6 levels), Yield (numeric)
    >>> print(session.run("Yield ~ 1 + (1 | Batch)"))
    Yield on 30 rows: 1 fixed effect ((Intercept)); for each of 6 levels of Batch 1
    random effect ((Intercept)). 3 parameters in all.
    >>> session.run("Yield ~ z").failed
    True
    """

    def run(self, text: str) -> Reply:
        """
        Do what a line says; whatever a user can mend is a reply, not an exception.

        Raises
        ------
        Quit
            The line says so.
        """
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", FitWarning)
            warnings.simplefilter("ignore", SamplingWarning)  # the reply shows the verdict
            said, failed = self._attempted(text.strip())
        told = dict.fromkeys(str(warning.message) for warning in caught)
        return Reply(legible(said), failed, tuple(told))

    def _attempted(self, text: str) -> tuple[str, bool]:
        before = len(self.past)
        try:
            return carry_out(self, text) if text else "", False
        except LmmFormulaError as error:
            return told_of(f"error: {error}"), True
        except OSError as error:
            return f"error: {error.strerror or error}: {error.filename or 'output'}", True
        except KeyboardInterrupt:
            del self.past[max(before, 1) :]
            return "interrupted", True
