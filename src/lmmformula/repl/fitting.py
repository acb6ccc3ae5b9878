"""Commands that fit, sample and compare. Each is one call of the package; nothing is computed here."""

import shlex
import sys
from typing import TYPE_CHECKING, Any

from lmmformula.errors import FitError, FormulaError, printable
from lmmformula.present.formula import formula_text
from lmmformula.present.numbers import format_numbers, zap_small
from lmmformula.present.tables import matrix_lines, table_lines
from lmmformula.repl.changing import model_code, set_formula
from lmmformula.repl.session import Session
from lmmformula.repl.sources import loading_code, read_source
from lmmformula.repl.state import State

if TYPE_CHECKING:
    import pandas as pd

    from lmmformula.api.fits import LinearMixedFit
    from lmmformula.api.posterior import Posterior

METHODS = {"reml": True, "ml": False}
PICTURES = {
    **dict.fromkeys(("fit", "ranef", "residuals", "profile", "predictions"), "fit"),
    **dict.fromkeys(("densities", "traces"), "posterior"),
    "compare": "compare",
}
"""Kind of a picture -> what it is of."""

MOST_LEVELS = 10
"""Levels whose random effects are printed."""

NO_CHANGE = 1e-9
"""Relative changes below this are rounding."""


def fit(session: Session, argument: str) -> str:
    """`:fit [reml|ml] [FORMULA]`."""
    method, _, formula = argument.partition(" ")
    if method.lower() not in METHODS:
        method, formula = "reml", argument
    if formula.strip():
        set_formula(session, formula.strip())
    return str(_fitted(session, reml=METHODS[method.lower()]))


def _fitted(session: Session, *, reml: bool) -> Any:  # noqa: ANN401 (a fit of the model's family)
    found = session.state.need_model().fit(reml=reml)
    session.note(f"fit = model.fit({'' if reml else 'reml=False'})", fit=found)
    return found


def fit_of(session: Session) -> "LinearMixedFit":
    """Return the fit of the model; by REML where it was not fitted yet."""
    session.state.need_model()
    return session.state.fit or _fitted(session, reml=True)


def posterior_of(session: Session) -> "Posterior":
    """Return the posterior of the model; sampling takes too long to do it unasked."""
    session.state.need_model()
    if session.state.posterior is None:
        raise FitError("the model was not sampled yet", hint="`:sample` does")
    return session.state.posterior


def summary(session: Session, _: str) -> str:
    """Print the fit."""
    found = fit_of(session)
    session.note("print(fit.summary())")
    return str(found.summary())


def anova(session: Session, argument: str) -> str:
    """`:anova [I|II|III]`."""
    kind: Any = argument.upper() or "III"
    if kind not in ("I", "II", "III"):
        raise FormulaError(f"there is no analysis of variance of type `{printable(argument)}`", hint="I, II or III")
    table = fit_of(session).anova(type=kind)
    session.note(f"print(fit.anova(type={kind!r}))")
    return str(table)


def confint(session: Session, argument: str) -> str:
    """`:confint [wald|profile|boot]`."""
    method: Any = argument or "wald"
    intervals = fit_of(session).confint(method=method)
    session.note(f"print(fit.confint(method={method!r}))")
    return str(intervals)


def random_effects(session: Session, argument: str) -> str:
    """`:ranef [GROUP]`."""
    found = fit_of(session).ranef()
    session.note("print(fit.ranef())")
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


def predict(session: Session, argument: str) -> str:
    """`:predict [x=1 g=a | FILE]`: for values, a file, or the rows of the fit."""
    found = fit_of(session)
    if "=" in argument:
        given = _values(argument, session.state)
        grouped = {variable.name for term in found.ir.random for variable in term.group} <= given.keys()
        random: Any = "conditional" if grouped else "population"
        session.note(f"print(fit.predict({given!r}, random={random!r}, new_levels='population'))")
        value = found.predict(given, random=random, new_levels="population").iloc[0]
        kind = "with the random effects of its levels" if grouped else "random effects at zero"
        return f"{value:.6g} ({kind})"
    if argument:
        session.note(f"print(fit.predict({loading_code(argument)}, new_levels='population'))")
        return _first_rows(found.predict(read_source(argument), new_levels="population"))
    session.note("print(fit.predict())")
    return _first_rows(found.predict())


def _values(argument: str, state: State) -> dict[str, list[Any]]:
    """Read `x=1 g=a`: text for columns of levels, numbers for others."""
    from lmmformula.data.columns import FactorColumn

    given: dict[str, list[Any]] = {}
    for word in _words(argument):
        name, equals, text = word.rstrip(",").partition("=")
        if not equals or not text:
            raise FormulaError(f"`{printable(word)}` is no value", hint="as in :predict Days=3 Subject=308")
        try:
            is_factor = isinstance(state.need_data().table[name], FactorColumn)
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


def _first_rows(predictions: "pd.Series[float]") -> str:
    shown = predictions.head(MOST_LEVELS)
    rows = [[str(i), value] for i, value in zip(shown.index, format_numbers(list(shown), 6), strict=True)]
    left = len(predictions) - len(shown)
    return "\n".join([*table_lines(["row", "prediction"], rows), *([f"and {left} more"] if left else [])])


