"""What can be set of an engine: the name of each option, and the values that it takes."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import index
from os import PathLike
from typing import Any

import numpy as np

from lmmformula.errors import EngineError

LARGEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Values:
    """
    The values of an option.

    needs : what they are, to follow "must be"
    read : makes of a value what an engine takes; raises TypeError or ValueError where it is none of them
    """

    needs: str
    read: Callable[[Any], Any]


def whole(low: int, high: int = LARGEST) -> Values:
    """Whole numbers; True and False are none."""

    def read(value: Any) -> int:  # noqa: ANN401 (whatever a user gives)
        number = index(value)
        _require(not isinstance(value, bool | np.bool_) and low <= number <= high)
        return number

    return Values(f"a whole number between {low} and {high}", read)


def real(needs: str, accepts: Callable[[float], bool]) -> Values:
    """Real numbers of a range; no text that looks like one."""

    def read(value: Any) -> float:  # noqa: ANN401
        number = float(value)
        is_number = not isinstance(value, bool | np.bool_ | str | bytes) and math.isfinite(number)
        _require(is_number and accepts(number))
        return number

    return Values(needs, read)


def choice(*names: str) -> Values:
    """One of a few names."""

    def read(value: Any) -> Any:  # noqa: ANN401
        _require(isinstance(value, str) and value in names)
        return value

    return Values("one of " + ", ".join(names), read)


def kind(needs: str, *types: type) -> Values:
    """Values of a type."""

    def read(value: Any) -> Any:  # noqa: ANN401
        _require(isinstance(value, types))
        return value

    return Values(needs, read)


def _require(holds: bool) -> None:  # noqa: FBT001
    if not holds:
        raise ValueError


def _device(value: Any) -> tuple[int, int]:  # noqa: ANN401
    platform, device = value
    return whole(0).read(platform), whole(0).read(device)


COUNT, FLAG = whole(1), kind("True or False", bool, np.bool_)
POSITIVE = real("a positive number", lambda x: x > 0)

OPTIONS: dict[str, Values] = {
    "adapt_delta": real("a number between 0 and 1", lambda x: 0 < x < 1),
    "adapt_engaged": FLAG,
    "adapt_init_phase": whole(0),
    "adapt_metric_window": whole(0),
    "adapt_step_size": whole(0),
    "calculate_lp": FLAG,
    "cpp_options": kind("a mapping", Mapping),
    "history_size": COUNT,
    "init_alpha": POSITIVE,
    "init_radius": real("a number, 0 or more", lambda x: x >= 0),
    "iterations": COUNT,
    "jacobian": FLAG,
    "max_lbfgs_iters": COUNT,
    "max_treedepth": whole(1, 30),
    "metric": choice("diag_e", "dense_e", "unit_e"),
    "num_elbo_draws": COUNT,
    "num_paths": COUNT,
    "num_single_draws": COUNT,
    "num_threads": COUNT,
    "opencl_ids": Values("a pair of numbers: platform and device", _device),
    "output_dir": kind("a path", str, PathLike),
    "parallel_chains": COUNT,
    "pathfinder_init": kind("a mapping", Mapping),
    "psis_resample": FLAG,
    "sig_figs": whole(1, 18),
    "stanc_options": kind("a mapping", Mapping),
    "step_size": POSITIVE,
    "thin": COUNT,
    "threads_per_chain": COUNT,
    "timeout": real("a positive number of seconds", lambda x: x > 0),
    "tol_grad": POSITIVE,
    "tol_obj": POSITIVE,
    "tol_param": POSITIVE,
    "tol_rel_grad": POSITIVE,
    "tol_rel_obj": POSITIVE,
}
"""Options of any engine and algorithm; they mean the same to all that have them."""


def required(what: str, value: object, values: Values) -> Any:  # noqa: ANN401
    """
    Return a value as an engine takes it, or refuse it.

    >>> required("thin", 2, COUNT)
    2
    """
    try:
        return values.read(value)
    except (TypeError, ValueError, OverflowError):
        raise EngineError(f"{what} must be {values.needs}, not {value!r:.60}") from None


def checked(
    engine: str, algorithm: str, known: Mapping[str, Iterable[str]], options: Mapping[str, Any]
) -> dict[str, Any]:
    """
    Return options as an engine takes them, or refuse what it does not know.

    known : algorithm -> names of the options that the engine has for it
    """
    if algorithm not in known:
        raise EngineError(
            f"{engine} has no algorithm '{algorithm}'",
            hint=f"it has {', '.join(known)}; engine='cmdstan' has nuts, pathfinder, laplace and optimize",
        )
    names = list(known[algorithm])
    for name in options:
        if name not in names:
            raise EngineError(
                f"{engine} has no option '{name}' for {algorithm}", hint="it has " + ", ".join(sorted(names))
            )
    return {name: required(name, value, OPTIONS[name]) for name, value in options.items()}
