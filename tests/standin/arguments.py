"""The command line of a CmdStan executable: a tree of arguments, how words select from it, and how it is echoed."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TypeAlias, Union

Scalar: TypeAlias = bool | int | float | str


class UsageError(Exception):
    """The words of a command line that the tree of arguments has no place for, in CmdStan's sentences."""


@dataclass(frozen=True, slots=True)
class Value:
    """`name=x`; the default says the type; numbers must be at least `low`."""

    name: str
    default: Scalar
    low: float | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """`name a=1 b=2`: a word that opens its children."""

    name: str
    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """`name=option`, which opens the children of that option."""

    name: str
    default: str
    options: dict[str, tuple[Node, ...]]


Node: TypeAlias = Union["Value", "Group", "Choice"]
Scope: TypeAlias = tuple[str, tuple[Node, ...]]

NUTS: tuple[Node, ...] = (
    Choice("engine", "nuts", {"nuts": (Value("max_depth", 10, low=1),)}),
    Choice("metric", "diag_e", {"unit_e": (), "diag_e": (), "dense_e": ()}),
    Value("metric_file", ""),
    Value("stepsize", 1.0, low=0),
    Value("stepsize_jitter", 0.0, low=0),
)
ADAPTATION: tuple[Node, ...] = (
    Value("engaged", default=True),
    Value("gamma", 0.05, low=0),
    Value("delta", 0.8, low=0),
    Value("kappa", 0.75, low=0),
    Value("t0", 10.0, low=0),
    Value("init_buffer", 75, low=0),
    Value("term_buffer", 50, low=0),
    Value("window", 25, low=0),
    Value("save_metric", default=False),
)
SAMPLE: tuple[Node, ...] = (
    Value("num_samples", 1000, low=0),
    Value("num_warmup", 1000, low=0),
    Value("save_warmup", default=False),
    Value("thin", 1, low=1),
    Group("adapt", ADAPTATION),
    Choice("algorithm", "hmc", {"hmc": NUTS}),
    Value("num_chains", 1, low=1),
)
LBFGS: tuple[Node, ...] = (
    Value("init_alpha", 0.001, low=0),
    Value("tol_obj", 1e-12, low=0),
    Value("tol_rel_obj", 1e4, low=0),
    Value("tol_grad", 1e-8, low=0),
    Value("tol_rel_grad", 1e7, low=0),
    Value("tol_param", 1e-8, low=0),
    Value("history_size", 5, low=1),
)
OPTIMIZE: tuple[Node, ...] = (
    Choice("algorithm", "lbfgs", {"lbfgs": LBFGS}),
    Value("jacobian", default=False),
    Value("iter", 2000, low=1),
    Value("save_iterations", default=False),
)
PATHFINDER: tuple[Node, ...] = (
    *LBFGS,
    Value("num_psis_draws", 1000, low=1),
    Value("num_paths", 4, low=1),
    Value("save_single_paths", default=False),
    Value("psis_resample", default=True),
    Value("calculate_lp", default=True),
    Value("max_lbfgs_iters", 1000, low=1),
    Value("num_draws", 1000, low=1),
    Value("num_elbo_draws", 25, low=1),
)
LAPLACE: tuple[Node, ...] = (
    Value("mode", ""),
    Value("jacobian", default=True),
    Value("draws", 1000, low=0),
    Value("calculate_lp", default=True),
)
METHODS = {"sample": SAMPLE, "optimize": OPTIMIZE, "pathfinder": PATHFINDER, "laplace": LAPLACE}
COMMAND_LINE: tuple[Node, ...] = (
    Choice("method", "sample", METHODS),
    Value("id", 1, low=0),
    Group("data", (Value("file", ""),)),
    Value("init", "2"),
    Group("random", (Value("seed", -1, low=-1),)),
    Group(
        "output",
        (
            Value("file", "output.csv"),
            Value("diagnostic_file", ""),
            Value("refresh", 100, low=0),
            Value("sig_figs", 8, low=-1),
            Value("profile_file", "profile.csv"),
            Value("save_cmdstan_config", default=False),
        ),
    ),
    Value("num_threads", 1, low=-1),
)
"""What the stand-in knows of CmdStan's arguments, in the order in which CmdStan echoes them."""