def plot(session: Session, argument: str) -> str:
    """`:plot [KIND] [FILE]`: of the fit, of the posterior, or of both."""
    import numpy as np

    word, _, path = argument.partition(" ")
    kind, path = (word, path.strip()) if word in PICTURES else ("fit", argument)
    path = path or f"{kind}.png"
    source = {"posterior": posterior_of, "compare": _comparison}.get(PICTURES[kind], fit_of)(session)
    if kind == "compare":
        source.plot().savefig(path)
        session.note(f"lf.compare(fit, posterior).plot().savefig({path!r})")
    else:
        np.ravel(source.plot(kind))[0].figure.savefig(path)
        session.note(f"np.ravel({PICTURES[kind]}.plot({kind!r}))[0].figure.savefig({path!r})")
    return f"written: {path}"


def stan(session: Session, argument: str) -> str:
    """`:stan [FILE]`."""
    program = session.state.need_model().stan()
    if not argument:
        session.note("print(model.stan())")
        return program.code.rstrip()
    program.write(argument)
    session.note(f"model.stan().write({argument!r})")
    return f"written: {argument}, and beside it data, a script and how to run them"


def sample(session: Session, argument: str) -> str:
    """`:sample [N] [seed=1 chains=4 warmup=1000 engine=stanli]`."""
    options: dict[str, Any] = {}
    for word in argument.split():
        name, equals, text = word.rpartition("=")
        name = name if equals else "draws"
        if name == "engine":
            options[name] = text
        elif name in ("draws", "seed", "chains", "warmup") and text.isdecimal() and (name == "seed" or int(text)):
            options[name] = int(text)
        else:
            raise FormulaError(f"can't read `{printable(word)}`", hint="as in :sample 1000 seed=1 chains=4 warmup=500")
    model = session.state.need_model()
    posterior = model.sample(**options, progress=sys.stderr.isatty())
    written = ", ".join(f"{name}={value!r}" for name, value in options.items())
    session.note(f"posterior = model.sample({written})", posterior=posterior)
    return str(posterior)


def compare(session: Session, _: str) -> str:
    """Put fit and posterior side by side."""
    found = _comparison(session)
    session.note("print(lf.compare(fit, posterior))")
    return str(found)


def _comparison(session: Session) -> Any:  # noqa: ANN401 (a Comparison)
    from lmmformula.api.comparison import compare as side_by_side

    posterior = posterior_of(session)
    return side_by_side(fit_of(session), posterior)


def diff(session: Session, _: str) -> str:
    """Compare the model with the one before it: terms, likelihoods, and what changed in the fixed effects."""
    before, now = _previous(session), fit_of(session)
    old: Any = before.fit or before.need_model().fit(reml=now.fit.reml)
    method = "" if old.fit.reml else "reml=False"
    session.note(f"before = {model_code(before.formula, before.priors)}.fit({method})\nprint(before.anova(fit))")
    return "\n\n".join(
        [
            "\n".join(_changed_terms(old, now)),
            str(old.anova(now)),
            "\n".join(_changed_effects(old, now)),
        ]
    )


def _previous(session: Session) -> State:
    """Find the last state with another formula on the same data."""
    now = session.state
    now.need_model()
    for state in reversed(session.past):
        same = state.data is not None and state.data.source is now.need_data().source
        if same and state.model is not None and state.need_ir().formula != now.need_ir().formula:
            return state
    raise FitError("there is no other model of these data to compare with", hint="type another formula first")


def _changed_terms(old: "LinearMixedFit", new: "LinearMixedFit") -> list[str]:
    before, after = _terms(old), _terms(new)
    lines = [f"before: {formula_text(old.ir)}", f"now:    {formula_text(new.ir)}"]
    lines += [f"  - {text}" for text in before if text not in after]
    return lines + [f"  + {text}" for text in after if text not in before]


def _terms(found: "LinearMixedFit") -> list[str]:
    from lmmformula.ir.text import random_text

    fixed = ["1"] if found.ir.fixed.intercept else ["0"]
    return [*fixed, *(term.label for term in found.ir.fixed.terms), *map(random_text, found.ir.random)]


def _changed_effects(old: "LinearMixedFit", new: "LinearMixedFit") -> list[str]:
    """Lay out the fixed effects of both fits, and by how many standard errors those of both differ."""
    names = list(dict.fromkeys([*old.fixef.index, *new.fixef.index]))
    before, after = ([found.fixef.get(name, float("nan")) for name in names] for found in (old, new))
    errors = [new.std_errors.get(name, float("nan")) for name in names]
    moved = zap_small(
        [0.0 if abs(b - a) < NO_CHANGE * abs(a) else b - a for a, b in zip(before, after, strict=True)], 5
    )
    cells = [format_numbers(values, 5) for values in (before, after, moved)]
    in_errors = [f"{m / e:.2f}" if e else "" for m, e in zip(moved, errors, strict=True)]
    rows = [[name, *row] for name, *row in zip(names, *cells, in_errors, strict=True)]
    blank = [["" if cell.strip() in ("NaN", "nan") else cell for cell in row] for row in rows]
    return table_lines(["fixed effect", "before", "now", "change", "in std. errors"], blank)
