"""Fit a linear mixed model: `DesignMatrices` -> frozen `Fit`."""

from dataclasses import dataclass
from typing import Literal

from lmmformula.arrays import FloatArray


@dataclass(frozen=True)
class Fit:
    """
    The fitted numbers of a linear mixed model (or of a linear model, where there is no random term).

    reml : whether the criterion is REML's
    theta : (n_theta,) relative covariance parameters, lme4's order and signs
    beta : (p,) fixed effects
    sigma : residual standard deviation
    criterion : REML criterion, or deviance (-2 log likelihood) for ML, at theta
    relative_covariance : per random term, (k, k) covariance of its coefficients divided by sigma^2
    modes : per random term, (J, k) conditional modes b
    vcov : (p, p) covariance of beta, sigma^2 (X' V^-1 X)^-1
    log_det_RX, log_det_L : log|R_X| and log|L|, as lme4's ldRX2 / 2 and ldL2 / 2
    pwrss : penalized weighted residual sum of squares r^2(theta)
    verdict : "ok", "boundary" (singular, and rightly so) or "failed"
    message : what the verdict is about, and what to try; empty for "ok"
    """

    reml: bool
    theta: FloatArray
    beta: FloatArray
    sigma: float
    criterion: float
    relative_covariance: tuple[FloatArray, ...]
    modes: tuple[FloatArray, ...]
    vcov: FloatArray
    log_det_RX: float
    log_det_L: float
    pwrss: float
    verdict: Literal["ok", "boundary", "failed"]
    message: str
