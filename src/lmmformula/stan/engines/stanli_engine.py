"""The embedded engine: stanli compiles and samples inside this process, without a C++ toolchain, wherever it can."""

from dataclasses import replace

from lmmformula.stan.draws import Draws
from lmmformula.stan.engines.options import checked
from lmmformula.stan.engines.progress import reporter
from lmmformula.stan.engines.run import Run
from lmmformula.stan.engines.stanli_process import draws_elsewhere
from lmmformula.stan.engines.stanli_sampling import NAME, can_run_here, draws_here, loaded
from lmmformula.stan.generate import StanProgram

OPTIONS = {
    "nuts": (
        "adapt_delta", "max_treedepth", "thin", "init_radius", "pathfinder_init", "parallel_chains",
        "threads_per_chain", "metric", "step_size", "adapt_engaged",
    ),
    "optimize": ("iterations", "init_radius", "jacobian"),
}  # fmt: skip
KEEPS_METRIC = 149
"""Iterations of the longest warm-up in which stanli leaves a metric as it is, and adapts the step size alone."""


class StanliEngine:
    """Samples with stanli."""

    name = NAME

    def sample(self, program: StanProgram, run: Run) -> Draws:
        """Draw from the posterior distribution."""
        run = replace(run, options=checked(self.name, run.algorithm, OPTIONS, run.options))
        if run.keep_metric:
            run = replace(run, warmup=min(run.warmup, KEEPS_METRIC))
        loaded()
        with reporter(run.progress if run.algorithm == "nuts" else False, run.iterations) as report:
            return (draws_here if can_run_here(run) else draws_elsewhere)(program, run, report)
