"""
Mixed-effects models from one lme4 formula: an exact REML/ML fit and a Stan program, side by side.

>>> import lmmformula as lf
>>> model = lf.Model("Reaction ~ Days + (Days | Subject)", lf.datasets.load("sleepstudy"))
>>> model.fit().fixef.round(3)
(Intercept)    251.405
Days            10.467
Name: estimate, dtype: float64
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lmmformula import datasets
    from lmmformula.api.comparison import Comparison, compare
    from lmmformula.api.fits import GeneralizedMixedFit, LinearMixedFit
    from lmmformula.api.functions import criteria, glmer, lmer, power
    from lmmformula.api.input.loading import load
    from lmmformula.api.input.parsing import parse
    from lmmformula.api.methods.hypotheses import anova
    from lmmformula.api.mode import PosteriorMode
    from lmmformula.api.model import Model
    from lmmformula.api.posterior import Posterior
    from lmmformula.design.coding.contrasts import Contrast
    from lmmformula.errors import (
        DataError,
        EngineError,
        FitError,
        FitWarning,
        FormulaError,
        LmmFormulaError,
        PriorWarning,
        SamplingWarning,
    )
    from lmmformula.ir.functions import register
    from lmmformula.ir.model import ModelIR
    from lmmformula.stan.generate import StanProgram

_HOMES = {
    "Comparison": "api.comparison",
    "compare": "api.comparison",
    "criteria": "api.functions",
    "power": "api.functions",
    "LinearMixedFit": "api.fits",
    "GeneralizedMixedFit": "api.fits",
    "anova": "api.methods.hypotheses",
    "load": "api.input.loading",
    "load_ipython_extension": "repl.magics",
    "Model": "api.model",
    "glmer": "api.functions",
    "lmer": "api.functions",
    "parse": "api.input.parsing",
    "register": "ir.functions",
    "Posterior": "api.posterior",
    "PosteriorMode": "api.mode",
    "Contrast": "design.coding.contrasts",
    "DataError": "errors",
    "EngineError": "errors",
    "FitError": "errors",
    "FitWarning": "errors",
    "FormulaError": "errors",
    "LmmFormulaError": "errors",
    "PriorWarning": "errors",
    "SamplingWarning": "errors",
    "ModelIR": "ir.model",
    "StanProgram": "stan.generate",
}
"""Public name -> the module that holds it; imported on first use, so that `import lmmformula` is light."""

__all__ = [
    "Comparison",
    "Contrast",
    "DataError",
    "EngineError",
    "FitError",
    "FitWarning",
    "FormulaError",
    "GeneralizedMixedFit",
    "LinearMixedFit",
    "LmmFormulaError",
    "Model",
    "ModelIR",
    "Posterior",
    "PosteriorMode",
    "PriorWarning",
    "SamplingWarning",
    "StanProgram",
    "__version__",
    "anova",
    "compare",
    "criteria",
    "datasets",
    "glmer",
    "lmer",
    "load",
    "parse",
    "power",
    "register",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 (whatever the public name is)
    value: Any
    if name == "__version__":
        from importlib.metadata import version

        value = version("lmmformula")
    elif name == "datasets":
        value = import_module("lmmformula.datasets")
    elif name in _HOMES:
        value = getattr(import_module(f"lmmformula.{_HOMES[name]}"), name)
    else:
        from lmmformula.newcomers import unknown_function

        raise unknown_function(name, __all__)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
