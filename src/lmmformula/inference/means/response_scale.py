"""
From the scale on which a model is linear back to that of the response: inverse links, and what undoes `log(y)`.

Standard errors go by the delta method; bounds are taken back as they are. Differences of logarithms become ratios.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import FitError, printable
from lmmformula.families.calculus.links import LINKS
from lmmformula.ir.expressions import Apply, Constant, Expression, Variable, label
from lmmformula.ir.model import ModelIR

Map = Callable[[FloatArray], FloatArray]


def _powers(base: float) -> tuple[Map, Map]:
    """Return base^z and its derivative."""
    return lambda z: np.power(base, z), lambda z: np.log(base) * np.power(base, z)


INVERSES: dict[str, tuple[Map, Map]] = {
    **{name: (link.inverse, link.slope) for name, link in LINKS.items() if name != "identity"},
    "log2": _powers(2.0),
    "log10": _powers(10.0),
    "log1p": (np.expm1, np.exp),
    "exp": (np.log, lambda z: 1 / z),
    "expm1": (np.log1p, lambda z: 1 / (1 + z)),
    "I": (np.asarray, np.ones_like),
}
"""What undoes a function or link, and the derivative of that."""

RATIOS = {"log": "ratio", "log2": "ratio", "log10": "ratio", "log1p": "ratio", "logit": "odds_ratio"}
"""Transformations whose differences are logarithms of ratios, and the name of these."""


@dataclass(frozen=True, slots=True)
class ResponseScale:
    """
    The way back to the response.

    name : of the transformation, "log", "sqrt(y)"
    back, slope : the inverse of the transformation, and its derivative
    ratio : what a difference becomes, "ratio" or "odds_ratio"; empty where it becomes nothing
    base : of the ratios: base^difference
    """

    name: str
    back: Map
    slope: Map
    ratio: str = ""
    base: float = np.e

    def ratios(self, differences: FloatArray) -> FloatArray:
        """Return the ratios that differences stand for."""
        return np.asarray(np.power(self.base, differences))


def response_scale(ir: ModelIR) -> ResponseScale | None:
    """
    Return the way back from a model's linear predictor; None where that is the response itself.

    >>> import lmmformula as lf
    >>> scale = response_scale(lf.parse("log(y + 1) ~ x + (1 | g)"))
    >>> scale.name, scale.ratio, scale.back(np.array([0.0])).tolist()
    ('log(y + 1)', 'ratio', [0.0])
    """
    family = ir.family
    if family.link != "identity":
        if family.link not in INVERSES:
            raise FitError(f"there is no way back from the link {family.link}", hint='leave `type` at "link"')
        return ResponseScale(family.link, *INVERSES[family.link], RATIOS.get(family.link, ""))
    if family.name == "lognormal":
        return ResponseScale("log", *INVERSES["log"], RATIOS["log"])
    match ir.response.kind, ir.response.expressions:
        case "value", (Apply() as transformed,):
            return _undone(transformed)
        case "proportion", (Constant() as one, variable):  # 1/y
            return _undone(Apply("/", (one, variable)))
    return None


def _undone(response: Expression) -> ResponseScale | None:
    """Return what undoes a transformed response, from the outermost function inwards."""
    steps: list[tuple[Map, Map]] = []
    inner, outermost = response, ""
    while isinstance(inner, Apply):
        step, function, inside = _step(inner, response)
        outermost = outermost or function
        steps.append(step)
        inner = inside
    if not isinstance(inner, Variable):
        raise _no_way_back(response)
    if outermost == "I" and len(steps) == 1:
        return None

    def back(z: FloatArray) -> FloatArray:
        for undo, _ in steps:
            z = undo(z)
        return z

    def slope(z: FloatArray) -> FloatArray:
        out = np.ones_like(z)
        for undo, derivative in steps:
            out, z = out * derivative(z), undo(z)
        return out

    base = {"log2": 2.0, "log10": 10.0}.get(outermost, np.e)
    return ResponseScale(label(response), back, slope, RATIOS.get(outermost, ""), base)


def _step(call: Apply, response: Expression) -> tuple[tuple[Map, Map], str, Expression]:  # noqa: PLR0911 (one for each)
    """Return what undoes one function, its name, and what it was applied to."""
    match call.function, call.arguments:
        case function, (inside,) if function in INVERSES and not call.keywords:
            return INVERSES[function], function, inside
        case ("+", (inside, Constant(value=float() | int() as c))) | (
            "+",
            (Constant(value=float() | int() as c), inside),
        ):
            return (lambda z: z - c, np.ones_like), "+", inside
        case "-", (inside, Constant(value=float() | int() as c)):
            return (lambda z: z + c, np.ones_like), "-", inside
        case ("*", (inside, Constant(value=float() | int() as c))) | (
            "*",
            (Constant(value=float() | int() as c), inside),
        ) if c:
            return (lambda z: z / c, lambda z: np.full_like(z, 1 / c)), "*", inside
        case "/", (inside, Constant(value=float() | int() as c)) if c:
            return (lambda z: z * c, lambda z: np.full_like(z, c)), "/", inside
        case "/", (Constant(value=float() | int() as c), inside) if c:
            return (lambda z: c / z, lambda z: -c / z**2), "/", inside
        case "^", (inside, Constant(value=float() | int() as k)) if k:
            return (lambda z: np.power(z, 1 / k), lambda z: np.power(z, 1 / k - 1) / k), "^", inside
    raise _no_way_back(response)


def _no_way_back(response: Expression) -> FitError:
    return FitError(f"there is no way back from {printable(label(response))}", hint='leave `type` at "link"')
