"""
Log densities of responses as functions of the linear predictor, with all derivatives that Laplace's method needs.

A kernel knows the response. At a linear predictor eta and the family's parameters psi (their logarithms, or logits) it
gives `Rows`. Their curvature is the observed one, with which Laplace's approximation is what its name says, as in TMB
(Kristensen et al. 2016, J. Stat. Soft. 70(5)). The expected one, of which lme4's criterion is made, is there beside it;
for canonical links they agree.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.fit.densities import LOG_2PI, best_binomial

MANY = 500.0
"""Degrees of freedom from which a series of three terms is exact."""

LEAST_WEIGHT = 1e-8
"""Of a row whose density has no curvature, in steps towards a mode."""

FARTHEST = 14.0
"""Logarithm or logit of a family's parameter beyond which it is as good as infinite, or zero: the criterion is flat."""


@dataclass(slots=True)
class Own:
    """Derivatives in one parameter of the family, row by row: of log density, of its slope, and of the weight."""

    loglik: FloatArray
    score: FloatArray
    weight: FloatArray


@dataclass(slots=True)
class Rows:
    """
    Row by row, each (n,): log density, its slope in eta, and its curvature.

    weight : minus the second derivative of the log density, or what is expected of it
    slope : derivative of `weight` in eta
    own : derivatives in psi
    """

    loglik: FloatArray
    score: FloatArray
    weight: FloatArray
    slope: FloatArray
    own: tuple[Own, ...] = ()

    def weighted(self, weight: FloatArray, slope: FloatArray, *own: FloatArray) -> "Rows":
        """Return the same with other weights; `own` are their derivatives in psi."""
        turned = tuple(replace(o, weight=w) for o, w in zip(self.own, own, strict=True))
        return Rows(self.loglik, self.score, weight, slope, turned)


class Kernel(ABC):
    """
    The log density of a response.

    names : the family's parameters, each on the log scale in psi, but "zi" on the logit scale
    scale : units of the linear predictor in those that the kernel computes with, where it has the response's
    farthest : size of psi beyond which the density is what it is at infinity
    terms : sum of the sizes of terms that cancel within the rows' log densities, beside what is left of them
    mirrored : whether -eta has the same density as eta, so that there may be modes on both sides of zero
    """

    names: tuple[str, ...] = ()
    scale: float = 1.0
    farthest: float = FARTHEST
    terms: float = 0.0
    mirrored: bool = False

    @abstractmethod
    def at(self, eta: FloatArray, psi: FloatArray) -> Rows:
        """Evaluate it, with the observed curvature."""

    def expected(self, rows: Rows, eta: FloatArray, psi: FloatArray) -> Rows:  # noqa: ARG002 (others need them)
        """Return rows with the curvature that is expected of the response; the same rows where the two agree."""
        return rows

    def positive(self, rows: Rows, eta: FloatArray, psi: FloatArray) -> FloatArray:
        """Return weights for steps from where the observed ones are not those of a maximum."""
        return np.maximum(self.expected(rows, eta, psi).weight, LEAST_WEIGHT)

    @abstractmethod
    def predictor(self) -> FloatArray:
        """Return a linear predictor, (n,), that suits each row: link(y), moved off the bounds."""

    def start(self) -> FloatArray:
        """Return psi to start at."""
        return np.zeros(0)

    def again(self, eta: FloatArray, psi: FloatArray) -> FloatArray:  # noqa: ARG002 (others need it)
        """Return psi to go on from, once there is a linear predictor."""
        return psi

    def values(self, psi: FloatArray) -> FloatArray:
        """Return the family's parameters."""
        return np.array([inv_logit(x) if name == "zi" else np.exp(x) for name, x in zip(self.names, psi, strict=True)])

    def slopes(self, psi: FloatArray) -> FloatArray:
        """Return the derivatives of `values` in psi."""
        values = self.values(psi)
        return np.array([v * (1 - v) if name == "zi" else v for name, v in zip(self.names, values, strict=True)])


def inv_logit(x: Any) -> Any:  # noqa: ANN401 (a number or an array)
    """Return 1 / (1 + exp(-x))."""
    return 0.5 * (1 + np.tanh(0.5 * x))


