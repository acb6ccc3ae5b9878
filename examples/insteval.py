"""73,421 ratings of 1,128 lecturers by 2,972 students: crossed grouping factors at a size where it matters."""

import time

import lmmformula as lf

ratings = lf.datasets.load("InstEval")
start = time.perf_counter()
model = lf.Model("y ~ service + (1 | s) + (1 | d) + (1 | dept)", ratings)
fit = model.fit()
print(fit)
print(f"read, built and fitted in {time.perf_counter() - start:.2f} s")

lecturers = fit.ranef()["d"]["(Intercept)"]
print("The lecturers rated highest, beside the average lecturer of their department:")
print(lecturers.nlargest(5))
