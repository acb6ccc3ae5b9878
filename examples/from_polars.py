"""Data come from any frame library that narwhals reads; here polars."""

import polars as pl

import lmmformula as lf

penicillin = pl.from_pandas(lf.datasets.load("Penicillin"))
fit = lf.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", penicillin)
print(fit)
