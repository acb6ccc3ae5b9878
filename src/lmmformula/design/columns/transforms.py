"""Functions that depend on all rows, and so must remember what they saw: scale, poly, and spline bases."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.coding.factors import State
from lmmformula.design.columns.evaluated import (
    LARGEST,
    Categorical,
    Numbers,
    Value,
    column_of_numbers,
    flag,
    scalar,
    whole_number,
)
from lmmformula.design.columns.summaries import SampleMoments
from lmmformula.design.limits import refuse_large
from lmmformula.errors import DataError, warn


def scale(state: State, x: Value, *, center: Value = True, scale: Value = True) -> Value:
    """scale(x, center, scale): by the standard deviation or, uncentred, by the root mean square, as R does."""
    values = column_of_numbers(x)
    if not state:
        state |= center_and_scale(SampleMoments.of(values), center, scale)
    return Numbers((values - state["center"]) / state["scale"])


def center_and_scale(moments: SampleMoments, center: Value, scale: Value) -> State:
    """
    Return what scale(x, center, scale) remembers: what is subtracted, and what divides.

    moments : of x
    """
    if not moments.n:
        raise DataError("there are no numbers to scale")
    middle = (moments.mean if center else 0.0) if isinstance(center, bool) else scalar(center)
    if not isinstance(scale, bool):
        return {"center": middle, "scale": scalar(scale)}
    around = moments.squares + moments.n * (moments.mean - middle) ** 2
    size = math.sqrt(around / max(moments.n - 1, 1)) if scale else 1.0
    if not size > 0 or (scale and center is True and moments.lowest == moments.highest):
        raise DataError("a constant column can't be scaled", hint="leave it out, or use scale = FALSE")
    return {"center": middle, "scale": size}


def center(state: State, x: Value) -> Value:
    """center(x): scale(x, scale = FALSE)."""
    return scale(state, x, scale=False)


def poly(
    state: State,
    x: Value,
    *more: Value,
    degree: Value = 1.0,
    coefs: Value = None,
    raw: Value = False,
    simple: Value = False,  # noqa: ARG001 (concerns attributes that only R has)
) -> Value:
    """poly(x, degree), poly(x, z, degree = d): orthogonal (or raw) polynomials; of several columns, all products."""
    if coefs is not None:
        raise DataError("poly() finds its coefficients itself", hint="leave `coefs` away")
    columns = [
        column_of_numbers(x),
        *(column_of_numbers(value) for value in more if isinstance(value, (Numbers, Categorical))),
    ]
    constants = [value for value in more if not isinstance(value, (Numbers, Categorical))]
    highest = whole_number(constants[0] if constants else degree)
    if highest < 1:
        raise DataError("the degree of poly() must be at least 1")
    n_columns = math.comb(len(columns) + highest, highest) - 1
    if n_columns > LARGEST:
        raise DataError(f"poly() would have {n_columns} columns")
    refuse_large(len(columns[0]), n_columns, "poly()")
    bases = []
    for i, column in enumerate(columns):
        if str(i) not in state:
            _check_poly(column, highest, raw=flag(raw))
        bases.append(
            _raw_powers(column, highest, state, str(i)) if raw else _orthogonal(column, highest, state, str(i))
        )
    if len(bases) == 1:
        return _matrix(bases[0].T)
    return _products(bases, highest)


def _check_poly(column: FloatArray, degree: int, *, raw: bool) -> None:
    if np.isnan(column).any():
        raise DataError("missing values are not allowed in poly()", hint="drop these rows before")
    if not np.isfinite(column).all():
        raise DataError("infinite values are not allowed in poly()")
    distinct = len(np.unique(column))
    if not raw and degree >= distinct:
        raise DataError(f"the degree of poly() must be below the number of different values, {distinct}")


def _raw_powers(x: FloatArray, degree: int, state: State, key: str) -> FloatArray:
    state[key] = {}  # checked
    return np.column_stack([x**k for k in range(1, degree + 1)])


def _orthogonal(x: FloatArray, degree: int, state: State, key: str) -> FloatArray:
    from formulaic.transforms.poly import poly as orthogonal

    known = state.get(key)
    inner = {name: dict(enumerate(values)) for name, values in known.items()} if known else {}
    basis = np.asarray(orthogonal(x, degree=degree, _state=inner), dtype=np.float64)
    if known is None:
        state[key] = {name: [float(values[k]) for k in sorted(values)] for name, values in inner.items()}
    return basis


def _products(bases: list[FloatArray], degree: int) -> Numbers:
    """Multiply polynomials of several columns, up to a total degree; the first column's degree varies fastest."""
    degrees: list[tuple[int, ...]] = [()]
    for _ in bases:
        degrees = [(*before, d) for d in range(degree + 1) for before in degrees if sum(before) + d <= degree]
    chosen = [found for found in degrees if sum(found) > 0]
    columns = []
    for found in chosen:
        factors = [basis[:, d - 1] for basis, d in zip(bases, found, strict=True) if d]
        columns.append(np.multiply.reduce(factors))
    return Numbers(np.column_stack(columns), tuple(".".join(map(str, found)) for found in chosen))


