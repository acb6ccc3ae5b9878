"""The demonstration: one formula, fitted by REML and by Stan, side by side."""
# ruff: noqa: T201 (a demonstration prints)

import time
from typing import Any

from lmmformula.api.comparison import compare
from lmmformula.api.model import Model
from lmmformula.screen import paged

FORMULA = "y ~ x + (x | group)"


def demo(*, seed: int | None = None, **options: Any) -> None:  # noqa: ANN401 (what `Model.sample` takes)
    """Fit the coffee example both ways and print each step with the time it took."""
    from lmmformula import datasets

    print(f"The model: {FORMULA}")
    print(paged("y rises with x; intercept and slope vary between groups, and how much they vary is estimated.\n"))
    data = datasets.load("coffee")
    data.attrs["name"] = "coffee"
    start = time.perf_counter()
    model = Model(FORMULA, data)
    _said("Read the formula and built the matrices", start)
    start = time.perf_counter()
    fit = model.fit()
    _said("Fitted it by REML", start)
    print(f"\n{fit}\n")
    print(paged("The same formula as a Stan program, with default priors: `lmmformula stan` prints it."))
    start = time.perf_counter()
    posterior = model.sample(seed=1 if seed is None else seed, **options)
    _said(f"Sampled it, compilation included (the sampling itself: {posterior.raw.seconds:.2f} s)", start)
    print(f"\n{posterior}\n")
    print("Side by side:\n")
    print(compare(fit, posterior))


def _said(what: str, start: float) -> None:
    print(paged(f"{what}: {time.perf_counter() - start:.2f} s"))
