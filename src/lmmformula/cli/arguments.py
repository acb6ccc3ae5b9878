"""What can be typed on the command line."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DESCRIPTION = """Mixed-effects models from one lme4 formula: an exact REML/ML fit and a Stan program.

examples:
  lmmformula demo
  lmmformula fit "Reaction ~ Days + (Days | Subject)" --data sleepstudy
  lmmformula compare "y ~ x + (x | group)" --data coffee.csv --seed 1
  lmmformula repl coffee.csv
"""

EXIT_CODES = """exit codes: 0 done, 1 an error that the message explains, 2 bad usage, 130 interrupted,
141 nobody reads the output any more"""

HERDS = '"cbind(incidence, size - incidence) ~ period + (1 | herd)" --data cbpp --family binomial'

SLEEP = '"Reaction ~ Days + (Days | Subject)" --data sleepstudy'

FORMATS = ("json", "csv", "markdown")
"""How a table can be printed, instead of as text for people."""

TABLES = ("tidy", "glance", "augment", "ranef", "anova")
"""Tables of a fit."""

SHELLS = ("bash", "zsh", "fish")


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One sub-command.

    about : one line of help
    examples : command lines, without the program's name
    options : groups of options that it takes, see `GROUPS`
    """

    about: str
    examples: tuple[str, ...]
    options: tuple[str, ...] = ()


COMMANDS: dict[str, Entry] = {
    "demo": Entry("fit the coffee example by REML and by Stan, and compare", ("demo", "demo --seed 7"), ("sampling",)),
    "explain": Entry("say what the formula means for the data", (f"explain {SLEEP}",), ("model",)),
    "fit": Entry(
        "fit by REML or maximum likelihood",
        (f"fit {SLEEP}", f"fit {SLEEP} --ml --json", f"fit {SLEEP} --table ranef --csv > ranef.csv", f"fit {HERDS}"),
        ("model", "method", "fit", "format"),
    ),
    "stan": Entry("write the Stan program", (f"stan {SLEEP}", f"stan {SLEEP} -o sleep.stan"), ("model", "stan")),
    "sample": Entry(
        "sample the posterior",
        (
            f"sample {SLEEP} --seed 1",
            f'sample {SLEEP} --prior "sd ~ exponential(0.01)" --json',
            f"sample {SLEEP} --engine cmdstan --algorithm pathfinder",
            'sample "Informed.liking ~ Product + (1 | Consumer)" --data ham --family cumulative',
        ),
        ("model", "sampling", "engine", "posterior", "format"),
    ),
    "compare": Entry(
        "fit by REML and by Stan, side by side",
        (f"compare {SLEEP} --seed 1", f"compare {SLEEP} --markdown"),
        ("model", "method", "sampling", "engine", "format"),
    ),
    "power": Entry(
        "simulate the power to find a fixed effect",
        (f"power {SLEEP} --effect Days=5 --n-groups 6 12 24 --seed 1",),
        ("model", "power", "format"),
    ),
    "repl": Entry(
        "a session: type formulas, see what they mean, fit, change, compare",
        ("repl", "repl sleepstudy", "echo ':fit y ~ x + (1 | g)' | lmmformula repl data.csv"),
        ("repl",),
    ),
    "datasets": Entry(
        "list the data sets that ship with the package, or print one",
        ("datasets", "datasets sleepstudy > sleepstudy.csv"),
        ("datasets", "format"),
    ),
    "completion": Entry(
        "print a script that completes commands and options in a shell",
        ('eval "$(lmmformula completion bash)"', "completion fish > ~/.config/fish/completions/lmmformula.fish"),
        ("completion",),
    ),
}


