"""Links: from a parameter of a distribution to its linear predictor, and back."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.families.calculus.jets import Real, applied, exp, log, variable
from lmmformula.families.calculus.special import log1m_exp, log_inv_cloglog, log_inv_logit, log_ndtr, minus_exp


@dataclass(frozen=True, slots=True)
class Link:
    """
    A link.

    of : parameter -> linear predictor
    inverse : linear predictor -> parameter; of jets too
    log : logarithm of the inverse, where that has a form which holds far from zero
    log_rest : logarithm of 1 - inverse, of probabilities
    """

    name: str
    of: Callable[[FloatArray], FloatArray]
    inverse: Callable[[Real], Real]
    log: Callable[[Real], Real]
    log_rest: Callable[[Real], Real] | None = None

    def slope(self, eta: FloatArray) -> FloatArray:
        """Return the derivative of the inverse, of any shape."""
        values = np.asarray(eta, dtype=np.float64)
        return np.asarray(self.inverse(variable(0, values, frozenset({(), (0,)}))).at(0))

    def of_share(self, some: float, total: float) -> float:
        """Return the linear predictor of a share of a total, moved off 0 and 1."""
        return float(self.of(np.asarray((some + 0.5) / (total + 1.0))))


def _cauchit(x: FloatArray, order: int) -> list[FloatArray]:
    density = 1 / (np.pi * (1 + x * x))
    second = -2 * np.pi * x * density**2
    third = 2 * np.pi * density**2 * (4 * np.pi * x * x * density - 1)
    return [np.arctan2(1.0, -x) / np.pi, density, second, third][: order + 1]


def _inv_cauchit(x: Real) -> Real:
    return applied(_cauchit, x)


def _same(x: Real) -> Real:
    return x


def _square(x: Real) -> Real:
    return x * x


def _ndtri(p: FloatArray) -> FloatArray:
    from scipy.special import ndtri

    return np.asarray(ndtri(p), dtype=np.float64)


def _logit(p: FloatArray) -> FloatArray:
    return np.log(p) - np.log1p(-p)


def _log_inv_cauchit(x: Real) -> Real:
    return log(_inv_cauchit(x))


LINKS: dict[str, Link] = {
    link.name: link
    for link in (
        Link("identity", np.asarray, _same, log),
        Link("log", np.log, exp, _same, lambda x: log1m_exp(-x)),
        Link("sqrt", np.sqrt, _square, lambda x: log(x * x)),
        Link("inverse", np.reciprocal, lambda x: 1 / x, lambda x: -log(x)),
        Link("1/mu^2", lambda mu: mu**-2.0, lambda x: exp(-0.5 * log(x)), lambda x: -0.5 * log(x)),
        Link("logit", _logit, lambda x: exp(log_inv_logit(x)), log_inv_logit, lambda x: log_inv_logit(-x)),
        Link("probit", _ndtri, lambda x: exp(log_ndtr(x)), log_ndtr, lambda x: log_ndtr(-x)),
        Link(
            "cloglog",
            lambda p: np.log(-np.log1p(-p)),
            lambda x: exp(log_inv_cloglog(x)),
            log_inv_cloglog,
            minus_exp,
        ),
        Link(
            "loglog",
            lambda p: -np.log(-np.log(p)),
            lambda x: exp(-exp(-x)),
            lambda x: minus_exp(-x),
            lambda x: log_inv_cloglog(-x),
        ),
        Link(
            "cauchit",
            lambda p: np.tan(np.pi * (p - 0.5)),
            _inv_cauchit,
            _log_inv_cauchit,
            lambda x: _log_inv_cauchit(-x),
        ),
    )
}
"""Name -> link."""
