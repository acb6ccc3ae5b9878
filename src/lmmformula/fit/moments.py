"""
The sums over rows that Kenward and Roger's method is made of, from cross-products alone.

V changes linearly in the directions V_a = Z_f (I (x) S_a) Z_f' and V_0 = V. V itself takes the place of the residual's
own direction: it spans the same together with the others, and what meets it needs no new sums.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.covariances.maps import LinearRoot
from lmmformula.covariances.matrices import square_root
from lmmformula.design.design import Design
from lmmformula.design.sums.coordinates import block_diagonal
from lmmformula.errors import FitError
from lmmformula.fit.algebra import blocks
from lmmformula.fit.algebra.plan import Structure
from lmmformula.fit.lmm import Fit
from lmmformula.fit.reml.problem import Problem, prepare
from lmmformula.fit.reml.profiled import DensePoint, level_traces, objective_for
from lmmformula.fit.reml.single import SingleFactor, SinglePoint
from lmmformula.fit.search.covariances import stacked

MOST_EFFECTS = 4000
"""Number of random effects up to which several grouping factors, or a wide one, are treated as one dense matrix."""

MOST_PRODUCTS = 4000
"""Number of fixed effects times number of covariance parameters that is accepted; its square is formed."""


@dataclass(frozen=True, slots=True)
class Moments:
    """
    Moments of the n directions, V itself first, of a model with p fixed effects.

    half : (p, p), half half' = vcov = (X'V^-1X)^-1, so that half'X'V^-1X half = I
    W : (n, p, p) half'X'V^-1 V_a V^-1 X half
    U : (n, n, p, p) half'X'V^-1 V_a V^-1 V_b V^-1 X half
    traces : (n, n) tr(V^-1 V_a V^-1 V_b)
    """

    half: FloatArray
    W: FloatArray
    U: FloatArray
    traces: FloatArray


def moments(design: Design, fit: Fit) -> Moments:
    """
    Form the moments at a fit.

    Raises
    ------
    FitError
        There are too many random or fixed effects for it.
    """
    _refuse_large(design)
    problem = prepare(design, reml=fit.reml)
    inner = problem.inner(fit.relative_covariance)
    directions = _directions(problem, inner)
    match problem.at(inner):
        case SinglePoint() as point:
            W, U, traces, first = _by_level(point, directions[0])
        case point:
            W, U, traces, first = _as_a_whole(problem, inner, directions)
    n, p = len(W), design.n_fixed
    eye = np.eye(p)
    all_U = np.empty((n + 1, n + 1, p, p))
    all_U[0, 0], all_U[0, 1:], all_U[1:, 0], all_U[1:, 1:] = eye, W, W, U
    all_traces = np.block([[np.array([[float(design.nobs)]]), first[None]], [first[:, None], traces]])
    half = fit.sigma * (problem.products.coordinates.fixed @ point.profile.inverse_R)
    return Moments(half, np.concatenate([eye[None], W]), all_U, all_traces)


def _refuse_large(design: Design) -> None:
    several = len({term.group for term in design.random_terms}) > 1
    wide = sum(term.n_coefficients for term in design.random_terms) > blocks.LARGE
    hint = 'use ddf="satterthwaite": with this many data the two hardly differ'
    if (several or wide) and design.n_random > MOST_EFFECTS:
        raise FitError(
            f"Kenward-Roger needs a dense matrix of all {design.n_random} random effects; the limit is {MOST_EFFECTS}",
            hint=hint,
        )
    p, v = design.n_fixed, design.n_variance_parameters
    if (size := p * v) > MOST_PRODUCTS:
        raise FitError(
            f"Kenward-Roger for {p} fixed effects and {v} covariance parameters needs {size**2:,} numbers; "
            f"the limit is {MOST_PRODUCTS**2:,}",
            hint=hint,
        )


def _directions(problem: Problem, inner: Sequence[FloatArray]) -> list[FloatArray]:
    """Return per factor the (n, k, k) directions: all of a linear structure, the tangents of another."""
    parameters = problem.parameters
    at = parameters.split(problem.parameters.nearest([[inner[t] for t in f.terms] for f in problem.products.factors]))
    return [
        stacked(
            [m.spanning if isinstance(m, LinearRoot) else m.directions(own) for m, own in zip(maps, parts, strict=True)]
        )
        for maps, parts in zip(parameters.maps, at, strict=True)
    ]


Sums = tuple[FloatArray, FloatArray, FloatArray, FloatArray]
"""W, U, traces, and tr(V^-1 V_a) of the random effects' directions."""


