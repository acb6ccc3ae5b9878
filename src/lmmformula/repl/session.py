"""A session: lines in, replies out, and the states in between. It neither reads a terminal nor writes one."""

import warnings
from dataclasses import dataclass, replace
from typing import Any

from lmmformula.errors import FitWarning, LmmFormulaError, SamplingWarning, legible
from lmmformula.repl.state import Data, State


class Quit(Exception):  # noqa: N818 (not an error)
    """The user has had enough."""


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
        return "\n".join([*(f"warning: {warning}" for warning in self.warnings), *([self.text] if self.text else [])])


class Session:
    """
    The states of a session, the present one last.

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

    def __init__(self, data: Data | None = None) -> None:
        code = ("import lmmformula as lf",)
        self.undone: list[State] = []
        self.past = [State(data=data, code=code if data is None else (*code, f"data = {data.code}"))]

    @property
    def state(self) -> State:
        """The present state."""
        return self.past[-1]

    def advance(self, code: str = "", **changes: Any) -> State:  # noqa: ANN401 (fields of a State)
        """Go on to another model, which `:undo` takes back."""
        self.past.append(self._changed(code, changes))
        return self.state

    def note(self, code: str = "", **changes: Any) -> State:  # noqa: ANN401 (fields of a State)
        """Keep what was found out about the present model."""
        self.past[-1] = self._changed(code, changes)
        return self.state

    def _changed(self, code: str, changes: dict[str, Any]) -> State:
        return replace(self.state, code=(*self.state.code, *filter(None, [code])), **changes)

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
        from lmmformula.repl.commands import carry_out

        before = len(self.past)
        try:
            return carry_out(self, text) if text else "", False
        except LmmFormulaError as error:
            return f"error: {error}", True
        except OSError as error:
            return f"error: {error.strerror or error}: {error.filename or 'output'}", True
        except KeyboardInterrupt:
            del self.past[max(before, 1) :]
            return "interrupted", True
