"""Checks of what users pass to the methods of fits and posteriors."""

from collections.abc import Sequence

import numpy as np

from lmmformula.errors import FitError


def check_level(level: object, name: str = "level", usual: float = 0.95) -> None:
    """
    Refuse a level that is no probability.

    usual : one that is
    """
    known = isinstance(level, (int, float, np.integer, np.floating)) and not isinstance(level, bool)
    if not known or not 0.0 < float(level) < 1.0:  # type: ignore[arg-type]  # a number
        hint = f"give a number between 0 and 1, such as {usual}"
        raise FitError(f"{name}={level!r:.60} is no probability", hint=hint)


def check_count(name: str, value: object, *, least: int = 1) -> None:
    """Refuse what is no whole number, or too small a one."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or int(value) < least:  # type: ignore[call-overload]  # a number
        raise FitError(f"{name} must be a whole number of at least {least}, and {value!r:.60} was given")


def check_flag(name: str, value: object) -> None:
    """Refuse what is neither True nor False."""
    if not isinstance(value, (bool, np.bool_)):
        raise FitError(f"{name} is True or False, and {value!r:.60} was given")


def check_choice(name: str, value: object, choices: Sequence[str | None]) -> None:
    """Refuse what is none of the choices."""
    if not isinstance(value, str | None) or value not in choices:
        raise FitError(f"{name}={value!r:.60} is not known", hint=f"the choices are: {', '.join(map(str, choices))}")
