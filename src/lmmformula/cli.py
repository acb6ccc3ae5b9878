"""The command line: one sub-command per thing a model can do, and no statistics."""
# ruff: noqa: T201 (a command line prints)

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmmformula.errors import DataError, FitWarning, LmmFormulaError

if TYPE_CHECKING:
    from lmmformula.api.model import Model

FAILED, INTERRUPTED = 1, 130
"""Exit codes beside 0 and argparse's 2: an error that the user can mend, and control-C."""

DESCRIPTION = """Mixed-effects models from one lme4 formula: an exact REML/ML fit and a Stan program.

  lmmformula fit "Reaction ~ Days + (Days | Subject)" --data sleepstudy
  lmmformula compare "y ~ x + (x | group)" --data coffee --seed 1
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code: 0 done, 1 an error the user can mend, 2 bad usage, 130 interrupted."""
    options = _parser().parse_args(arguments)
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        warnings.simplefilter("always", FitWarning)
        try:
            options.run(options)
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
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lmmformula", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    demo = _command(commands, _demo, "fit the coffee example by REML and by Stan, and compare")
    _add_sampling(demo)
    _command(commands, _explain, "say what the formula means for the data", model=True)
    fit = _command(commands, _fit, "fit by REML or maximum likelihood", model=True)
    _add_method(fit)
    fit.add_argument("-o", "--output", type=Path, metavar="FILE.csv", help="write the estimates as a table")
    stan = _command(commands, _stan, "write the Stan program", model=True)
    stan.add_argument("--form", choices=("auto", "marginal", "conditional"), default="auto", help="random effects")
    stan.add_argument("--literals", action="store_true", help="write the priors' numbers into the program")
    stan.add_argument("-o", "--output", type=Path, metavar="FILE.stan", help="write program and data to files")
    sample = _command(commands, _sample, "sample the posterior", model=True)
    _add_sampling(sample)
    sample.add_argument("-o", "--output", type=Path, metavar="FILE.csv", help="write the summary as a table")
    compare = _command(commands, _compare, "fit by REML and by Stan, side by side", model=True)
    _add_method(compare)
    _add_sampling(compare)
    datasets = _command(commands, _datasets, "list the data sets that ship with the package")
    datasets.add_argument("name", nargs="?", help="print this one as CSV")
    return parser


def _command(commands: Any, run: Callable[..., None], text: str, *, model: bool = False) -> argparse.ArgumentParser:  # noqa: ANN401 (argparse hides its type)
    name = run.__name__.removeprefix("_")
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run)
    if model:
        _add_model(parser)
    return parser


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("formula", metavar="FORMULA", help='such as "y ~ x + (x | group)"')
    parser.add_argument("--data", required=True, help="a .csv, .tsv or .parquet file, - for CSV on stdin, or a name")
    parser.add_argument("--family", default="gaussian", help="of the response (default: gaussian)")
    parser.add_argument("--weights", metavar="COLUMN", help="precision weights")
    parser.add_argument("--offset", metavar="COLUMN", help="known part of the linear predictor")
    parser.add_argument("--prior", action="append", metavar="STATEMENT", help='such as "sd ~ exponential(1)"; repeat')


def _add_method(parser: argparse.ArgumentParser) -> None:
    method = parser.add_mutually_exclusive_group()
    method.add_argument("--reml", action="store_true", default=True, help="restricted maximum likelihood (default)")
    method.add_argument("--ml", action="store_false", dest="reml", help="maximum likelihood")


def _add_sampling(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--engine", choices=("auto", "stanli", "cmdstan"), default="auto")
    parser.add_argument("--chains", type=_count, default=4)
    parser.add_argument("--warmup", type=_count, default=1000, help="iterations per chain that are thrown away")
    parser.add_argument("--draws", type=_count, default=1000, help="iterations per chain that are kept")
    parser.add_argument("--seed", type=int, help="the same seed gives the same draws")


def _demo(options: argparse.Namespace) -> None:
    from lmmformula.api.demo import demo

    demo(**_sampling(options))


def _explain(options: argparse.Namespace) -> None:
    print(_model(options).explain())


def _fit(options: argparse.Namespace) -> None:
    fit = _model(options).fit(reml=options.reml)
    print(fit)
    _save(fit.tidy(), options.output)


def _stan(options: argparse.Namespace) -> None:
    program = _model(options).stan(form=options.form, literals=options.literals)
    if options.output is None:
        print(program.code)
    else:
        program.write(options.output)
        print(f"written: {options.output} and its data beside it", file=sys.stderr)


def _sample(options: argparse.Namespace) -> None:
    posterior = _model(options).sample(**_sampling(options))
    print(posterior)
    _save(posterior.summary().reset_index(), options.output)


def _compare(options: argparse.Namespace) -> None:
    from lmmformula.api.comparison import compare

    model = _model(options)
    print(compare(model.fit(reml=options.reml), model.sample(**_sampling(options))))


def _datasets(options: argparse.Namespace) -> None:
    from lmmformula import datasets

    if options.name is not None:
        print(datasets.load(options.name).to_csv(index=False), end="")
        return
    for name in datasets.names():
        about = datasets.catalogue()[name]
        print(f"{name:<14}{about['n_rows']:>6} rows  {', '.join(about['columns'])}")


def _model(options: argparse.Namespace) -> "Model":
    from lmmformula.api.model import Model

    columns = {"weights": options.weights, "offset": options.offset}
    return Model(options.formula, _read(options.data), family=options.family, priors=options.prior, **columns)


def _sampling(options: argparse.Namespace) -> dict[str, Any]:
    names = ("engine", "chains", "warmup", "draws", "seed")
    return {name: getattr(options, name) for name in names} | {"progress": sys.stderr.isatty()}


def _read(source: str) -> Any:  # noqa: ANN401 (a pandas data frame; pandas is imported on use)
    """Read a file, or a data set that ships with the package; where both exist, the file."""
    from lmmformula import datasets

    path = Path(source)
    if source != "-" and not path.exists() and not path.suffix:
        frame = datasets.load(source)
        frame.attrs["name"] = source
        return frame
    import pandas as pd

    try:
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
        else:
            separator = "\t" if path.suffix == ".tsv" else ","
            frame = pd.read_csv(sys.stdin if source == "-" else path, sep=separator)
    except (OSError, ValueError, ImportError) as error:
        raise DataError(f"can't read the data '{source}': {error}") from error
    frame.attrs["name"] = path.name
    return frame


def _save(frame: Any, path: Path | None) -> None:  # noqa: ANN401 (a pandas data frame)
    if path is not None:
        frame.to_csv(path, index=False)


def _count(text: str) -> int:
    """Read a number of at least 1, for argparse."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _show_warning(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    if issubclass(category, FitWarning):
        print(f"warning: {message}", file=sys.stderr)


class _Version(argparse.Action):
    """Print the version; looked up only when asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from lmmformula import __version__

        print(f"lmmformula {__version__}")
        parser.exit()
