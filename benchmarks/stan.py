"""
Effective draws per second: our programs against brms-form ones, on the same engine, data and priors.

    python benchmarks/stan.py [regime ...]

The brms-form programs were written for this benchmark after what brms 2.x generates: predictors centred, effects
non-centred, row by row through `normal_id_glm`. Both sides run 4 x (1000 + 1000) on one core. A figure is the smallest
bulk ESS over fixed effects, sds, correlations, sigma and some effects, per CPU second of compiling (in process) and
sampling, warm-up included. Ours starts where `Model.sample` starts it, from the REML fit, whose time is included too.
"""

import sys
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
import stanli

import lmmformula as lf
from lmmformula.results.posteriors.warmstart import estimates_of
from lmmformula.stan.diagnostics import summarise
from lmmformula.stan.engines.choice import default_adapt_delta, sample
from lmmformula.stan.start import starting_point

WATCHED_EFFECTS = 20
"""Effects of each factor that are looked at."""
SLEEPSTUDY = 180
"""Rows of a regime that is not simulated."""


@dataclass(frozen=True)
class Regime:
    """
    One workload.

    slopes : whether the first factor has slopes for x
    factors : levels of each grouping factor
    sds : of intercepts (and slopes) of the first factor, then of the intercepts of the second
    brms_iterations : of warm-up and of draws for brms's form; fewer where it takes minutes, 0 where it takes hours
    seeds : how many times both are run, with a seed each; short runs vary by a tenth
    """

    rows: int
    factors: tuple[int, ...]
    sds: tuple[float, ...]
    slopes: bool
    brms_iterations: int = 1000
    seeds: int = 1

    @property
    def formula(self) -> str:
        """The model."""
        first = "(x | a)" if self.slopes else "(1 | a)"
        return f"y ~ x + {first}" + (" + (1 | b)" if len(self.factors) > 1 else "")

    def data(self) -> pd.DataFrame:
        """Simulate data, the same in every run; the smallest are sleepstudy."""
        if self.rows == SLEEPSTUDY:
            return lf.datasets.load("sleepstudy").set_axis(["y", "x", "a"], axis=1)
        rng = np.random.default_rng(2024)
        codes = [rng.permutation(np.arange(self.rows) % levels) for levels in self.factors]
        x = rng.normal(size=self.rows)
        y = 4 + 0.5 * x + rng.normal(size=self.rows)
        y += self.sds[0] * rng.normal(size=self.factors[0])[codes[0]]
        if self.slopes:
            y += self.sds[1] * rng.normal(size=self.factors[0])[codes[0]] * x
        if len(self.factors) > 1:
            y += self.sds[-1] * rng.normal(size=self.factors[1])[codes[1]]
        columns = {name: pd.Categorical(code) for name, code in zip("ab", codes, strict=False)}
        return pd.DataFrame({"x": x, "y": y, **columns})


REGIMES = {
    "sleepstudy, 18 groups x 10 rows": Regime(SLEEPSTUDY, (18,), (25.0, 6.0), slopes=True, seeds=6),
    "1000 rows, 100 groups, sds 10 and 1": Regime(1000, (100,), (10.0, 1.0), slopes=True),
    "100 000 rows, 1000 groups": Regime(100_000, (1000,), (1.0, 0.5), slopes=True, brms_iterations=0),
    "crossed, 20 000 rows, 500 x 100": Regime(20_000, (500, 100), (1.0, 0.5), slopes=False, brms_iterations=100),
    "weak data, 5 rows a group": Regime(500, (100,), (0.1, 0.1), slopes=True, seeds=6),
}

BRMS = """
data {{
  int N; vector[N] Y; matrix[N, 1] X; int J; array[N] int a; int M; array[N] int b;
  real loc, scale; real sb; vector[{k}] ss; real st;
}}
transformed data {{ real xm = mean(X[, 1]); matrix[N, 1] Xc = X - xm; vector[N] x = X[, 1]; }}
parameters {{
  vector[1] b_; real Intercept; real<lower=0> sigma;
  vector<lower=0>[{k}] sd_1; matrix[{k}, J] z_1; cholesky_factor_corr[{k}] L_1;
  real<lower=0> sd_2; vector[M] z_2;
}}
transformed parameters {{
  matrix[J, {k}] r_1 = (diag_pre_multiply(sd_1, L_1) * z_1)';
  vector[M] r_2 = sd_2 * z_2;
}}
model {{
  vector[N] mu = rep_vector(0.0, N);
  mu += Intercept;
  for (n in 1:N) mu[n] += r_1[a[n], 1] {slope} {second};
  target += normal_id_glm_lpdf(Y | Xc, mu, b_, sigma);
  target += student_t_lpdf(Intercept | 3, loc, scale);
  target += normal_lpdf(b_ | 0, sb);
  target += student_t_lpdf(sigma | 3, 0, scale);
  target += student_t_lpdf(sd_1 | 3, 0, ss);
  target += std_normal_lpdf(to_vector(z_1));
  target += lkj_corr_cholesky_lpdf(L_1 | 2);
  target += student_t_lpdf(sd_2 | 3, 0, st);
  target += std_normal_lpdf(z_2);
}}
"""