def bs(
    state: State,
    x: Value,
    df: Value = None,
    knots: Value = None,
    *,
    degree: Value = 3.0,
    intercept: Value = False,
    Boundary_knots: Value = None,
) -> Value:
    """bs(x, df, knots, degree, intercept, Boundary.knots): B-splines; outside the boundary the polynomials go on."""
    from formulaic.transforms.basis_spline import basis_spline

    least = whole_number(degree) + flag(intercept)
    if whole_number(degree) < 1:
        raise DataError("the degree of bs() must be at least 1")
    refuse_large(len(column_of_numbers(x)), least + (_integer(df) or 0) + len(_floats(knots) or ()), "bs()")
    if df is not None and whole_number(df) < least:
        raise DataError(f"bs() of this degree has at least {least} degrees of freedom", hint=f"use df = {least}")
    lower, upper = _bounds(state, Boundary_knots)
    if not state and knots is not None:
        _require_inside(_floats(knots) or [], column_of_numbers(x), lower, upper)
    basis = _formulaic(
        basis_spline, x, state, df=_integer(df), knots=_floats(knots), degree=_integer(degree),
        include_intercept=flag(intercept), lower_bound=lower, upper_bound=upper, extrapolation="extend",
    )  # fmt: skip
    _tell_of_beyond(column_of_numbers(x), state["lower_bound"], state["upper_bound"])
    return _matrix(basis)


def _tell_of_beyond(values: FloatArray, lower: float, upper: float) -> None:
    """Warn of values beyond the boundary knots, as R does."""
    beyond = int(((values < lower) | (values > upper)).sum())
    if beyond:
        message = f"bs(): {beyond} of {len(values)} values are beyond the boundary knots, {lower:g} and {upper:g}"
        hint = "polynomials run away there; columns of these may be ill-conditioned"
        warn(f"{message}; {hint}")


def ns(
    state: State,
    x: Value,
    df: Value = None,
    knots: Value = None,
    *,
    intercept: Value = False,
    Boundary_knots: Value = None,
) -> Value:
    """ns(x, df, knots, intercept, Boundary.knots): natural cubic splines, linear outside the boundary."""
    values = column_of_numbers(x)
    refuse_large(len(values), (_integer(df) or 0) + len(_floats(knots) or ()), "ns()")
    if not state:
        _require_numbers(values)
        lower, upper = _bounds(state, Boundary_knots)
        finite = values[np.isfinite(values)]
        lower = float(finite.min()) if lower is None else lower
        upper = float(finite.max()) if upper is None else upper
        inside = values[(values >= lower) & (values <= upper)]
        state.update(bounds=[lower, upper], knots=_natural_knots(inside, df, knots, intercept=flag(intercept)))
    return _matrix(_natural_basis(values, state["bounds"], state["knots"], intercept=flag(intercept)).T)


def cr(state: State, x: Value, df: Value = None, knots: Value = None) -> Value:
    """cr(x, df, knots): mgcv's natural cubic regression splines, parametrised by their values at the knots."""
    from formulaic.transforms.cubic_spline import natural_cubic_spline

    return _matrix(_formulaic(natural_cubic_spline, x, state, df=_integer(df), knots=_floats(knots)))


