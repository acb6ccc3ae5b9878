"""CmdStan through cmdstanpy: compiled once for each program text, sampled in processes of its own."""

import hashlib
import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import EngineError
from lmmformula.stan.draws import Draws
from lmmformula.stan.engines import Run, compile_error, place_in
from lmmformula.stan.generate import StanProgram
from lmmformula.stan.progress import reporter
from lmmformula.stan.start import scattered

HOW_TO_INSTALL = "install it with `python -m cmdstanpy.install_cmdstan`, or use engine='stanli', which needs nothing"
OPTIONS = (
    "adapt_delta", "max_treedepth", "thin", "parallel_chains", "threads_per_chain", "metric", "step_size",
    "adapt_engaged", "adapt_init_phase", "adapt_metric_window", "adapt_step_size", "output_dir", "sig_figs", "timeout",
    "cpp_options", "stanc_options",
)  # fmt: skip
OF_THE_COMPILER = ("cpp_options", "stanc_options")
EXACT = 17
"""Significant digits with which draws lose nothing on their way through a file."""
LINES = 3
"""Lines of a tool's output that an error quotes."""


class CmdStanEngine:
    """Samples with CmdStan."""

    name = "cmdstan"

    def sample(self, program: StanProgram, run: Run) -> Draws:
        """Draw from the posterior distribution."""
        for name in run.options:
            if name not in OPTIONS:
                raise EngineError(f"cmdstan has no option '{name}'", hint="it has " + ", ".join(OPTIONS))
        cmdstanpy = _cmdstanpy()
        with _silence():
            model = _model(cmdstanpy, program, {n: v for n, v in run.options.items() if n in OF_THE_COMPILER})
            options = {n: v for n, v in run.options.items() if n not in OF_THE_COMPILER} | _start(model, program, run)
            options.setdefault("sig_figs", EXACT)
            began = perf_counter()
            with reporter(run.progress if callable(run.progress) else False, run.iterations) as report:
                try:
                    fit = model.sample(
                        data={name: array.tolist() for name, array in program.data.items()},
                        chains=run.chains,
                        seed=run.seed,
                        iter_warmup=run.warmup,
                        iter_sampling=run.draws,
                        show_progress=run.progress is True and sys.stderr.isatty(),
                        **options,
                    )
                except (RuntimeError, ValueError, TypeError, OSError) as error:
                    raise _run_error(model, str(error)) from error
                if report is not None:
                    report(run.iterations)
            return self._draws(fit, run, perf_counter() - began)

    def _draws(self, fit: Any, run: Run, seconds: float) -> Draws:  # noqa: ANN401 (cmdstanpy has few types)
        chains = fit.chains

        def by_chain(array: FloatArray) -> FloatArray:
            return array.reshape(chains, len(array) // chains, *array.shape[1:])

        statistics = {
            name.removesuffix("__"): np.asarray(array).reshape(array.shape[0], chains).T
            for name, array in fit.method_variables().items()
        }
        return Draws(
            arrays={name: by_chain(np.asarray(array)) for name, array in fit.stan_variables().items()},
            statistics=statistics,
            engine=self.name,
            seed=run.seed,
            seconds=seconds,
            warmup=run.warmup,
            max_treedepth=int(run.options.get("max_treedepth", 10)),
        )


def _cmdstanpy() -> ModuleType:
    try:
        import cmdstanpy
    except ImportError as error:
        raise EngineError("cmdstanpy is not installed", hint="install it with `pip install cmdstanpy`") from error
    try:
        cmdstanpy.cmdstan_path()
    except ValueError as error:
        raise EngineError("there is no CmdStan on this machine", hint=HOW_TO_INSTALL) from error
    return cmdstanpy  # type: ignore[no-any-return]


def cache_folder() -> Path:
    """Return the folder where compiled programs are kept: the user's cache folder for this package."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "lmmformula" / "cmdstan"


def cache_key(code: str, *, compiler: str = "") -> str:
    """
    Name a program by what it computes: its text without comments, and what compiles it.

    >>> cache_key("data { int N; } // 3 rows") == cache_key("data { int N; } // 4 rows")
    True
    """
    bare = re.sub(r"\s+", " ", re.sub(r"//[^\n]*", "", code)).strip()
    return hashlib.sha256(f"{compiler}\n{bare}".encode()).hexdigest()[:16]


def _model(cmdstanpy: ModuleType, program: StanProgram, options: dict[str, Any]) -> Any:  # noqa: ANN401
    """Compile a program, unless that has been done before."""
    compiler = f"{cmdstanpy.cmdstan_path()} {sorted((n, str(v)) for n, v in options.items())}"
    folder = cache_folder() / cache_key(program.code, compiler=compiler)
    source = folder / "model.stan"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        executable = source.with_suffix(".exe" if sys.platform == "win32" else "")
        if not (source.is_file() and executable.is_file()):
            source.write_text(program.code, encoding="utf-8")
        return cmdstanpy.CmdStanModel(stan_file=source, **options)
    except (OSError, RuntimeError, ValueError) as error:
        raise _compile_error(program.code, str(error)) from error


def _compile_error(code: str, message: str) -> EngineError:
    """Tell what stanc says of the program from what else can fail while make runs."""
    stanc = r"^(?:Syntax|Semantic) error in .*?(?=^\S*make\S*: |^Command |\Z)"
    said = re.search(stanc, message, re.DOTALL | re.MULTILINE)
    if said:
        return compile_error("CmdStan", code, said[0])
    lines = [line.strip() for line in message.splitlines() if "error" in line.lower()] or [message]
    return EngineError(
        "CmdStan could not compile the program: " + "; ".join(lines[:LINES]),
        hint="look whether `make` and a C++ compiler are installed, and CmdStan is complete",
    )


def _run_error(model: Any, message: str) -> EngineError:  # noqa: ANN401
    """Take what the executable said out of what cmdstanpy says around it, and find the place in the program."""
    said, _, files = message.removeprefix("Error during sampling:").partition("Command and output files:")
    console = re.search(r"console_msgs \(if any\):\s*(\S.*)", files)
    if not said.strip() and console and Path(console[1]).is_file():
        said = "\n".join(Path(console[1]).read_text(encoding="utf-8", errors="replace").strip().splitlines()[-LINES:])
    noise = r"^\s*(?:Exception: )?|\s*\(in '[^']*', line \d[^)]*\)|\s*$"
    lines = [re.sub(noise, "", line) for line in said.splitlines()]
    text = "; ".join([line for line in dict.fromkeys(lines) if line][:LINES])
    # What was compiled may have other comments, and so other lines, than the program at hand.
    code = Path(model.stan_file).read_text(encoding="utf-8")
    return EngineError(f"CmdStan could not sample: {text}", text=code, span=place_in(code, said))


def _start(model: Any, program: StanProgram, run: Run) -> dict[str, Any]:  # noqa: ANN401
    """Hand a start over, with its metric under the name that this cmdstanpy has for it."""
    if run.start is None:
        return {}
    if run.start.inverse_metric is None:
        return {"inits": _plain(run.start.values)}
    starts = scattered(program, run.start, run.chains, run.seed)
    name = "inv_metric" if "inv_metric" in signature(model.sample).parameters else "metric"
    return {"inits": [_plain(values) for values in starts], name: {"inv_metric": run.start.inverse_metric.tolist()}}


def _plain(values: Mapping[str, FloatArray]) -> dict[str, Any]:
    """Make of arrays what goes into JSON."""
    return {name: np.asarray(value).tolist() for name, value in values.items()}


@contextmanager
def _silence() -> Iterator[None]:
    """Keep cmdstanpy's log from the terminal: its errors come as ours."""
    logger = logging.getLogger("cmdstanpy")  # which sets a level of its own on its first use
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before
