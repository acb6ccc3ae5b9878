"""What an executable made by the stand-in does: read CmdStan's command line, run stanli, write Stan CSV."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

import numpy as np

from standin.arguments import Settings, UsageError, echo, parse
from standin.stancsv import VERSION, Chain, comments, elapsed, header, preamble, read_rows, write_chain, write_rows

if TYPE_CHECKING:
    import stanli
    from numpy.typing import NDArray

QUIET = 2**30
"""A refresh interval that no run reaches: stanli reports times only where it reports progress."""


@dataclass(frozen=True, slots=True)
class Program:
    """
    A compiled Stan program, as an executable carries it.

    file : name of the Stan file, for messages
    source : its text, to find where a variable is declared
    mir : the compiler's product, which stanli runs
    options : make variables it was made with, `STAN_THREADS` and the like
    """

    file: str
    source: str
    mir: str
    options: dict[str, bool]


class RunError(Exception):
    """A run that ends with an error message and exit code 1."""


def main(program: Program, words: list[str]) -> int:
    """Run one command line; the exit code is CmdStan's: 0 or 1."""
    # Whoever asks it to end finds, as with CmdStan, the draws up to then in its files.
    signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    if words == ["info"]:
        say(*info(program))
        return 0
    try:
        settings = parse(words)
    except UsageError as error:
        sys.stderr.write(f"{error}\nFailed to parse command arguments, cannot run model.\n")
        return 1
    say(*echo(settings), "")
    try:
        run = {"sample": sample, "optimize": optimize, "pathfinder": pathfinder, "laplace": laplace}
        run[settings.text("method")](program, load(program, settings), settings)
    except RunError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def say(*lines: str) -> None:
    """Print to the console at once, as progress must."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def info(program: Program) -> list[str]:
    """Say which version and options the executable was made with."""
    return [*VERSION, *(f"{name}={str(on).lower()}" for name, on in program.options.items())]


def load(program: Program, settings: Settings) -> stanli.Model:
    """Bind the data to the program."""
    import stanli

    path = settings.text("data.file")
    data = existing(path).read_text(encoding="utf-8") if path else "{}"
    try:
        return stanli.Model(mir=program.mir, data=data, seed=settings.integer("random.seed"))
    except RuntimeError as error:
        raise RunError(exception(program, str(error))) from None


def existing(path: str) -> Path:
    """Return the path of a file that must be there."""
    if not Path(path).is_file():
        raise RunError(f'Cannot open specified file, "{path}"\n')
    return Path(path)


def exception(program: Program, message: str) -> str:
    """Word an error as CmdStan does: `Exception: ... (in 'model.stan', line 2, column 2 to column 17)`."""
    text = re.sub(r"^stanli [\w ]+: ", "", message)
    if unknown := re.fullmatch(r"unknown data variable (\w+)", text):
        text = f"variable does not exist; processing stage=data initialization; variable name={unknown[1]}; base type=?"
    named = re.search(r"variable name=(\w+)", text) or re.match(r"(\w+)(?:\[[\d, ]*\])? is ", text)
    return f"Exception: {text}{place(program, named[1]) if named else ''}"


def place(program: Program, name: str) -> str:
    """Say where a variable is declared."""
    for number, line in enumerate(program.source.splitlines(), start=1):
        if declared := re.match(rf"\s*(?P<all>[a-z_]+\b[^;/]*\b{name}\s*;)", line):
            columns = f"column {declared.start('all')} to column {declared.end('all')}"
            return f" (in '{program.file}', line {number}, {columns})"
    return ""


def sample(program: Program, model: stanli.Model, settings: Settings) -> None:
    """`method=sample`: NUTS, one CSV file a chain."""
    import stanli

    check_warmup(settings)
    first, chains = settings.integer("id"), settings.integer("sample.num_chains")
    ids = range(first, first + chains)
    refresh = settings.integer("output.refresh")
    say("", "Gradient evaluation took 0 seconds", "")
    console = Console(ids, show=refresh > 0)
    metric = settings.text("sample.hmc.metric")
    # stanli gives chain c the random stream of (seed, c) and starts from c = 1: earlier chains are run and dropped.
    try:
        with contextlib.redirect_stdout(console):
            fit = model.sample(
                chains=ids[-1],
                seed=settings.integer("random.seed"),
                warmup=settings.integer("sample.num_warmup"),
                samples=settings.integer("sample.num_samples"),
                save_warmup=bool(settings["sample.save_warmup"]),
                thin=settings.integer("sample.thin"),
                delta=settings.number("sample.adapt.delta"),
                adapt_engaged=bool(settings["sample.adapt.engaged"]),
                max_depth=settings.integer("sample.hmc.nuts.max_depth"),
                step_size=settings.number("sample.hmc.stepsize"),
                metric=metric,
                refresh=refresh or QUIET,
                **initial_values(program, model, settings, ids),
                **initial_metric(model, settings, ids),
            )
    except (RuntimeError, ValueError) as error:
        raise RunError(exception(program, str(error))) from None
    except KeyboardInterrupt as interrupt:
        leave(program, settings, console, interrupt)
        raise
    saved_warmup = settings.integer("sample.num_warmup") if settings["sample.save_warmup"] else 0
    for chain in ids:
        result = Chain(
            (*stanli.SAMPLER_COLUMNS, *fit.names),
            np.hstack([fit.sampler_stats[chain - 1], fit.draws()[chain - 1]]),
            -(-saved_warmup // settings.integer("sample.thin")),
            fit.step_size[chain - 1],
            None if metric == "unit_e" else fit.inv_metric[chain - 1],
            console.seconds(chain),
        )
        say("", *elapsed(result.seconds), "")
        opening = preamble(model_name(program), echo(settings))
        write_chain(output(settings, chain), opening, result, settings.integer("output.sig_figs"))


def leave(program: Program, settings: Settings, console: Console, interrupt: KeyboardInterrupt) -> None:
    """Write the draws that an interrupted sampler has stored, found in the frame of stanli's, and half a row."""
    import stanli

    left = next((f.f_locals for f, _ in walk_tb(interrupt.__traceback__) if "stats" in f.f_locals), None)
    if left is None:
        return
    columns = (*stanli.SAMPLER_COLUMNS, *left["names"])
    for chain, reached in console.reached.items():
        done = max(reached - 1 - settings.integer("sample.num_warmup"), 0)
        count = -(-done // settings.integer("sample.thin"))
        rows = np.hstack([left["stats"][chain - 1, :count], left["out"][chain - 1, :count]])
        with output(settings, chain).open("w", encoding="utf-8") as stream:
            stream.write(preamble(model_name(program), echo(settings)) + header(columns))
            write_rows(stream, rows, settings.integer("output.sig_figs"))
            stream.write("-1.5,0.")


def check_warmup(settings: Settings) -> None:
    """Refuse adaptation without anything to adapt in."""
    if settings["sample.adapt.engaged"] and not settings["sample.num_warmup"]:
        needed = "The number of warmup samples (num_warmup) must be greater than zero if adaptation is enabled."
        raise RunError(f"{needed}\n")


def initial_values(program: Program, model: stanli.Model, settings: Settings, ids: range) -> dict[str, Any]:
    """
    `init=2` (a radius), `init=file.json` or, of several chains, `file_1.json`, `file_2.json`, ...

    Unlike CmdStan's, a file must hold every parameter.
    """
    text = settings.text("init")
    with contextlib.suppress(ValueError):
        return {"init_radius": float(text)}
    try:
        points = [model.unconstrain(parameters_of(path, model)) for path in per_chain(text, ids)]
    except ValueError as error:
        raise RunError(f"{exception(program, str(error))}\nInitialization failed.") from None
    return {"inits": np.array([points[0]] * (ids[0] - 1) + points)}


def parameters_of(path: Path, model: stanli.Model) -> dict[str, Any]:
    """Read a file of values and leave out, as CmdStan does, what is no parameter."""
    parameters = {name.partition("[")[0] for name in model.constrained_names}
    values = json.loads(path.read_text(encoding="utf-8"))
    return {name: value for name, value in values.items() if name in parameters}


def initial_metric(model: stanli.Model, settings: Settings, ids: range) -> dict[str, Any]:
    """`metric_file=file.json`, an object with the one entry `inv_metric`; or one file a chain."""
    text = settings.text("sample.hmc.metric_file")
    if not text:
        return {}
    dense = settings.text("sample.hmc.metric") == "dense_e"
    shape = (model.n_unconstrained,) * (2 if dense else 1)
    files = [json.loads(path.read_text(encoding="utf-8")) for path in per_chain(text, ids)]
    metrics = [np.asarray(values.get("inv_metric", ())) for values in files]
    for metric in metrics:
        if metric.shape != shape:
            found = f"variable name=inv_metric; dims declared={shape}; dims found={metric.shape}"
            raise RunError(
                "Cannot get inverse Euclidean metric from input file.\nCaught exception: \n"
                f"mismatch in dimension declared and found in context; {found}\nInitialization failure"
            )
    return {"inv_metric": np.array([metrics[0]] * (ids[0] - 1) + metrics)}


def per_chain(text: str, ids: range) -> list[Path]:
    """Find the file of every chain: its own, `name_ID.json`, where there are several, or the one that serves all."""
    path = Path(text)
    own = [path.with_name(f"{path.stem}_{chain}{path.suffix}") for chain in ids]
    return own if len(ids) > 1 and own[0].is_file() else [existing(text)] * len(ids)


def output(settings: Settings, chain: int) -> Path:
    """Name the file of a chain: as told, with `_ID` behind it where there are several."""
    path = Path(settings.text("output.file"))
    return path if settings.integer("sample.num_chains") == 1 else path.with_name(f"{path.stem}_{chain}{path.suffix}")


def model_name(program: Program) -> str:
    """Name the model after its file."""
    return f"{Path(program.file).stem}_model"


class Console(io.TextIOBase):
    """
    Takes what stanli prints while sampling and prints CmdStan's lines for the chains that are wanted.

    stanli always says `Chain [3] Iteration: ...`; CmdStan names the chain only where a process has several.
    """

    def __init__(self, ids: range, *, show: bool) -> None:
        self.ids = ids
        self.show = show
        self.stream = sys.stdout
        self.rest = ""
        self.times: dict[int, list[float]] = {}
        self.reached: dict[int, int] = {}
        self.chain = 0

    def write(self, text: str) -> int:
        """Pass on progress lines, keep times."""
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            if named := re.match(r"Chain \[(\d+)\] ", line):
                self.chain = int(named[1])
            if timed := re.search(r"([\d.]+) seconds \((?:Warm-up|Sampling)\)", line):
                self.times.setdefault(self.chain, []).append(float(timed[1]))
            if iteration := re.search(r" Iteration: +(\d+) /", line):
                self.reached[self.chain] = int(iteration[1])
            if iteration and self.chain in self.ids and self.show:
                self.stream.write((line if len(self.ids) > 1 else line[named.end() :] if named else line) + "\n")
                self.stream.flush()
        return len(text)

    def seconds(self, chain: int) -> tuple[float, float]:
        """Return the times of warm-up and sampling of a chain."""
        warmup, sampling = self.times.get(chain, [0.0, 0.0])
        return warmup, sampling


def optimize(program: Program, model: stanli.Model, settings: Settings) -> None:
    """`method=optimize jacobian=1`, the posterior mode; stanli has no other."""
    if not settings["optimize.jacobian"]:
        raise RunError("Exception: the stand-in for CmdStan finds posterior modes only: jacobian=1")
    ids = range(1, 2)
    start = initial_values(program, model, settings, ids)
    init = {"init": start["inits"][0]} if "inits" in start else start
    mode = model.optimize(seed=settings.integer("random.seed"), iter=settings.integer("optimize.iter"), **init)
    with Path(settings.text("output.file")).open("w", encoding="utf-8") as stream:
        stream.write(preamble(model_name(program), echo(settings)) + header(("lp__", *mode)))
        write_rows(stream, np.array([[mode.lp, *mode.values()]]), settings.integer("output.sig_figs"))
    say("Optimization terminated normally: ")


STILL = {"warmup": 0, "samples": 1, "adapt_engaged": False, "step_size": 1e-12, "max_depth": 1, "refresh": 0}
"""Settings of a sampler that stays where it starts: of many chains, each gives the draw that belongs to its start."""


def pathfinder(program: Program, model: stanli.Model, settings: Settings) -> None:
    """`method=pathfinder`: draws of a single path, from a random start, which are not resampled."""
    chosen = {
        "num_iterations": settings.integer("pathfinder.max_lbfgs_iters"),
        "num_elbo_draws": settings.integer("pathfinder.num_elbo_draws"),
        "history_size": settings.integer("pathfinder.history_size"),
    }
    draws = settings.integer("pathfinder.num_psis_draws")
    try:
        fit = model.sample(chains=draws, seed=settings.integer("random.seed"), pathfinder_init=chosen, **STILL)
    except RuntimeError as error:
        raise RunError(exception(program, str(error))) from None
    lp = fit.sampler_stats[:, 0, :1]
    rows = np.hstack([np.full_like(lp, np.nan), lp, np.ones_like(lp), fit.draws()[:, 0]])
    write_approximation(program, settings, ("lp_approx__", "lp__", "path__", *fit.names), rows)
    with Path(settings.text("output.file")).open("a", encoding="utf-8") as stream:
        stream.write(comments(["", *elapsed((0, 0), ("Pathfinders", "PSIS")), ""]))


def laplace(program: Program, model: stanli.Model, settings: Settings) -> None:
    """`method=laplace mode=FILE`: a normal distribution around a mode, as curved as the density is there."""
    if not settings["laplace.jacobian"]:
        raise RunError("Exception: the stand-in for CmdStan knows posterior modes only: jacobian=1")
    names, (row, *_) = read_rows(existing(settings.text("laplace.mode")))
    columns: dict[str, list[float]] = {}
    for name, value in zip(names, row.tolist(), strict=True):
        columns.setdefault(name.partition(".")[0], []).append(value)
    wanted = {name.partition("[")[0]: "[" in name for name in model.constrained_names}
    mode = model.unconstrain({name: columns[name] if many else columns[name][0] for name, many in wanted.items()})
    step = 1e-5
    shifted = step * np.eye(len(mode))
    hessian = np.array([model.log_prob_grad(mode + h)[1] - model.log_prob_grad(mode - h)[1] for h in shifted])
    try:
        root = np.linalg.cholesky(np.linalg.inv(-(hessian + hessian.T) / (4 * step)))
    except np.linalg.LinAlgError:
        raise RunError("Exception: the Hessian at the mode is not negative definite") from None
    seed = settings.integer("random.seed")
    z = np.random.default_rng(seed).standard_normal((settings.integer("laplace.draws"), len(mode)))
    fit = model.sample(chains=len(z), seed=seed, inits=mode + z @ root.T, **STILL)
    log_q = -0.5 * np.sum(z**2, axis=1, keepdims=True)
    rows = np.hstack([fit.sampler_stats[:, 0, :1], log_q, fit.draws()[:, 0]])
    write_approximation(program, settings, ("log_p__", "log_q__", *fit.names), rows)


def write_approximation(program: Program, settings: Settings, columns: tuple[str, ...], rows: NDArray[Any]) -> None:
    """Write draws that come without chains."""
    with Path(settings.text("output.file")).open("w", encoding="utf-8") as stream:
        stream.write(preamble(model_name(program), echo(settings)) + header(columns))
        write_rows(stream, rows, settings.integer("output.sig_figs"))
