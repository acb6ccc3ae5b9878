"""Six samples on each of 24 plates: crossed grouping factors, and how much each of them contributes."""

import lmmformula as lf

penicillin = lf.datasets.load("Penicillin")
fit = lf.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", penicillin)
print(fit)

for factor in ("plate", "sample"):
    print(f"share of the variance that lies between levels of {factor}: {fit.icc(factor):.3f}")
print(fit.ranova())

modes, covariances = fit.ranef(condvar=True)
sample = modes["sample"].assign(se=covariances["sample"][:, 0, 0] ** 0.5)
print(sample)
