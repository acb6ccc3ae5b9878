"""CmdStan through cmdstanpy: compiled once for each program text, sampled in processes of its own."""

import hashlib
import logging
import os
import re
import sys
from collections.abc import Iterator
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
from lmmformula.stan.engines import Run, compile_error
from lmmformula.stan.generate import StanProgram
from lmmformula.stan.progress import reporter

HOW_TO_INSTALL = "install it with `python -m cmdstanpy.install_cmdstan`, or use engine='stanli', which needs nothing"
OPTIONS = (
    "adapt_delta", "max_treedepth", "thin", "parallel_chains", "threads_per_chain", "metric", "step_size",
    "adapt_engaged", "adapt_init_phase", "adapt_metric_window", "adapt_step_size", "output_dir", "sig_figs", "timeout",
    "cpp_options", "stanc_options",
)  # fmt: skip
OF_THE_COMPILER = ("cpp_options", "stanc_options")


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
            options = {n: v for n, v in run.options.items() if n not in OF_THE_COMPILER} | _start(model, run)
            began = perf_counter()
            with reporter(run.progress if callable(run.progress) else False, run.iterations) as report:
                try:
                    fit = model.sample(
                        data={name: array.tolist() for name, array in program.data.items()},
                        chains=run.chains,
                        seed=run.seed or 1,
                        iter_warmup=run.warmup,
                        iter_sampling=run.draws,
                        show_progress=run.progress is True and sys.stderr.isatty(),
                        **options,
                    )
                except (RuntimeError, ValueError, TypeError) as error:
                    raise EngineError(f"CmdStan could not sample: {error}") from error
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
        if not source.is_file():
            source.write_text(program.code, encoding="utf-8")
        return cmdstanpy.CmdStanModel(stan_file=source, **options)
    except ValueError as error:
        raise compile_error("CmdStan", program.code, str(error)) from error
    except (OSError, RuntimeError) as error:
        raise EngineError(f"CmdStan could not compile the program: {error}") from error


def _start(model: Any, run: Run) -> dict[str, Any]:  # noqa: ANN401
    """Hand a start over, with its metric under the name that this cmdstanpy has for it."""
    if run.start is None:
        return {}
    options: dict[str, Any] = {"inits": {name: np.asarray(value).tolist() for name, value in run.start.values.items()}}
    if run.start.inverse_metric is not None:
        name = "inv_metric" if "inv_metric" in signature(model.sample).parameters else "metric"
        options[name] = {"inv_metric": run.start.inverse_metric.tolist()}
    return options


@contextmanager
def _silence() -> Iterator[None]:
    """Keep cmdstanpy's log from the terminal, save for errors."""
    logger = logging.getLogger("cmdstanpy")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