def cc(state: State, x: Value, df: Value = None, knots: Value = None) -> Value:
    """cc(x, df, knots): cyclic cubic regression splines."""
    from formulaic.transforms.cubic_spline import cyclic_cubic_spline

    return _matrix(_formulaic(cyclic_cubic_spline, x, state, df=_integer(df), knots=_floats(knots)))


def _formulaic(transform: Callable[..., Any], x: Value, state: State, **options: Any) -> list[FloatArray]:  # noqa: ANN401
    """Call a spline transform of formulaic on the rows that are there; elsewhere the basis is missing."""
    values = column_of_numbers(x)
    present = np.isfinite(values)
    if not state.get("knots"):
        _require_numbers(values)
    try:
        basis = transform(values[present], **options, _state=state)
    except ValueError as error:
        raise DataError(f"this spline is not possible: {error}") from None
    columns = []
    for column in dict(basis).values():
        everywhere = np.full(len(values), np.nan)
        everywhere[present] = column
        columns.append(everywhere)
    return columns


def _require_inside(knots: list[float], values: FloatArray, lower: float | None, upper: float | None) -> None:
    _require_numbers(values)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()) if lower is None else lower), (float(finite.max()) if upper is None else upper)
    if any(not low <= knot <= high for knot in knots):
        raise DataError("the knots of bs() must be inside the boundary", hint=f"it goes from {low:g} to {high:g}")


def _require_numbers(values: FloatArray) -> None:
    if not np.isfinite(values).any():
        raise DataError("there are no numbers to place knots among")


def _natural_knots(inside: FloatArray, df: Value, knots: Value, *, intercept: bool) -> list[float]:
    """Return inner knots: given ones, or quantiles for as many as the degrees of freedom leave."""
    given = _floats(knots)
    if given is not None:
        return sorted(given)
    wanted = 1 + intercept if df is None else whole_number(df)
    n_inner = max(wanted - 1 - intercept, 0)
    return np.quantile(inside, np.linspace(0, 1, n_inner + 2)[1:-1]).tolist() if n_inner else []


def _natural_basis(x: FloatArray, bounds: Iterable[float], knots: list[float], *, intercept: bool) -> FloatArray:
    """
    Natural cubic splines (n, k): B-splines B whose combinations N have no second derivative at the boundary.

    N = Q[:, 2:] where QR decomposes the transposed (2, m) second derivatives, as in splines::ns.
    """
    from scipy.interpolate import BSpline

    lower, upper = bounds
    grid = np.array([lower] * 4 + knots + [upper] * 4)
    size = len(grid) - 4
    if np.any(np.diff(grid[3:-3]) <= 0):
        raise DataError("the knots of ns() must be different and inside the boundary")
    splines = BSpline(grid, np.eye(size), 3)
    first = 0 if intercept else 1
    clipped = np.clip(x, lower, upper)
    present = np.isfinite(x)
    basis = np.full((len(x), size), np.nan)
    basis[present] = splines(clipped[present])
    for outside, bound in ((x < lower, lower), (x > upper, upper)):
        if outside.any():
            basis[outside] += np.outer(x[outside] - bound, splines(bound, nu=1))
    constraints = splines(np.array([lower, upper]), nu=2)[:, first:]
    Q, _ = np.linalg.qr(constraints.T, mode="complete")
    natural: FloatArray = basis[:, first:] @ Q[:, 2:]
    return natural


def _bounds(state: State, given: Value) -> tuple[float | None, float | None]:
    if given is None or state:
        return None, None
    bounds = _floats(given)
    if bounds is None or len(bounds) != 2:
        raise DataError("Boundary.knots are two numbers, as in c(0, 10)")
    return min(bounds), max(bounds)


def _integer(value: Value) -> int | None:
    return None if value is None else whole_number(value)


def _floats(value: Value) -> list[float] | None:
    if value is None:
        return None
    return [scalar(number) for number in (value if isinstance(value, tuple) else (value,))]


def _matrix(columns: Iterable[FloatArray]) -> Numbers:
    """Return columns as one value; R numbers them, and a single one has no number."""
    stacked = np.column_stack(list(columns))
    if stacked.shape[1] == 1:
        return Numbers(np.ascontiguousarray(stacked[:, 0]))
    return Numbers(stacked, tuple(str(k + 1) for k in range(stacked.shape[1])))
