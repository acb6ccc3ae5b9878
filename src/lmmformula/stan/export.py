"""A program as files that need nothing of this package: text, data, a script that runs them, and how to without it."""

import shlex
from os import PathLike
from pathlib import Path

from lmmformula.errors import FitError, printable
from lmmformula.files import as_text, path_of, write_files

SUFFIX = ".stan"
ENDINGS = (SUFFIX, ".data.json", ".run.py", ".README.md")
"""What the names of the files end in; before that they are the same, so that several programs can share a folder."""


def write_program(code: str, data: str, path: str | PathLike[str]) -> Path:
    """
    Write `model.stan`, and beside it `model.data.json`, `model.run.py` and `model.README.md`.

    Files of these names are replaced, when all four are complete. `data` are those of the program, as JSON.

    Raises
    ------
    FitError
        The name does not end in .stan, or a file can't be written.
    """
    target = path_of(path)
    stem = target.name.removesuffix(SUFFIX)
    if not target.name.endswith(SUFFIX) or not stem:
        hint = f"'{printable(target.name)}{SUFFIX}', for example" if stem else "'model.stan', for example"
        raise FitError(f"the name of a Stan program's file ends in {SUFFIX}, as CmdStan wants it", hint=hint)
    texts = (code, data, RUN, readme(stem))
    write_files({target.with_name(stem + end): as_text(text) for end, text in zip(ENDINGS, texts, strict=True)})
    return target


def readme(stem: str) -> str:
    """Say how to run a program by CmdStan from the shell, and from Python and R."""
    name = stem if all(sign.isprintable() and sign != "`" for sign in stem) else "model"
    return README.format(name=name, quoted=shlex.quote(name), double=name.replace("\\", r"\\").replace('"', r"\""))


README = """\
# How to run `{name}.stan`

`{name}.stan` is a Stan program, `{name}.data.json` its data, `{name}.run.py` a script that samples from it and prints a
summary. None of them needs lmmformula. The comment at the top of the program says what the model is, and which version
of Stan it needs.

In pedantic mode Stan's compiler says that parameters have no priors: a false alarm, since the numbers of the priors are
data. The model block has a line for each of these parameters.

By the script, with stanli (`pip install stanli`), which compiles nothing, or with CmdStan, through cmdstanpy:

    python {quoted}.run.py
    python {quoted}.run.py --engine cmdstan

By CmdStan from the shell; `make` takes no path that has a blank in it:

    MODEL=/path/to/this/folder/{quoted}
    cd /path/to/cmdstan
    make "$MODEL"
    "$MODEL" sample num_chains=4 adapt delta=0.9 data file="$MODEL.data.json" output file="$MODEL.csv"
    bin/stansummary "$MODEL"_*.csv

From Python, with cmdstanpy:

    from cmdstanpy import CmdStanModel
    fit = CmdStanModel(stan_file="{double}.stan").sample("{double}.data.json", adapt_delta=0.9)
    print(fit.summary().to_string())

From R, with cmdstanr:

    model <- cmdstanr::cmdstan_model("{double}.stan")
    fit <- model$sample("{double}.data.json", adapt_delta = 0.9)
    fit$summary()
"""

RUN = '''\
"""
Sample from the Stan program beside this file and print a summary.

Program and data are those of the same name: for `model.run.py` they are `model.stan` and `model.data.json`.
`--engine stanli` (the default; `pip install stanli`) compiles nothing; `--engine cmdstan` needs CmdStan and cmdstanpy.
"""

import argparse
from pathlib import Path

NAME = Path(__file__).resolve().name.removesuffix(".run.py")
PROGRAM = Path(__file__).resolve().with_name(NAME + ".stan")
DATA = PROGRAM.with_name(NAME + ".data.json")


def with_stanli(options):
    import json

    import stanli

    data = json.loads(DATA.read_text(encoding="utf-8"))
    model = stanli.Model(stan_code=PROGRAM.read_text(encoding="utf-8"), data=data)
    return model.sample(
        chains=options.chains, warmup=options.warmup, samples=options.draws, seed=options.seed, delta=0.9, refresh=0
    )


def with_cmdstan(options):
    import cmdstanpy

    return cmdstanpy.CmdStanModel(stan_file=PROGRAM).sample(
        data=str(DATA),
        chains=options.chains,
        iter_warmup=options.warmup,
        iter_sampling=options.draws,
        seed=options.seed,
        adapt_delta=0.9,
        show_progress=False,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\\n\\n")[0].strip())
    parser.add_argument("--engine", choices=("stanli", "cmdstan"), default="stanli")
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--warmup", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sample = with_stanli if options.engine == "stanli" else with_cmdstan
    table = sample(options).summary()
    print(table.to_string() if hasattr(table, "to_string") else table)  # pandas leaves rows of long tables out


if __name__ == "__main__":
    main()
'''
