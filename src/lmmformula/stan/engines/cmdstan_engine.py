"""CmdStan through cmdstanpy: compiled once for each program text, sampled in processes of its own."""

import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import EngineError, warn
from lmmformula.stan.draws import Draws
from lmmformula.stan.engines.cmdstan_cache import EXECUTABLE, LINES, SOURCE, compiled
from lmmformula.stan.engines.cmdstan_files import Growing, read_chains, variables_of
from lmmformula.stan.engines.interrupted import warn_of_interrupt
from lmmformula.stan.engines.options import checked
from lmmformula.stan.engines.places import line_of, place_in, same_place
from lmmformula.stan.engines.progress import Tally, reporter
from lmmformula.stan.engines.run import Run
from lmmformula.stan.generate import StanProgram
from lmmformula.stan.program.edited import version_needed
from lmmformula.stan.program.record import EARLIEST
from lmmformula.stan.start import scattered

HOW_TO_INSTALL = "install it with `python -m cmdstanpy.install_cmdstan`, or use engine='stanli', which needs nothing"
OF_THE_COMPILER = ("cpp_options", "stanc_options", "opencl_ids")
OF_ALL = (*OF_THE_COMPILER, "output_dir", "sig_figs", "timeout")
OF_LBFGS = (
    "history_size",
    "init_alpha",
    "init_radius",
    "tol_grad",
    "tol_obj",
    "tol_param",
    "tol_rel_grad",
    "tol_rel_obj",
)
OPTIONS = {
    "nuts": (
        *OF_ALL, "adapt_delta", "adapt_engaged", "adapt_init_phase", "adapt_metric_window", "adapt_step_size",
        "init_radius", "max_treedepth", "metric", "parallel_chains", "step_size", "thin", "threads_per_chain",
    ),
    "pathfinder": (
        *OF_ALL, *OF_LBFGS, "calculate_lp", "max_lbfgs_iters", "num_elbo_draws", "num_paths", "num_single_draws",
        "num_threads", "psis_resample",
    ),
    "laplace": (*OF_ALL, "jacobian"),
    "optimize": (*OF_ALL, *OF_LBFGS, "iterations", "jacobian"),
}  # fmt: skip
EXACT = 17
"""Significant digits with which draws lose nothing on their way through a file."""
FAILURES = (RuntimeError, ValueError, TypeError, OSError)
"""What cmdstanpy raises."""
STATISTICS = {"lp": "lp", "log_p": "lp", "lp_approx": "lp_approx", "log_q": "lp_approx"}
"""Columns of approximations and modes -> their names in draws."""


class CmdStanEngine:
    """Samples with CmdStan."""

    name = "cmdstan"

    def sample(self, program: StanProgram, run: Run) -> Draws:
        """Draw from the posterior distribution."""
        options = checked(self.name, run.algorithm, OPTIONS, run.options)
        cmdstanpy = _cmdstanpy()
        with _silence():
            _check_version(cmdstanpy.cmdstan_version(), program)
            folder = compiled(cmdstanpy, program.code, _compiler_options(options), progress=run.progress)
            session = _Session(program, run, folder)
            rest = {n: v for n, v in options.items() if n not in OF_THE_COMPILER}
            rest.setdefault("sig_figs", EXACT)
            match run.algorithm:
                case "nuts":
                    return session.chains(rest)
                case "pathfinder":
                    return session.pathfinder(rest)
                case "laplace":
                    return session.laplace(rest)
                case _:
                    return session.mode(rest)


