"""Priors are statements beneath the formula; here those of the published analysis of the coffee data."""

import lmmformula as lf

coffee = lf.datasets.load("coffee")
text = """
y ~ x + (x | group)
sd    ~ uniform(0, 100)
sigma ~ uniform(0, 100)
"""
model = lf.Model(text, coffee)
print(model.priors)
print(model.sample(chains=4, seed=1, progress=False))