def _by_level(point: SinglePoint, S: FloatArray) -> Sums:
    """One grouping factor: K = Z'V^-1Z is block diagonal, and everything a sum over levels."""
    objective, T, p = point.objective, point.T, len(point.profile.beta)
    n, k = len(S), len(T)
    square, crossed = np.zeros((n * p, n * p)), np.zeros((n * p, p))
    for part in objective.chunks():
        K, Q = _projected(objective, point, part)
        D = blocks.einsum("aqr,rxj->qaxj", S, Q).reshape(k, n * p, -1)
        KD = blocks.products(K, D)
        flat = D.transpose(1, 0, 2).reshape(n * p, -1)
        square += flat @ KD.transpose(1, 0, 2).reshape(n * p, -1).T
        crossed += flat @ Q.transpose(1, 0, 2).reshape(p, -1).T
    sums = point.moments()
    index = blocks.packed_index(k)
    table = sums.KK[index[:, :, None, None], index[None, None]].transpose(1, 2, 3, 0)  # K_pq K_rs as [q, r, s, p]
    traces = blocks.contract("aqr,qrsp,bsp->ab", S, table, S)
    first: FloatArray = np.tensordot(S, blocks.unpack(sums.K), axes=2)
    return crossed.reshape(n, p, p), square.reshape(n, p, n, p).transpose(0, 2, 1, 3), traces, first


def _projected(objective: SingleFactor, point: SinglePoint, part: slice) -> tuple[FloatArray, FloatArray]:
    """Return of some levels (k, k, J) K = Z'V^-1Z and (k, p, J) Q = Z'V^-1X R^-1."""
    L, Y = objective.eliminate(point.T, part)
    C = blocks.unpack(objective.C[:, part])
    H = blocks.solve_lower(L, blocks.multiply(point.T.T, C))
    B = objective.products.factors[0].B[:, :, part]
    inverse = point.profile.inverse_R
    p = len(inverse)
    Q = blocks.times(B[:, :p] - blocks.cross(H, Y[:, :p]), inverse)
    return C - blocks.cross(H, H), Q


def _as_a_whole(problem: Problem, inner: Sequence[FloatArray], directions: Sequence[FloatArray]) -> Sums:
    """Several factors: K as one matrix, whatever the structure of the fit."""
    roots = [square_root(block_diagonal([inner[t] for t in f.terms])) for f in problem.products.factors]
    point = objective_for(problem.products, Structure("dense", ""), reml=False).at(roots)
    assert isinstance(point, DensePoint)
    K, places, p = point.M.K, point.places, len(point.profile.beta)
    B = point.M.stacked(point.B - point.M.gram.times(point.solved))
    Q = B[:, :p] @ point.profile.inverse_R
    n = sum(map(len, directions))
    D, at = np.zeros((len(K), n, p)), 0
    for S, place in zip(directions, places, strict=True):
        own = Q[place].reshape(S.shape[1], -1, p)
        D[place, at : at + len(S)] = blocks.einsum("aqr,rjx->qjax", S, own).reshape(-1, len(S), p)
        at += len(S)
    flat = D.reshape(len(K), n * p)
    U = (flat.T @ (K @ flat)).reshape(n, p, n, p).transpose(0, 2, 1, 3)
    traces, first = _traces(K, places, directions)
    return (flat.T @ Q).reshape(n, p, p), U, traces, first


def _traces(K: FloatArray, places: Sequence[slice], directions: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Return tr(V^-1 V_a V^-1 V_b) and tr(V^-1 V_a) from K = Z'V^-1Z."""
    rows = [
        [level_traces(K[f, g], S, R) for R, g in zip(directions, places, strict=True)]
        for S, f in zip(directions, places, strict=True)
    ]
    first = []
    for S, f in zip(directions, places, strict=True):
        k = S.shape[1]
        own = K[f, f].reshape(k, len(K[f]) // k, k, -1)
        first.append(np.tensordot(S, blocks.einsum("rjqj->qr", own), axes=2))
    return np.block(rows), np.concatenate(first)
