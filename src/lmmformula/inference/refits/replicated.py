"""Designs with more or fewer levels of a grouping factor than the data have."""

from dataclasses import replace

import numpy as np

from lmmformula.arrays import IntArray
from lmmformula.design.matrices import DesignMatrices, RandomTermDesign
from lmmformula.errors import FitError


def replicated(design: DesignMatrices, group: str, n_levels: int) -> DesignMatrices:
    """
    Return the design with `n_levels` levels of a grouping factor: the data's own, in order, as often as needed.

    Each repetition brings its rows again. A factor nested in the repeated one gets new levels with it; a factor
    crossed with it keeps those it has.
    """
    if n_levels < 2:
        raise FitError(f"a grouping factor needs at least 2 levels, and {n_levels} were asked for")
    term = next(t for t in design.random_terms if t.group == group)
    own = [np.flatnonzero(term.codes == level) for level in range(term.n_levels)]
    picked = [own[new % term.n_levels] for new in range(n_levels)]
    rows = np.concatenate(picked)
    new_level = np.repeat(np.arange(n_levels), [len(p) for p in picked])
    return replace(
        design,
        y=design.y[rows],
        X=np.asfortranarray(design.X[rows]),
        weights=None if design.weights is None else design.weights[rows],
        offset=None if design.offset is None else design.offset[rows],
        loglik_weights=None if design.loglik_weights is None else design.loglik_weights[rows],
        random_terms=tuple(_relabelled(t, term.codes, rows, new_level) for t in design.random_terms),
        kept_rows=np.arange(len(rows)),
        n_given=len(rows),
        missing={},
    )


def _relabelled(term: RandomTermDesign, repeated: IntArray, rows: IntArray, new_level: IntArray) -> RandomTermDesign:
    """Return a term on the new rows."""
    pairs = np.unique(np.stack([term.codes, repeated]), axis=1)
    nested = pairs.shape[1] == term.n_levels  # each level meets one level of the repeated factor
    key = term.codes[rows] + (new_level * term.n_levels if nested else 0)
    present, codes = np.unique(key, return_inverse=True)
    old = present % term.n_levels
    labels = [term.levels[level] for level in old]
    if nested:
        labels = [f"{label}.{key // term.n_levels}" for label, key in zip(labels, present.tolist(), strict=True)]
    covariates = np.asfortranarray(term.covariates[rows])
    return replace(term, levels=tuple(labels), codes=codes.astype(np.intp), covariates=covariates)