@dataclass(slots=True)
class Binomial(Kernel):
    """
    Shares y of trials with probability p(eta); s = m (y a + (1 - y) b), a = (log p)', b = (log (1 - p))'.

    The expected curvature is -m a b = m p'^2 / (p (1 - p)).
    """

    y: FloatArray
    trials: FloatArray | float
    link: str
    best: FloatArray = field(init=False)
    log_best: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        from scipy.special import entr

        self.best = best_binomial(self.y, self.trials)
        self.log_best = -entr(self.y) - entr(1 - self.y)
        self.terms = float(np.sum(self.trials * np.abs(self.log_best)))

    def predictor(self) -> FloatArray:
        """Return the link of (m y + 1/2) / (m + 1)."""
        share = (self.trials * self.y + 0.5) / (self.trials + 1)
        match self.link:
            case "logit":
                return np.log(share / (1 - share))
            case "cloglog":
                return np.log(-np.log1p(-share))
            case _:
                from scipy.special import ndtri

                return np.asarray(ndtri(share), dtype=np.float64)

    def at(self, eta: FloatArray, psi: FloatArray) -> Rows:  # noqa: ARG002 (no parameters)
        """Evaluate it."""
        y, m = self.y, self.trials
        (log_p, a, a1, a2), (log_q, b, b1, b2) = _PROBABILITIES[self.link](eta)
        z = 1 - y
        loglik = self.best + m * (y * log_p + z * log_q - self.log_best)
        return Rows(loglik, m * (y * a + z * b), -m * (y * a1 + z * b1), -m * (y * a2 + z * b2))

    def expected(self, rows: Rows, eta: FloatArray, psi: FloatArray) -> Rows:  # noqa: ARG002 (no parameters)
        """Return rows with the expected curvature."""
        if self.link == "logit":
            return rows
        (_, a, a1, _), (_, b, b1, _) = _PROBABILITIES[self.link](eta)
        return rows.weighted(-self.trials * a * b, -self.trials * (a1 * b + a * b1))


Derivatives = tuple[FloatArray, FloatArray, FloatArray, FloatArray]


def _logit(eta: FloatArray) -> tuple[Derivatives, Derivatives]:
    p = inv_logit(eta)
    log_p = -np.logaddexp(0.0, -eta)
    flat = -p * (1 - p)
    bent = flat * (1 - 2 * p)
    return (log_p, 1 - p, flat, bent), (log_p - eta, -p, flat, bent)


def _probit(eta: FloatArray) -> tuple[Derivatives, Derivatives]:
    from scipy.special import log_ndtr

    log_density = -0.5 * (LOG_2PI + eta * eta)

    def side(log_p: FloatArray, sign: float) -> Derivatives:
        a = sign * np.exp(log_density - log_p)
        a1 = -a * (eta + a)
        return log_p, a, a1, -a1 * (eta + a) - a * (1 + a1)

    return side(log_ndtr(eta), 1.0), side(log_ndtr(-eta), -1.0)


def _cloglog(eta: FloatArray) -> tuple[Derivatives, Derivatives]:
    rate = np.exp(np.clip(eta, -700.0, 700.0))
    a = rate / np.expm1(rate)
    left = 1 - rate - a
    a1 = a * left
    return (np.log(-np.expm1(-rate)), a, a1, a1 * left - a * (rate + a1)), (-rate, -rate, -rate, -rate)


_PROBABILITIES = {"logit": _logit, "probit": _probit, "cloglog": _cloglog}
"""Link -> log p and its first three derivatives, and those of log(1 - p)."""