@dataclass(slots=True)
class Settings:
    """A parsed command line: values by dotted path, such as `sample.adapt.delta`; what was not said has its default."""

    given: dict[str, Scalar] = field(default_factory=dict)

    def __getitem__(self, path: str) -> Scalar:
        """Return the value at a path."""
        return self.given[path] if path in self.given else DEFAULTS[path]

    def integer(self, path: str) -> int:
        """Return the value at a path as an integer."""
        return int(self[path])

    def number(self, path: str) -> float:
        """Return the value at a path as a real number."""
        return float(self[path])

    def text(self, path: str) -> str:
        """Return the value at a path as text."""
        return str(self[path])


def parse(words: list[str]) -> Settings:
    """
    Read a command line (without the program's name) as CmdStan does.

    A word opens or sets an argument of the innermost open scope that has one of that name; scopes inside it close.

    >>> parse("method=sample adapt delta=0.9 num_chains=2 random seed=7".split()).given
    {'method': 'sample', 'sample.adapt.delta': 0.9, 'sample.num_chains': 2, 'random.seed': 7}
    """
    settings = Settings()
    scopes: list[Scope] = [("", COMMAND_LINE)]
    for word in words:
        take(word, settings, scopes)
    if "method" not in settings.given:
        raise UsageError("A method must be specified!")
    if settings.integer("random.seed") < 0:
        settings.given["random.seed"] = time.time_ns() // 1000 % 2**32
    return settings


def take(word: str, settings: Settings, scopes: list[Scope]) -> None:
    """Let one word set a value or open a scope."""
    name, equals, text = word.partition("=")
    if not equals and name in METHODS:
        name, text = "method", name
    while scopes and not any(node.name == name for node in scopes[-1][1]):
        scopes.pop()
    if not scopes:
        raise UsageError(f"{word} is either mistyped or misplaced.")
    path, nodes = scopes[-1]
    match next(node for node in nodes if node.name == name):
        case Group(_, children):
            scopes.append((f"{path}{name}.", children))
        case Choice(_, _, options):
            if text not in options:
                raise invalid(name, text, ", ".join(options))
            settings.given[f"{path}{name}"] = text
            scopes.append((f"{path}{text}.", options[text]))
        case Value() as value:
            settings.given[f"{path}{name}"] = scalar(value, text)


def scalar(node: Value, text: str) -> Scalar:
    """Read the text of a value as what its default is."""
    if isinstance(node.default, str):
        return text
    if isinstance(node.default, bool):
        if text not in BOOLEANS:
            raise invalid(node.name, text, "[0, 1]")
        return BOOLEANS[text]
    try:
        number = type(node.default)(text)
    except ValueError:
        number = math.nan
    if not number >= (-math.inf if node.low is None else node.low):
        raise invalid(node.name, text, f"at least {node.low}")
    return number


def invalid(name: str, text: str, valid: str) -> UsageError:
    """Word the complaint about a value."""
    return UsageError(f'{text} is not a valid value for "{name}"\n  Valid values: {valid}')


def echo(settings: Settings) -> list[str]:
    """Print the whole tree with the chosen values, two spaces a level, as CmdStan does."""
    lines: list[str] = []

    def visit(nodes: tuple[Node, ...], path: str, depth: int) -> None:
        indent = "  " * depth
        for node in nodes:
            match node:
                case Group(name, children):
                    lines.append(f"{indent}{name}")
                    visit(children, f"{path}{name}.", depth + 1)
                case Value(name, default):
                    lines.append(f"{indent}{name} = {shown(settings[path + name], default)}")
                case Choice(name, default, options):
                    chosen = settings.text(path + name)
                    lines.append(f"{indent}{name} = {shown(chosen, default)}")
                    if options[chosen]:
                        lines.append(f"{indent}  {chosen}")
                        visit(options[chosen], f"{path}{chosen}.", depth + 2)

    visit(COMMAND_LINE, "", 0)
    return lines


def shown(value: Scalar, default: Scalar) -> str:
    """Print one value, marked where it is the default."""
    text = str(value).lower() if isinstance(value, bool) else f"{value:.6g}" if isinstance(value, float) else str(value)
    return f"{text} (Default)" if value == default else text


def defaults(nodes: tuple[Node, ...], path: str = "") -> dict[str, Scalar]:
    """Collect the default of every path of a tree."""
    found: dict[str, Scalar] = {}
    for node in nodes:
        match node:
            case Group(name, children):
                found |= defaults(children, f"{path}{name}.")
            case Value(name, default):
                found[path + name] = default
            case Choice(name, default, options):
                found[path + name] = default
                for option, children in options.items():
                    found |= defaults(children, f"{path}{option}.")
    return found


DEFAULTS = defaults(COMMAND_LINE)
BOOLEANS = {"1": True, "true": True, "0": False, "false": False}
