"""Simulate responses from a fit, refit the model to them, and ask how many subjects a new study would need."""

from statistics import stdev

import lmmformula as lf

sleepstudy = lf.datasets.load("sleepstudy")
fit = lf.lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)

simulated = fit.simulate(100, seed=1)
slopes = [fit.refit(simulated[name]).fixef["Days"] for name in simulated]
print(f"slope {fit.fixef['Days']:.2f}, its standard error {fit.std_errors['Days']:.2f}")
print(f"standard deviation of 100 refitted slopes: {stdev(slopes):.2f}")

print(fit.bootstrap(lambda again: again.icc(), n=200, seed=1).confint())
print(fit.power({"Days": 5.0}, n_groups=[10, 20, 40], n=100, seed=1))
