"""Posterior draws as ArviZ holds them; ArviZ is an optional extra."""

from typing import TYPE_CHECKING, Any

from lmmformula.arrays import AnyArray
from lmmformula.errors import EngineError
from lmmformula.results.varcorr import unique_labels

if TYPE_CHECKING:
    from lmmformula.results.posterior import PosteriorResult


def to_arviz(result: "PosteriorResult") -> Any:  # noqa: ANN401 (an InferenceData or a DataTree)
    """
    Convert to ArviZ, with coordinates for coefficients and levels.

    Groups: posterior (b, sigma, and per random term sd_g, cor_g, u_g), sample_stats, observed_data.
    """
    try:
        import arviz
    except ImportError as error:
        raise EngineError("ArviZ is not installed", hint="pip install 'lmmformula[arviz]'") from error
    posterior, coords, dims = _posterior(result)
    groups = {
        "posterior": posterior,
        "sample_stats": _sample_stats(result),
        "observed_data": {result.design.response_name: result.design.y},
    }
    # ArviZ 1.0 takes one mapping of groups, its predecessors took one argument for each group.
    if int(arviz.__version__.split(".")[0]) >= 1:
        return arviz.from_dict(groups, coords=coords, dims=dims)
    return arviz.from_dict(**groups, coords=coords, dims=dims)


def _posterior(result: "PosteriorResult") -> tuple[dict[str, AnyArray], dict[str, list[str]], dict[str, list[str]]]:
    """Name variables, coordinates and dimensions."""
    draws, design = result.draws, result.design
    variables: dict[str, AnyArray] = {"b": draws.beta, **draws.own}
    coords = {"coefficient": list(design.fixed_names)}
    dims = {"b": ["coefficient"]}
    labels = unique_labels([term.group for term in design.random_terms])
    for i, (label, term) in enumerate(zip(labels, design.random_terms, strict=True)):
        rows, columns, levels = f"{label}_coefficient", f"{label}_coefficient_", f"{label}_level"
        variables |= {f"sd_{label}": draws.sds[i], f"cor_{label}": draws.correlations[i], f"u_{label}": draws.modes[i]}
        coords |= {rows: list(term.coefficient_names), columns: list(term.coefficient_names), levels: list(term.levels)}
        dims |= {f"sd_{label}": [rows], f"cor_{label}": [rows, columns], f"u_{label}": [levels, rows]}
    return variables, coords, dims


def _sample_stats(result: "PosteriorResult") -> dict[str, AnyArray]:
    """Name the sampler's own numbers as ArviZ does."""
    statistics = result.raw.statistics
    names = {"divergent": "diverging", "treedepth": "tree_depth", "n_leapfrog": "n_steps", "stepsize": "step_size"}
    return {names.get(name, name): values for name, values in statistics.items()}
