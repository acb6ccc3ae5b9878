"""Commands that fit, and tell of a fit. Each is one call of the package; nothing is computed here."""

import shlex
from typing import TYPE_CHECKING, Any

from lmmformula.design.schema import FactorVariable
from lmmformula.errors import FitError, FormulaError, printable
from lmmformula.fit.likelihood.response import CURVATURES
from lmmformula.present.numbers import format_numbers
from lmmformula.present.tables import matrix_lines
from lmmformula.repl.doing.changing import set_formula
from lmmformula.repl.doing.families import is_fitted, need_fitted
from lmmformula.repl.sources import read_source
from lmmformula.repl.state import Data, States
from lmmformula.results.tables.lines import table_lines

if TYPE_CHECKING:
    import pandas as pd

    from lmmformula.api.fits import GeneralizedMixedFit, LinearMixedFit
    from lmmformula.api.posterior import Posterior

    Fit = LinearMixedFit | GeneralizedMixedFit

OF_DRAWS = ("quantile", "hdi")
"""Methods of intervals that a posterior has."""

MOST_LEVELS = 10
"""Levels whose random effects are printed."""


def do_fit(session: States, argument: str) -> str:
    """`:fit [reml|ml|nagq=9] [FORMULA]`; `curvature=expected` makes lme4's criterion."""
    method, _, formula = argument.partition(" ")
    options = fit_options(method)
    if options is None:
        options, formula = {}, argument
    if formula.strip():
        set_formula(session, formula.strip())
    return str(fit_again(session, **options))


def fit_options(word: str) -> dict[str, Any] | None:
    """
    Read how to fit; None if a word does not tell.

    >>> fit_options("ML"), fit_options("nagq=9"), fit_options("curvature=expected"), fit_options("y")
    ({'reml': False}, {'nagq': 9}, {'curvature': 'expected'}, None)
    """
    name, _, value = word.lower().partition("=")
    if name == "nagq" and value.isdecimal():
        return {"nagq": int(value)}
    if name == "curvature" and value in CURVATURES:
        return {"curvature": value}
    return {"reml": {}, "ml": {"reml": False}}.get(word.lower())


def fit_again(session: States, **options: Any) -> "Fit":  # noqa: ANN401 (those of `Model.fit`)
    """Fit the model."""
    model = session.state.need_model()
    need_fitted(model.ir.family)
    found = model.fit(**options)
    session.note(f"fit = model.fit({', '.join(f'{name}={value!r}' for name, value in options.items())})", fit=found)
    return found


def fit_of(session: States) -> "Fit":
    """Return the fit of the model; made now, by REML in the Gaussian family, where there was none yet."""
    return session.state.fit or fit_again(session)


def result_of(session: States) -> "tuple[str, Fit | Posterior]":
    """Return the fit, and what it is called in Python; the posterior where there can't be a fit."""
    state = session.state
    has_no_fit = state.ir is not None and (state.model is None or not is_fitted(state.family))
    if state.fit is None and has_no_fit:
        return "posterior", need_posterior(session)
    return "fit", fit_of(session)


def need_posterior(session: States) -> "Posterior":
    """Return the posterior of the model; sampling takes too long to do it unasked."""
    if session.state.posterior is None:
        session.state.need_model()
        raise FitError("the model was not sampled yet", hint="`:sample` does")
    return session.state.posterior


def do_summary(session: States, _: str) -> str:
    """Print the fit with tests, or the posterior."""
    name, found = result_of(session)
    session.note("print(posterior)" if name == "posterior" else "print(fit.summary())")
    return str(found if name == "posterior" else found.summary())


def do_anova(session: States, argument: str) -> str:
    """`:anova [I|II|III]`."""
    kind: Any = argument.upper() or "III"
    if kind not in ("I", "II", "III"):
        raise FormulaError(f"there is no analysis of variance of type `{printable(argument)}`", hint="I, II or III")
    table = fit_of(session).anova(type=kind)
    session.note(f"print(fit.anova(type={kind!r}))")
    return str(table)


def do_confint(session: States, argument: str) -> str:
    """`:confint [wald|profile|boot|quantile|hdi]`; the last two are of the posterior."""
    name, found = ("posterior", need_posterior(session)) if argument in OF_DRAWS else result_of(session)
    method: Any = argument or ("quantile" if name == "posterior" else "wald")
    intervals = found.confint(method=method)
    session.note(f"print({name}.confint(method={method!r}))")
    return str(intervals)


