"""
Make the reference posteriors that `test_posterior.py` holds ours to: 10 chains of 10 000 draws each.

The programs are written by hand in the form that textbooks use (every effect a parameter, row by row), share nothing
with our generator, and have priors of their own, which the tests state in our prior language.

    python tests/stan/reference/make.py [name ...]
"""

import json
import sys
from pathlib import Path

import numpy as np
import stanli

from lmmformula import datasets

SLOPES = """
data { int N, J; vector[N] y, x; array[N] int g; }
parameters { real a, b; vector<lower=0>[2] s; cholesky_factor_corr[2] L; matrix[2, J] z; real<lower=0> sigma; }
transformed parameters { matrix[2, J] u = diag_pre_multiply(s, L) * z; }
model {
  a + b * mean(x) ~ normal(300, 100); b ~ normal(0, 50); s ~ exponential(0.02); sigma ~ exponential(0.02);
  L ~ lkj_corr_cholesky(2); to_vector(z) ~ std_normal();
  for (n in 1:N) y[n] ~ normal(a + u[1, g[n]] + (b + u[2, g[n]]) * x[n], sigma);
}
generated quantities { real rho = L[2, 1]; real u1 = u[1, 1]; real u2 = u[2, 1]; }
"""
CROSSED = """
data { int N, J, K; vector[N] y; array[N] int g, h; }
parameters { real a; real<lower=0> s, t, sigma; vector[J] u; vector[K] v; }
model {
  a ~ normal(23, 5); s ~ exponential(1); t ~ exponential(1); sigma ~ exponential(1);
  u ~ normal(0, s); v ~ normal(0, t);
  for (n in 1:N) y[n] ~ normal(a + u[g[n]] + v[h[n]], sigma);
}
generated quantities { real u1 = u[1]; real v1 = v[1]; }
"""
CENTERED = """
data { int N, J; vector[N] y, x; array[N] int g; }
parameters { real a, b; vector<lower=0, upper=100>[2] s; cholesky_factor_corr[2] L; array[J] vector[2] c;
  real<lower=0, upper=100> sigma; }
model {
  a + b * mean(x) ~ normal(0, 100); b ~ normal(0, 10); L ~ lkj_corr_cholesky(2);
  c ~ multi_normal_cholesky([a, b]', diag_pre_multiply(s, L));
  for (n in 1:N) y[n] ~ normal(c[g[n], 1] + c[g[n], 2] * x[n], sigma);
}
generated quantities { real rho = L[2, 1]; real u1 = c[1, 1] - a; real u2 = c[1, 2] - b; }
"""
COUNTS = """
data { int N, J; array[N] int y, n, period, g; }
parameters { real a; vector[3] b; real<lower=0> s; vector[J] z; }
transformed parameters { vector[J] u = s * z; }
model {
  vector[4] effect = append_row(0, b);
  a + mean(effect[period]) ~ normal(-2, 2); b ~ normal(0, 1.5); s ~ exponential(1); z ~ std_normal();
  for (i in 1:N) y[i] ~ binomial(n[i], inv_logit(a + effect[period[i]] + u[g[i]]));
}
generated quantities { real u1 = u[1]; }
"""


def codes(column: object) -> np.ndarray:
    """Number levels from 1."""
    return np.asarray(column.cat.codes) + 1


def programs() -> dict[str, tuple[str, dict[str, object], list[str]]]:
    """Return program, data and quantities by name."""
    sleep, coffee, dishes, cattle = map(datasets.load, ("sleepstudy", "coffee", "Penicillin", "cbpp"))
    return {
        "sleepstudy": (
            SLOPES,
            {"N": 180, "J": 18, "y": sleep.Reaction, "x": sleep.Days, "g": codes(sleep.Subject)},
            ["a", "b", "s[1]", "s[2]", "sigma", "rho", "u1", "u2"],
        ),
        "coffee": (
            CENTERED,
            {"N": 1000, "J": 100, "y": coffee.y, "x": coffee.x, "g": codes(coffee.group)},
            ["a", "b", "s[1]", "s[2]", "sigma", "rho", "u1", "u2"],
        ),
        "Penicillin": (
            CROSSED,
            {"N": 144, "J": 24, "K": 6, "y": dishes.diameter, "g": codes(dishes.plate), "h": codes(dishes["sample"])},
            ["a", "s", "t", "sigma", "u1", "v1"],
        ),
        "cbpp": (
            COUNTS,
            {
                "N": 56,
                "J": 15,
                "y": cattle.incidence.astype(int),
                "n": cattle["size"].astype(int),
                "period": codes(cattle.period),
                "g": codes(cattle.herd),
            },
            ["a", "b[1]", "b[2]", "b[3]", "s", "u1"],
        ),
    }


def main(wanted: list[str]) -> None:
    """Write `posteriors.json` beside this file: all of it, or the models that are named anew."""
    target = Path(__file__).with_name("posteriors.json")
    result = json.loads(target.read_text(encoding="utf-8")) if wanted else {}
    for name, (code, data, quantities) in programs().items():
        if wanted and name not in wanted:
            continue
        model = stanli.Model(stan_code=code, data=data)
        fit = model.sample(chains=10, warmup=2000, samples=10_000, seed=1, delta=0.99, refresh=0)
        summary = fit.summary(quantities)
        assert summary.r_hat.max() < 1.005, summary
        sys.stdout.write(f"{name}: {fit.divergences.sum()} divergences\n{summary}\n")
        squares = (fit.draws()[:, :, [fit.names.index(q) for q in quantities]] - summary.mean) ** 2
        second = stanli.Fit(quantities, squares, fit.sampler_stats, 10, 1).summary()
        result[name] = {
            q: {
                "mean": summary.mean[i],
                "mcse_mean": summary.mcse_mean[i],
                "sd": summary.sd[i],
                "mcse_sd": second.mcse_mean[i] / (2 * summary.sd[i]),
            }
            for i, q in enumerate(quantities)
        }
    target.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