@dataclass(slots=True)
class Gamma(Kernel):
    """Positive values of mean exp(eta) and variance mean^2 / shape."""

    y: FloatArray
    names = ("shape",)

    def predictor(self) -> FloatArray:
        """Return log y."""
        return np.log(self.y)

    def start(self) -> FloatArray:
        """Take the shape from the variance of log y."""
        return np.array([-np.log(np.clip(np.var(np.log(self.y)) / 2, 1e-4, 1e4))])

    def at(self, eta: FloatArray, psi: FloatArray) -> Rows:
        """Evaluate it."""
        from scipy.special import digamma, gammaln

        log_y, shape = np.log(self.y), float(np.exp(psi[0]))
        t = np.exp(log_y - eta)
        loglik = shape * np.log(shape) - gammaln(shape) + (shape - 1) * log_y - shape * (eta + t)
        own = Own(shape * (np.log(shape) + 1 - digamma(shape) + log_y - eta - t), shape * (t - 1), shape * t)
        return Rows(loglik, shape * (t - 1), shape * t, -shape * t, (own,))

    def expected(self, rows: Rows, eta: FloatArray, psi: FloatArray) -> Rows:
        """Return rows with the expected curvature, the shape."""
        flat = np.full_like(eta, np.exp(psi[0]))
        return rows.weighted(flat, np.zeros_like(eta), flat)


@dataclass(slots=True)
class Beta(Kernel):
    """Shares with mean mu = inv_logit(eta) and variance mu (1 - mu) / (1 + phi)."""

    y: FloatArray
    names = ("phi",)

    def predictor(self) -> FloatArray:
        """Return logit y."""
        return np.log(self.y) - np.log1p(-self.y)

    def start(self) -> FloatArray:
        """Take phi from the variance of y."""
        mean, variance = float(self.y.mean()), float(self.y.var())
        return np.array([np.log(np.clip(2 * mean * (1 - mean) / max(variance, 1e-12) - 1, 0.5, 1e6))])

    def at(self, eta: FloatArray, psi: FloatArray) -> Rows:
        """Evaluate it."""
        from scipy.special import digamma, gammaln, polygamma

        phi, mu, log_y, log_rest = float(np.exp(psi[0])), inv_logit(eta), np.log(self.y), np.log1p(-self.y)
        a, b = mu * phi, (1 - mu) * phi
        v = mu * (1 - mu)
        v1 = v * (1 - 2 * mu)
        v2 = v1 * (1 - 2 * mu) - 2 * v * v
        left = log_y - log_rest - digamma(a) + digamma(b)
        tri_a, tri_b, tetra_a, tetra_b = polygamma(1, a), polygamma(1, b), polygamma(2, a), polygamma(2, b)
        tau, tau1 = tri_a + tri_b, phi * v * (tetra_a - tetra_b)
        observed = phi * (phi * v * v * tau - v1 * left)
        slope = phi * phi * (3 * v * v1 * tau + v * v * tau1) - phi * v2 * left
        turn = mu * tri_a - (1 - mu) * tri_b
        by_phi = digamma(phi) - mu * digamma(a) - (1 - mu) * digamma(b) + mu * log_y + (1 - mu) * log_rest
        by_phi_twice = 2 * phi * v * v * tau + (phi * v) ** 2 * (mu * tetra_a + (1 - mu) * tetra_b)
        own = Own(phi * by_phi, phi * v * (left - phi * turn), phi * (by_phi_twice - v1 * left + phi * v1 * turn))
        loglik = gammaln(phi) - gammaln(a) - gammaln(b) + (a - 1) * log_y + (b - 1) * log_rest
        return Rows(loglik, phi * v * left, observed, slope, (own,))

    def expected(self, rows: Rows, eta: FloatArray, psi: FloatArray) -> Rows:
        """Return rows with the expected curvature, phi^2 v^2 (trigamma(a) + trigamma(b))."""
        from scipy.special import polygamma

        phi, mu = float(np.exp(psi[0])), inv_logit(eta)
        a, b = mu * phi, (1 - mu) * phi
        v = mu * (1 - mu)
        tau, tetra_a, tetra_b = polygamma(1, a) + polygamma(1, b), polygamma(2, a), polygamma(2, b)
        square = (phi * v) ** 2
        slope = square * (2 * (1 - 2 * mu) * tau + phi * v * (tetra_a - tetra_b))
        return rows.weighted(square * tau, slope, square * (2 * tau + a * tetra_a + b * tetra_b))