class _Session:
    """One run of a compiled program; its data and its seed go into every call."""

    def __init__(self, program: StanProgram, run: Run, folder: Path) -> None:
        from lmmformula.stan.engines.cmdstan_process import Watch, WatchedModel

        self.program = program
        self.run = run
        self.tally = Tally(run.chains, run.each)
        self.watch = Watch(lambda line, number: self.tally.hear(line, number + 1))
        self.model = WatchedModel(stan_file=folder / SOURCE, exe_file=folder / EXECUTABLE)
        self.model.watch = self.watch
        self.given = {"data": {name: array.tolist() for name, array in program.data.items()}, "seed": run.seed}
        self.began = perf_counter()

    def chains(self, options: dict[str, Any]) -> Draws:
        """Run chains."""
        run = self.run
        options |= _start(self.model, self.program, run, options)
        if run.keep_metric:  # all of the warm-up is its last phase, which adapts the step size alone
            options |= {"adapt_init_phase": 0, "adapt_metric_window": 0, "adapt_step_size": run.warmup}
        settings = {"chains": run.chains, "iter_warmup": run.warmup, "iter_sampling": run.draws}
        with reporter(run.progress, run.iterations) as report:
            if report is not None:
                settings["refresh"] = self.tally.refresh
            growing: dict[str, Growing] = {}

            def look() -> None:
                if report is not None and self.watch.csv_files:
                    if not callable(run.progress):
                        for file in self.watch.csv_files:
                            growing.setdefault(file, Growing(Path(file))).look()
                        self.tally.divergent = sum(file.divergent for file in growing.values())
                    self.tally.tell(report)

            try:
                fit = self._call("sample", look, show_progress=False, **settings, **options)
            except KeyboardInterrupt as interrupt:
                return self._what_there_is(interrupt)
            if report is not None:
                self.tally.reached = dict.fromkeys(range(1, run.chains + 1), run.each)
                self.tally.tell(report)
        statistics = {
            name: np.asarray(array).reshape(-1, run.chains).T for name, array in fit.method_variables().items()
        }
        arrays = {name: np.asarray(array) for name, array in fit.stan_variables().items()}
        shape = (run.chains, statistics["lp__"].shape[1])
        return self._draws({n: a.reshape(*shape, *a.shape[1:]) for n, a in arrays.items()}, statistics)

    def pathfinder(self, options: dict[str, Any]) -> Draws:
        """Draw from Pathfinder's approximation; its paths begin at random, since they need to be of some length."""
        options |= _radius(options)
        found = self._call("pathfinder", draws=self.run.draws, **options)
        if poor := re.search(r"Pareto k value \([\d.naif]+\) is greater than [\d.]+", "".join(self.watch.console)):
            warn(f"the approximation is poor: {poor[0]}")
        return self._single(found.stan_variables(), found.method_variables())

    def laplace(self, options: dict[str, Any]) -> Draws:
        """Find the mode, and draw from the normal distribution around it."""
        jacobian = options.pop("jacobian", True)
        mode = self._call("optimize", jacobian=jacobian, **_initial(self.run), **options)
        found = self._call("laplace_sample", mode=mode, jacobian=jacobian, draws=self.run.draws, **options)
        return self._single(found.stan_variables(), found.method_variables())

    def mode(self, options: dict[str, Any]) -> Draws:
        """Find the mode."""
        if "iterations" in options:
            options["iter"] = options.pop("iterations")
        options |= _radius(options) | _initial(self.run)
        settings: dict[str, Any] = {"algorithm": "lbfgs", "jacobian": True}
        found = self._call("optimize", **settings | options)
        # Column by column: its own way to variables makes numbers of vectors of one element.
        header = ",".join(re.sub(r"[\[,]", ".", name).replace("]", "") for name in found.column_names)
        return self._split(variables_of(header, np.atleast_2d(found.optimized_params_np), 1))

    def _call(self, method: str, look: Callable[[], object] = bool, **options: Any) -> Any:  # noqa: ANN401
        """Call a method of cmdstanpy's model."""
        call = getattr(self.model, method)
        try:
            return self.watch.during(lambda: call(**self.given, **options), look)
        except FAILURES as error:
            if error is self.tally.failure:
                raise
            compiled_text = Path(self.model.stan_file).read_text(encoding="utf-8")
            raise _run_error(self.program.code, compiled_text, error, "".join(self.watch.console)) from error

    def _what_there_is(self, interrupt: KeyboardInterrupt) -> Draws:
        """Read what interrupted chains have written; raise the interrupt again where that is too little."""
        variables, chains = read_chains([Path(file) for file in self.watch.csv_files])
        if not chains:
            raise interrupt
        thin = int(self.run.options.get("thin", 1))
        found = self._split(variables)
        warn_of_interrupt(chains, found.n_draws, (self.run.chains, -(-self.run.draws // thin)))
        return found

    def _split(self, variables: dict[str, FloatArray]) -> Draws:
        """Tell the columns of the algorithm, which end in `__`, from those of the program."""
        own = {name: values for name, values in variables.items() if name.endswith("__")}
        return self._draws({name: values for name, values in variables.items() if name not in own}, own)

    def _single(self, arrays: dict[str, FloatArray], own: dict[str, FloatArray]) -> Draws:
        """Take the draws (draws, ...) of a method that has no chains for one."""
        one, its_own = ({n: np.asarray(a)[np.newaxis] for n, a in each.items()} for each in (arrays, own))
        return self._draws(one, its_own)

    def _draws(self, arrays: dict[str, FloatArray], statistics: dict[str, FloatArray]) -> Draws:
        names = {name: name.removesuffix("__") for name in statistics}
        return Draws(
            arrays=arrays,
            statistics={STATISTICS.get(names[name], names[name]): values for name, values in statistics.items()},
            engine=CmdStanEngine.name,
            seed=self.run.seed,
            seconds=perf_counter() - self.began,
            warmup=self.run.warmup,
            max_treedepth=int(self.run.options.get("max_treedepth", 10)),
            algorithm=self.run.algorithm,
            jacobian=bool(self.run.options.get("jacobian", True)),
        )


def _cmdstanpy() -> ModuleType:
    try:
        import cmdstanpy
    except ImportError as error:
        raise EngineError("cmdstanpy is not installed", hint="install it with `pip install cmdstanpy`") from error
    named = os.environ.get("CMDSTAN", "")
    try:
        cmdstanpy.cmdstan_path()
    except ValueError as error:
        if named:
            why = "has no makefile" if Path(named).is_dir() else "is no folder"
            hint = "set it to the folder of a CmdStan, or unset it: then the newest one in ~/.cmdstan is taken"
            raise EngineError(f"$CMDSTAN names no CmdStan: {named} {why}", hint=hint) from error
        raise EngineError("there is no CmdStan on this machine", hint=HOW_TO_INSTALL) from error
    return cmdstanpy  # type: ignore[no-any-return]


def _check_version(found: tuple[int, ...] | None, program: StanProgram) -> None:
    """Refuse a CmdStan that is too old for a program; one that does not tell its version is tried."""
    needed = version_needed(program)
    if found is None or found >= needed:
        return
    old, new = (".".join(map(str, version)) for version in (found, needed))
    hint = "`python -m cmdstanpy.install_cmdstan` fetches the newest; engine='stanli' needs none"
    centred = {f.label: "noncentered" for f in program.program.factors if f.treatment == "sum_to_zero"}
    if centred and not program.edited and found >= EARLIEST:
        hint += f"; or write it without sum_to_zero_vector: geometry={centred!r}"
    raise EngineError(f"CmdStan {old} is too old for this program, which needs {new} or later", hint=hint)


def _compiler_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Say what concerns the compiler as cmdstanpy does; devices for OpenCL are fixed when a program is compiled."""
    chosen = {name: dict(options[name]) for name in ("cpp_options", "stanc_options") if name in options}
    if "opencl_ids" in options:
        platform, device = options["opencl_ids"]
        ids = {"STAN_OPENCL": True, "OPENCL_PLATFORM_ID": platform, "OPENCL_DEVICE_ID": device}
        chosen["cpp_options"] = chosen.get("cpp_options", {}) | ids
    return chosen


def _run_error(code: str, built: str, error: Exception, console: str) -> EngineError:
    """
    Say what the executable said, or cmdstanpy where it did not come to run, and find the place in the program.

    built : the text that was compiled, which may have other comments, and so other lines, than the program at hand
    """
    if isinstance(error, TimeoutError) or not console.strip():
        return EngineError(f"CmdStan could not sample: {error}")
    said = re.findall(r"^E[rx].*$", console, re.MULTILINE) or console.strip().splitlines()[-LINES:]
    noise = r"^\s*(?:Exception: )?|\s*\(in '[^']*', line \d[^)]*\)|\s*$"
    lines = [re.sub(noise, "", line) for line in said]
    text = "; ".join([line for line in dict.fromkeys(lines) if line][:LINES])
    span = same_place(built, place_in(built, "\n".join(said)), code)
    return EngineError(f"CmdStan could not sample{line_of(code, span)}: {text}", text=code, span=span)


def _start(model: Any, program: StanProgram, run: Run, options: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401
    """
    Hand over where chains start, and the inverse metric of the kind that is asked for.

    That is the start's variances for "diag_e", its matrix for "dense_e", and nothing for "unit_e".
    """
    if run.start is None or run.start.inverse_metric is None:
        return _radius(options) | _initial(run)
    _radius(options)
    variances = run.start.inverse_metric
    starts: dict[str, Any] = {
        "inits": [_plain(values) for values in scattered(program, run.start, run.chains, run.seed)]
    }
    metric = options.get("metric", "diag_e")
    if metric == "unit_e":
        return starts
    inverse = {"inv_metric": (run.start.matrix if metric == "dense_e" else variances).tolist()}
    if "inv_metric" in signature(model.sample).parameters:
        return starts | {"inv_metric": inverse, "metric": metric}
    return starts | {"metric": inverse}  # older cmdstanpy has one argument for both, and sees the kind by the shape


def _initial(run: Run) -> dict[str, Any]:
    """Start everything at one point."""
    return {} if run.start is None else {"inits": _plain(run.start.values)}


def _radius(options: dict[str, Any]) -> dict[str, Any]:
    """Take the radius of random starts out of the options: it goes by another name here."""
    return {"inits": options.pop("init_radius")} if "init_radius" in options else {}


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
