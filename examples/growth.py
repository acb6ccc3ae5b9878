"""Growth curves: polynomials of age that vary between boys, and correlations that fade with the distance in time."""

import lmmformula as lf

boys = lf.datasets.load("Oxboys")
quadratic = lf.lmer("height ~ poly(age, 2) + (poly(age, 2) | Subject)", boys)
print(quadratic)

straight = lf.lmer("height ~ age + (age | Subject)", boys)
print(lf.anova(straight, quadratic))

ages = [-1.0, -0.5, 0.0, 0.5, 1.0]
print("The average boy, with the polynomial of the fit at new ages:")
print(quadratic.predict({"age": ages, "Subject": ["1"] * 5}, random="population", interval="confidence"))

visits = lf.datasets.load("sim_ar1")  # patients seen at up to eight times, some of them twice at a time
independent = lf.lmer("y ~ x + trt + (1 | id)", visits)
fading = lf.lmer("y ~ x + trt + ar1(0 + time | id)", visits)
print(fading)
print(lf.anova(independent, fading))
