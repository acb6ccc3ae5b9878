"""Casks within batches: nested grouping factors, and what shrinkage does to their estimates."""

import lmmformula as lf

pastes = lf.datasets.load("Pastes")
fit = lf.lmer("strength ~ 1 + (1 | batch/cask)", pastes)
print(fit)
print(fit.ranef()["batch"])
