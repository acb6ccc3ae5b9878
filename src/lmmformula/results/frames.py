"""Results as tidy data frames, under the names that R's broom gave them."""

from typing import TYPE_CHECKING

from lmmformula.data.table import FactorColumn, NumericColumn
from lmmformula.results.varcorr import VarCorr

if TYPE_CHECKING:
    import pandas as pd

    from lmmformula.results.lmm import LinearMixedResult


def tidy(fixef: "pd.Series[float]", std_errors: "pd.Series[float]", varcorr: VarCorr) -> "pd.DataFrame":
    """
    One row per parameter: effect ("fixed" or "random"), group, term, estimate, std_error, statistic.

    Random rows are `sd__x` and `cor__(Intercept).x`; they have no standard error.
    """
    import pandas as pd

    nan = float("nan")
    rows = [
        ("fixed", "", name, estimate, se, estimate / se)
        for name, estimate, se in zip(fixef.index, fixef, std_errors, strict=True)
    ]
    for term in varcorr:
        for j, name in enumerate(term.names):
            rows.append(("random", term.label, f"sd__{name}", term.sds[j], nan, nan))
            rows += [
                ("random", term.label, f"cor__{term.names[i]}.{name}", term.correlation[j, i], nan, nan)
                for i in range(j)
            ]
    rows.append(("random", "Residual", "sd__Observation", varcorr.sigma, nan, nan))
    return pd.DataFrame(rows, columns=["effect", "group", "term", "estimate", "std_error", "statistic"])


def glance(result: "LinearMixedResult") -> "pd.DataFrame":
    """One row: nobs, sigma, loglik, aic, bic, the criterion that was minimised, df_residual, and two verdicts."""
    import pandas as pd

    criterion = {"reml_criterion": result.reml_criterion} if result.reml else {"deviance": result.deviance}
    numbers = {
        "nobs": result.nobs,
        "sigma": result.sigma,
        "loglik": result.loglik,
        "aic": result.aic,
        "bic": result.bic,
    }
    verdicts = {"is_singular": result.is_singular, "converged": result.converged}
    return pd.DataFrame([numbers | criterion | {"df_residual": result.df_residual} | verdicts])


def augment(result: "LinearMixedResult") -> "pd.DataFrame":
    """
    One row per observation used, indexed by its position in the data that were given.

    The variables of the formula, then `fitted`, `population` (without random effects), `residual` and `scaled`.
    """
    import pandas as pd

    rows = result.design.kept_rows
    frame = pd.DataFrame(index=rows)
    for name in dict.fromkeys(variable.name for variable in result.ir.variables()):
        match result.table[name]:
            case FactorColumn(codes=codes, levels=levels, ordered=ordered):
                frame[name] = pd.Categorical.from_codes(codes[rows], dtype=pd.CategoricalDtype(list(levels), ordered))
            case NumericColumn(values=values):
                frame[name] = values[rows]
    frame["fitted"] = result.fitted
    frame["population"] = result.predict(random="population")
    frame["residual"] = result.residuals()
    frame["scaled"] = result.residuals("scaled")
    return frame
