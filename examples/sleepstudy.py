"""Reaction times under loss of sleep: correlated, uncorrelated and no random slopes, compared and tested."""

import lmmformula as lf

sleepstudy = lf.datasets.load("sleepstudy")
model = lf.Model("Reaction ~ Days + (Days | Subject)", sleepstudy)
fit = model.fit()
print(fit.summary())  # with Satterthwaite's degrees of freedom; print(fit) has none

uncorrelated = model.update(". ~ Days + (Days || Subject)").fit()
intercepts = model.update(". ~ Days + (1 | Subject)").fit()
print(lf.anova(intercepts, uncorrelated, fit))

print(fit.confint(method="profile"))