def parser() -> argparse.ArgumentParser:
    """Make the parser of all commands."""
    made = argparse.ArgumentParser(
        prog="lmmformula",
        description=DESCRIPTION,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action=_Version)
    commands = made.add_subparsers(metavar="COMMAND", dest="command")
    for name, entry in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=entry.about,
            description=entry.about,
            epilog="\n  ".join(["examples:", *map(_written, entry.examples)]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        for group in entry.options:
            GROUPS[group](command)
    return made


def _written(example: str) -> str:
    return example if "lmmformula" in example.partition(">")[0] else f"lmmformula {example}"


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument("formula", metavar="FORMULA", help='such as "y ~ x + (x | group)"')
    command.add_argument(
        "--data", required=True, help="a .csv, .tsv, .parquet or .feather file, - for CSV on stdin, or a name"
    )
    _add_text(command)
    command.add_argument(
        "--family", default="gaussian", metavar="NAME(LINK)", help='such as "binomial(probit)" (default: gaussian)'
    )
    command.add_argument("--weights", metavar="COLUMN", help="precision weights; of shares of successes, the trials")
    command.add_argument("--loglik-weights", metavar="COLUMN", help="factors of the log density of each row")
    command.add_argument("--offset", metavar="COLUMN", help="known part of the linear predictor")
    command.add_argument("--prior", action="append", metavar="STATEMENT", help='such as "sd ~ exponential(1)"; repeat')


def _add_text(command: argparse.ArgumentParser) -> None:
    command.add_argument("--sep", metavar="CHAR", help="between the columns of a text file; found out by default")
    command.add_argument(
        "--na",
        action="append",
        metavar="WORD",
        help="stands for a missing value, as an empty cell does, in the place of NA; repeat",
    )


def _add_method(command: argparse.ArgumentParser) -> None:
    method = command.add_mutually_exclusive_group()
    method.add_argument("--reml", action="store_true", default=True, help="restricted maximum likelihood (default)")
    method.add_argument("--ml", action="store_false", dest="reml", help="maximum likelihood")
    command.add_argument(
        "--nagq",
        type=_count,
        default=1,
        metavar="N",
        help="nodes of quadrature, of a family with one random coefficient",
    )
    command.add_argument(
        "--curvature",
        choices=("observed", "expected"),
        default="observed",
        help="of Laplace's approximation: itself (default), or lme4's criterion",
    )


def _add_fit(command: argparse.ArgumentParser) -> None:
    command.add_argument("--table", choices=TABLES, help="print this table instead of the summary")
    command.add_argument("--save", type=Path, metavar="FILE.json", help="save the fit, to be loaded from Python")


def _add_posterior(command: argparse.ArgumentParser) -> None:
    command.add_argument("--save", type=Path, metavar="FILE.nc", help="save the posterior, to be loaded from Python")


def _add_format(command: argparse.ArgumentParser) -> None:
    formats = command.add_mutually_exclusive_group()
    for name in FORMATS:
        formats.add_argument(
            f"--{name}", action="store_const", const=name, dest="format", help=f"print a table as {name}"
        )
    command.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the table to a .csv, .json or .md")


def _add_stan(command: argparse.ArgumentParser) -> None:
    command.add_argument("--form", choices=("auto", "marginal", "conditional"), default="auto", help="random effects")
    command.add_argument("--literals", action="store_true", help="write the priors' numbers into the program")
    command.add_argument("-o", "--output", type=Path, metavar="FILE.stan", help="write program and data to files")


def _add_sampling(command: argparse.ArgumentParser) -> None:
    command.add_argument("--engine", choices=("auto", "stanli", "cmdstan"), default="auto", help="that samples")
    command.add_argument("--chains", type=_count, default=4, help="that are run (default: 4)")
    command.add_argument("--warmup", type=_count, default=1000, help="iterations per chain that are thrown away")
    command.add_argument("--draws", type=_count, default=1000, help="iterations per chain that are kept")
    command.add_argument("--seed", type=int, help="the same seed gives the same draws")


def _add_engine(command: argparse.ArgumentParser) -> None:
    command.add_argument("--form", choices=("auto", "marginal", "conditional"), help="random effects")
    command.add_argument("--algorithm", choices=("nuts", "pathfinder", "laplace"), help="nuts, or an approximation")
    command.add_argument("--adapt-delta", type=float, metavar="P", help="acceptance to tune for (default: 0.9)")
    command.add_argument("--max-treedepth", type=_count, metavar="N", help="doublings of a trajectory (default: 10)")
    command.add_argument("--thin", type=_count, metavar="N", help="keep every so manieth draw")
    command.add_argument("--metric", choices=("diag_e", "dense_e", "unit_e"), help="that is adapted (default: diag_e)")


def _add_power(command: argparse.ArgumentParser) -> None:
    command.add_argument("--effect", required=True, metavar="NAME[=SIZE]", help="fixed effect; the estimate is assumed")
    command.add_argument("--n-groups", type=_count, nargs="+", metavar="N", help="numbers of levels to try")
    command.add_argument("--n", type=_count, default=500, help="simulations per design (default: 500)")
    command.add_argument("--alpha", type=float, default=0.05, help="level of the test (default: 0.05)")
    command.add_argument("--test", choices=("t", "z", "lrt"), help="kind of the test (default: t, of other families z)")
    command.add_argument("--seed", type=int, help="the same seed gives the same answer")


def _add_repl(command: argparse.ArgumentParser) -> None:
    command.add_argument("data", nargs="?", metavar="DATA", help="a file, or the name of a data set of the package")
    _add_text(command)


def _add_datasets(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", nargs="?", help="print this one as CSV")


def _add_completion(command: argparse.ArgumentParser) -> None:
    command.add_argument("shell", choices=SHELLS, help="that is to complete")


GROUPS = {
    "model": _add_model,
    "method": _add_method,
    "fit": _add_fit,
    "format": _add_format,
    "stan": _add_stan,
    "sampling": _add_sampling,
    "engine": _add_engine,
    "posterior": _add_posterior,
    "power": _add_power,
    "repl": _add_repl,
    "datasets": _add_datasets,
    "completion": _add_completion,
}
"""Name of a group of options -> what adds them to a command."""


def _count(text: str) -> int:
    """Read a number of at least 1, for argparse."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


class _Version(argparse.Action):
    """Print the version; looked up only when asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version")

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:  # noqa: ANN401 (argparse's own)
        from lmmformula import __version__

        print(f"lmmformula {__version__}")  # noqa: T201 (a command line prints)
        parser.exit()
