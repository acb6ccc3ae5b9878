"""
Convergence of Markov chains: rank-normalised split R-hat, bulk and tail effective sample size, E-BFMI.

Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), Bayesian Analysis 16(2), equations as numbered there.
"""

from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import FloatArray

MAX_RHAT = 1.01
MAX_RHAT_OF_ANY = 1.05
MIN_ESS_PER_CHAIN = 100.0
MIN_EBFMI = 0.3
FEWEST = 4
"""Draws of a chain from which its halves can be compared."""


@dataclass(frozen=True, slots=True)
class Summary:
    """
    What draws say of each of m quantities; every field is (m,).

    A quantity that never changes has no R-hat and no effective sample size, and neither has one of fewer than 4 draws
    of a chain: NaN.
    """

    mean: FloatArray
    sd: FloatArray
    mcse: FloatArray
    q5: FloatArray
    q50: FloatArray
    q95: FloatArray
    ess_bulk: FloatArray
    ess_tail: FloatArray
    rhat: FloatArray


def summarise(values: FloatArray) -> Summary:
    """
    Summarise draws of m quantities.

    values : (chains, draws, m)
    """
    pooled = values.reshape(values.shape[0] * values.shape[1], values.shape[2])
    unknown = np.full(values.shape[-1], np.nan)
    sd = pooled.std(axis=0, ddof=1) if len(pooled) > 1 else unknown
    q5, q50, q95 = np.quantile(pooled, [0.05, 0.5, 0.95], axis=0)
    enough = values.shape[1] >= FEWEST
    return Summary(
        mean=pooled.mean(axis=0),
        sd=sd,
        mcse=sd / np.sqrt(ess(_split(values))),
        q5=q5,
        q50=q50,
        q95=q95,
        ess_bulk=ess(_normal_scores(_split(values))) if enough else unknown,
        ess_tail=np.fmin(ess(_split(values <= q5)), ess(_split(values <= q95))),
        rhat=rhat(values) if enough else unknown,
    )


def rhat(values: FloatArray) -> FloatArray:
    """
    Rank-normalised split R-hat: the larger of those for location and for spread (section 4).

    values : (chains, draws, m)
    Returns (m,), NaN for a quantity that never changes.
    """
    halves = _split(values)
    folded = np.abs(halves - np.median(halves, axis=(0, 1)))
    return np.maximum(_plain_rhat(_normal_scores(halves)), _plain_rhat(_normal_scores(folded)))


def ess(chains: FloatArray) -> FloatArray:
    """
    Effective sample size by Geyer's initial monotone sequence (equations 10 to 13).

    chains : (chains, draws, m), already split
    Returns (m,), NaN for a quantity that never changes or is not finite; at most n log10(n) of n draws.
    """
    n_chains, n, _ = chains.shape
    if n < 4:
        return np.full(chains.shape[-1], np.nan)
    chains = chains.astype(np.float64)  # also from booleans, for probabilities
    covariance = _autocovariance(chains)
    within = covariance[:, 0].mean(axis=0) * n / (n - 1)
    pooled = within * (n - 1) / n
    if n_chains > 1:
        pooled = pooled + chains.mean(axis=1).var(axis=0, ddof=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        rho = 1 - (within - covariance.mean(axis=0)) / pooled
    rho[0] = 1.0
    tau = np.array([_autocorrelation_time(column) for column in rho.T])
    total = n_chains * n
    constant = ~np.isfinite(pooled) | (np.ptp(chains, axis=(0, 1)) == 0)
    size: FloatArray = np.where(constant, np.nan, total / np.maximum(tau, 1 / np.log10(total)))
    return size


def ebfmi(energy: FloatArray) -> FloatArray:
    """
    Energy Bayesian fraction of missing information of each chain (Betancourt 2016); low where tails are missed.

    energy : (chains, draws)
    """
    changes = np.square(np.diff(energy, axis=1)).sum(axis=1)
    spread = np.square(energy - energy.mean(axis=1, keepdims=True)).sum(axis=1)
    fraction: FloatArray = np.divide(changes, spread, out=np.full(len(energy), np.nan), where=spread > 0)
    return fraction


def _split(values: FloatArray) -> FloatArray:
    """Cut each chain in two halves; the middle one of an odd number of draws is left out."""
    half = values.shape[1] // 2
    return np.concatenate([values[:, :half], values[:, values.shape[1] - half :]])


def _normal_scores(values: FloatArray) -> FloatArray:
    """Replace values by the normal quantiles of their ranks, ties averaged (equation 14)."""
    from scipy.special import ndtri

    size = values.shape[0] * values.shape[1]
    flat = values.reshape(size, -1)
    ranks = np.empty(flat.shape)
    for column, target in zip(flat.T, ranks.T, strict=True):
        _, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
        target[:] = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    scores: FloatArray = ndtri((ranks - 0.375) / (size + 0.25)).reshape(values.shape)
    return scores


def _plain_rhat(chains: FloatArray) -> FloatArray:
    """Root of the pooled over the within-chain variance (equations 1 to 4)."""
    n = chains.shape[1]
    within = chains.var(axis=1, ddof=1).mean(axis=0)
    between = chains.mean(axis=1).var(axis=0, ddof=1)
    ratio = np.divide(between, within, out=np.full(within.shape, np.nan), where=within > 0)
    root: FloatArray = np.sqrt((n - 1) / n + ratio)
    return root


def _autocovariance(chains: FloatArray) -> FloatArray:
    """Autocovariance of each chain at each lag, over n, by fast Fourier transform: (chains, draws, m)."""
    n = chains.shape[1]
    centred = chains - chains.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(centred, 2 * n, axis=1)
    covariance: FloatArray = np.fft.irfft(np.abs(spectrum) ** 2, 2 * n, axis=1)[:, :n] / n
    return covariance


def _autocorrelation_time(rho: FloatArray) -> float:
    """Sum the autocorrelations in pairs while these are positive, each no larger than the one before."""
    pairs = rho[: len(rho) // 2 * 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(~(pairs > 0))
    last = int(negative[0]) if len(negative) else len(pairs)
    if last == 0:
        return 1.0
    monotone = np.minimum.accumulate(pairs[:last])
    after = rho[2 * last] if 2 * last < len(rho) else 0.0
    return float(-1 + 2 * monotone.sum() + max(after, 0.0))
