"""The coffee competition: one formula, fitted by REML and by Stan, and the two put side by side."""

import lmmformula as lf

coffee = lf.datasets.load("coffee")
model = lf.Model("y ~ x + (x | group)", coffee)

fit = model.fit()
print(fit)

posterior = model.sample(chains=4, seed=123, progress=False)
print(posterior)

print(lf.compare(fit, posterior))
