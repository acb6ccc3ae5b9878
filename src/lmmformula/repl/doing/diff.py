"""`:diff`: the model beside the one before it."""

from typing import TYPE_CHECKING, Any

from lmmformula.errors import FitError
from lmmformula.ir.family import GAUSSIAN
from lmmformula.ir.written.text import random_text
from lmmformula.present.numbers import format_numbers, zap_small
from lmmformula.repl.doing.changing import model_code
from lmmformula.repl.doing.families import model_text, need_fitted
from lmmformula.repl.doing.fitting import fit_of
from lmmformula.repl.state import State, States
from lmmformula.results.tables.lines import table_lines

if TYPE_CHECKING:
    from lmmformula.repl.doing.fitting import Fit

NO_CHANGE = 1e-9
"""Relative changes below this are rounding."""


def do_diff(session: States, _: str) -> str:
    """Compare the model with the one before it: terms, likelihoods, and what changed in the fixed effects."""
    before, now = previous(session), fit_of(session)
    need_fitted(before.family)
    old: Any = before.fit or before.need_model().fit(**_options(now))
    written = ", ".join(f"{name}={value!r}" for name, value in _options(old).items())
    session.note(f"before = {model_code(before)}.fit({written})\nprint(before.anova(fit))")
    return "\n\n".join(
        [
            "\n".join(_changed_terms(old, now)),
            str(old.anova(now)),
            "\n".join(_changed_effects(old, now)),
        ]
    )


def _options(found: "Fit") -> dict[str, Any]:
    """Tell how a fit was made, where that was not the default."""
    fit: Any = found.fit
    if found.ir.family == GAUSSIAN:
        return {} if fit.reml else {"reml": False}
    usual = {"nagq": 1, "curvature": "observed"}
    return {name: getattr(fit, name) for name, value in usual.items() if getattr(fit, name) != value}


def previous(session: States) -> State:
    """Find the last state with another formula or family on the same data."""
    now = session.state
    model = (now.need_ir().formula, now.family, now.row_columns)
    for state in reversed(session.past):
        same = state.data is not None and state.data.source is now.need_data().source
        if same and state.model is not None and (state.need_ir().formula, state.family, state.row_columns) != model:
            return state
    raise FitError("there is no other model of these data to compare with", hint="type another formula first")


def _changed_terms(old: "Fit", new: "Fit") -> list[str]:
    before, after = _terms(old), _terms(new)
    lines = [f"before: {model_text(old.ir)}", f"now:    {model_text(new.ir)}"]
    lines += [f"  - {text}" for text in before if text not in after]
    return lines + [f"  + {text}" for text in after if text not in before]


def _terms(found: "Fit") -> list[str]:
    fixed = ["1"] if found.ir.fixed.intercept else ["0"]
    return [*fixed, *(term.label for term in found.ir.fixed.terms), *map(random_text, found.ir.random)]


def _changed_effects(old: "Fit", new: "Fit") -> list[str]:
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
