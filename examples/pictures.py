"""Pictures of a fit, of a posterior, and of both: needs matplotlib, the extra `plot`."""

import lmmformula as lf

sleepstudy = lf.datasets.load("sleepstudy")
model = lf.Model("Reaction ~ Days + (Days | Subject)", sleepstudy)
fit = model.fit()
posterior = model.sample(seed=1, progress=False)

pictures = {
    "fit": fit.plot("fit"),
    "ranef": fit.plot("ranef"),
    "residuals": fit.plot("residuals"),
    "densities": posterior.plot("densities"),
    "comparison": lf.compare(fit, posterior).plot(),
}
for name, picture in pictures.items():
    figure = picture if hasattr(picture, "savefig") else picture.flat[0].figure
    figure.savefig(f"{name}.png", dpi=100)
    print(f"{name}.png")
