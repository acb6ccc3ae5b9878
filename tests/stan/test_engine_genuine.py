"""
The handling of CmdStan's processes and files on a genuine CmdStan 2.37 executable, the one that `prophet` ships.

It samples a program of its own, so this is not about ours: how processes are heard, ended and read is.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lmmformula.stan.engines.cmdstan_engine import _run_error
from lmmformula.stan.engines.cmdstan_files import Growing, read_chains
from lmmformula.stan.engines.cmdstan_process import Watch, WatchedModel
from lmmformula.stan.engines.progress import Tally
from standin import genuine_cmdstan

N = 20
DATA: dict[str, Any] = {
    "T": N, "t": [i / N for i in range(N)], "y": [0.2 + 0.5 * i / N + (-1) ** i * 0.1 for i in range(N)],
    "cap": [1.0] * N, "S": 2, "t_change": [0.3, 0.6], "K": 1, "X": [[i % 3] for i in range(N)], "sigmas": [10.0],
    "tau": 0.05, "trend_indicator": 0, "s_a": [1.0], "s_m": [0.0],
}  # fmt: skip
START: dict[str, Any] = {"k": 0.0, "m": 0.0, "delta": [0.0, 0.0], "sigma_obs": 1.0, "beta": [0.0]}


@pytest.fixture
def model(standin: Path, monkeypatch: pytest.MonkeyPatch) -> WatchedModel:
    """Return the model of the genuine executable."""
    found = genuine_cmdstan()
    if found is None:
        pytest.skip("a genuine CmdStan executable comes with the package prophet, which is not installed")
    monkeypatch.setenv("CMDSTAN", str(standin))  # cmdstanpy wants one to be there
    monkeypatch.setenv("STAN_NUM_THREADS", "1")
    monkeypatch.setattr(logging.getLogger("cmdstanpy"), "disabled", True)
    return WatchedModel(exe_file=found[0])


def run(model: WatchedModel, method: str, tally: Tally | None = None, **options: Any) -> Any:
    """Call a method of a model while it is watched; interrupt it once it is a thousand draws beyond its warm-up."""
    tally = tally or Tally(chains=2, each=200)
    model.watch = Watch(lambda line, number: tally.hear(line, number + 1))

    def look() -> None:
        if tally.done > 3000:
            raise KeyboardInterrupt

    return model.watch.during(lambda: getattr(model, method)(data=DATA | options.pop("more", {}), **options), look)


def test_an_interrupt_ends_the_processes_and_their_files_are_read(model: WatchedModel) -> None:
    """CmdStan writes each draw when it has it, so what was printed to be done can be read, and more."""
    tally = Tally(chains=2, each=10**6 + 200)
    settings = {"inits": START, "chains": 2, "parallel_chains": 2, "iter_warmup": 200, "iter_sampling": 10**6}
    with pytest.raises(KeyboardInterrupt):
        run(model, "sample", tally, **settings, seed=1, refresh=100, sig_figs=17, show_progress=False)
    files = [Path(file) for file in model.watch.csv_files]
    variables, chains = read_chains(files)
    counted = variables["lp__"].shape
    assert counted[0] == len(chains)
    assert counted[0] * counted[1] >= max(tally.reached.values()) - 200 - 100
    assert variables["trend"].shape == (*counted, N)
    assert np.isfinite(variables["trend"]).all()
    growing = Growing(files[chains[0]])
    growing.look()
    assert growing.divergent >= variables["divergent__"][0].sum()
    assert not model.watch._running


def test_a_run_is_heard_to_its_end(model: WatchedModel) -> None:
    """Every chain is heard at its last iteration."""
    tally = Tally(chains=2, each=300)
    found = run(model, "sample", tally, inits=START, chains=2, iter_warmup=200, iter_sampling=100, show_progress=False)
    assert found.draws().shape[:2] == (100, 2)
    assert tally.reached == {1: 300, 2: 300}


@pytest.mark.parametrize(
    ("options", "said", "shown"),
    [
        ({"more": {"y": [1.0]}}, "variable name=y; position=0; dims declared=(20); dims found=(1)", "vector[T] y;"),
        ({"inits": START | {"sigma_obs": -1}}, "Lower bounded variable is -1", "real<lower=0> sigma_obs;"),
    ],
)
def test_errors_show_the_line(model: WatchedModel, options: dict[str, Any], said: str, shown: str) -> None:
    """What the executable says of data and starts becomes one sentence and a place in the program."""
    with pytest.raises(RuntimeError) as caught:
        run(model, "sample", chains=2, show_progress=False, **options)
    code = (genuine_cmdstan() or (Path(), Path()))[1].read_text(encoding="utf-8")
    error = _run_error(code, code, caught.value, "".join(model.watch.console))
    assert said in error.message
    assert shown in str(error)
    assert "(line " in error.message


def test_approximations_have_the_columns_that_are_read(model: WatchedModel) -> None:
    """Pathfinder, a mode, and Laplace around it, by the options that the engine gives them."""
    mode = run(model, "optimize", algorithm="lbfgs", jacobian=True, seed=1, inits=START, sig_figs=17)
    assert np.isfinite(mode.optimized_params_dict["lp__"])
    laplace = run(model, "laplace_sample", mode=mode, jacobian=True, draws=20, seed=1, sig_figs=17)
    assert {name: values.shape for name, values in laplace.method_variables().items()} == {
        "log_p__": (20,),
        "log_q__": (20,),
    }
    paths = run(model, "pathfinder", draws=50, seed=1, sig_figs=17)
    assert {"lp__", "lp_approx__"} <= paths.method_variables().keys()
    assert paths.stan_variables()["delta"].shape == (50, 2)
