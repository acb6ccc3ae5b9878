"""Pictures of a model, of a fit, of a posterior, and of both: needs matplotlib, the extra `plot`."""

from collections.abc import Callable
from typing import Any

import lmmformula as lf

# The pictures of the documentation are made by this script: run it in docs/images.
sleepstudy = lf.datasets.load("sleepstudy")
model = lf.Model("Reaction ~ Days + (Days | Subject)", sleepstudy)
fit = model.fit()
posterior = model.sample(seed=1, progress=False)
comparison = lf.compare(fit, posterior)

PICTURES: dict[str, Callable[[], Any]] = {
    "fit": lambda: fit.plot("fit"),
    "ranef": lambda: fit.plot("ranef"),
    "residuals": lambda: fit.plot("residuals"),
    "profile": lambda: fit.plot("profile"),
    "predictions": lambda: fit.plot("predictions"),
    "power": lambda: fit.power({"Days": 4}, n_groups=[9, 18, 27, 36], n=200, seed=1).plot(),
    "priors": lambda: model.plot("priors"),
    "densities": lambda: posterior.plot("densities"),
    "traces": lambda: posterior.plot("traces"),
    "comparison": comparison.plot,
    "fixed": lambda: comparison.plot("fixed"),
    "variance": lambda: comparison.plot("variance"),
    "random": lambda: comparison.plot("random"),
}

for name, draw in PICTURES.items():
    picture = draw()
    figure = picture if hasattr(picture, "savefig") else getattr(picture, "flat", [picture])[0].figure
    figure.savefig(f"{name}.png", dpi=80)
    print(f"{name}.png")