@dataclass(slots=True)
class Normal(Kernel):
    """
    Normal values x around eta, the logarithms of a lognormal response or the response itself.

    x : in units of `scale`
    extra : (n,) added to the log density: log |dx/dy|
    roots : square roots of the weights by which a row's sigma is divided
    """

    x: FloatArray
    extra: FloatArray | float = 0.0
    scale: float = 1.0
    roots: FloatArray | float = 1.0
    names = ("sigma",)

    def predictor(self) -> FloatArray:
        """Return x."""
        return self.x

    def start(self) -> FloatArray:
        """Take half the standard deviation of x."""
        return np.array([np.log(max(0.5 * float(np.std(self.x)), 1e-12))])

    def at(self, eta: FloatArray, psi: FloatArray) -> Rows:
        """Evaluate it."""
        sigma = np.exp(psi[0]) / self.roots * np.ones_like(eta)
        z = (self.x - eta) / sigma
        flat = 1 / sigma**2
        own = Own(z * z - 1, -2 * z / sigma, -2 * flat)
        loglik = self.extra - 0.5 * (LOG_2PI + z * z) - np.log(sigma * self.scale)
        return Rows(loglik, z / sigma, flat, np.zeros_like(eta), (own,))


@dataclass(slots=True)
class Student(Kernel):
    """
    Values around eta with Student's t of nu degrees of freedom; far out the observed curvature is negative.

    y : in units of `scale`
    roots : square roots of the weights by which a row's sigma is divided
    """

    y: FloatArray
    scale: float = 1.0
    roots: FloatArray | float = 1.0
    names = ("sigma", "nu")

    def predictor(self) -> FloatArray:
        """Return y."""
        return self.y

    def start(self) -> FloatArray:
        """Take half the standard deviation of y, and 10 degrees of freedom."""
        return np.array([np.log(max(0.5 * float(np.std(self.y)), 1e-12)), np.log(10.0)])

    def at(self, eta: FloatArray, psi: FloatArray) -> Rows:
        """Evaluate it."""
        sigma, nu = np.exp(psi[0]) / self.roots * np.ones_like(eta), float(np.exp(psi[1]))
        z = (self.y - eta) / sigma
        total = nu + z * z
        tail = np.log1p(z * z / nu)
        constant, slope = _half_step(nu)
        unit, square = 1 / (sigma * total), z * z
        score, lead = (nu + 1) * z * unit, (nu + 1) * unit * unit
        observed, bent = lead * (nu - square), 2 * lead * (square - 3 * nu) / total
        by_sigma = Own((nu + 1) * square / total - 1, -score - sigma * observed * z, -2 * observed - bent * square)
        by_nu = slope + 0.5 * ((nu + 1) / nu * square / total - tail)
        score_by_nu = z * (square - 1) * unit / total
        weight_by_nu = (2 * nu + 1 - square - 2 * (nu + 1) * (nu - square) / total) * unit * unit
        own = Own(nu * by_nu, nu * score_by_nu, nu * weight_by_nu)
        loglik = constant - np.log(sigma * self.scale) - 0.5 * (nu + 1) * tail
        return Rows(loglik, score, observed, -bent * z / sigma, (by_sigma, own))

    def expected(self, rows: Rows, eta: FloatArray, psi: FloatArray) -> Rows:
        """Return rows with the expected curvature, (nu + 1) / (nu + 3) / sigma^2."""
        sigma, nu = np.exp(psi[0]) / self.roots * np.ones_like(eta), float(np.exp(psi[1]))
        flat = (nu + 1) / ((nu + 3) * sigma**2)
        return rows.weighted(flat, np.zeros_like(eta), -2 * flat, 2 * nu / ((nu + 3) * sigma) ** 2)


def _half_step(nu: float) -> tuple[float, float]:
    """
    Return log[Gamma((nu + 1) / 2) / (Gamma(nu / 2) sqrt(nu pi))] and its derivative, by a series where nu is large.

    >>> [round(x, 6) for x in _half_step(1e8)]
    [-0.918939, 0.0]
    """
    from scipy.special import digamma, gammaln

    if nu < MANY:
        value = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * np.log(nu * np.pi)
        return float(value), float(0.5 * (digamma((nu + 1) / 2) - digamma(nu / 2) - 1 / nu))
    return -0.5 * LOG_2PI - 0.25 / nu + nu**-3 / 24, 0.25 * nu**-2 - nu**-4 / 8
