"""Checks of what users pass to the methods of fits and posteriors."""

from collections.abc import Mapping, Sequence

import numpy as np

from lmmformula.errors import FitError, printable


def check_level(level: object, name: str = "level", usual: float = 0.95) -> None:
    """
    Refuse a level that is no probability.

    usual : one that is
    """
    known = isinstance(level, (int, float, np.integer, np.floating)) and not isinstance(level, bool)
    if not known or not 0.0 < level < 1.0:  # type: ignore[operator]  # a number
        hint = f"give a number between 0 and 1, such as {usual}"
        raise FitError(f"{name}={level!r:.60} is no probability", hint=hint)


def check_count(name: str, value: object, *, least: int = 1, most: int = 10**7) -> None:
    """Refuse what is no whole number, too small a one, or one that could not be done in years."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or int(value) < least:  # type: ignore[call-overload]  # a number
        raise FitError(f"{name} must be a whole number of at least {least}, and {value!r:.60} was given")
    if int(value) > most:  # type: ignore[call-overload]
        raise FitError(f"{name} must be at most {most:,}, and {value!r:.60} was given")


def check_mapping(name: str, value: object, example: str) -> None:
    """Refuse what is no mapping."""
    if not isinstance(value, Mapping):
        raise FitError(f"{name} must be a mapping such as {example}, and {value!r:.60} was given")


def check_group(value: object, groups: Sequence[str]) -> None:
    """Refuse what is no grouping factor of a model."""
    if not isinstance(value, str) or value not in groups:
        known = ", ".join(map(printable, groups)) or "there is none"
        raise FitError(f"{value!r:.60} is not a grouping factor of the model", hint=f"they are: {known}")


def check_flag(name: str, value: object) -> None:
    """Refuse what is neither True nor False."""
    if not isinstance(value, (bool, np.bool_)):
        raise FitError(f"{name} is True or False, and {value!r:.60} was given")


VALUES = {
    **dict.fromkeys(("kr", "kenward"), "kenward-roger"),
    **dict.fromkeys(("s", "satt", "lmertest"), "satterthwaite"),
    **dict.fromkeys(("z", "wald", "inf", "normal"), "asymptotic"),
    "lme4": "none",
}
"""Values of other packages, in small letters -> ours."""


def check_choice(name: str, value: object, choices: Sequence[str | None]) -> None:
    """Refuse what is none of the choices."""
    if not isinstance(value, str | None) or value not in choices:
        plain = str(value).lower().replace("_", "-")
        meant = plain if plain in choices else VALUES.get(plain)
        there = f"the choices are: {', '.join(map(str, choices))}"
        hint = f"did you mean {name}={meant!r}? {there}" if meant in choices and meant else there
        raise FitError(f"{name}={value!r:.60} is not known", hint=hint)