def brms(regime: Regime, program: lf.StanProgram, seed: int) -> tuple[float, float, float, int]:
    """Sample the brms form: smallest ESS, CPU seconds, largest R-hat, divergences."""
    k = 1 + regime.slopes
    crossed = len(regime.factors) > 1
    slope, second = "+ r_1[a[n], 2] * x[n]" if regime.slopes else "", "+ r_2[b[n]]" if crossed else ""
    code = BRMS.format(k=k, slope=slope, second=second)
    ours = program.data
    began = time.process_time()
    model = stanli.Model(
        stan_code=code,
        data={
            "N": regime.rows, "Y": ours["y"], "X": ours["X"], "J": regime.factors[0], "a": ours["level_a"],
            "M": regime.factors[1] if crossed else 1, "b": ours.get("level_b", np.ones(regime.rows, int)),
            "loc": ours["prior_Intercept_location"], "scale": ours["prior_Intercept_scale"],
            "sb": ours["prior_b_scale"],
            "ss": np.atleast_1d(ours["prior_sd_a_scale"]), "st": ours.get("prior_sd_b_scale", np.asarray(1.0)),
        },
    )  # fmt: skip
    n = regime.brms_iterations
    fit = model.sample(
        chains=4, warmup=n, samples=n, seed=seed, delta=default_adapt_delta(program), refresh=0, parallel_chains=1
    )
    seconds = time.process_time() - began
    names = ["Intercept", "b_", "sigma", "sd_1", "r_1"] + (["L_1"] if k > 1 else [])
    names += ["sd_2", "r_2"] if crossed else []
    columns = np.concatenate([fit.draws(name).reshape(4, n, -1)[:, :, :WATCHED_EFFECTS] for name in names], axis=-1)
    return *verdict(columns, seconds), int(fit.divergences.sum())


def ours(model: lf.Model, seed: int) -> tuple[float, float, float, int, float]:
    """Sample our form: smallest ESS, CPU seconds, largest R-hat, divergences; and the largest R-hat of all there is."""
    began = time.process_time()
    program = model.stan()
    start = starting_point(program, estimates_of(model.reml_fit))
    draws = sample(program, seed=seed, start=start, progress=False, parallel_chains=1)
    seconds = time.process_time() - began
    shape = (draws.n_chains, draws.n_draws, -1)
    names = [name for name in draws if name in ("Intercept", "b", "sigma") or name[:3] in ("sd_", "cor", "u_a", "u_b")]
    columns = np.concatenate([draws[name].reshape(shape)[:, :, :WATCHED_EFFECTS] for name in names], axis=-1)
    return *verdict(columns, seconds), int(draws.statistics["divergent"].sum()), draws.diagnose().rhat


def verdict(columns: np.ndarray, seconds: float) -> tuple[float, float, float]:
    """Smallest bulk ESS, CPU seconds and largest R-hat of the columns that vary."""
    summary = summarise(columns[:, :, np.ptp(columns, axis=(0, 1)) > 1e-9])
    return float(summary.ess_bulk.min()), seconds, float(summary.rhat.max())


def mean(runs: list[tuple[float, ...]], figure: int) -> float:
    """Average one figure over runs."""
    return sum(run[figure] for run in runs) / len(runs)


def most(runs: list[tuple[float, ...]], figure: int) -> float:
    """Return the largest of one figure over runs."""
    return max(run[figure] for run in runs)


def main(wanted: list[str]) -> None:
    """Print a table, one regime a line."""
    lf.Model("y ~ 1", pd.DataFrame({"y": [1.0, 2.0, 4.0]})).stan()  # imports are not the matter here
    print(f"{'regime':38} {'ours: ESS':>9} {'CPU s':>6} {'ESS/s':>7} {'R-hat':>6} {'of all':>6} {'div':>4}", end="")
    print(f" {'brms: ESS':>10} {'CPU s':>7} {'ESS/s':>7} {'R-hat':>6} {'div':>4} {'ratio':>7}")
    for name, regime in REGIMES.items():
        if wanted and not any(word in name for word in wanted):
            continue
        model = lf.Model(regime.formula, regime.data())
        own, usual = [], []
        for seed in range(1, regime.seeds + 1):  # in turn, so that both have the machine in the same moods
            own.append(ours(model, seed))
            if regime.brms_iterations:
                usual.append(brms(regime, model.stan(), seed))
        ess, seconds = mean(own, 0), mean(own, 1)
        print(
            f"{name:38} {ess:9.0f} {seconds:6.1f} {ess / seconds:7.0f} {most(own, 2):6.3f} {most(own, 4):6.3f}", end=""
        )
        print(f" {most(own, 3):4.0f}", end="", flush=True)
        if usual:
            rate = mean(usual, 0) / mean(usual, 1)
            print(f" {mean(usual, 0):10.0f} {mean(usual, 1):7.1f} {rate:7.2f} {most(usual, 2):6.3f}", end="")
            print(f" {most(usual, 3):4.0f} {ess / seconds / rate:6.1f}x", end="")
        print()


if __name__ == "__main__":
    main(sys.argv[1:])