def do_ranef(session: States, argument: str) -> str:
    """`:ranef [GROUP]`."""
    name, result = result_of(session)
    found = result.ranef()
    session.note(f"print({name}.ranef())")
    if argument and argument not in found:
        known = ", ".join(map(printable, found)) or "there are none"
        raise FitError(f"`{printable(argument)}` is not a grouping factor of the model", hint=f"they are: {known}")
    chosen = {argument: found[argument]} if argument else found
    return "\n\n".join("\n".join(_effects(group, frame)) for group, frame in chosen.items()) or "no random effects"


def _effects(group: str, frame: "pd.DataFrame") -> list[str]:
    shown = frame.head(MOST_LEVELS)
    columns = [format_numbers(list(shown[name]), 5) for name in shown.columns]
    lines = matrix_lines(list(map(str, shown.index)), list(map(str, shown.columns)), columns, right=True)
    left = len(frame) - len(shown)
    return [f"{printable(group)}, {len(frame)} levels", *lines, *([f"and {left} more"] if left else [])]


def do_emmeans(session: States, argument: str) -> str:
    """`:emmeans f * g | by`: of a fit, or of a posterior where there can't be one."""
    found: Any
    name, found = result_of(session)
    if not argument:
        raise FormulaError("means of which factors?", hint="as in :emmeans f, or :emmeans f * g, or :emmeans f | g")
    spec = argument if argument.startswith("~") else f"~ {argument}"
    means = found.emmeans(spec)
    session.note(f"means = {name}.emmeans({spec!r})\nprint(means, means.pairs(), sep='\\n\\n')")
    return f"{means}\n\n{means.pairs()}" if len(means.frame) > 1 else str(means)


def do_predict(session: States, argument: str) -> str:
    """`:predict [x=1 g=a | FILE]`: for values, a file, or the rows of the fit."""
    name, found = result_of(session)
    if "=" in argument:
        given = _values(argument, session.state.data, _with_levels(found))
        grouped = {variable.name for term in found.ir.random for variable in term.group} <= given.keys()
        random: Any = "conditional" if grouped else "population"
        session.note(f"print({name}.predict({given!r}, random={random!r}, new_levels='population'))")
        values = found.predict(given, random=random, new_levels="population").iloc[0]
        kind = "with the random effects of its levels" if grouped else "random effects at zero"
        return f"{_prediction(values)} ({kind})"
    if argument:
        new = read_source(argument)
        session.note(f"print({name}.predict({new.attrs['code']}, new_levels='population'))")
        return _first_rows(found.predict(new, new_levels="population"))
    session.note(f"print({name}.predict())")
    return _first_rows(found.predict())


def _prediction(value: Any) -> str:  # noqa: ANN401 (a number, or the probabilities of categories)
    if not hasattr(value, "items"):
        return f"{value:.6g}"
    return ", ".join(f"{printable(str(name))}: {share:.4f}" for name, share in value.items())


def _with_levels(found: "Fit | Posterior") -> set[str]:
    """Name what has levels in a model, for a result without its data."""
    factors = {name for name, variable in found.schema.variables.items() if isinstance(variable, FactorVariable)}
    return factors | {variable.name for term in found.ir.random for variable in term.group}


def _values(argument: str, data: Data | None, levels: set[str]) -> dict[str, list[Any]]:
    """
    Read `x=1 g=a`: text for columns of levels, numbers for others.

    levels : the columns that have some, where there are no data to tell
    """
    from lmmformula.data.columns import FactorColumn

    given: dict[str, list[Any]] = {}
    for word in _words(argument):
        name, equals, text = word.rstrip(",").partition("=")
        if not equals or not text:
            raise FormulaError(f"`{printable(word)}` is no value", hint="as in :predict Days=3 Subject=308")
        try:
            is_factor = isinstance(data.table[name], FactorColumn) if data else name in levels
            given[name] = [text if is_factor else float(text)]
        except ValueError:
            raise FormulaError(f"`{printable(name)}` is numeric, and `{printable(text)}` no number") from None
    return given


def _words(argument: str) -> list[str]:
    """Split as a shell does, so that a level may be in quotes."""
    try:
        return shlex.split(argument)
    except ValueError:
        raise FormulaError("a quote is opened and never closed", hint="as in :predict Days=3 Subject='a b'") from None


def _first_rows(predictions: Any) -> str:  # noqa: ANN401 (a series, or a data frame of categories)
    table: pd.DataFrame = predictions.to_frame("prediction") if predictions.ndim == 1 else predictions
    shown = table.head(MOST_LEVELS)
    columns = [format_numbers(list(shown[name]), 6) for name in shown.columns]
    rows = [[str(i), *cells] for i, *cells in zip(shown.index, *columns, strict=True)]
    left = len(table) - len(shown)
    return "\n".join([*table_lines(["row", *map(str, shown.columns)], rows), *([f"and {left} more"] if left else [])])
